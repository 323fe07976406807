//! Entering records in order, and saying what became of each.

use identity::SchoolId;
use rpc::{Fault, Problem, Reason};

use super::{Sheet, admit::Admitted};
use crate::domain::{
    Body, Book, Complaint, Facts, From, Hash, Kind, Outcome, RecordResult, Slot, Wait,
};

/// Problems told of one record at the most.
const PROBLEMS: usize = 50;

/// What became of the records of a push, and which of them wait for whom.
#[derive(Debug, Default)]
pub(super) struct Entered {
    pub(super) results: Vec<RecordResult>,
    pub(super) parked: Vec<(usize, Vec<Wait>)>,
}

/// Enters the records of every push in order, then says what became of each.
pub(super) fn all(book: &mut Book, facts: &mut Facts, sheets: &[Sheet]) -> Vec<Entered> {
    let outcomes: Vec<Vec<Outcome>> =
        sheets.iter().enumerate().map(|(push, sheet)| enter(book, facts, push, sheet)).collect();
    book.settle();
    facts.settle(|school_id, pupil, on| book.roll(school_id)?.standing(pupil, on));
    let told = |(sheet, outcomes): (&Sheet, Vec<Outcome>)| {
        let mut entered = Entered::default();
        for (it, outcome) in sheet.records.iter().zip(outcomes) {
            let (outcome, noted) = noted(facts, it, outcome);
            let waits = waits(book, it, outcome);
            entered.results.push(tell(it, outcome, noted, &waits));
            if !waits.is_empty() {
                entered.parked.push((entered.results.len() - 1, waits));
            }
        }
        entered.results.extend(sheet.removed.iter().cloned());
        for (it, ordinal) in entered.results.iter_mut().zip(sheet.told + 1..) {
            it.ordinal = ordinal;
        }
        entered
    };
    sheets.iter().zip(outcomes).map(told).collect()
}

fn enter(book: &mut Book, facts: &mut Facts, push: usize, sheet: &Sheet) -> Vec<Outcome> {
    let trust_id = sheet.trust_id;
    let mut one = |school_id: Option<SchoolId>, body: &Body<Hash>| match (school_id, body) {
        (Some(school_id), Body::Fact { fact, .. }) => facts.apply(push, trust_id, school_id, fact),
        (school_id, body) => {
            let outcome = book.apply(From { push, trust_id, school_id }, body);
            match body {
                Body::Pupil { pupil, deleted: true } if facts.forget(push, trust_id, pupil) => {
                    Outcome::Corrected
                }
                _ => outcome,
            }
        }
    };
    for (school_id, body) in &sheet.before {
        one(Some(*school_id), body);
    }
    let outcomes = sheet
        .records
        .iter()
        .zip(0..)
        .map(|(it, index)| match (&it.body, sheet.decided.get(&index)) {
            (Err(_), _) => Outcome::Rejected,
            (Ok(_), Some(outcome)) => *outcome,
            (Ok((school_id, body)), None) => one(*school_id, body),
        })
        .collect();
    for (school_id, body) in &sheet.after {
        one(Some(*school_id), body);
    }
    outcomes
}

/// What became of a fact in the end, and what is to be said of it beside what it waits for.
fn noted(facts: &Facts, it: &Admitted, outcome: Outcome) -> (Outcome, Option<Problem>) {
    let Ok((Some(school_id), Body::Fact { fact, .. })) = &it.body else { return (outcome, None) };
    let (outcome, note) = facts.told(*school_id, fact, outcome);
    let note = note.filter(|_| outcome != Outcome::Parked);
    let problem =
        |(field, fault)| Problem { pointer: format!("/{}/{field}", fact.kind.field()), fault };
    (outcome, note.map(problem))
}

fn tell(it: &Admitted, outcome: Outcome, noted: Option<Problem>, waits: &[Wait]) -> RecordResult {
    let (outcome, problems) = match &it.body {
        Err(problems) => (outcome, problems.clone()),
        Ok(_) if waits.is_empty() => (outcome, noted.into_iter().collect()),
        Ok((_, body)) => (Outcome::Parked, waits.iter().map(|it| waiting(body, it)).collect()),
    };
    let problems = problems.into_iter().chain(it.notes.iter().cloned());
    RecordResult {
        problems: problems.take(PROBLEMS).map(Complaint::from).collect(),
        superseded_by_urn: it.superseded_by_urn.clone(),
        ..RecordResult::new(it.line, it.external_id.clone(), outcome)
    }
}

/// The pupils of a record who are not on roll that day, as far as anybody has told.
fn waits(book: &Book, record: &Admitted, outcome: Outcome) -> Vec<Wait> {
    let (school_id, date, session, marks) = match &record.body {
        Ok((Some(school_id), Body::Register { date, session, marks, .. })) => {
            (school_id, date, session, marks)
        }
        Ok((_, Body::Fact { fact, .. })) if outcome == Outcome::Parked => {
            return fact.person.into_iter().map(|pupil| Wait { place: 0, pupil }).collect();
        }
        _ => return Vec::new(),
    };
    let slot = Slot { school_id: *school_id, date: *date, session: *session };
    let waiting =
        marks.iter().zip(0..).filter(|(it, _)| it.code.is_some() && book.waits(&slot, &it.pupil));
    waiting.map(|(it, place)| Wait { place, pupil: it.pupil }).collect()
}

fn waiting(body: &Body<Hash>, wait: &Wait) -> Problem {
    let kind = body.kind();
    let pointer = match kind {
        Kind::AttendanceRegister => format!("/{}/marks/{}/pupil", kind.field(), wait.place),
        kind => format!("/{}/pupil", kind.field()),
    };
    let detail = "waits for an enrolment of this pupil at the school on that day";
    Problem { pointer, fault: Fault::new(Reason::PupilUnknown, detail) }
}

/// The school and the body of each record that is entered.
pub(super) fn wanted(sheet: &Sheet) -> impl Iterator<Item = (Option<SchoolId>, &Body<Hash>)> {
    let made =
        sheet.before.iter().chain(&sheet.after).map(|(school_id, it)| (Some(*school_id), it));
    let pushed = sheet.records.iter().filter_map(|it| it.body.as_ref().ok());
    made.chain(pushed.map(|(school_id, it)| (*school_id, it)))
}
