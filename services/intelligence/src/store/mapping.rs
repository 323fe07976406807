use chrono::{DateTime, Utc};
use contract::intelligence as pb;
use db::{Tx, on};
use identity::TrustId;
use journal::{Draft, Recorded};
use rpc::{Error, Fields, Result};
use uuid::Uuid;

use crate::domain::{CsvMapping, FeedId, Mapping, MappingId, OneRosterMapping, Reading};

#[derive(sqlx::FromRow)]
struct Row {
    mapping_id: MappingId,
    trust_id: TrustId,
    feed_id: FeedId,
    name: String,
    reading: String,
    version: i32,
    saved_at: DateTime<Utc>,
}

pub(crate) async fn get(tx: &mut Tx, feed_id: FeedId, name: &str) -> Result<Option<Mapping>> {
    let row: Option<Row> = on!(tx, |c| sqlx::query_as(
        "SELECT mapping_id, trust_id, feed_id, name, reading, version, saved_at
         FROM mapping WHERE feed_id = $1 AND name = $2"
    )
    .bind(feed_id)
    .bind(name)
    .fetch_optional(c)
    .await)?;
    row.map(Mapping::try_from).transpose()
}

/// A feed's mappings after one of them, by name.
pub(crate) async fn of_feed(
    tx: &mut Tx,
    feed_id: FeedId,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Mapping>> {
    let rows: Vec<Row> = on!(tx, |c| sqlx::query_as(
        "SELECT mapping_id, trust_id, feed_id, name, reading, version, saved_at
         FROM mapping WHERE feed_id = $1 AND name > $2 ORDER BY name LIMIT $3"
    )
    .bind(feed_id)
    .bind(after.unwrap_or_default())
    .bind(limit)
    .fetch_all(c)
    .await)?;
    rows.into_iter().map(Mapping::try_from).collect()
}

/// What a mapping is from a version on.
pub(crate) fn saved(mapping: &Mapping, event_id: Uuid) -> Draft {
    let message = pb::MappingSaved {
        mapping_id: mapping.mapping_id.to_string(),
        feed_id: mapping.feed_id.to_string(),
        name: mapping.name.clone(),
        csv: match &mapping.reading {
            Reading::Csv(it) => Some(it.into()),
            Reading::OneRoster(_) => None,
        },
        one_roster: match &mapping.reading {
            Reading::Csv(_) => None,
            Reading::OneRoster(it) => Some(it.into()),
        },
    };
    let stream = format!("mapping/{}", mapping.mapping_id);
    Draft::new(event_id, mapping.trust_id.0, stream, mapping.version, &message)
}

/// Keeps a mapping as its event tells of it.
pub(crate) async fn put(tx: &mut Tx, event: &Recorded, it: pb::MappingSaved) -> Result<()> {
    let reading =
        serde_json::to_string(&reading(it.csv, it.one_roster)?).map_err(Error::internal)?;
    let id = |text: &str| Uuid::try_parse(text).map_err(Error::internal);
    on!(tx, |c| sqlx::query(
        "INSERT INTO mapping (mapping_id, trust_id, feed_id, name, reading, version, saved_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (mapping_id) DO UPDATE SET
             reading = excluded.reading, version = excluded.version, saved_at = excluded.saved_at"
    )
    .bind(id(&it.mapping_id)?)
    .bind(event.trust_id)
    .bind(id(&it.feed_id)?)
    .bind(&it.name)
    .bind(&reading)
    .bind(i32::try_from(event.version).map_err(Error::internal)?)
    .bind(event.recorded_at)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// An event holds what was accepted once: what is wrong with it is our own fault.
fn reading(
    csv: Option<pb::CsvMapping>,
    one_roster: Option<pb::OneRosterMapping>,
) -> Result<Reading> {
    let mut fields = Fields::new();
    let csv = csv.and_then(|it| CsvMapping::read(&mut fields, "", it)).map(Reading::Csv);
    let one_roster = one_roster.and_then(|it| OneRosterMapping::read(&mut fields, "", it));
    let reading = csv.or(one_roster.map(Reading::OneRoster));
    fields.done(|| reading).map_err(Error::internal)
}

impl TryFrom<Row> for Mapping {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            mapping_id: row.mapping_id,
            feed_id: row.feed_id,
            trust_id: row.trust_id,
            name: row.name,
            reading: serde_json::from_str(&row.reading).map_err(Error::internal)?,
            version: u32::try_from(row.version).map_err(Error::internal)?,
            saved_at: row.saved_at,
        })
    }
}
