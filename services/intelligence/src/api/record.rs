//! A vendor's record, read from the contract's message.

mod assessment;
mod budget;
mod conduct;
mod observation;
mod reader;
mod staff;

use std::collections::HashSet;

use chrono::NaiveDate;
use contract::intelligence::{self as pb, record::Kind};
use identity::SchoolNumber;
use rpc::{Fault, Fields, Problem, Reason};

use crate::domain::{
    self, Body, Characteristic, Code, Enrolment, Flag, Mark, Record, Session, YEAR_GROUPS,
};

/// The longest id a vendor may give a record or a pupil, in characters.
pub(super) const ID_LIMIT: usize = 200;

/// Characteristics an enrolment may hold.
const CHARACTERISTICS: usize = 64;

/// Reads a record; `today` is the last day a register may be of.
pub(super) fn read(line: u32, record: pb::Record, today: NaiveDate) -> Record {
    let pb::Record { external_id, kind } = record;
    let mut body = match kind {
        Some(Kind::Pupil(it)) => pupil(it),
        Some(Kind::Enrolment(it)) => enrolment(it),
        Some(Kind::AttendanceRegister(it)) => register(it, today),
        Some(Kind::PupilKeyChange(it)) => key_change(it),
        Some(Kind::AssessmentResult(it)) => assessment::read(it, today),
        Some(Kind::Suspension(it)) => conduct::suspension(it, today),
        Some(Kind::BehaviourIncident(it)) => conduct::incident(it, today),
        Some(Kind::StaffMember(it)) => staff::member(it),
        Some(Kind::StaffAbsence(it)) => staff::absence(it, today),
        Some(Kind::Cover(it)) => staff::cover(it, today),
        Some(Kind::BudgetLine(it)) => budget::read(it),
        Some(Kind::Observation(it)) => observation::read(it),
        None => Err(vec![problem("", kindless())]),
    };
    if external_id.chars().count() > ID_LIMIT || external_id.contains('\0') {
        let fault = problem("/externalId", unfit());
        body = Err(body.err().unwrap_or_default().into_iter().chain([fault]).collect());
    }
    let external_id = external_id.chars().filter(|it| *it != '\0').take(ID_LIMIT).collect();
    Record { line, external_id, body }
}

/// A record that could not be read as one.
pub(super) fn refused(line: u32, external_id: &str, problems: Vec<Problem>) -> Record {
    let external_id = external_id.chars().filter(|it| *it != '\0').take(ID_LIMIT).collect();
    Record { line, external_id, body: Err(problems) }
}

fn pupil(it: pb::Pupil) -> Result<Body<String>, Vec<Problem>> {
    let pupil = pupil_id(it.pupil).map_err(|it| vec![problem("/pupil/pupil", it)])?;
    Ok(Body::Pupil { pupil, deleted: it.deleted })
}

fn key_change(it: pb::PupilKeyChange) -> Result<Body<String>, Vec<Problem>> {
    let mut fields = Fields::new();
    let pupil = fields.take("/pupilKeyChange/pupil", pupil_id(it.pupil));
    let new_pupil = fields.take("/pupilKeyChange/newPupil", pupil_id(it.new_pupil));
    if pupil.is_some() && pupil == new_pupil {
        fields.refuse("/pupilKeyChange/newPupil", Fault::invalid("is the id there is"));
    }
    fields
        .done(|| Some(Body::KeyChange { pupil: pupil?, new_pupil: new_pupil? }))
        .map_err(|error| error.problems)
}

fn enrolment(it: pb::Enrolment) -> Result<Body<String>, Vec<Problem>> {
    let mut fields = Fields::new();
    fields.take("/enrolment/urn", SchoolNumber::parse(&it.urn));
    let pupil = fields.take("/enrolment/pupil", pupil_id(it.pupil));
    let starts_on = fields.take("/enrolment/startsOn", identity::date(&it.starts_on));
    let ends_on = fields.optional("/enrolment/endsOn", it.ends_on.as_deref(), identity::date);
    if let (Some(starts_on), Some(Some(ends_on))) = (starts_on, ends_on)
        && ends_on < starts_on
    {
        fields.refuse("/enrolment/endsOn", Fault::invalid("is before startsOn"));
    }
    let year_group = fields.take("/enrolment/yearGroup", year_group(it.year_group));
    let characteristics = characteristics(&mut fields, it.characteristics, starts_on);
    let (urn, deleted) = (it.urn, it.deleted);
    fields
        .done(|| {
            let enrolment = Enrolment {
                year_group: year_group?,
                starts_on: starts_on?,
                ends_on: ends_on?,
                characteristics: characteristics?,
            };
            Some(Body::Enrolment { urn, pupil: pupil?, enrolment, deleted })
        })
        .map_err(|error| error.problems)
}

