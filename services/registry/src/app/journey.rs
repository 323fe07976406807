use chrono::{DateTime, NaiveDate, Utc};
use db::Tx;
use identity::{SchoolNumber, TrustId, Urn};
use journal::text::Text;
use rpc::{Ctx, Error, Page, Reason, Result, unchanged};
use serde::{Deserialize, Serialize};

use super::{
    App,
    school::{of_trust, still_here},
    within,
};
use crate::{
    domain::{
        evidence::Evidence,
        history::{History, RatingRound, View},
        journey::{
            Journey, JourneyId, Move, Transition, TransitionId, TransitionKind, decide,
            decide_rating,
        },
        phase::Phase,
        rubric::Rating,
        unit::UnitId,
    },
    store::{event, journey, school, trust, unit},
};

#[derive(Clone, Debug)]
pub struct NewJourney {
    pub trust_id: TrustId,
    pub school: SchoolNumber,
    pub unit_id: Option<UnitId>,
    pub phase: Phase,
    pub rationale: String,
    pub evidence: Vec<Evidence>,
    pub ratings: Vec<Rating>,
    pub effective_on: Option<NaiveDate>,
}

#[derive(Clone, Debug)]
pub struct NewTransition {
    pub journey_id: JourneyId,
    pub expected_version: u32,
    pub kind: TransitionKind,
    pub to: Option<Phase>,
    pub corrects: Option<TransitionId>,
    pub rationale: String,
    pub evidence: Vec<Evidence>,
    pub ratings: Vec<Rating>,
    pub effective_on: Option<NaiveDate>,
}

#[derive(Clone, Debug)]
pub struct NewRatings {
    pub journey_id: JourneyId,
    pub expected_version: u32,
    pub ratings: Vec<Rating>,
    pub rationale: String,
    pub effective_on: Option<NaiveDate>,
}

/// A journey on a date, as it was known at an instant.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct JourneyView {
    pub journey: Journey,
    pub urn: Urn,
    pub view: View,
    /// The date the view is of.
    pub on: NaiveDate,
    pub asked_effective_on: Option<NaiveDate>,
    pub asked_known_at: Option<DateTime<Utc>>,
}

/// A transition, and the one that corrected it.
#[derive(Clone, Debug)]
pub struct TransitionView {
    pub transition: Transition,
    pub corrected_by: Option<TransitionId>,
}

impl App {
    /// Opens a journey, again if the one there was has been corrected away.
    pub async fn open_journey(&self, ctx: &Ctx, new: NewJourney) -> Result<JourneyView> {
        ctx.within(new.trust_id.0)?;
        let (app, ctx2) = (self.clone(), ctx.clone());
        self.journal
            .write(ctx, move |tx| {
                Box::pin(async move {
                    let opened = subject(tx, &ctx2, &new).await?;
                    let asked = NewTransition {
                        journey_id: opened.journey_id,
                        expected_version: 0,
                        kind: TransitionKind::Opened,
                        to: Some(new.phase),
                        corrects: None,
                        rationale: new.rationale,
                        evidence: new.evidence,
                        ratings: new.ratings,
                        effective_on: new.effective_on,
                    };
                    app.move_on(tx, &ctx2, opened, asked).await
                })
            })
            .await
    }

    pub async fn create_transition(&self, ctx: &Ctx, new: NewTransition) -> Result<JourneyView> {
        let (app, ctx2) = (self.clone(), ctx.clone());
        self.journal
            .write(ctx, move |tx| {
                Box::pin(async move {
                    let journey = load(tx, &ctx2, new.journey_id).await?;
                    unchanged(journey.version, new.expected_version)?;
                    app.move_on(tx, &ctx2, journey, new).await
                })
            })
            .await
    }

    pub async fn create_ratings(&self, ctx: &Ctx, new: NewRatings) -> Result<JourneyView> {
        let (app, ctx2) = (self.clone(), ctx.clone());
        self.journal
            .write(ctx, move |tx| {
                Box::pin(async move {
                    let journey = load(tx, &ctx2, new.journey_id).await?;
                    unchanged(journey.version, new.expected_version)?;
                    let effective_on = new.effective_on.unwrap_or_else(|| ctx2.today());
                    let history = journey::history(tx, journey.journey_id).await?;
                    decide_rating(&history, effective_on, ctx2.today())?;
                    let round = RatingRound {
                        version: journey.version + 1,
                        ratings: new.ratings,
                        effective_on,
                        recorded_at: ctx2.now,
                    };
                    let text = Text::new(new.rationale)?;
                    let draft = event::journey_rated(ctx2.new_id(), &journey, &round, text)?;
                    app.journal.record(tx, &ctx2, vec![draft]).await?;
                    now(tx, &ctx2, journey.journey_id).await
                })
            })
            .await
    }

    pub async fn journey(
        &self,
        ctx: &Ctx,
        journey_id: JourneyId,
        effective_on: Option<NaiveDate>,
        known_at: Option<DateTime<Utc>>,
    ) -> Result<JourneyView> {
        let mut tx = self.journal.db().read().await?;
        let journey = load(&mut tx, ctx, journey_id).await?;
        view(&mut tx, ctx, journey, effective_on, known_at).await
    }

