//! The rest of the demonstration as requests, in order: feeds, journeys over three years, and improvement projects.
//!
//! The judgements are made up about synthetic figures; which school gets which story is arbitrary. Ids are left empty:
//! the runner puts in the trust's and those of what each step names by a key of its own.

mod journeys;
mod projects;

use chrono::NaiveDate;
use contract::{
    improvement::{
        CreateGoalRequest, CreateMilestoneRequest, CreateProjectRequest,
        CreateProjectTransitionRequest, CreateStocktakeRequest, SetDiagnosisRequest,
        SetPlanRequest,
    },
    intelligence::{CreateFeedRequest, RecordKind},
    registry::{
        CreateTransitionRequest, CreateTrustRequest, CreateUnitRequest, OpenJourneyRequest,
    },
};

use super::{Changes, Trend, days::date};

/// The seed of the demonstration that everybody sees.
pub(crate) const SEED: u64 = 2026;
/// The school that goes on under another number, before and since.
pub(crate) const CONVERTED: (&str, &str) = ("141361", "999001");
/// The school that merges, and the one its pupils go to.
pub(crate) const MERGED: (&str, &str) = ("140408", "144436");
const DECLINING: [&str; 2] = ["144757", "143991"];
const IMPROVING: &str = "145677";

/// One request, and what of it only the runner can know.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    CreateFeed(CreateFeedRequest),
    /// `unit` is the key later steps know the unit by.
    CreateUnit {
        unit: &'static str,
        request: CreateUnitRequest,
    },
    /// `journey` is the key later steps know it by; `unit` the key of the unit it belongs to.
    OpenJourney {
        journey: String,
        unit: Option<&'static str>,
        request: OpenJourneyRequest,
    },
    MoveJourney {
        journey: String,
        request: CreateTransitionRequest,
    },
    /// From the newest open signal of the school the request names by URN, where it has one.
    CreateProject {
        project: &'static str,
        request: CreateProjectRequest,
    },
    SetDiagnosis {
        project: &'static str,
        request: SetDiagnosisRequest,
    },
    SetPlan {
        project: &'static str,
        request: SetPlanRequest,
    },
    CreateGoal {
        project: &'static str,
        request: CreateGoalRequest,
    },
    CreateMilestone {
        project: &'static str,
        request: CreateMilestoneRequest,
    },
    CreateStocktake {
        project: &'static str,
        request: CreateStocktakeRequest,
    },
    MoveProject {
        project: &'static str,
        request: CreateProjectTransitionRequest,
    },
}

/// The trust as the register knows it.
pub(crate) fn trust() -> CreateTrustRequest {
    CreateTrustRequest {
        name: "Clevedon Learning Trust".to_owned(),
        group_uid: Some("5453".to_owned()),
        ukprn: Some("10059470".to_owned()),
        companies_house_number: Some("07872799".to_owned()),
    }
}

/// What `register-changes.csv` changes.
pub(crate) fn changes() -> Changes {
    let pair = |(one, other): (&str, &str)| (one.to_owned(), other.to_owned());
    Changes {
        on: date(2026, 9, 1),
        conversions: vec![pair(CONVERTED)],
        mergers: vec![pair(MERGED)],
    }
}

/// Where the attendance of a school goes in the last weeks.
pub(crate) fn trend(urn: &str) -> Trend {
    match urn {
        it if DECLINING.contains(&it) => Trend::Declining,
        IMPROVING => Trend::Improving,
        _ => Trend::Steady,
    }
}

/// Before the register changes: the feed, two units, and each school's journey up to the summer of 2026.
pub(crate) fn before_changes(client_id: &str) -> Vec<Step> {
    let mut steps = vec![Step::CreateFeed(CreateFeedRequest {
        trust_id: String::new(),
        name: "Registers and rolls".to_owned(),
        client_id: client_id.to_owned(),
        kinds: vec![RecordKind::Enrolment.into(), RecordKind::AttendanceRegister.into()],
        urns: Vec::new(),
    })];
    steps.extend(journeys::units());
    let changed_on = changes().on;
    steps.extend(journeys::schools(|on| on < changed_on));
    steps
}

/// After it: what has moved since, and the projects. Dates to come are counted from today.
pub(crate) fn after_changes(today: NaiveDate) -> Vec<Step> {
    let changed_on = changes().on;
    let recent = journeys::schools(|on| on >= changed_on && on <= today);
    recent.into_iter().chain(projects::all(today)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(steps: &[Step], wanted: impl Fn(&Step) -> bool) -> usize {
        steps.iter().filter(|it| wanted(it)).count()
    }

    #[test]
    fn each_step_is_told_once_and_every_school_of_the_trust_has_a_journey() {
        let today = date(2026, 11, 21);
        let (before, after) = (before_changes("demonstration"), after_changes(today));
        let opens = |it: &Step| matches!(it, Step::OpenJourney { unit: None, .. });
        assert_eq!((count(&before, opens), count(&after, opens)), (13, 0));
        let moves = |it: &Step| matches!(it, Step::MoveJourney { .. });
        let told = journeys::schools(|_| true);
        assert_eq!(count(&before, moves) + count(&after, moves), count(&told, moves));
        assert!(count(&after, moves) > 0);
        let register = String::from_utf8_lossy(crate::demo::REGISTER);
        for step in &before {
            if let Step::OpenJourney { request, .. } = step {
                assert!(register.contains(&format!("\r\n{},", request.urn)), "{}", request.urn);
            }
        }
    }
}
