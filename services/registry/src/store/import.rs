use db::{Tx, on};
use rpc::{Error, Result};
use uuid::Uuid;

use crate::domain::import::ImportReport;

pub(crate) async fn insert(tx: &mut Tx, report: &ImportReport) -> Result<()> {
    let json = serde_json::to_string(report).map_err(Error::internal)?;
    on!(tx, |c| sqlx::query("INSERT INTO import_report (import_id, report) VALUES ($1, $2)")
        .bind(report.import_id)
        .bind(json)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

pub(crate) async fn find(tx: &mut Tx, import_id: Uuid) -> Result<Option<ImportReport>> {
    let json: Option<String> =
        on!(tx, |c| sqlx::query_scalar("SELECT report FROM import_report WHERE import_id = $1")
            .bind(import_id)
            .fetch_optional(c)
            .await)?;
    json.map(|it| serde_json::from_str(&it).map_err(Error::internal)).transpose()
}

/// How many imports there have been.
pub(crate) async fn count(tx: &mut Tx) -> Result<u32> {
    let count: i64 =
        on!(tx, |c| sqlx::query_scalar("SELECT count(*) FROM import_report").fetch_one(c).await)?;
    u32::try_from(count).map_err(Error::internal)
}