    pub async fn journeys(
        &self,
        ctx: &Ctx,
        trust_id: TrustId,
        (number, unit_id): (Option<SchoolNumber>, Option<UnitId>),
        page: Page<JourneyId>,
    ) -> Result<(Vec<JourneyView>, Option<String>)> {
        ctx.within(trust_id.0)?;
        let mut tx = self.journal.db().read().await?;
        trust::get(&mut tx, trust_id).await?;
        let school_id = match &number {
            Some(it) => Some(of_trust(&mut tx, trust_id, it).await?.school_id),
            None => None,
        };
        let of = (school_id, unit_id);
        let journeys = journey::list(&mut tx, trust_id, of, page.after, page.limit()).await?;
        let (journeys, next) = page.cut(journeys, |it| it.journey_id)?;
        let mut views = Vec::with_capacity(journeys.len());
        for journey in journeys {
            views.push(view(&mut tx, ctx, journey, None, None).await?);
        }
        Ok((views, next))
    }

    /// A journey's transitions in the order they were recorded.
    pub async fn transitions(
        &self,
        ctx: &Ctx,
        journey_id: JourneyId,
        page: Page<i32>,
    ) -> Result<(Vec<TransitionView>, Option<String>)> {
        let mut tx = self.journal.db().read().await?;
        load(&mut tx, ctx, journey_id).await?;
        let history = journey::history(&mut tx, journey_id).await?;
        let limit = usize::try_from(page.limit()).unwrap_or(usize::MAX);
        let views = history
            .transitions
            .iter()
            .filter(|it| page.after.is_none_or(|after| it.version > after))
            .take(limit)
            .map(|it| TransitionView {
                transition: it.clone(),
                corrected_by: history.correction_of(it).map(|it| it.transition_id),
            })
            .collect();
        page.cut(views, |it| it.transition.version)
    }

    /// Decides on a transition and records it.
    async fn move_on(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        journey: Journey,
        asked: NewTransition,
    ) -> Result<JourneyView> {
        let history = journey::history(tx, journey.journey_id).await?;
        let effective_on = asked.effective_on.unwrap_or_else(|| ctx.today());
        let decision = {
            let (kind, to, corrects) = (asked.kind, asked.to, asked.corrects);
            let ratings = asked.ratings.clone();
            let asked = Move { kind, to, corrects, ratings, effective_on };
            decide(&history, &asked, ctx.today())?
        };
        let text = Text::new(asked.rationale.as_str())?;
        let transition = Transition {
            transition_id: TransitionId(ctx.new_id()),
            journey_id: journey.journey_id,
            version: journey.version + 1,
            kind: asked.kind,
            from: decision.from,
            to: asked.to,
            rationale: Some(asked.rationale),
            evidence: asked.evidence,
            ratings: asked.ratings,
            effective_on,
            recorded_at: ctx.now,
            actor: ctx.caller.client_id.clone(),
            corrects: asked.corrects,
            suggested: decision.suggested,
            quick: decision.quick,
        };
        let draft = event::journey_moved(&journey, &transition, text)?;
        self.journal.record(tx, ctx, vec![draft]).await?;
        now(tx, ctx, journey.journey_id).await
    }
}

/// The journey to open for a school or unit: a new one, or the one that was corrected away.
async fn subject(tx: &mut Tx, ctx: &Ctx, new: &NewJourney) -> Result<Journey> {
    let school = of_trust(tx, new.trust_id, &new.school).await?;
    still_here(&school)?;
    if let Some(unit_id) = new.unit_id {
        unit::find(tx, new.trust_id, unit_id)
            .await?
            .filter(|it| it.school_id == school.school_id)
            .ok_or_else(|| Error::not_found("unit", unit_id))?;
    }
    let Some(journey) = journey::of(tx, school.school_id, new.unit_id).await? else {
        return Ok(Journey {
            journey_id: JourneyId(ctx.new_id()),
            trust_id: new.trust_id,
            school_id: school.school_id,
            unit_id: new.unit_id,
            version: 0,
        });
    };
    let history: History = journey::history(tx, journey.journey_id).await?;
    if history.now().state.settled.is_none() {
        return Ok(journey);
    }
    let detail = format!("its journey is open already: {}", journey.journey_id);
    Err(Error::new(Reason::AlreadyExists, detail))
}

async fn load(tx: &mut Tx, ctx: &Ctx, journey_id: JourneyId) -> Result<Journey> {
    let absent = || Error::not_found("journey", journey_id);
    let journey = journey::find(tx, journey_id).await?.ok_or_else(absent)?;
    within(ctx, journey.trust_id, absent)?;
    Ok(journey)
}

async fn now(tx: &mut Tx, ctx: &Ctx, journey_id: JourneyId) -> Result<JourneyView> {
    let journey = load(tx, ctx, journey_id).await?;
    view(tx, ctx, journey, None, None).await
}

async fn view(
    tx: &mut Tx,
    ctx: &Ctx,
    journey: Journey,
    effective_on: Option<NaiveDate>,
    known_at: Option<DateTime<Utc>>,
) -> Result<JourneyView> {
    let history = journey::history(tx, journey.journey_id).await?;
    let on = effective_on.unwrap_or_else(|| ctx.today());
    Ok(JourneyView {
        urn: school::get(tx, journey.school_id).await?.details.urn,
        view: history.at(on, known_at.unwrap_or(DateTime::<Utc>::MAX_UTC)),
        journey,
        on,
        asked_effective_on: effective_on,
        asked_known_at: known_at,
    })
}
