//! A vendor's record, read from the contract's message.

use std::collections::HashSet;

use chrono::NaiveDate;
use contract::intelligence::{self as pb, record::Kind};
use identity::SchoolNumber;
use rpc::{Fault, Fields, Problem, Reason};

use crate::domain::{Body, Code, Enrolment, Mark, Record, Session};

/// The longest id a vendor may give a record or a pupil, in characters.
const ID_LIMIT: usize = 200;
/// National curriculum years, with −2 and −1 for nursery and 0 for reception.
const YEAR_GROUPS: std::ops::RangeInclusive<i32> = -2..=14;

/// Reads a record; `today` is the last day a register may be of.
pub(super) fn read(line: u32, record: pb::Record, today: NaiveDate) -> Record {
    let pb::Record { external_id, kind } = record;
    let mut body = match kind {
        Some(Kind::Pupil(it)) => pupil(it),
        Some(Kind::Enrolment(it)) => enrolment(it),
        Some(Kind::AttendanceRegister(it)) => register(it, today),
        None => {
            let detail = "must hold one of pupil, enrolment, attendanceRegister";
            Err(vec![problem("", Fault::new(Reason::FieldRequired, detail))])
        }
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
    let year_group = i8::try_from(it.year_group).ok();
    let year_group = year_group.filter(|_| YEAR_GROUPS.contains(&it.year_group)).ok_or_else(|| {
        let (first, last) = (YEAR_GROUPS.start(), YEAR_GROUPS.end());
        Fault::invalid(format!(
            "must be {first} to {last}: a national curriculum year, 0 for reception"
        ))
    });
    let year_group = fields.take("/enrolment/yearGroup", year_group);
    let (urn, deleted) = (it.urn, it.deleted);
    fields
        .done(|| {
            let enrolment =
                Enrolment { year_group: year_group?, starts_on: starts_on?, ends_on: ends_on? };
            Some(Body::Enrolment { urn, pupil: pupil?, enrolment, deleted })
        })
        .map_err(|error| error.problems)
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

fn pupil_id(text: String) -> Result<String, Fault> {
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
