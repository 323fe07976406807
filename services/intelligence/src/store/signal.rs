use db::{Tx, on};
use identity::{SchoolId, TrustId};
use rpc::{Error, Reason, Result};
use uuid::Uuid;

use crate::domain::{Measure, Signal, SignalId, SignalState};

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT signal_id, trust_id, school_id, urn, measure, rule, direction, week, value, centre, lower_limit,
                 upper_limit, state, owner_role, respond_by, project_id, rationale, version, raised_at FROM signal ",
            $rest
        )
    };
}

/// What a list of signals is narrowed to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Filter {
    pub school_id: Option<SchoolId>,
    pub state: Option<SignalState>,
}

pub(crate) async fn get(tx: &mut Tx, signal_id: SignalId) -> Result<Option<Signal>> {
    Ok(on!(tx, |c| sqlx::query_as(select!("WHERE signal_id = $1"))
        .bind(signal_id)
        .fetch_optional(c)
        .await)?)
}

/// A trust's signals before one of them, newest first.
pub(crate) async fn of_trust(
    tx: &mut Tx,
    trust_id: TrustId,
    filter: Filter,
    before: Option<SignalId>,
    limit: i64,
) -> Result<Vec<Signal>> {
    Ok(on!(tx, |c| sqlx::query_as(select!(
        "WHERE trust_id = $1 AND ($2 IS NULL OR school_id = $2) AND ($3 IS NULL OR state = $3)
             AND ($4 IS NULL OR signal_id < $4)
         ORDER BY signal_id DESC LIMIT $5"
    ))
    .bind(trust_id)
    .bind(filter.school_id)
    .bind(filter.state)
    .bind(before)
    .bind(limit)
    .fetch_all(c)
    .await)?)
}

/// Every signal of a school and measure.
pub(crate) async fn of_school(
    tx: &mut Tx,
    school_id: SchoolId,
    measure: Measure,
) -> Result<Vec<Signal>> {
    Ok(on!(tx, |c| sqlx::query_as(select!("WHERE school_id = $1 AND measure = $2"))
        .bind(school_id)
        .bind(measure)
        .fetch_all(c)
        .await)?)
}

pub(crate) async fn insert(tx: &mut Tx, signal: &Signal) -> Result<()> {
    let version = i32::try_from(signal.version).map_err(Error::internal)?;
    on!(tx, |c| {
        sqlx::query(
        "INSERT INTO signal (signal_id, trust_id, school_id, urn, measure, rule, direction, week, value, centre,
             lower_limit, upper_limit, state, owner_role, respond_by, project_id, rationale, version, raised_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)"
    )
    .bind(signal.signal_id)
    .bind(signal.trust_id)
    .bind(signal.school_id)
    .bind(&signal.urn)
    .bind(signal.measure)
    .bind(signal.rule)
    .bind(signal.direction)
    .bind(signal.week)
    .bind(signal.value)
    .bind(signal.centre)
    .bind(signal.lower_limit)
    .bind(signal.upper_limit)
    .bind(signal.state)
    .bind(&signal.owner_role)
    .bind(signal.respond_by)
    .bind(signal.project_id)
    .bind(&signal.rationale)
    .bind(version)
    .bind(signal.raised_at)
    .execute(c)
    .await
    .map(drop)
    })?;
    Ok(())
}

/// Moves a signal on from the version before.
pub(crate) async fn advance(
    tx: &mut Tx,
    signal_id: SignalId,
    version: u32,
    state: SignalState,
    project_id: Option<Uuid>,
    rationale: Option<&str>,
) -> Result<()> {
    let version = i32::try_from(version).map_err(Error::internal)?;
    let moved = on!(tx, |c| {
        sqlx::query(
        "UPDATE signal SET state = $3, version = $2, project_id = coalesce($4, project_id), rationale = $5
         WHERE signal_id = $1 AND version = $2 - 1"
    )
    .bind(signal_id)
    .bind(version)
    .bind(state)
    .bind(project_id)
    .bind(rationale)
    .execute(c)
    .await?
    .rows_affected()
    });
    if moved == 1 {
        Ok(())
    } else {
        Err(Error::new(Reason::VersionStale, "the signal was changed meanwhile; read it again"))
    }
}

pub(crate) async fn remove(tx: &mut Tx, signal_id: SignalId) -> Result<()> {
    on!(tx, |c| sqlx::query("DELETE FROM signal WHERE signal_id = $1")
        .bind(signal_id)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}
