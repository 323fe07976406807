use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use db::{Tx, on};
use identity::{SchoolId, TrustId};
use rpc::{Error, Result};

use crate::domain::{Feed, FeedId, Kind};

#[derive(sqlx::FromRow)]
struct Row {
    feed_id: FeedId,
    trust_id: TrustId,
    name: String,
    client_id: String,
    kinds: String,
    version: i32,
    created_at: DateTime<Utc>,
}

pub(crate) async fn get(tx: &mut Tx, feed_id: FeedId) -> Result<Option<Feed>> {
    let row: Option<Row> = on!(tx, |c| sqlx::query_as(
        "SELECT feed_id, trust_id, name, client_id, kinds, version, created_at
         FROM feed WHERE feed_id = $1"
    )
    .bind(feed_id)
    .fetch_optional(c)
    .await)?;
    match row {
        Some(row) => with_schools(tx, row).await.map(Some),
        None => Ok(None),
    }
}

/// The versions of those of the feeds that there are.
pub(crate) async fn versions(tx: &mut Tx, feeds: &[FeedId]) -> Result<HashMap<FeedId, u32>> {
    let ids: Vec<_> = feeds.iter().map(|it| it.0).collect();
    let sql = "SELECT feed_id, version FROM feed WHERE feed_id = ANY($1)";
    let rows: Vec<(FeedId, i32)> = db::fetch_any(tx, sql, &ids).await?;
    rows.into_iter()
        .map(|(id, version)| Ok((id, u32::try_from(version).map_err(Error::internal)?)))
        .collect()
}

/// A trust's feeds after one of them, by id.
pub(crate) async fn of_trust(
    tx: &mut Tx,
    trust_id: TrustId,
    after: Option<FeedId>,
    limit: i64,
) -> Result<Vec<Feed>> {
    let rows: Vec<Row> = on!(tx, |c| sqlx::query_as(
        "SELECT feed_id, trust_id, name, client_id, kinds, version, created_at
         FROM feed WHERE trust_id = $1 AND ($2 IS NULL OR feed_id > $2) ORDER BY feed_id LIMIT $3"
    )
    .bind(trust_id)
    .bind(after)
    .bind(limit)
    .fetch_all(c)
    .await)?;
    let mut feeds = Vec::with_capacity(rows.len());
    for row in rows {
        feeds.push(with_schools(tx, row).await?);
    }
    Ok(feeds)
}

pub(crate) async fn insert(tx: &mut Tx, feed: &Feed) -> Result<()> {
    let kinds = serde_json::to_string(&feed.kinds).map_err(Error::internal)?;
    let version = i32::try_from(feed.version).map_err(Error::internal)?;
    on!(tx, |c| sqlx::query(
        "INSERT INTO feed (feed_id, trust_id, name, client_id, kinds, version, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)"
    )
    .bind(feed.feed_id)
    .bind(feed.trust_id)
    .bind(&feed.name)
    .bind(&feed.client_id)
    .bind(kinds)
    .bind(version)
    .bind(feed.created_at)
    .execute(c)
    .await
    .map(drop))?;
    for school_id in &feed.school_ids {
        on!(tx, |c| sqlx::query("INSERT INTO feed_school (feed_id, school_id) VALUES ($1, $2)")
            .bind(feed.feed_id)
            .bind(*school_id)
            .execute(c)
            .await
            .map(drop))?;
    }
    Ok(())
}

async fn with_schools(tx: &mut Tx, row: Row) -> Result<Feed> {
    let school_ids: Vec<SchoolId> =
        on!(tx, |c| sqlx::query_scalar("SELECT school_id FROM feed_school WHERE feed_id = $1")
            .bind(row.feed_id)
            .fetch_all(c)
            .await)?;
    let kinds: BTreeSet<Kind> = serde_json::from_str(&row.kinds).map_err(Error::internal)?;
    Ok(Feed {
        feed_id: row.feed_id,
        trust_id: row.trust_id,
        name: row.name,
        client_id: row.client_id,
        kinds,
        school_ids: school_ids.into_iter().collect(),
        version: u32::try_from(row.version).map_err(Error::internal)?,
        created_at: row.created_at,
    })
}
