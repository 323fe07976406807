//! Facts as the contract's records: what was read, written again.

use contract::intelligence::{self as pb, assessment_result, record::Kind, reported_observation};
use rpc::Twin;

use crate::domain::{AssessmentResult, Content, Graded, ReportedObservation, Stated};

/// Hundredths as the number they are of.
fn whole(hundredths: i64) -> f64 {
    // Far from where a double's whole numbers end.
    #[expect(clippy::cast_precision_loss, reason = "at most a few ten thousand")]
    let hundredths = hundredths as f64;
    hundredths / 100.0
}

/// A fact of a school, with its person by pseudonym.
pub(super) fn record(urn: &str, person: Option<String>, it: Content, deleted: bool) -> Kind {
    let urn = urn.to_owned();
    let named = person.clone().unwrap_or_default();
    match it {
        Content::AssessmentResult(it) => Kind::AssessmentResult(result(urn, named, it, deleted)),
        Content::Suspension(it) => Kind::Suspension(pb::Suspension {
            urn,
            pupil: named,
            category: it.category,
            starts_on: it.starts_on.to_string(),
            session: it.session.to_string(),
            sessions: it.sessions,
            reasons: it.reasons,
            deleted,
        }),
        Content::BehaviourIncident(it) => Kind::BehaviourIncident(pb::BehaviourIncident {
            urn,
            incident: it.incident,
            on: it.on.to_string(),
            pupil: person,
            category: it.category,
            points: it.points,
            deleted,
        }),
        Content::StaffMember(it) => Kind::StaffMember(pb::StaffMember {
            urn,
            person: named,
            role: it.role,
            fte: whole(it.fte),
            starts_on: it.starts_on.to_string(),
            ends_on: it.ends_on.map(|it| it.to_string()),
            deleted,
        }),
        Content::StaffAbsence(it) => Kind::StaffAbsence(pb::StaffAbsence {
            urn,
            person: named,
            starts_on: it.starts_on.to_string(),
            ends_on: it.ends_on.map(|it| it.to_string()),
            working_days: whole(it.working_days),
            reason: it.reason,
            deleted,
        }),
        Content::Cover(it) => Kind::Cover(pb::Cover {
            urn,
            on: it.on.to_string(),
            covered_by: it.covered_by,
            lessons: it.lessons,
            deleted,
        }),
        Content::BudgetLine(it) => Kind::BudgetLine(pb::BudgetLine {
            urn,
            code: it.code,
            kind: it.kind,
            starts_on: it.starts_on.to_string(),
            ends_on: it.ends_on.to_string(),
            amount_pence: it.amount,
            deleted,
        }),
        Content::Observation(it) => Kind::Observation(observation(urn, it, deleted)),
    }
}

fn result(urn: String, pupil: String, it: AssessmentResult, deleted: bool) -> pb::AssessmentResult {
    pb::AssessmentResult {
        urn,
        pupil,
        scale: it.scale,
        subject: it.subject,
        assessment_point: it.point,
        taken_on: it.taken_on.to_string(),
        outcome: (!deleted).then(|| match it.graded {
            Graded::Result(text) => assessment_result::Outcome::Result(text),
            Graded::Absent(it) => assessment_result::Outcome::Absent(it.to_wire()),
        }),
        deleted,
    }
}

fn observation(urn: String, it: ReportedObservation, deleted: bool) -> pb::ReportedObservation {
    use reported_observation::Outcome;
    pb::ReportedObservation {
        urn,
        measure: it.measure,
        year_group: it.year_group.map(i32::from),
        group: it.group,
        subject: it.subject,
        starts_on: it.starts_on.to_string(),
        ends_on: it.ends_on.to_string(),
        source: it.source,
        source_code: it.source_code,
        revision: it.revision,
        deleted: deleted || it.stated == Stated::Withdrawn,
        outcome: match it.stated {
            Stated::Value(value) => Some(Outcome::Value(value)),
            Stated::Absent(absent) => Some(Outcome::Absent(absent.to_wire())),
            Stated::Share { numerator, denominator } => {
                Some(Outcome::Share(pb::Share { numerator, denominator }))
            }
            Stated::Withdrawn => None,
        },
    }
}
