//! Who works on which partition. Time is the database's: replicas' clocks differ, and jump.

use std::time::Duration;

use db::{Db, Tx, on};
use rpc::Result;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::Journal;

/// The partition of a stream, or of whatever else has a name. Never changes: positions are kept per partition.
pub fn partition(stream: &str, partitions: i32) -> i32 {
    let hash: [u8; 32] = Sha256::digest(stream).into();
    let first = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    i32::try_from(i64::from(first) % i64::from(partitions.max(1))).unwrap_or(0)
}

/// A partition this replica works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    pub partition: i32,
    /// Grows whenever the partition changes hands.
    pub epoch: i64,
    /// Everything of the partition up to here is handled.
    pub position: i64,
}

impl Held {
    /// Whether these are the same leases, wherever they have come to.
    pub(crate) fn same(before: &[Self], now: &[Self]) -> bool {
        let leases =
            |held: &[Self]| -> Vec<_> { held.iter().map(|it| (it.partition, it.epoch)).collect() };
        leases(before) == leases(now)
    }
}

#[derive(Clone, Copy, sqlx::FromRow)]
struct Row {
    partition: i32,
    position: i64,
    epoch: i64,
    owner: Option<Uuid>,
    lease_until_ms: i64,
}

/// One replica's part in some work that is divided into partitions, each of which one replica does at a time.
pub struct Leases {
    db: Db,
    follower: &'static str,
    name: &'static str,
    owner: Uuid,
    wanted: i32,
    lease_ms: i64,
    /// How many partitions there are, which is what the table says.
    pub(crate) partitions: i32,
    begun: bool,
}

impl std::fmt::Debug for Leases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Leases").field(&self.follower).field(&self.name).finish()
    }
}

impl Leases {
    /// Takes part in the work of that name on a service's database; a partition whose holder says nothing for as long as
    /// the lease passes to another.
    pub fn new(own: &Journal, name: &'static str, wanted: u16, lease: Duration) -> Self {
        Self {
            db: own.log.db.clone(),
            follower: own.log.service,
            name,
            owner: rpc::new_id(),
            wanted: i32::from(wanted),
            lease_ms: i64::try_from(lease.as_millis()).unwrap_or(i64::MAX),
            partitions: 0,
            begun: false,
        }
    }

    /// Says that this replica lives, renews what it holds, takes what is its share and free, and gives back what is
    /// more than its share.
    pub async fn beat(&mut self) -> Result<Vec<Held>> {
        let mut tx = self.db.begin().await?;
        let now = now_ms(&mut tx).await?;
        let (rank, workers) = self.sign_in(&mut tx, now).await?;
        let mut rows = self.rows(&mut tx).await?;
        if self.lay_out(&mut tx, &rows).await? {
            rows = self.rows(&mut tx).await?;
        }
        self.partitions = i32::try_from(rows.len()).unwrap_or(i32::MAX);
        let share = rows.len() / workers + usize::from(rank < rows.len() % workers);
        let mut held = Vec::new();
        for row in rows.iter().filter(|it| it.owner == Some(self.owner)) {
            if held.len() < share {
                held.extend(self.renew(&mut tx, row, now).await?);
            } else {
                self.give_back(&mut tx, row).await?;
            }
        }
        for row in rows.iter().filter(|it| it.owner != Some(self.owner) && self.is_free(it, now)) {
            if held.len() < share {
                held.extend(self.take(&mut tx, row, now).await?);
            }
        }
        tx.commit().await?;
        self.begun = true;
        held.sort_by_key(|it| it.partition);
        let labels = [("service", self.follower), ("source", self.name)];
        metrics::gauge!("headway_consumer_partitions", &labels)
            .set(u32::try_from(held.len()).unwrap_or(u32::MAX));
        Ok(held)
    }

    /// Gives everything back, so that others need not wait for the leases to expire.
    pub async fn release(&self) -> Result<()> {
        let mut tx = self.db.begin().await?;
        on!(&mut tx, |c| sqlx::query(
            "UPDATE consumer SET owner = NULL, lease_until_ms = 0 WHERE name = $1 AND owner = $2"
        )
        .bind(self.name)
        .bind(self.owner)
        .execute(c)
        .await
        .map(drop))?;
        on!(&mut tx, |c| sqlx::query(
            "DELETE FROM consumer_worker WHERE name = $1 AND owner = $2"
        )
        .bind(self.name)
        .bind(self.owner)
        .execute(c)
        .await
        .map(drop))?;
        Ok(tx.commit().await?)
    }

