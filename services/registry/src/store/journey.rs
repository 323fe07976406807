use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use db::{Tx, fetch_any, on};
use identity::{SchoolId, TrustId};
use rpc::{Error, Reason, Result};
use serde::{Serialize, de::DeserializeOwned};

use crate::domain::{
    history::{History, RatingRound},
    journey::{Journey, JourneyId, Transition, TransitionId, TransitionKind},
    phase::Phase,
    unit::UnitId,
};

/// Stores a journey at the version its latest entry gave it.
pub(crate) async fn put(tx: &mut Tx, journey: &Journey) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "INSERT INTO journey (journey_id, trust_id, school_id, unit_id, version)
         VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (journey_id) DO UPDATE SET version = excluded.version"
    )
    .bind(journey.journey_id)
    .bind(journey.trust_id)
    .bind(journey.school_id)
    .bind(journey.unit_id)
    .bind(journey.version)
    .execute(c)
    .await
    .map(drop))
    .map_err(|error| match error.as_database_error() {
        // Somebody else opened it meanwhile.
        Some(it) if it.is_unique_violation() => {
            Error::new(Reason::AlreadyExists, "its journey is open already").caused_by(error)
        }
        _ => error.into(),
    })
}

pub(crate) async fn set_version(tx: &mut Tx, journey_id: JourneyId, version: i32) -> Result<()> {
    on!(tx, |c| sqlx::query("UPDATE journey SET version = $2 WHERE journey_id = $1")
        .bind(journey_id)
        .bind(version)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

pub(crate) async fn find(tx: &mut Tx, journey_id: JourneyId) -> Result<Option<Journey>> {
    Ok(on!(tx, |c| sqlx::query_as("SELECT * FROM journey WHERE journey_id = $1")
        .bind(journey_id)
        .fetch_optional(c)
        .await)?)
}

/// Those of the journeys that exist, each with everything recorded of it.
pub(crate) async fn find_all(tx: &mut Tx, ids: &[JourneyId]) -> Result<Vec<(Journey, History)>> {
    let ids: Vec<_> = ids.iter().map(|it| it.0).collect();
    let sql = "SELECT * FROM journey WHERE journey_id = ANY($1)";
    let journeys: Vec<Journey> = fetch_any(tx, sql, &ids).await?;
    let sql = "SELECT * FROM transition WHERE journey_id = ANY($1) ORDER BY journey_id, version";
    let transitions = fetch_any(tx, sql, &ids).await?;
    let sql = "SELECT * FROM rating_round WHERE journey_id = ANY($1) ORDER BY journey_id, version";
    let rounds = fetch_any(tx, sql, &ids).await?;
    let mut histories = by_journey(transitions, rounds)?;
    let of = |it: Journey| (it, histories.remove(&it.journey_id).unwrap_or_default());
    Ok(journeys.into_iter().map(of).collect())
}

/// The journey of a school, or of one of its units.
pub(crate) async fn of(
    tx: &mut Tx,
    school_id: SchoolId,
    unit_id: Option<UnitId>,
) -> Result<Option<Journey>> {
    Ok(on!(tx, |c| sqlx::query_as(
        "SELECT * FROM journey WHERE school_id = $1 AND unit_id IS NOT DISTINCT FROM $2"
    )
    .bind(school_id)
    .bind(unit_id)
    .fetch_optional(c)
    .await)?)
}

/// A trust's journeys in the order they were opened; of one school and one unit when given.
pub(crate) async fn list(
    tx: &mut Tx,
    trust_id: TrustId,
    (school_id, unit_id): (Option<SchoolId>, Option<UnitId>),
    after: Option<JourneyId>,
    limit: i64,
) -> Result<Vec<Journey>> {
    Ok(on!(tx, |c| sqlx::query_as(
        "SELECT * FROM journey
         WHERE trust_id = $1 AND ($2 IS NULL OR school_id = $2) AND ($3 IS NULL OR unit_id = $3)
             AND ($4 IS NULL OR journey_id > $4)
         ORDER BY journey_id LIMIT $5"
    )
    .bind(trust_id)
    .bind(school_id)
    .bind(unit_id)
    .bind(after)
    .bind(limit)
    .fetch_all(c)
    .await)?)
}

#[derive(sqlx::FromRow)]
struct TransitionRow {
    journey_id: JourneyId,
    version: i32,
    transition_id: TransitionId,
    kind: TransitionKind,
    from_phase: Option<Phase>,
    to_phase: Option<Phase>,
    rationale: Option<String>,
    evidence: String,
    ratings: String,
    effective_on: NaiveDate,
    recorded_at: DateTime<Utc>,
    actor: String,
    corrects: Option<TransitionId>,
    suggested: Option<Phase>,
    quick: bool,
}

impl TryFrom<TransitionRow> for Transition {
    type Error = Error;

    fn try_from(it: TransitionRow) -> Result<Self> {
        Ok(Self {
            transition_id: it.transition_id,
            journey_id: it.journey_id,
            version: it.version,
            kind: it.kind,
            from: it.from_phase,
            to: it.to_phase,
            rationale: it.rationale,
            evidence: from_json(&it.evidence)?,
            ratings: from_json(&it.ratings)?,
            effective_on: it.effective_on,
            recorded_at: it.recorded_at,
            actor: it.actor,
            corrects: it.corrects,
            suggested: it.suggested,
            quick: it.quick,
        })
    }
}

#[derive(sqlx::FromRow)]
struct RoundRow {
    journey_id: JourneyId,
    version: i32,
    ratings: String,
    effective_on: NaiveDate,
    recorded_at: DateTime<Utc>,
}

/// Everything recorded of a journey.
pub(crate) async fn history(tx: &mut Tx, journey_id: JourneyId) -> Result<History> {
    Ok(History {
        transitions: transitions(tx, journey_id, 0, i64::MAX).await?,
        rounds: on!(tx, |c| sqlx::query_as::<_, RoundRow>(
            "SELECT * FROM rating_round WHERE journey_id = $1 ORDER BY version"
        )
        .bind(journey_id)
        .fetch_all(c)
        .await)?
        .into_iter()
        .map(|it| it.round())
        .collect::<Result<_>>()?,
    })
}

/// A journey's transitions after a version, in the order they were recorded.
pub(crate) async fn transitions(
    tx: &mut Tx,
    journey_id: JourneyId,
    after: i32,
    limit: i64,
) -> Result<Vec<Transition>> {
    on!(tx, |c| sqlx::query_as::<_, TransitionRow>(
        "SELECT * FROM transition WHERE journey_id = $1 AND version > $2 ORDER BY version LIMIT $3"
    )
    .bind(journey_id)
    .bind(after)
    .bind(limit)
    .fetch_all(c)
    .await)?
    .into_iter()
    .map(TryInto::try_into)
    .collect()
}

/// Everything recorded of a school's journeys, by journey.
pub(crate) async fn histories(
    tx: &mut Tx,
    school_id: SchoolId,
) -> Result<HashMap<JourneyId, History>> {
    let transitions = on!(&mut *tx, |c| sqlx::query_as(
        "SELECT t.* FROM transition t JOIN journey j ON j.journey_id = t.journey_id
         WHERE j.school_id = $1 ORDER BY t.journey_id, t.version"
    )
    .bind(school_id)
    .fetch_all(c)
    .await)?;
    let rounds = on!(tx, |c| sqlx::query_as(
        "SELECT r.* FROM rating_round r JOIN journey j ON j.journey_id = r.journey_id
         WHERE j.school_id = $1 ORDER BY r.journey_id, r.version"
    )
    .bind(school_id)
    .fetch_all(c)
    .await)?;
    by_journey(transitions, rounds)
}

fn by_journey(
    transitions: Vec<TransitionRow>,
    rounds: Vec<RoundRow>,
) -> Result<HashMap<JourneyId, History>> {
    let mut histories: HashMap<JourneyId, History> = HashMap::new();
    for row in transitions {
        let transition = Transition::try_from(row)?;
        histories.entry(transition.journey_id).or_default().transitions.push(transition);
    }
    for row in rounds {
        histories.entry(row.journey_id).or_default().rounds.push(row.round()?);
    }
    Ok(histories)
}

pub(crate) async fn insert_transition(tx: &mut Tx, it: &Transition) -> Result<()> {
    let (evidence, ratings) = (to_json(&it.evidence)?, to_json(&it.ratings)?);
    on!(tx, |c| {
        sqlx::query(
        "INSERT INTO transition (journey_id, version, transition_id, kind, from_phase, to_phase, rationale,
             evidence, ratings, effective_on, recorded_at, actor, corrects, suggested, quick)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
    )
    .bind(it.journey_id)
    .bind(it.version)
    .bind(it.transition_id)
    .bind(it.kind)
    .bind(it.from)
    .bind(it.to)
    .bind(&it.rationale)
    .bind(evidence)
    .bind(ratings)
    .bind(it.effective_on)
    .bind(it.recorded_at)
    .bind(&it.actor)
    .bind(it.corrects)
    .bind(it.suggested)
    .bind(it.quick)
    .execute(c)
    .await
    .map(drop)
    })?;
    Ok(())
}

pub(crate) async fn insert_round(
    tx: &mut Tx,
    journey_id: JourneyId,
    round: &RatingRound,
    rationale: Option<&str>,
    actor: &str,
) -> Result<()> {
    let ratings = to_json(&round.ratings)?;
    on!(tx, |c| {
        sqlx::query(
        "INSERT INTO rating_round (journey_id, version, ratings, rationale, effective_on, recorded_at, actor)
         VALUES ($1, $2, $3, $4, $5, $6, $7)"
    )
    .bind(journey_id)
    .bind(round.version)
    .bind(ratings)
    .bind(rationale)
    .bind(round.effective_on)
    .bind(round.recorded_at)
    .bind(actor)
    .execute(c)
    .await
    .map(drop)
    })?;
    Ok(())
}

/// Removes a journey with all that was recorded of it.
pub(crate) async fn remove(tx: &mut Tx, journey_id: JourneyId) -> Result<()> {
    for sql in [
        "DELETE FROM rating_round WHERE journey_id = $1",
        "DELETE FROM transition WHERE journey_id = $1",
        "DELETE FROM journey WHERE journey_id = $1",
    ] {
        on!(&mut *tx, |c| sqlx::query(sql).bind(journey_id).execute(c).await.map(drop))?;
    }
    Ok(())
}

impl RoundRow {
    fn round(&self) -> Result<RatingRound> {
        Ok(RatingRound {
            version: self.version,
            ratings: from_json(&self.ratings)?,
            effective_on: self.effective_on,
            recorded_at: self.recorded_at,
        })
    }
}

fn to_json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(Error::internal)
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(Error::internal)
}
