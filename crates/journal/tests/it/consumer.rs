//! A consumer that notes what it was given, and what it did about it.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use db::{Tx, on};
use futures::future::BoxFuture;
use journal::{Follower, Handler, Journal, Journals, Recorded, Source};
use rpc::{Ctx, Error, Peer, Reason, Result};
use testkit::Caller;
use tokio::task::JoinHandle;

use crate::notes::{draft, write};

pub(crate) const LEASE: Duration = Duration::from_millis(600);

/// Notes what it was given and writes it into its table, whose key refuses an event handled twice.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    /// Position, stream and version, in the order in which they were tried.
    pub(crate) tried: Arc<Mutex<Vec<(i64, String, u32)>>>,
    /// Fails at events of this stream's version.
    pub(crate) poison: Arc<Mutex<Option<(String, u32)>>>,
    pub(crate) unavailable: Arc<AtomicBool>,
}

impl Handler for Seen {
    fn handle<'t>(
        &'t self,
        tx: &'t mut Tx,
        _: &'t Ctx,
        event: &'t Recorded,
    ) -> BoxFuture<'t, Result<()>> {
        Box::pin(async move {
            let it = (event.position, event.stream.clone(), event.version);
            self.tried.lock().unwrap().push(it);
            if self.unavailable.load(SeqCst) {
                return Err(Error::new(Reason::Unavailable, "just now"));
            }
            let poison = self.poison.lock().unwrap().clone();
            if poison
                .is_some_and(|(stream, version)| stream == event.stream && version == event.version)
            {
                return Err(Error::internal("cannot be digested"));
            }
            let name = format!("{} {:04}", event.stream, event.version);
            let later = "SELECT count(*) FROM note WHERE name > $1 AND name < $2";
            let later: i64 = on!(&mut *tx, |c| sqlx::query_scalar(later)
                .bind(&name)
                .bind(format!("{} ~", event.stream))
                .fetch_one(c)
                .await)?;
            if later > 0 {
                return Err(Error::internal("a later event of the stream was applied before"));
            }
            on!(tx, |c| sqlx::query("INSERT INTO note (position, name) VALUES ($1, $2)")
                .bind(event.position)
                .bind(name)
                .execute(c)
                .await
                .map(drop))?;
            Ok(())
        })
    }
}

impl Seen {
    pub(crate) fn fails_at(&self, stream: &str, version: u32) {
        *self.poison.lock().unwrap() = Some((stream.to_owned(), version));
    }

    pub(crate) fn recovers(&self) {
        *self.poison.lock().unwrap() = None;
        self.unavailable.store(false, SeqCst);
    }
}

pub(crate) fn peer_of(journal: &Journal) -> Peer {
    let journals: Journals = [journal.clone()].into_iter().collect();
    Caller::platform().peer(tonic::service::Routes::new(journals.grpc()))
}

pub(crate) fn follower(own: &Journal, of: &Journal, handler: &Seen, partitions: u16) -> Follower {
    let source = Source::new("notes", peer_of(of));
    Follower::new(own.clone(), source, handler.clone()).partitions(partitions).lease(LEASE)
}

pub(crate) fn start(
    own: &Journal,
    of: &Journal,
    handler: &Seen,
    partitions: u16,
) -> JoinHandle<()> {
    tokio::spawn(follower(own, of, handler, partitions).run())
}

pub(crate) async fn say(journal: &Journal, stream: u32, version: u32) {
    let draft = draft(u128::from(stream % 3), &format!("note/{stream}"), version, "x");
    write(journal, &Ctx::system("test"), draft).await.unwrap();
}

pub(crate) async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(30), waiting).await.is_ok(), "{what}");
}

pub(crate) async fn run(journal: &Journal, sql: &'static str) {
    let mut tx = journal.db().begin().await.unwrap();
    on!(&mut tx, |c| sqlx::query(sql).execute(c).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
}

/// Partitions by owner, most first.
pub(crate) async fn shares(journal: &Journal) -> Vec<i64> {
    let mut tx = journal.db().read().await.unwrap();
    let sql = "SELECT count(*) AS held FROM consumer WHERE owner IS NOT NULL GROUP BY owner ORDER BY held DESC";
    on!(&mut tx, |c| sqlx::query_scalar(sql).fetch_all(c).await).unwrap()
}

pub(crate) async fn positions(journal: &Journal) -> Vec<i64> {
    let mut tx = journal.db().read().await.unwrap();
    let sql = "SELECT position FROM consumer ORDER BY partition";
    on!(&mut tx, |c| sqlx::query_scalar(sql).fetch_all(c).await).unwrap()
}

/// What was applied, each stream's in the order of positions, must be in the order of versions from 1.
pub(crate) async fn whole(journal: &Journal, streams: u32, versions: u32) {
    let mut tx = journal.db().read().await.unwrap();
    let sql = "SELECT name FROM note ORDER BY position";
    let names: Vec<String> = on!(&mut tx, |c| sqlx::query_scalar(sql).fetch_all(c).await).unwrap();
    for stream in 0..streams {
        let prefix = format!("note/{stream} ");
        let of_stream: Vec<_> = names.iter().filter(|it| it.starts_with(&prefix)).collect();
        let expected: Vec<_> = (1..=versions).map(|it| format!("{prefix}{it:04}")).collect();
        assert!(of_stream.into_iter().eq(&expected), "{stream}");
    }
}