    /// This replica's place among those that live, and their number.
    async fn sign_in(&self, tx: &mut Tx, now: i64) -> Result<(usize, usize)> {
        on!(&mut *tx, |c| sqlx::query(
            "INSERT INTO consumer_worker (name, owner, lease_until_ms) VALUES ($1, $2, $3)
             ON CONFLICT (name, owner) DO UPDATE SET lease_until_ms = excluded.lease_until_ms"
        )
        .bind(self.name)
        .bind(self.owner)
        .bind(now + self.lease_ms)
        .execute(c)
        .await
        .map(drop))?;
        // Those long gone; a lease far in the future is of a clock that has since been put back.
        let gone = if self.starts_alone() { i64::MAX } else { now };
        on!(&mut *tx, |c| sqlx::query(
            "DELETE FROM consumer_worker
             WHERE name = $1 AND owner <> $4 AND (lease_until_ms <= $2 OR lease_until_ms > $3)"
        )
        .bind(self.name)
        .bind(gone)
        .bind(now + 2 * self.lease_ms)
        .bind(self.owner)
        .execute(c)
        .await
        .map(drop))?;
        let workers: Vec<Uuid> = on!(tx, |c| sqlx::query_scalar(
            "SELECT owner FROM consumer_worker WHERE name = $1 ORDER BY owner"
        )
        .bind(self.name)
        .fetch_all(c)
        .await)?;
        let rank = workers.iter().position(|it| *it == self.owner).unwrap_or(0);
        Ok((rank, workers.len().max(1)))
    }

    async fn rows(&self, tx: &mut Tx) -> Result<Vec<Row>> {
        Ok(on!(tx, |c| sqlx::query_as(
            "SELECT partition, position, epoch, owner, lease_until_ms
             FROM consumer WHERE name = $1 ORDER BY partition"
        )
        .bind(self.name)
        .fetch_all(c)
        .await)?)
    }

    /// Makes as many partitions as are wanted: at the first start, and later only while all are at one position,
    /// because otherwise nobody could say which events are handled. Whoever held one finds its epoch gone.
    async fn lay_out(&self, tx: &mut Tx, rows: &[Row]) -> Result<bool> {
        let position = rows.first().map_or(0, |it| it.position);
        let agreed = rows.iter().all(|it| it.position == position);
        if self.begun || !agreed || rows.len() == usize::try_from(self.wanted).unwrap_or(0) {
            return Ok(false);
        }
        let epoch = rows.iter().map(|it| it.epoch + 1).max().unwrap_or(0);
        on!(&mut *tx, |c| sqlx::query("DELETE FROM consumer WHERE name = $1")
            .bind(self.name)
            .execute(c)
            .await
            .map(drop))?;
        for partition in 0..self.wanted {
            on!(&mut *tx, |c| sqlx::query(
                "INSERT INTO consumer (name, partition, position, epoch, lease_until_ms)
                 VALUES ($1, $2, $3, $4, 0) ON CONFLICT (name, partition) DO NOTHING"
            )
            .bind(self.name)
            .bind(partition)
            .bind(position)
            .bind(epoch)
            .execute(c)
            .await
            .map(drop))?;
        }
        Ok(true)
    }

    /// One process has an SQLite file: whoever starts there owns all at once, and its predecessor's epochs end.
    fn starts_alone(&self) -> bool {
        !self.begun && matches!(self.db, Db::Sqlite { .. })
    }

    fn is_free(&self, row: &Row, now: i64) -> bool {
        let (until, lease) = (row.lease_until_ms, self.lease_ms);
        row.owner.is_none() || until <= now || until > now + 2 * lease || self.starts_alone()
    }