/// Which are valid depends on the enrolment's first day; where that is wrong, it is said once.
fn characteristics(
    fields: &mut Fields,
    given: Vec<pb::Characteristic>,
    enrolled_on: Option<NaiveDate>,
) -> Option<Vec<Characteristic>> {
    let enrolled_on = enrolled_on?;
    let count = given.len();
    if count > CHARACTERISTICS {
        let detail = format!("may hold at most {CHARACTERISTICS}");
        fields.refuse("/enrolment/characteristics", Fault::invalid(detail));
        return None;
    }
    let mut characteristics = Vec::with_capacity(count);
    for (index, it) in given.into_iter().enumerate() {
        let at = |name: &str| format!("/enrolment/characteristics/{index}/{name}");
        let starts_on = fields.optional(&at("startsOn"), it.starts_on.as_deref(), identity::date);
        let ends_on = fields.optional(&at("endsOn"), it.ends_on.as_deref(), identity::date);
        let first = starts_on.flatten().map_or(enrolled_on, |it| it.max(enrolled_on));
        let flag = fields.take(&at("flag"), Flag::on(&it.flag, first));
        let (Some(flag), Some(starts_on), Some(ends_on)) = (flag, starts_on, ends_on) else {
            continue;
        };
        if ends_on.is_some_and(|it| it < starts_on.unwrap_or(enrolled_on)) {
            fields.refuse(&at("endsOn"), Fault::invalid("is before the first day"));
        }
        characteristics.push(Characteristic { flag, starts_on, ends_on });
    }
    let is_whole = characteristics.len() == count;
    characteristics.sort_unstable();
    characteristics.dedup();
    is_whole.then_some(characteristics)
}

fn register(it: pb::AttendanceRegister, today: NaiveDate) -> Result<Body<String>, Vec<Problem>> {
    let mut fields = Fields::new();
    fields.take("/attendanceRegister/urn", SchoolNumber::parse(&it.urn));
    let date = fields.take("/attendanceRegister/date", identity::past_date(&it.date, today));
    let session = fields.take("/attendanceRegister/session", Session::parse(&it.session));
    if it.marks.is_empty() {
        let fault = Fault::new(Reason::FieldRequired, "must hold at least one mark");
        fields.refuse("/attendanceRegister/marks", fault);
    }
    let mut marks = Vec::with_capacity(it.marks.len());
    let mut places = Vec::with_capacity(it.marks.len());
    for (index, mark) in it.marks.into_iter().enumerate() {
        let at = |name: &str| format!("/attendanceRegister/marks/{index}/{name}");
        let code = match (mark.deleted, date) {
            (true, _) => Ok(None),
            // Which codes are valid depends on the date, which is wrong: that is said once.
            (false, None) => continue,
            (false, Some(date)) => Code::on(&mark.code, date).map(Some),
        };
        match (pupil_id(mark.pupil), code) {
            (Ok(pupil), Ok(code)) => {
                marks.push(Mark { pupil, code });
                places.push(index);
            }
            (pupil, code) => {
                pupil.err().into_iter().for_each(|it| fields.refuse(&at("pupil"), it));
                code.err().into_iter().for_each(|it| fields.refuse(&at("code"), it));
            }
        }
    }
    let mut seen = HashSet::with_capacity(marks.len());
    for (mark, index) in marks.iter().zip(places) {
        if !seen.insert(mark.pupil.as_str()) {
            let fault = Fault::invalid("has a mark in this register already");
            fields.refuse(&format!("/attendanceRegister/marks/{index}/pupil"), fault);
        }
    }
    let urn = it.urn;
    fields
        .done(|| Some(Body::Register { urn, date: date?, session: session?, marks }))
        .map_err(|error| error.problems)
}

fn year_group(number: i32) -> Result<i8, Fault> {
    let year_group = i8::try_from(number).ok().filter(|_| YEAR_GROUPS.contains(&number));
    year_group.ok_or_else(|| {
        let (first, last) = (YEAR_GROUPS.start(), YEAR_GROUPS.end());
        Fault::invalid(format!(
            "must be {first} to {last}: a national curriculum year, 0 for reception"
        ))
    })
}

/// What to say of a record without a kind.
fn kindless() -> Fault {
    let kinds = domain::Kind::ALL.map(domain::Kind::field);
    let detail = format!("must hold one of {}", kinds.join(", "));
    Fault::new(Reason::FieldRequired, detail).accepting(kinds)
}

pub(super) fn pupil_id(text: String) -> Result<String, Fault> {
    if text.trim().is_empty() {
        Err(Fault::new(Reason::FieldRequired, "must be given"))
    } else if text.chars().count() > ID_LIMIT {
        Err(unfit())
    } else {
        Ok(text)
    }
}

fn unfit() -> Fault {
    Fault::invalid(format!("must be at most {ID_LIMIT} characters, none of them NUL"))
}

fn problem(pointer: &str, fault: Fault) -> Problem {
    Problem { pointer: pointer.to_owned(), fault }
}
