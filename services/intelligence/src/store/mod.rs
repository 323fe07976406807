//! Every SQL statement of this service, one file per table.

pub(crate) mod batch;
pub(crate) mod enrolment;
pub(crate) mod event;
pub(crate) mod feed;
pub(crate) mod pupil;
pub(crate) mod register;
pub(crate) mod school;
pub(crate) mod signal;
pub(crate) mod tally;

use db::Tx;
use rpc::Result;

/// Lets one process at a time change records: packed rows are read, changed and written back.
///
/// It is the journal's own lock, which recording the batch would take later anyway: two locks taken in both orders
/// would be a deadlock.
pub(crate) async fn lock(tx: &mut Tx) -> Result<()> {
    match tx {
        // BEGIN IMMEDIATE holds the only write lock there is.
        Tx::Sqlite(_) => Ok(()),
        Tx::Postgres(tx) => {
            sqlx::query("SELECT pg_advisory_xact_lock(7310, hashtext(current_schema()))")
                .execute(&mut **tx)
                .await?;
            Ok(())
        }
    }
}
