//! What may happen to a journey: the transition table, what each transition must carry, and corrections.

use chrono::{DateTime, NaiveDate, Utc};
use identity::{SchoolId, TrustId};
use rpc::{Error, Fault, Problem, Reason, Result};
use serde::{Deserialize, Serialize};

use super::{
    evidence::Evidence,
    history::{self, History},
    phase::Phase,
    rubric::{Rating, RubricDomain, suggest},
    unit::UnitId,
};

identity::id! {
    /// The improvement journey of a school or unit.
    JourneyId
}

identity::id! {
    /// One entry in a journey's log; the id of the event that recorded it.
    TransitionId
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum TransitionKind {
    Opened,
    Emerging,
    Entered,
    EmergenceAbandoned,
    FellBack,
    Corrected,
}

/// Whose journey it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Journey {
    pub journey_id: JourneyId,
    pub trust_id: TrustId,
    pub school_id: SchoolId,
    pub unit_id: Option<UnitId>,
    pub version: i32,
}

/// Where a journey is. Phases overlap: the next may emerge while the settled one is not done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// None before the journey is opened.
    pub settled: Option<Phase>,
    pub emerging: Option<Phase>,
}

/// An entry in a journey's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    pub transition_id: TransitionId,
    pub journey_id: JourneyId,
    pub version: i32,
    pub kind: TransitionKind,
    pub from: Option<Phase>,
    pub to: Option<Phase>,
    /// None when it has been erased.
    pub rationale: Option<String>,
    pub evidence: Vec<Evidence>,
    pub ratings: Vec<Rating>,
    pub effective_on: NaiveDate,
    pub recorded_at: DateTime<Utc>,
    pub actor: String,
    pub corrects: Option<TransitionId>,
    pub suggested: Option<Phase>,
    pub quick: bool,
}

/// A transition somebody asks for.
#[derive(Clone, Debug)]
pub(crate) struct Move {
    pub kind: TransitionKind,
    pub to: Option<Phase>,
    pub corrects: Option<TransitionId>,
    pub ratings: Vec<Rating>,
    pub effective_on: NaiveDate,
}

/// What was decided about a transition beyond what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub from: Option<Phase>,
    /// What the rubric suggests with the ratings known by then.
    pub suggested: Option<Phase>,
    pub quick: bool,
}

impl State {
    /// The state after a transition, if the table allows it.
    pub fn after(self, kind: TransitionKind, to: Option<Phase>) -> Result<Self> {
        use TransitionKind as K;
        let settled = |phase| Self { settled: Some(phase), emerging: None };
        match (kind, self.settled, to) {
            (K::Opened, None, Some(to)) => Ok(settled(to)),
            (K::Emerging, Some(now), Some(to))
                if now.next() == Some(to) && self.emerging.is_none() =>
            {
                Ok(Self { emerging: Some(to), ..self })
            }
            (K::Entered, Some(now), Some(to)) if now.next() == Some(to) => Ok(settled(to)),
            (K::EmergenceAbandoned, Some(now), None) if self.emerging.is_some() => Ok(settled(now)),
            (K::FellBack, Some(now), Some(to)) if to < now => Ok(settled(to)),
            _ => Err(not_allowed(format!("{}; {}", self.described(), self.allowed()))),
        }
    }

    fn described(self) -> String {
        match (self.settled, self.emerging) {
            (None, _) => "the journey is not open".to_owned(),
            (Some(settled), None) => format!("the journey is settled in {settled}"),
            (Some(settled), Some(emerging)) => {
                format!("the journey is settled in {settled} with {emerging} emerging")
            }
        }
    }

    /// What the table allows from here, in words.
    fn allowed(self) -> String {
        let Some(settled) = self.settled else { return "it may be opened".to_owned() };
        let mut allowed = Vec::new();
        if let Some(next) = settled.next() {
            if self.emerging.is_none() {
                allowed.push(format!("{next} emerging"));
            }
            allowed.push(format!("{next} entered"));
        }
        if self.emerging.is_some() {
            allowed.push("the emergence abandoned".to_owned());
        }
        allowed.extend(settled.earlier().map(|it| format!("fallen back to {it}")));
        allowed.push("an earlier transition corrected".to_owned());
        format!("allowed: {}", allowed.join(", "))
    }
}

