use chrono::NaiveDate;
use contract::intelligence as pb;
use rpc::{Fault, Problem};

use super::reader::{Reader, Until};
use crate::domain::{Body, Content, Cover, Fact, Kind, StaffAbsence, StaffMember};

/// A contract's share of a full-time one, and days of an absence: the least and the most.
const FTE: (f64, f64) = (0.01, 1.5);
const WORKING_DAYS: (f64, f64) = (0.0, 400.0);
/// Lessons of a school on a day.
const LESSONS: u32 = 10_000;

pub(super) fn member(it: pb::StaffMember) -> Result<Body<String>, Vec<Problem>> {
    let mut reader = Reader::new(Kind::StaffMember.field());
    reader.school(&it.urn);
    let person = reader.staff("person", it.person);
    let starts_on = reader.date("startsOn", &it.starts_on);
    let role = reader.code("role", "staff_roles", &it.role, starts_on);
    let said = if it.deleted {
        Some(None)
    } else {
        let fte = reader.hundredths("fte", it.fte, FTE);
        let ends_on = reader.ends_on(starts_on, it.ends_on.as_deref());
        fte.zip(ends_on).map(|(fte, it)| Some((fte, it.0)))
    };
    reader.done(it.urn, || {
        let (kind, person, on, role) = (Kind::StaffMember, Some(person?), starts_on?, role?);
        let key = StaffMember::key(&role, on);
        let content = said?.map(|(fte, ends_on)| {
            Content::StaffMember(StaffMember { role, fte, starts_on: on, ends_on })
        });
        Some(Fact { kind, person, on, key, content })
    })
}

pub(super) fn absence(
    it: pb::StaffAbsence,
    today: NaiveDate,
) -> Result<Body<String>, Vec<Problem>> {
    let mut reader = Reader::new(Kind::StaffAbsence.field());
    reader.school(&it.urn);
    let person = reader.staff("person", it.person);
    let starts_on = reader.past("startsOn", &it.starts_on, today);
    let said = if it.deleted {
        Some(None)
    } else {
        let ends_on = reader.ends_on(starts_on, it.ends_on.as_deref());
        let working_days = reader.hundredths("workingDays", it.working_days, WORKING_DAYS);
        let reason = reader.code("reason", "staff_absence_reasons", &it.reason, starts_on);
        let said = ends_on.zip(working_days).zip(reason).zip(starts_on);
        said.map(|(((Until(ends_on), working_days), reason), starts_on)| {
            Some(StaffAbsence { starts_on, ends_on, working_days, reason })
        })
    };
    reader.done(it.urn, || {
        let (kind, person, on) = (Kind::StaffAbsence, Some(person?), starts_on?);
        Some(Fact {
            kind,
            person,
            on,
            key: on.to_string(),
            content: said?.map(Content::StaffAbsence),
        })
    })
}

pub(super) fn cover(it: pb::Cover, today: NaiveDate) -> Result<Body<String>, Vec<Problem>> {
    let mut reader = Reader::new(Kind::Cover.field());
    reader.school(&it.urn);
    let on = reader.past("on", &it.on, today);
    let covered_by = reader.code("coveredBy", "cover", &it.covered_by, on);
    if it.lessons > LESSONS && !it.deleted {
        reader.refuse("lessons", Fault::invalid(format!("must be at most {LESSONS}")));
    }
    let (deleted, lessons) = (it.deleted, it.lessons);
    reader.done(it.urn, || {
        let (on, covered_by) = (on?, covered_by?);
        let key = Cover::key(on, &covered_by);
        let content = (!deleted).then_some(Content::Cover(Cover { on, covered_by, lessons }));
        Some(Fact { kind: Kind::Cover, person: None, on, key, content })
    })
}
