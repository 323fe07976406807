//! How far a consumer is behind, as metrics.

use std::time::Duration;

use db::on;
use rpc::Result;
use tokio::time::{MissedTickBehavior, interval};

use super::{Follower, parked};

const EVERY: Duration = Duration::from_secs(1);

/// Measures until dropped. A source that cannot be asked leaves the last figures, of which the seconds go on growing.
pub(super) async fn watch(follower: &Follower) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut behind_since = None;
    loop {
        tick.tick().await;
        match measure(follower).await {
            Ok(since) => behind_since = since,
            Err(error) => {
                tracing::debug!(source = follower.source().name(), %error, "lag is not known");
            }
        }
        let seconds =
            behind_since.map_or(0.0, |since| (rpc::now() - since).as_seconds_f64().max(0.0));
        metrics::gauge!("headway_consumer_lag_seconds", &labels(follower)).set(seconds);
    }
}

/// Sets what can be counted; gives when the oldest event not handled yet was recorded.
async fn measure(follower: &Follower) -> Result<Option<chrono::DateTime<chrono::Utc>>> {
    let name = follower.source().name();
    let mut tx = follower.own.log.db.read().await?;
    let position: Option<i64> =
        on!(&mut tx, |c| sqlx::query_scalar("SELECT min(position) FROM consumer WHERE name = $1")
            .bind(name)
            .fetch_one(c)
            .await)?;
    let parked = parked::streams(&mut tx, name).await?.len();
    drop(tx);
    metrics::gauge!("headway_parked_streams", &labels(follower))
        .set(u32::try_from(parked).unwrap_or(u32::MAX));
    let position = position.unwrap_or(0);
    let ahead = follower.source().ahead(position).await?;
    let behind = u32::try_from(ahead.head - position).unwrap_or(0);
    metrics::gauge!("headway_consumer_lag_positions", &labels(follower)).set(behind);
    Ok(ahead.next_at)
}

fn labels(follower: &Follower) -> [(&'static str, &'static str); 2] {
    [("service", follower.own.log.service), ("source", follower.source().name())]
}
