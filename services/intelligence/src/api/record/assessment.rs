use chrono::NaiveDate;
use contract::intelligence::{self as pb, assessment_result::Outcome};
use rpc::{Fault, Problem, Reason, Twin};

use super::reader::Reader;
use crate::domain::{Absent, AssessmentResult, Body, Content, Fact, Graded, Kind};

pub(super) fn read(
    it: pb::AssessmentResult,
    today: NaiveDate,
) -> Result<Body<String>, Vec<Problem>> {
    let mut reader = Reader::new(Kind::AssessmentResult.field());
    reader.school(&it.urn);
    let pupil = reader.pupil("pupil", it.pupil);
    let taken_on = reader.past("takenOn", &it.taken_on, today);
    let scale = reader.code("scale", "assessment_scales", &it.scale, taken_on);
    let subject = reader.code("subject", "subjects", &it.subject, taken_on);
    let point = reader.code("assessmentPoint", "assessment_points", &it.assessment_point, taken_on);
    let graded = match (it.outcome, it.deleted) {
        (_, true) => Some(None),
        (None, false) => {
            let detail = "must be given, or absent, which says why there is none";
            reader.take("result", Err(Fault::new(Reason::FieldRequired, detail)))
        }
        (Some(Outcome::Absent(absent)), false) => {
            let absent = reader.take("absent", absence(absent));
            absent.map(|it| Some(Graded::Absent(it)))
        }
        (Some(Outcome::Result(text)), false) => match (&scale, taken_on) {
            (Some(scale), Some(on)) => {
                let result = reader.take("result", AssessmentResult::result(scale, &text, on));
                result.map(|it| Some(Graded::Result(it)))
            }
            // What fits depends on the scale and the day, of which one is wrong: that is said once.
            _ => None,
        },
    };
    reader.done(it.urn, || {
        let (scale, subject, point, taken_on) = (scale?, subject?, point?, taken_on?);
        let key = AssessmentResult::key(&scale, &subject, &point, taken_on);
        let content = graded?.map(|graded| {
            Content::AssessmentResult(AssessmentResult { scale, subject, point, taken_on, graded })
        });
        let (kind, person) = (Kind::AssessmentResult, Some(pupil?));
        Some(Fact { kind, person, on: taken_on, key, content })
    })
}

/// Why there is no value, which must be said.
pub(super) fn absence(absent: i32) -> Result<Absent, Fault> {
    Absent::from_wire(absent).ok_or_else(|| {
        Fault::invalid("must be one of the reasons of this list").accepting(Absent::names())
    })
}
