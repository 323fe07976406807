use chrono::{DateTime, Utc};
use db::{Tx, on};
use rpc::Result;

/// Notes that an assertion was taken; false when it was before.
pub(crate) async fn take(
    tx: &mut Tx,
    (client_id, jti): (&str, &str),
    expires_at: DateTime<Utc>,
) -> Result<bool> {
    let taken = on!(tx, |c| sqlx::query(
        "INSERT INTO assertion (client_id, jti, expires_at) VALUES ($1, $2, $3)
         ON CONFLICT (client_id, jti) DO NOTHING"
    )
    .bind(client_id)
    .bind(jti)
    .bind(expires_at)
    .execute(c)
    .await
    .map(|it| it.rows_affected()))?;
    Ok(taken == 1)
}

/// Forgets assertions that nobody would take any more.
pub(crate) async fn forget(tx: &mut Tx, before: DateTime<Utc>) -> Result<()> {
    on!(tx, |c| sqlx::query("DELETE FROM assertion WHERE expires_at < $1")
        .bind(before)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}
