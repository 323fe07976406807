//! One relay per log, among any number of replicas.

use std::time::Duration;

use db::Db;
use rpc::Result;
use sqlx::{Connection, PgConnection};
use tokio::time::sleep;

const AGAIN: Duration = Duration::from_secs(2);

/// The right to relay, for as long as the session holds that took it. A relay that has lost it without knowing does no
/// harm: the server refuses what does not come next.
pub(crate) enum Sole {
    /// One process has an SQLite file.
    Process,
    Session(PgConnection),
}

impl Sole {
    /// Waits until no other replica relays, telling so each time it looks.
    pub(crate) async fn acquire(db: &Db, wait: impl Fn()) -> Result<Self> {
        let Db::Postgres(pool) = db else { return Ok(Self::Process) };
        let mut session = PgConnection::connect_with(&pool.connect_options()).await?;
        loop {
            let sql = "SELECT pg_try_advisory_lock(7313, hashtext(current_schema()))";
            if sqlx::query_scalar(sql).fetch_one(&mut session).await? {
                return Ok(Self::Session(session));
            }
            wait();
            sleep(AGAIN).await;
        }
    }

    /// Fails when the session is gone, and the right with it.
    pub(crate) async fn check(&mut self) -> Result<()> {
        match self {
            Self::Process => Ok(()),
            Self::Session(session) => Ok(session.ping().await?),
        }
    }
}