/// Decides on a transition given everything recorded so far.
pub(crate) fn decide(history: &History, asked: &Move, today: NaiveDate) -> Result<Decision> {
    not_in_future(asked.effective_on, today)?;
    let view = history.now();
    if asked.kind == TransitionKind::Corrected {
        correctable(history, asked.corrects)?;
    } else {
        view.state.after(asked.kind, asked.to)?;
        if let Some(last) = view.last_effective_on.filter(|it| asked.effective_on < *it) {
            return Err(not_allowed(format!(
                "the journey last moved on {last}: effectiveOn must not be before, unless an earlier \
                 transition is corrected"
            )));
        }
    }
    let mut ratings = view.ratings;
    ratings.extend(asked.ratings.iter().map(|it| (it.domain, it.phase)));
    let entered = asked.kind == TransitionKind::Entered;
    let since = view.dwells.last().map(|it| it.from);
    Ok(Decision {
        from: view.state.settled,
        suggested: suggest(&ratings).map(|it| it.phase),
        quick: entered && since.is_some_and(|it| history::within_a_term(it, asked.effective_on)),
    })
}

/// Decides whether domains may be rated on a date.
pub(crate) fn decide_rating(
    history: &History,
    effective_on: NaiveDate,
    today: NaiveDate,
) -> Result<()> {
    not_in_future(effective_on, today)?;
    match history.now().dwells.first() {
        None => Err(not_allowed("the journey is not open; it may be opened".to_owned())),
        Some(first) if effective_on < first.from => {
            let opened = first.from;
            Err(not_allowed(format!("the journey opened on {opened}: it has no ratings before")))
        }
        Some(_) => Ok(()),
    }
}

/// Refuses a correction unless what stays is a sequence the table allows.
fn correctable(history: &History, target: Option<TransitionId>) -> Result<()> {
    let target = target.ok_or_else(|| {
        let fault = Fault::new(Reason::FieldRequired, "name the transition that was wrong");
        Error::field("/corrects", fault)
    })?;
    let counted = history.counted();
    let possible = |left_out: TransitionId| {
        counted
            .iter()
            .filter(|it| it.transition_id != left_out)
            .try_fold(State::default(), |state, it| state.after(it.kind, it.to))
            .is_ok()
    };
    let problem = match history.transitions.iter().find(|it| it.transition_id == target) {
        None => format!("this journey has no transition {target}"),
        Some(it) if it.kind == TransitionKind::Corrected => {
            format!("{target} is itself a correction")
        }
        Some(_) if !counted.iter().any(|it| it.transition_id == target) => {
            format!("{target} has been corrected already")
        }
        Some(_) if possible(target) => return Ok(()),
        Some(_) => format!("without {target} the transitions after it could not have happened"),
    };
    let allowed: Vec<_> = counted
        .iter()
        .map(|it| it.transition_id)
        .filter(|it| possible(*it))
        .map(|it| it.to_string())
        .collect();
    let allowed = if allowed.is_empty() { "none".to_owned() } else { allowed.join(", ") };
    Err(not_allowed(format!("{problem}; may be corrected: {allowed}")))
}

/// What a transition must carry and does not; a rationale is asked of all of them elsewhere.
pub(crate) fn missing(
    kind: TransitionKind,
    evidence: &[Evidence],
    ratings: &[Rating],
) -> Vec<Problem> {
    use TransitionKind as K;
    let problem = |pointer: String, detail: String| Problem {
        pointer,
        fault: Fault::new(Reason::FieldRequired, detail),
    };
    match kind {
        K::Opened | K::FellBack if evidence.is_empty() => {
            vec![problem("/evidence".to_owned(), "give the evidence it rests on".to_owned())]
        }
        K::Entered => {
            let unrated = RubricDomain::ALL
                .into_iter()
                .filter(|domain| ratings.iter().all(|it| it.domain != *domain))
                .map(|it| {
                    let detail = format!("rate {}: entering a phase needs every domain", it.name());
                    problem("/ratings".to_owned(), detail)
                });
            let bare = ratings.iter().enumerate().filter(|it| it.1.evidence.is_empty()).map(
                |(index, it)| {
                    let detail = format!("give the evidence on {}", it.domain.name());
                    problem(format!("/ratings/{index}/evidence"), detail)
                },
            );
            unrated.chain(bare).collect()
        }
        _ => Vec::new(),
    }
}

fn not_in_future(date: NaiveDate, today: NaiveDate) -> Result<()> {
    if date > today {
        let detail = format!("{date} is after today, {today}");
        return Err(Error::field("/effectiveOn", Fault::new(Reason::DateInFuture, detail)));
    }
    Ok(())
}

fn not_allowed(detail: String) -> Error {
    Error::new(Reason::TransitionNotAllowed, detail)
}

#[cfg(test)]
mod tests;
