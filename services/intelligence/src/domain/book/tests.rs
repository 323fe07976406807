//! Whatever comes in whatever order: what was counted along the way is what counting everything anew gives.

use std::collections::BTreeSet;

use calendar::{Term, Week};
use chrono::{Days, NaiveDate};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::{
    Changed, Characteristic, Code, Enrolment, Flag, Mark, Session, Sessions, Tally, standing_on,
};

const SCHOOL: SchoolId = SchoolId(Uuid::nil());
const TRUST: TrustId = TrustId(Uuid::nil());

/// What a vendor may send.
#[derive(Clone, Debug)]
enum Sent {
    Enrolment {
        pupil: u8,
        starts: u64,
        days: Option<u64>,
        year_group: i8,
        flag: Option<(u8, u64)>,
        deleted: bool,
    },
    Register {
        day: u64,
        session: Session,
        marks: BTreeMap<u8, Option<&'static str>>,
    },
    Pupil {
        pupil: u8,
        deleted: bool,
    },
}

/// What a database would hold, and beside it every fact by itself.
#[derive(Default)]
struct World {
    /// Both columns.
    roll: (Vec<u8>, Vec<u8>),
    registers: BTreeMap<Slot, (u32, Vec<u8>)>,
    tallies: BTreeMap<NaiveDate, (NaiveDate, Vec<u8>)>,
    weeks: BTreeMap<NaiveDate, Summary>,
    pupils: BTreeSet<Hash>,
    marks: BTreeMap<(Slot, Hash), Code>,
    enrolments: BTreeMap<(Hash, NaiveDate), Enrolment>,
}

fn day(number: u64) -> NaiveDate {
    // Across the turn of an academic year, a term and several weeks.
    "2026-08-26".parse::<NaiveDate>().unwrap() + Days::new(number)
}

fn hash(pupil: u8) -> Hash {
    [pupil; 16]
}

fn body(sent: &Sent) -> Body<Hash> {
    let urn = String::new();
    match sent {
        Sent::Pupil { pupil, deleted } => Body::Pupil { pupil: hash(*pupil), deleted: *deleted },
        Sent::Enrolment { pupil, starts, days, year_group, flag, deleted } => {
            let ends_on = days.map(|it| day(starts + it));
            let of = |(row, from): &(u8, u64)| Characteristic {
                flag: Flag::at(*row).unwrap(),
                starts_on: Some(day(*from)),
                ends_on: Some(day(from + 4)),
            };
            let enrolment = Enrolment {
                year_group: *year_group,
                starts_on: day(*starts),
                ends_on,
                characteristics: flag.iter().map(of).collect(),
            };
            Body::Enrolment { urn, pupil: hash(*pupil), enrolment, deleted: *deleted }
        }
        Sent::Register { day: number, session, marks } => {
            let date = day(*number);
            let code = |it: &str| Code::on(it, date).unwrap();
            let marks = marks.iter();
            let marks =
                marks.map(|(pupil, it)| Mark { pupil: hash(*pupil), code: it.map(code) }).collect();
            Body::Register { urn, date, session: *session, marks }
        }
    }
}

impl World {
    fn roll(&self) -> Roll {
        Roll::decode(&self.roll.0, &self.roll.1).unwrap()
    }

    fn registers(&self) -> impl Iterator<Item = (Slot, Register)> {
        let stored = self.registers.iter();
        stored.map(|(slot, (first, it))| (*slot, Register::decode(*first, it).unwrap()))
    }

    /// A batch, as the service applies one: read, enter, settle, store.
    fn push(&mut self, batch: &[Sent]) {
        let mut book = Book::default();
        book.open_school(SCHOOL, TRUST, self.roll());
        for (slot, register) in self.registers() {
            book.open_register(slot, register);
        }
        for (term, (to, cells)) in &self.tallies {
            let folded = Folded { tally: Tally::decode(cells).unwrap(), to: *to };
            book.open_tally(SCHOOL, *term, folded);
        }
        self.pupils.iter().for_each(|it| book.open_pupil(TRUST, *it));
        for (push, sent) in batch.iter().enumerate() {
            let body = body(sent);
            book.apply(From { push, trust_id: TRUST, school_id: Some(SCHOOL) }, &body);
            self.remember(body);
        }
        book.settle();
        self.store(&book);
    }

    fn store(&mut self, book: &Book) {
        for (_, _, roll) in book.changed_rolls() {
            self.roll = (roll.encode_pupils(), roll.encode_enrolments(|_| 7));
        }
        for (slot, _, register, _) in book.changed_registers() {
            let (first, marks) = register.encode();
            self.registers.insert(slot, (first, marks.to_vec()));
        }
        self.registers.retain(|_, (_, marks)| !marks.is_empty());
        for (_, _, term, folded) in book.changed_tallies() {
            self.tallies.insert(term, (folded.to, folded.tally.encode()));
        }
        for (_, _, week, summary) in book.changed_weeks() {
            self.weeks.insert(week, *summary);
        }
        for it in book.changed_pupils() {
            if it.is_known {
                self.pupils.insert(it.pupil)
            } else {
                self.pupils.remove(&it.pupil)
            };
        }
    }

