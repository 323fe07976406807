//! Whatever comes in whatever order: what was counted mark by mark is what counting everything anew gives.

use chrono::Days;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::{Code, Entry, PeriodKind, Tally};

const SCHOOL: SchoolId = SchoolId(Uuid::nil());

/// What a vendor may send.
#[derive(Clone, Debug)]
enum Sent {
    Enrolment { pupil: i32, starts: u64, days: Option<u64>, year_group: i8, deleted: bool },
    Register { day: u64, session: Session, marks: BTreeMap<i32, Option<&'static str>> },
    Pupil { pupil: i32, deleted: bool },
}

/// What a database would hold, and beside it every fact by itself.
#[derive(Default)]
struct World {
    registers: BTreeMap<Slot, Register>,
    enrolments: BTreeMap<(i32, NaiveDate), Enrolment>,
    known: BTreeSet<i32>,
    tallies: BTreeMap<(PeriodKind, NaiveDate), Tally>,
    marks: BTreeMap<(Slot, i32), Code>,
    roll: BTreeMap<(i32, NaiveDate), Enrolment>,
}

fn day(number: u64) -> NaiveDate {
    // Across the turn of an academic year, a term and several weeks.
    "2026-08-26".parse::<NaiveDate>().unwrap() + Days::new(number)
}

fn body(sent: &Sent) -> Body<i32> {
    let urn = String::new();
    match sent {
        Sent::Pupil { pupil, deleted } => Body::Pupil { pupil: *pupil, deleted: *deleted },
        Sent::Enrolment { pupil, starts, days, year_group, deleted } => {
            let ends_on = days.map(|it| day(starts + it));
            let starts_on = day(*starts);
            let enrolment = Enrolment { year_group: *year_group, starts_on, ends_on };
            Body::Enrolment { urn, pupil: *pupil, enrolment, deleted: *deleted }
        }
        Sent::Register { day: number, session, marks } => {
            let date = day(*number);
            let code = |it: &str| Code::on(it, date).unwrap();
            let marks = marks.iter();
            let marks =
                marks.map(|(pupil, it)| Mark { pupil: *pupil, code: it.map(code) }).collect();
            Body::Register { urn, date, session: *session, marks }
        }
    }
}

impl World {
    /// A batch, as the service applies one: read, enter, settle, store.
    fn push(&mut self, batch: &[Sent]) {
        let mut book = Book::default();
        self.registers.iter().for_each(|(slot, it)| book.open_register(*slot, it.clone()));
        self.enrolments
            .iter()
            .for_each(|((pupil, _), it)| book.open_enrolment(SCHOOL, *pupil, *it));
        self.known.iter().for_each(|it| book.open_pupil(*it));
        for sent in batch {
            let body = body(sent);
            book.apply(Some(SCHOOL), &body);
            self.remember(&body);
        }
        book.settle();
        for (slot, register) in book.changed_registers() {
            self.registers.insert(slot, Register::decode(&register.encode()).unwrap());
        }
        for (_, pupil, starts_on, enrolment) in book.changed_enrolments() {
            match enrolment {
                Some(it) => drop(self.enrolments.insert((pupil, starts_on), it)),
                None => drop(self.enrolments.remove(&(pupil, starts_on))),
            }
        }
        self.known = book.known().clone();
        for (_, date, moved) in book.shifts() {
            for kind in PeriodKind::TALLIED {
                let tally = self.tallies.entry((kind, kind.of(date).starts_on)).or_default();
                tally.shift(moved);
                *tally = Tally::decode(&tally.encode()).unwrap();
            }
        }
    }

    /// The plain truth: the latest of every fact.
    fn remember(&mut self, body: &Body<i32>) {
        match body {
            Body::Pupil { pupil, deleted: true } => {
                self.marks.retain(|(_, it), _| it != pupil);
                self.roll.retain(|(it, _), _| it != pupil);
            }
            Body::Pupil { .. } => {}
            Body::Enrolment { pupil, enrolment, deleted, .. } => {
                self.roll.remove(&(*pupil, enrolment.starts_on));
                if !deleted {
                    self.roll.insert((*pupil, enrolment.starts_on), *enrolment);
                }
            }
            Body::Register { date, session, marks, .. } => {
                let slot = Slot { school_id: SCHOOL, date: *date, session: *session };
                for mark in marks {
                    self.marks.remove(&(slot, mark.pupil));
                    self.marks.extend(mark.code.map(|it| ((slot, mark.pupil), it)));
                }
            }
        }
    }

    /// Tallies of every fact at once.
    fn recount(&self) -> BTreeMap<(PeriodKind, NaiveDate), Tally> {
        let mut tallies = BTreeMap::<_, Tally>::new();
        for ((slot, pupil), code) in &self.marks {
            let roll: Vec<_> =
                self.roll.iter().filter(|((it, _), _)| it == pupil).map(|(_, it)| *it).collect();
            let year_group = year_group_on(&roll, slot.date);
            let after = Some(Entry { pupil: *pupil, year_group, code: *code });
            for kind in PeriodKind::TALLIED {
                let tally = tallies.entry((kind, kind.of(slot.date).starts_on)).or_default();
                tally.shift(&[Moved { before: None, after }]);
            }
        }
        tallies.retain(|_, it| !it.is_empty());
        tallies
    }
}

fn sent() -> impl Strategy<Value = Sent> {
    let code = prop::sample::select(vec!["/", "\\", "L", "B", "I", "O", "X"]);
    let marks = prop::collection::btree_map(1..6_i32, prop::option::weighted(0.9, code), 1..5);
    let session = prop::sample::select(vec![Session::Am, Session::Pm]);
    prop_oneof![
        3 => (1..6_i32, 0..10_u64, prop::option::of(0..8_u64), 1..3_i8, prop::bool::weighted(0.2))
            .prop_map(|(pupil, starts, days, year_group, deleted)| {
                Sent::Enrolment { pupil, starts, days, year_group, deleted }
            }),
        6 => (0..12_u64, session, marks)
            .prop_map(|(day, session, marks)| Sent::Register { day, session, marks }),
        1 => (1..6_i32, any::<bool>()).prop_map(|(pupil, deleted)| Sent::Pupil { pupil, deleted }),
    ]
}

proptest! {
    #[test]
    fn counting_along_is_counting_anew(batches in prop::collection::vec(
        prop::collection::vec(sent(), 1..8), 1..8,
    )) {
        let mut world = World::default();
        for batch in &batches {
            world.push(batch);
            let mut counted = world.tallies.clone();
            counted.retain(|_, it| !it.is_empty());
            prop_assert_eq!(counted, world.recount());
        }
        prop_assert_eq!(&world.enrolments, &world.roll);
        let marks: BTreeMap<_, _> = world
            .registers
            .iter()
            .flat_map(|(slot, it)| it.entries().iter().map(|it| ((*slot, it.pupil), it.code)))
            .collect();
        prop_assert_eq!(marks, world.marks);
    }

    #[test]
    fn sending_everything_again_changes_nothing(batch in prop::collection::vec(sent(), 1..12)) {
        let last_of_its_kind: Vec<Sent> = batch
            .into_iter()
            .filter(|it| !matches!(it, Sent::Pupil { deleted: true, .. }))
            .collect();
        let mut world = World::default();
        world.push(&last_of_its_kind);
        let (registers, tallies) = (world.registers.clone(), world.tallies.clone());
        for _ in 0..3 {
            world.push(&last_of_its_kind);
        }
        prop_assert_eq!(registers, world.registers);
        prop_assert_eq!(tallies, world.tallies);
    }
}
