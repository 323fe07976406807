use std::collections::HashMap;

use chrono::NaiveDate;
use db::Tx;
use futures::future::BoxFuture;
use identity::{SchoolNumber, TrustId, Urn};
use journal::{Aggregate, AsOf, Decision, Draft, Of, text::Text};
use rpc::{Ctx, Error, Page, Reason, Result, unchanged};
use serde::{Deserialize, Serialize};

use super::{
    App,
    school::{granted, of_trust, still_here},
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
                    let history = journey::history(tx, opened.journey_id).await?;
                    let (_, draft) = moved(&ctx2, &opened, &history, asked)?;
                    app.journal.record(tx, &ctx2, vec![draft]).await?;
                    now(tx, &ctx2, opened.journey_id).await
                })
            })
            .await
    }

    pub async fn create_transition(&self, ctx: &Ctx, new: NewTransition) -> Result<JourneyView> {
        let context = ctx.clone();
        self.journal
            .decide(ctx, new.journey_id, move |case: Option<&Case>| {
                let case = readable(case, &context, new.journey_id)?;
                unchanged(case.journey.version, new.expected_version)?;
                let (transition, draft) = moved(&context, &case.journey, &case.history, new)?;
                let mut case = case.clone();
                case.journey.version = transition.version;
                case.history.transitions.push(transition);
                let answer = case.seen(&context);
                Ok(Decision { drafts: vec![draft], state: case, answer })
            })
            .await
    }

    pub async fn create_ratings(&self, ctx: &Ctx, new: NewRatings) -> Result<JourneyView> {
        let context = ctx.clone();
        self.journal
            .decide(ctx, new.journey_id, move |case: Option<&Case>| {
                let case = readable(case, &context, new.journey_id)?;
                unchanged(case.journey.version, new.expected_version)?;
                let effective_on = new.effective_on.unwrap_or_else(|| context.today());
                decide_rating(&case.history, effective_on, context.today())?;
                let round = RatingRound {
                    version: case.journey.version + 1,
                    ratings: new.ratings,
                    effective_on,
                    recorded_at: context.now,
                };
                let text = Text::new(new.rationale)?;
                let draft = event::journey_rated(context.new_id(), &case.journey, &round, text)?;
                let mut case = case.clone();
                case.journey.version = round.version;
                case.history.rounds.push(round);
                let answer = case.seen(&context);
                Ok(Decision { drafts: vec![draft], state: case, answer })
            })
            .await
    }

    pub async fn journey(
        &self,
        ctx: &Ctx,
        journey_id: JourneyId,
        as_of: Option<AsOf>,
    ) -> Result<JourneyView> {
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let journey = load(&mut tx, ctx, journey_id).await?;
        let now = view(&mut tx, ctx, journey).await?;
        let Some(at) = as_of else { return Ok(now) };
        drop(tx);
        let of = Of::Stream(format!("journey/{journey_id}"));
        let mut then = self.journal.as_of(now.journey.trust_id.0, at, of).await?;
        // A journey that had not begun is one that has nothing settled: whose it is does not change.
        let journey = journey::find(&mut then, journey_id).await?;
        let journey = journey.unwrap_or(Journey { version: 0, ..now.journey });
        let view = journey::history(&mut then, journey_id).await?.now();
        Ok(JourneyView { journey, view, on: at.effective_on, ..now })
    }

    pub async fn journeys(
        &self,
        ctx: &Ctx,
        trust_id: TrustId,
        (number, unit_id): (Option<SchoolNumber>, Option<UnitId>),
        page: Page<JourneyId>,
    ) -> Result<(Vec<JourneyView>, Option<String>)> {
        ctx.within(trust_id.0)?;
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        trust::get(&mut tx, trust_id).await?;
        let school_id = match &number {
            Some(it) => {
                let school = of_trust(&mut tx, trust_id, it).await?;
                granted(ctx, &school)?;
                Some(school.school_id)
            }
            None => None,
        };
        let of = (school_id, unit_id);
        let journeys = journey::list(&mut tx, trust_id, of, page.after, page.limit()).await?;
        let (journeys, next) = page.cut(journeys, |it| it.journey_id)?;
        let mut views = Vec::with_capacity(journeys.len());
        for journey in journeys.into_iter().filter(|it| ctx.sees(it.school_id.0)) {
            views.push(view(&mut tx, ctx, journey).await?);
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
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
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
}

/// A journey with everything recorded of it, and the URN its school has now.
#[derive(Clone, Debug)]
struct Case {
    journey: Journey,
    history: History,
    urn: Urn,
}

impl Case {
    /// The journey as it is now.
    fn seen(&self, ctx: &Ctx) -> JourneyView {
        JourneyView {
            journey: self.journey,
            urn: self.urn.clone(),
            view: self.history.now(),
            on: ctx.today(),
        }
    }
}

impl Aggregate for Case {
    type Id = JourneyId;

    fn load<'t>(
        tx: &'t mut Tx,
        ids: &'t [JourneyId],
    ) -> BoxFuture<'t, Result<HashMap<JourneyId, Self>>> {
        Box::pin(async move {
            let found = journey::find_all(tx, ids).await?;
            let schools: Vec<_> = found.iter().map(|(it, _)| it.school_id).collect();
            let urns = school::urns(tx, &schools).await?;
            let case = |(journey, history): (Journey, History)| {
                let urn = urns.get(&journey.school_id)?.clone();
                Some((journey.journey_id, Self { journey, history, urn }))
            };
            Ok(found.into_iter().filter_map(case).collect())
        })
    }
}

/// A journey of the caller's; another trust's does not exist.
fn readable<'c>(case: Option<&'c Case>, ctx: &Ctx, journey_id: JourneyId) -> Result<&'c Case> {
    let case = case.filter(|it| ctx.within(it.journey.trust_id.0).is_ok());
    let case = case.ok_or_else(|| Error::not_found("journey", journey_id))?;
    ctx.school(case.journey.school_id.0, case.urn.as_str())?;
    Ok(case)
}

/// Decides on a transition: what it is, and the event that tells of it.
fn moved(
    ctx: &Ctx,
    journey: &Journey,
    history: &History,
    asked: NewTransition,
) -> Result<(Transition, Draft)> {
    let effective_on = asked.effective_on.unwrap_or_else(|| ctx.today());
    let decision = {
        let (kind, to, corrects) = (asked.kind, asked.to, asked.corrects);
        let ratings = asked.ratings.clone();
        let asked = Move { kind, to, corrects, ratings, effective_on };
        decide(history, &asked, ctx.today())?
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
    let draft = event::journey_moved(journey, &transition, text)?;
    Ok((transition, draft))
}

/// The journey to open for a school or unit: a new one, or the one that was corrected away.
async fn subject(tx: &mut Tx, ctx: &Ctx, new: &NewJourney) -> Result<Journey> {
    let school = of_trust(tx, new.trust_id, &new.school).await?;
    granted(ctx, &school)?;
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
    if !ctx.sees(journey.school_id.0) {
        granted(ctx, &school::get(tx, journey.school_id).await?)?;
    }
    Ok(journey)
}

async fn now(tx: &mut Tx, ctx: &Ctx, journey_id: JourneyId) -> Result<JourneyView> {
    let journey = load(tx, ctx, journey_id).await?;
    view(tx, ctx, journey).await
}

async fn view(tx: &mut Tx, ctx: &Ctx, journey: Journey) -> Result<JourneyView> {
    let history = journey::history(tx, journey.journey_id).await?;
    let urn = school::get(tx, journey.school_id).await?.details.urn;
    Ok(Case { journey, history, urn }.seen(ctx))
}
