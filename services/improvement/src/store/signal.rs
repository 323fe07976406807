use db::{Tx, on};
use identity::{SchoolId, TrustId};
use rpc::Result;

use crate::domain::{MeasureCode, SignalId};

/// A signal as the intelligence service last told of it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Signal {
    pub(crate) signal_id: SignalId,
    pub(crate) trust_id: TrustId,
    pub(crate) school_id: SchoolId,
    pub(crate) measure: MeasureCode,
    pub(crate) value: f64,
    pub(crate) centre: f64,
    pub(crate) state: SignalState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub(crate) enum SignalState {
    Raised,
    Acknowledged,
    Actioned,
    Dismissed,
}

pub(crate) async fn put(tx: &mut Tx, signal: &Signal) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "INSERT INTO signal (signal_id, trust_id, school_id, measure, value, centre, state)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (signal_id) DO UPDATE
         SET measure = excluded.measure, value = excluded.value, centre = excluded.centre,
             state = excluded.state",
    )
    .bind(signal.signal_id)
    .bind(signal.trust_id)
    .bind(signal.school_id)
    .bind(&signal.measure)
    .bind(signal.value)
    .bind(signal.centre)
    .bind(signal.state)
    .execute(c)
    .await
    .map(drop)?);
    Ok(())
}

pub(crate) async fn set_state(tx: &mut Tx, signal_id: SignalId, state: SignalState) -> Result<()> {
    on!(tx, |c| sqlx::query("UPDATE signal SET state = $2 WHERE signal_id = $1")
        .bind(signal_id)
        .bind(state)
        .execute(c)
        .await
        .map(drop)?);
    Ok(())
}

pub(crate) async fn find(tx: &mut Tx, signal_id: SignalId) -> Result<Option<Signal>> {
    Ok(on!(tx, |c| sqlx::query_as(
        "SELECT signal_id, trust_id, school_id, measure, value, centre, state
         FROM signal WHERE signal_id = $1",
    )
    .bind(signal_id)
    .fetch_optional(c)
    .await?))
}