    async fn renew(&self, tx: &mut Tx, row: &Row, now: i64) -> Result<Option<Held>> {
        let position: Option<i64> = on!(tx, |c| sqlx::query_scalar(
            "UPDATE consumer SET lease_until_ms = $4
             WHERE name = $1 AND partition = $2 AND epoch = $3 RETURNING position"
        )
        .bind(self.name)
        .bind(row.partition)
        .bind(row.epoch)
        .bind(now + self.lease_ms)
        .fetch_optional(c)
        .await)?;
        Ok(position.map(|position| Held { partition: row.partition, epoch: row.epoch, position }))
    }

    /// Takes a free partition under the next epoch, unless somebody else is just doing so or its last holder is in the
    /// middle of a commit.
    async fn take(&self, tx: &mut Tx, row: &Row, now: i64) -> Result<Option<Held>> {
        let sql = match tx {
            Tx::Sqlite(_) => {
                "UPDATE consumer SET owner = $4, epoch = epoch + 1, lease_until_ms = $5
                 WHERE name = $1 AND partition = $2 AND epoch = $3 RETURNING position, epoch"
            }
            Tx::Postgres(_) => {
                "UPDATE consumer SET owner = $4, epoch = epoch + 1, lease_until_ms = $5
                 WHERE name = $1 AND partition = (
                     SELECT partition FROM consumer WHERE name = $1 AND partition = $2 AND epoch = $3
                     FOR UPDATE SKIP LOCKED
                 ) RETURNING position, epoch"
            }
        };
        let taken: Option<(i64, i64)> = on!(tx, |c| sqlx::query_as(sql)
            .bind(self.name)
            .bind(row.partition)
            .bind(row.epoch)
            .bind(self.owner)
            .bind(now + self.lease_ms)
            .fetch_optional(c)
            .await)?;
        Ok(taken.map(|(position, epoch)| Held { partition: row.partition, epoch, position }))
    }

    async fn give_back(&self, tx: &mut Tx, row: &Row) -> Result<()> {
        on!(tx, |c| sqlx::query(
            "UPDATE consumer SET owner = NULL, lease_until_ms = 0
             WHERE name = $1 AND partition = $2 AND epoch = $3"
        )
        .bind(self.name)
        .bind(row.partition)
        .bind(row.epoch)
        .execute(c)
        .await
        .map(drop))?;
        Ok(())
    }

    /// Makes sure, in the transaction of an effect, that the lease has not gone to another, nor can before the commit.
    ///
    /// On `PostgreSQL` the lock keeps others from taking the lease and not from renewing it: an effect under several
    /// leases and a renewal of several would otherwise wait for each other.
    pub async fn holds(tx: &mut Tx, name: &str, held: &Held) -> Result<bool> {
        let sql = match tx {
            Tx::Sqlite(_) => {
                "SELECT epoch FROM consumer WHERE name = $1 AND partition = $2 AND epoch = $3"
            }
            Tx::Postgres(_) => {
                "SELECT epoch FROM consumer WHERE name = $1 AND partition = $2 AND epoch = $3 FOR KEY SHARE"
            }
        };
        let same: Option<i64> = on!(tx, |c| sqlx::query_scalar(sql)
            .bind(name)
            .bind(held.partition)
            .bind(held.epoch)
            .fetch_optional(c)
            .await)?;
        Ok(same.is_some())
    }

    /// Moves a partition's position in the transaction of the effect; false when the lease has gone to another.
    pub(crate) async fn advance(tx: &mut Tx, name: &str, held: &Held, to: i64) -> Result<bool> {
        let moved = on!(tx, |c| sqlx::query(
            "UPDATE consumer SET position = $5
             WHERE name = $1 AND partition = $2 AND epoch = $3 AND position = $4"
        )
        .bind(name)
        .bind(held.partition)
        .bind(held.epoch)
        .bind(held.position)
        .bind(to)
        .execute(c)
        .await
        .map(|it| it.rows_affected()))?;
        Ok(moved == 1)
    }
}

async fn now_ms(tx: &mut Tx) -> Result<i64> {
    let sql = match tx {
        Tx::Sqlite(_) => "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)",
        Tx::Postgres(_) => "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint",
    };
    Ok(on!(tx, |c| sqlx::query_scalar(sql).fetch_one(c).await)?)
}