    /// The plain truth: the latest of every fact.
    fn remember(&mut self, body: Body<Hash>) {
        match body {
            Body::Pupil { pupil, deleted: true } => {
                self.marks.retain(|(_, it), _| *it != pupil);
                self.enrolments.retain(|(it, _), _| *it != pupil);
            }
            Body::Pupil { .. } | Body::KeyChange { .. } | Body::Fact { .. } => {}
            Body::Enrolment { pupil, enrolment, deleted, .. } => {
                self.enrolments.remove(&(pupil, enrolment.starts_on));
                if !deleted {
                    self.enrolments.insert((pupil, enrolment.starts_on), enrolment);
                }
            }
            Body::Register { date, session, marks, .. } => {
                let slot = Slot { school_id: SCHOOL, date, session };
                for mark in marks {
                    self.marks.remove(&(slot, mark.pupil));
                    self.marks.extend(mark.code.map(|it| ((slot, mark.pupil), it)));
                }
            }
        }
    }

    /// What every fact at once comes to in the days that `period` puts together, by pupil index.
    fn recount(&self, period: impl Fn(NaiveDate) -> NaiveDate) -> BTreeMap<NaiveDate, Tally> {
        let roll = self.roll();
        let mut tallies = BTreeMap::<_, Tally>::new();
        for ((slot, pupil), code) in &self.marks {
            let held = self.enrolments.iter().filter(|((it, _), _)| it == pupil);
            if let Some(standing) = standing_on(held.map(|(_, it)| it), slot.date) {
                let index = roll.index(pupil).unwrap();
                let tally = tallies.entry(period(slot.date)).or_default();
                tally.put(index, standing, Sessions::of_mark(*code));
            }
        }
        tallies.retain(|_, it| !it.is_empty());
        tallies
    }

    /// Terms as they are read: the tally, and the registers that are not in it.
    fn terms(&self) -> BTreeMap<NaiveDate, Tally> {
        let roll = self.roll();
        let mut terms = BTreeMap::new();
        for (term, (to, cells)) in &self.tallies {
            let mut tally = Tally::decode(cells).unwrap();
            let open = self.registers().filter(|(it, _)| {
                it.date >= *to
                    && it.date <= Week::of(*to).ends_on()
                    && Term::of(it.date).starts_on() == *term
            });
            open.for_each(|(slot, it)| tally.add(&it, &roll.on(slot.date)));
            terms.insert(*term, tally);
        }
        terms.retain(|_, it| !it.is_empty());
        terms
    }
}

fn sent() -> impl Strategy<Value = Sent> {
    let code = prop::sample::select(vec!["/", "\\", "L", "U", "B", "I", "O", "X"]);
    let marks = prop::collection::btree_map(1..6_u8, prop::option::weighted(0.9, code), 1..5);
    let session = prop::sample::select(vec![Session::Am, Session::Pm]);
    let flag = prop::option::of((0..8_u8, 0..12_u64));
    let days = prop::option::of(0..8_u64);
    prop_oneof![
        3 => (1..6_u8, 0..10_u64, days, 1..3_i8, flag, prop::bool::weighted(0.2))
            .prop_map(|(pupil, starts, days, year_group, flag, deleted)| {
                Sent::Enrolment { pupil, starts, days, year_group, flag, deleted }
            }),
        6 => (0..20_u64, session, marks)
            .prop_map(|(day, session, marks)| Sent::Register { day, session, marks }),
        1 => (1..6_u8, any::<bool>()).prop_map(|(pupil, deleted)| Sent::Pupil { pupil, deleted }),
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
            prop_assert_eq!(world.terms(), world.recount(|it| Term::of(it).starts_on()));
            let mut weeks = world.weeks.clone();
            weeks.retain(|_, it| it.pupils > 0);
            let recounted = world.recount(|it| Week::of(it).starts_on());
            let recounted: BTreeMap<_, _> =
                recounted.iter().map(|(week, it)| (*week, it.summary())).collect();
            prop_assert_eq!(weeks, recounted);
        }
        let roll = world.roll();
        let held: BTreeMap<_, _> = roll
            .enrolments()
            .map(|(pupil, it)| ((*pupil, it.enrolment.starts_on), it.enrolment.clone()))
            .collect();
        prop_assert_eq!(&held, &world.enrolments);
        prop_assert!(roll.enrolments().all(|(_, it)| it.changed == Changed::At(7)));
        let marks: BTreeMap<_, _> = world
            .registers()
            .flat_map(|(slot, it)| it.marks().collect::<Vec<_>>().into_iter().map(move |it| (slot, it)))
            .map(|(slot, (index, code))| ((slot, *roll.pupil(index).unwrap()), code))
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
        let (registers, terms, weeks) = (world.registers.clone(), world.terms(), world.weeks.clone());
        for _ in 0..3 {
            world.push(&last_of_its_kind);
        }
        prop_assert_eq!(registers, world.registers.clone());
        prop_assert_eq!(terms, world.terms());
        prop_assert_eq!(weeks, world.weeks);
    }
}

#[test]
fn a_pupil_told_of_by_name_alone_is_met_once() {
    let mut world = World::default();
    let outcomes = |world: &mut World, deleted: bool| {
        let mut book = Book::default();
        book.open_school(SCHOOL, TRUST, world.roll());
        world.pupils.iter().for_each(|it| book.open_pupil(TRUST, *it));
        let from = From { push: 0, trust_id: TRUST, school_id: None };
        let body = Body::Pupil { pupil: hash(1), deleted };
        let outcome = book.apply(from, &body);
        book.settle();
        world.store(&book);
        outcome
    };
    assert_eq!(outcomes(&mut world, false), Outcome::Accepted);
    assert_eq!(outcomes(&mut world, false), Outcome::Unchanged);
    assert_eq!(outcomes(&mut world, true), Outcome::Corrected);
    assert_eq!(outcomes(&mut world, true), Outcome::Unchanged);
    assert_eq!(outcomes(&mut world, false), Outcome::Accepted);
}
