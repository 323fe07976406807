use contract::intelligence::{self as pb, reported_observation::Outcome};
use rpc::{Fault, Problem, Reason};

use super::{assessment::absence, reader::Reader, year_group};
use crate::domain::{Body, Content, Fact, Kind, ReportedObservation, Stated};

/// The longest key of a measure, name of a source, and code of a source, in characters.
const MEASURE: usize = 60;
const SOURCE: usize = 100;
const SOURCE_CODE: usize = 20;

pub(super) fn read(it: pb::ReportedObservation) -> Result<Body<String>, Vec<Problem>> {
    let mut reader = Reader::new(Kind::Observation.field());
    reader.school(&it.urn);
    let measure = reader.take("measure", measure(it.measure));
    let starts_on = reader.date("startsOn", &it.starts_on);
    let ends_on = reader.ends_on(starts_on, Some(&it.ends_on)).and_then(|it| it.0);
    let year_group = match it.year_group {
        None => Some(None),
        Some(number) => reader.take("yearGroup", year_group(number)).map(Some),
    };
    let group = match &it.group {
        None => Some(None),
        Some(code) => reader.code("group", "pupil_groups", code, starts_on).map(Some),
    };
    let subject = match &it.subject {
        None => Some(None),
        Some(code) => reader.code("subject", "subjects", code, starts_on).map(Some),
    };
    let source = reader.id("source", it.source, SOURCE);
    let source_code = match it.source_code {
        None => Some(None),
        Some(text) => reader.id("sourceCode", text, SOURCE_CODE).map(Some),
    };
    let stated = match it.outcome {
        _ if it.deleted => Some(Stated::Withdrawn),
        outcome => stated(&mut reader, outcome),
    };
    let (urn, revision) = (it.urn, it.revision);
    reader.done(urn, || {
        let observation = ReportedObservation {
            measure: measure?,
            year_group: year_group?,
            group: group?,
            subject: subject?,
            starts_on: starts_on?,
            ends_on: ends_on?,
            source: source?,
            source_code: source_code?,
            revision,
            stated: stated?,
        };
        let (kind, on, key) = (Kind::Observation, observation.starts_on, observation.key());
        let content = Some(Content::Observation(observation));
        Some(Fact { kind, person: None, on, key, content })
    })
}

fn measure(key: String) -> Result<String, Fault> {
    let fits = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_';
    if key.is_empty() {
        Err(Fault::new(Reason::FieldRequired, "must be given"))
    } else if key.len() > MEASURE || !key.chars().all(fits) {
        let detail =
            format!("must be at most {MEASURE} lower case letters, digits and underscores");
        Err(Fault::invalid(detail))
    } else {
        Ok(key)
    }
}

fn stated(reader: &mut Reader, outcome: Option<Outcome>) -> Option<Stated> {
    let finite = |it: f64| {
        let fault = || Fault::new(Reason::FieldType, "must be a number");
        it.is_finite().then_some(it).ok_or_else(fault)
    };
    match outcome {
        Some(Outcome::Value(value)) => reader.take("value", finite(value)).map(Stated::Value),
        Some(Outcome::Absent(absent)) => reader.take("absent", absence(absent)).map(Stated::Absent),
        Some(Outcome::Share(it)) => {
            let numerator = reader.take("share/numerator", finite(it.numerator));
            let denominator = reader.take("share/denominator", finite(it.denominator))?;
            if denominator <= 0.0 {
                reader.refuse("share/denominator", Fault::invalid("must be more than 0"));
                return None;
            }
            Some(Stated::Share { numerator: numerator?, denominator })
        }
        None => {
            let detail = "must hold a value, an absent that says why there is none, or a share";
            reader.take("value", Err(Fault::new(Reason::FieldRequired, detail)))
        }
    }
}
