//! Waking readers in other processes on PostgreSQL. A notification is only a hint: readers also look by themselves.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use sqlx::{
    PgPool,
    postgres::{PgListener, PgPoolOptions},
};
use tokio::{sync::watch, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::Journal;

/// The shortest time between two notifications: a burst of commits needs one.
const PAUSE: Duration = Duration::from_millis(5);
const AGAIN: Duration = Duration::from_secs(5);

/// Tells other processes of commits in this one, after the commit: nothing is added to the writer's transaction.
pub(crate) async fn tell(
    pool: PgPool,
    service: &'static str,
    instance: String,
    mut news: watch::Receiver<u64>,
    closing: CancellationToken,
) {
    while news.changed().await.is_ok() && !closing.is_cancelled() {
        // A hint need not survive: it shall not wait for a flush, nor have the writer's flush wait for its own.
        let hint = "SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)";
        let told = sqlx::query(hint).bind(channel(service)).bind(&instance).execute(&pool).await;
        if let Err(error) = told {
            tracing::debug!(service, %error, "other processes were not told of a commit");
        }
        sleep(PAUSE).await;
    }
}

impl Journal {
    /// Starts listening to other processes, at the first reader; on SQLite there are none.
    pub(crate) fn listen(&self) {
        let db::Db::Postgres(pool) = &self.log.db else { return };
        if self.listening.set(()).is_ok() {
            let (service, instance) = (self.log.service, self.instance.clone());
            let (hints, closing) = (Arc::downgrade(&self.hints), self.closing.clone());
            let pool = pool.clone();
            tokio::spawn(async move {
                while !closing.is_cancelled() && hints.strong_count() > 0 {
                    let heard = tokio::select! {
                        () = closing.cancelled() => break,
                        heard = hear(&pool, service, &instance, &hints) => heard,
                    };
                    if let Err(error) = heard {
                        tracing::debug!(service, %error, "not listening to other processes");
                    }
                    sleep(AGAIN).await;
                }
            });
        }
    }
}

/// Passes on what other processes tell, on a connection of its own, until that breaks or nobody is left to tell.
async fn hear(
    pool: &PgPool,
    service: &str,
    instance: &str,
    hints: &Weak<watch::Sender<u64>>,
) -> sqlx::Result<()> {
    let options = pool.connect_options().as_ref().clone();
    let own = PgPoolOptions::new().max_connections(1).connect_with(options).await?;
    let mut listener = PgListener::connect_with(&own).await?;
    listener.listen(&channel(service)).await?;
    loop {
        let told = tokio::time::timeout(AGAIN, listener.recv()).await;
        let Some(hints) = hints.upgrade() else { return Ok(()) };
        if let Ok(told) = told
            && told?.payload() != instance
        {
            hints.send_modify(|it| *it += 1);
        }
    }
}

fn channel(service: &str) -> String {
    format!("headway_{service}")
}
