//! Signals: a change in a school's series that is unlikely to be chance, and what the trust does about it.

use calendar::{Week, add_school_days};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use identity::{SchoolId, TrustId};
use rpc::{Error, Fault, Reason, Result};
use serde::{Deserialize, Serialize};
use statistics::Rule;
use uuid::Uuid;

use crate::domain::{Direction, Judgement, Measure, Point};

identity::id! {
    /// A signal raised.
    SignalId
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum SignalState {
    Raised,
    Acknowledged,
    Actioned,
    Dismissed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum SignalRule {
    OutsideLimits,
    RunOfEight,
    ThreeOfFour,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Signal {
    pub signal_id: SignalId,
    pub trust_id: TrustId,
    pub school_id: SchoolId,
    /// The school's URN when it was raised.
    pub urn: String,
    pub measure: Measure,
    pub rule: SignalRule,
    pub direction: Direction,
    /// Monday of the week it was seen in.
    pub week: NaiveDate,
    pub value: f64,
    pub centre: f64,
    pub lower_limit: f64,
    pub upper_limit: f64,
    pub state: SignalState,
    pub owner_role: String,
    pub respond_by: NaiveDate,
    pub project_id: Option<Uuid>,
    /// Why, when it was moved with a reason; none when erased.
    pub rationale: Option<String>,
    #[sqlx(try_from = "i32")]
    pub version: u32,
    pub raised_at: DateTime<Utc>,
}

/// A signal moved on.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalEvent {
    pub from: SignalState,
    pub to: SignalState,
    pub project_id: Option<Uuid>,
    pub rationale: Option<String>,
}

/// A move somebody asks for.
#[derive(Clone, Debug)]
pub struct Transition {
    pub to: SignalState,
    pub project_id: Option<Uuid>,
    pub rationale: Option<String>,
}

/// The standard operating procedure: who answers a signal, and within how many school days.
///
/// A fall is the school's to explain within a week of school; a rise is worth learning from, and waits two.
fn procedure(direction: Direction) -> (&'static str, u32) {
    match direction {
        Direction::Worse => ("school_leader", 5),
        _ => ("director_of_school_improvement", 10),
    }
}

/// Weeks after which what a week shows is history: nobody can answer for it any more.
const NEWS_WEEKS: i64 = 3;

impl Signal {
    /// Whether a week is recent enough to raise a signal about. Registers of years past are pushed when a school joins;
    /// they are a baseline, not news.
    pub fn is_news(week: Week, today: NaiveDate) -> bool {
        today - week.starts_on() <= TimeDelta::weeks(NEWS_WEEKS)
    }

    /// The signal a judgement gives cause for.
    pub fn raise(
        (signal_id, now, today): (SignalId, DateTime<Utc>, NaiveDate),
        (trust_id, school_id, urn): (TrustId, SchoolId, String),
        measure: Measure,
        latest: Point,
        judgement: &Judgement,
    ) -> Option<Self> {
        let (limits, rule) = (judgement.limits?, judgement.rule?);
        let (owner_role, days) = procedure(judgement.direction);
        Some(Self {
            signal_id,
            trust_id,
            school_id,
            urn,
            measure,
            rule: rule.into(),
            direction: judgement.direction,
            week: latest.week.starts_on(),
            value: latest.value,
            centre: limits.centre,
            lower_limit: limits.lower,
            upper_limit: limits.upper,
            state: SignalState::Raised,
            owner_role: owner_role.to_owned(),
            respond_by: add_school_days(today, days),
            project_id: None,
            rationale: None,
            version: 1,
            raised_at: now,
        })
    }

    /// Whether it makes another signal needless: the same week's, or one of the same direction still open.
    pub fn covers(&self, week: Week, direction: Direction) -> bool {
        let open = self.state != SignalState::Dismissed;
        self.week == week.starts_on() || (open && self.direction == direction)
    }

    pub fn overdue(&self, today: NaiveDate) -> bool {
        self.state == SignalState::Raised && self.respond_by < today
    }

    /// Decides a move.
    pub fn decide(&self, transition: Transition) -> Result<SignalEvent> {
        use SignalState::{Acknowledged, Actioned, Dismissed, Raised};
        let Transition { to, project_id, rationale } = transition;
        match (self.state, to) {
            (Raised, Acknowledged | Actioned | Dismissed)
            | (Acknowledged, Actioned | Dismissed) => {}
            (from, to) => {
                let allowed = match from {
                    Raised => "acknowledged, actioned or dismissed",
                    Acknowledged => "actioned or dismissed",
                    Actioned | Dismissed => "nothing more",
                };
                let detail = format!(
                    "a signal that is {} cannot become {}; it can become {allowed}",
                    from.name(),
                    to.name()
                );
                return Err(Error::new(Reason::TransitionNotAllowed, detail));
            }
        }
        match (to, project_id.is_some(), rationale.is_some()) {
            (Actioned, false, _) => Err(missing("/projectId", "names the project it led to")),
            (Dismissed, _, false) => Err(missing("/rationale", "says why it is dismissed")),
            (Acknowledged | Dismissed | Raised, true, _) => {
                let fault = Fault::invalid("belongs to a signal that is actioned");
                Err(Error::field("/projectId", fault))
            }
            _ => Ok(SignalEvent { from: self.state, to, project_id, rationale }),
        }
    }
}

fn missing(pointer: &str, purpose: &'static str) -> Error {
    Error::field(pointer, Fault::new(Reason::FieldRequired, format!("must be given: it {purpose}")))
}

impl SignalState {
    fn name(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Acknowledged => "acknowledged",
            Self::Actioned => "actioned",
            Self::Dismissed => "dismissed",
        }
    }
}

impl From<Rule> for SignalRule {
    fn from(rule: Rule) -> Self {
        match rule {
            Rule::OutsideLimits => Self::OutsideLimits,
            Rule::RunOfEight => Self::RunOfEight,
            Rule::ThreeOfFour => Self::ThreeOfFour,
        }
    }
}

#[cfg(test)]
mod tests {
    use statistics::Limits;

    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn signal(state: SignalState) -> Signal {
        let limits = Limits { centre: 94.0, lower: 92.0, upper: 96.0 };
        let judgement = Judgement {
            direction: Direction::Worse,
            limits: Some(limits),
            rule: Some(Rule::OutsideLimits),
        };
        let today = date("2026-11-21");
        let latest = Point { week: Week::of(date("2026-11-09")), value: 90.0 };
        let at = (SignalId(Uuid::nil()), DateTime::UNIX_EPOCH, today);
        let of = (TrustId(Uuid::nil()), SchoolId(Uuid::nil()), "100001".to_owned());
        Signal { state, ..Signal::raise(at, of, Measure::Attendance, latest, &judgement).unwrap() }
    }

    #[test]
    fn a_signal_moves_on_and_never_back() {
        #[track_caller]
        fn check(from: SignalState, to: SignalState, allowed: bool) {
            let project_id = (to == SignalState::Actioned).then(Uuid::nil);
            let transition = Transition { to, project_id, rationale: Some("why".to_owned()) };
            let decided = signal(from).decide(transition);
            assert_eq!(decided.is_ok(), allowed, "{from:?} to {to:?}");
            if let Err(error) = decided {
                assert_eq!(error.reason, Reason::TransitionNotAllowed);
            }
        }
        use SignalState::{Acknowledged, Actioned, Dismissed, Raised};
        for to in [Acknowledged, Actioned, Dismissed] {
            check(Raised, to, true);
            check(Acknowledged, to, to != Acknowledged);
            check(Actioned, to, false);
            check(Dismissed, to, false);
            check(to, Raised, false);
        }
    }

    #[test]
    fn a_signal_is_overdue_after_its_day_while_nobody_has_answered() {
        let raised = signal(SignalState::Raised);
        assert_eq!(raised.respond_by, date("2026-11-27"));
        assert!(!raised.overdue(date("2026-11-27")));
        assert!(raised.overdue(date("2026-11-28")));
        assert!(!signal(SignalState::Acknowledged).overdue(date("2026-11-28")));
    }

    #[test]
    fn one_signal_speaks_for_a_week_and_a_direction() {
        let (same, next) = (Week::of(date("2026-11-09")), Week::of(date("2026-11-16")));
        let raised = signal(SignalState::Raised);
        assert!(raised.covers(same, Direction::Better));
        assert!(raised.covers(next, Direction::Worse));
        assert!(!raised.covers(next, Direction::Better));
        let dismissed = signal(SignalState::Dismissed);
        assert!(dismissed.covers(same, Direction::Worse));
        assert!(!dismissed.covers(next, Direction::Worse));
    }

    #[test]
    fn a_week_is_news_for_three_weeks() {
        #[track_caller]
        fn check(week: &str, news: bool) {
            let today = "2026-11-21".parse().unwrap();
            assert_eq!(Signal::is_news(Week::of(week.parse().unwrap()), today), news, "{week}");
        }
        check("2026-11-09", true);
        check("2026-11-02", true);
        check("2026-10-26", false);
        check("2025-11-10", false);
    }
}
