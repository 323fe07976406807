//! Reads what a batch touches into a book, and stores what the batch changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDate;
use db::Tx;
use identity::{SchoolId, TrustId};
use rpc::{Error, Result};

use super::push::Admitted;
use crate::{
    domain::{Body, Book, Enrolment, Moved, PeriodKind, Schools, Slot, Tally},
    pupil_key::TrustKey,
    store::{self, pupil::Hash},
};

/// The pupils a batch names.
#[derive(Debug, Default)]
pub(super) struct Pupils {
    /// Those with a number already.
    known: Vec<i32>,
    /// Numbers that will be given if the batch leaves anything of these pupils.
    new: Vec<(i32, Hash)>,
}

impl Pupils {
    /// Gives every pupil of the admitted records its number.
    pub(super) async fn name(
        tx: &mut Tx,
        trust_id: TrustId,
        key: &TrustKey,
        admitted: Vec<Admitted<String>>,
    ) -> Result<(Self, Vec<Admitted<i32>>)> {
        let mut hashes = HashMap::<&str, Hash>::new();
        for (_, body) in admitted.iter().filter_map(|it| it.body.as_ref().ok()) {
            for pupil in body.pupils() {
                hashes.entry(pupil).or_insert_with(|| key.hash(pupil));
            }
        }
        let asked: Vec<Hash> = hashes.values().copied().collect();
        let found = store::pupil::numbers(tx, trust_id, &asked).await?;
        let mut pupils = Self { known: found.values().copied().collect(), new: Vec::new() };
        let mut next = store::pupil::last_number(tx, trust_id).await?;
        let mut numbers = HashMap::with_capacity(hashes.len());
        for (pupil, hash) in hashes {
            let number = found.get(&hash).copied().unwrap_or_else(|| {
                next += 1;
                pupils.new.push((next, hash));
                next
            });
            numbers.insert(pupil.to_owned(), number);
        }
        let named: Option<Vec<_>> = admitted.into_iter().map(|it| it.numbered(&numbers)).collect();
        let named = named.ok_or_else(|| Error::internal("a pupil was given no number"))?;
        Ok((pupils, named))
    }
}

/// Registers to be read because enrolments change.
#[derive(Debug, Default)]
struct Reach {
    /// Schools where waiting marks may now count.
    waiting: BTreeSet<SchoolId>,
    /// Days on which counted marks may change year group, or count no more.
    counted: BTreeMap<SchoolId, (NaiveDate, NaiveDate)>,
}

pub(super) async fn open(
    tx: &mut Tx,
    today: NaiveDate,
    (trust_id, schools): (TrustId, &Schools),
    pupils: &Pupils,
    admitted: &[Admitted<i32>],
) -> Result<Book> {
    let mut book = Book::default();
    let mut rolls = HashMap::<i32, Vec<(SchoolId, Enrolment)>>::new();
    pupils.known.iter().for_each(|it| book.open_pupil(*it));
    for (school_id, pupil, enrolment) in
        store::enrolment::of_pupils(tx, trust_id, &pupils.known).await?
    {
        book.open_enrolment(school_id, pupil, enrolment);
        rolls.entry(pupil).or_default().push((school_id, enrolment));
    }

    let mut reach = Reach::default();
    for (school_id, body) in admitted.iter().filter_map(|it| it.body.as_ref().ok()) {
        match (school_id, body) {
            (Some(school_id), Body::Register { date, session, .. }) => {
                let slot = Slot { school_id: *school_id, date: *date, session: *session };
                if !book.has_register(&slot)
                    && let Some(register) = store::register::get(tx, &slot).await?
                {
                    book.open_register(slot, register);
                }
            }
            (Some(school_id), Body::Enrolment { pupil, enrolment, deleted, .. }) => {
                let held = rolls.get(pupil).map_or(&[][..], Vec::as_slice);
                reach.enrolment(*school_id, held, enrolment, *deleted, today);
            }
            (_, Body::Pupil { pupil, deleted: true }) => {
                reach.waiting.extend(schools.all().iter().map(|it| it.school_id));
                for (school_id, held) in rolls.get(pupil).into_iter().flatten() {
                    reach.days(*school_id, held, today);
                }
            }
            _ => {}
        }
    }
    for school_id in reach.waiting {
        for (slot, register) in store::register::waiting(tx, school_id).await? {
            book.open_register(slot, register);
        }
    }
    for (school_id, (from, to)) in reach.counted {
        for (slot, register) in store::register::between(tx, school_id, from, to).await? {
            book.open_register(slot, register);
        }
    }
    Ok(book)
}

impl Reach {
    fn enrolment(
        &mut self,
        school_id: SchoolId,
        held: &[(SchoolId, Enrolment)],
        enrolment: &Enrolment,
        deleted: bool,
        today: NaiveDate,
    ) {
        if !deleted && held.contains(&(school_id, *enrolment)) {
            return;
        }
        self.waiting.insert(school_id);
        // Without an enrolment at the school before, none of the pupil's marks there can have counted.
        for (_, before) in held.iter().filter(|(at, _)| *at == school_id) {
            self.days(school_id, before, today);
        }
    }

    fn days(&mut self, school_id: SchoolId, enrolment: &Enrolment, today: NaiveDate) {
        let (from, to) = (enrolment.starts_on, enrolment.ends_on.unwrap_or(today).min(today));
        let days = self.counted.entry(school_id).or_insert((from, to));
        *days = (days.0.min(from), days.1.max(to));
    }
}

pub(super) async fn save(
    tx: &mut Tx,
    trust_id: TrustId,
    pupils: &Pupils,
    book: &Book,
) -> Result<()> {
    let met = |(number, _): &&(i32, Hash)| book.known().contains(number);
    let new: Vec<_> = pupils.new.iter().filter(met).copied().collect();
    if !new.is_empty() {
        store::pupil::insert(tx, trust_id, &new).await?;
    }
    for (school_id, pupil, starts_on, enrolment) in book.changed_enrolments() {
        match enrolment {
            Some(it) => store::enrolment::put(tx, trust_id, (school_id, pupil), &it).await?,
            None => store::enrolment::delete(tx, (school_id, pupil), starts_on).await?,
        }
    }
    for (slot, register) in book.changed_registers() {
        store::register::put(tx, &slot, register).await?;
    }
    for pupil in book.erased() {
        store::pupil::delete(tx, trust_id, pupil).await?;
    }
    tally(tx, book).await
}

/// Moves the tallies of every period by what moved in it.
async fn tally(tx: &mut Tx, book: &Book) -> Result<()> {
    let mut periods = BTreeMap::<_, Vec<&[Moved]>>::new();
    for (school_id, date, moved) in book.shifts() {
        for kind in PeriodKind::TALLIED {
            periods.entry((school_id, kind, kind.of(date).starts_on)).or_default().push(moved);
        }
    }
    for ((school_id, kind, starts_on), moves) in periods {
        let before = store::tally::get(tx, school_id, kind, starts_on).await?;
        let mut tally = before.clone().unwrap_or_else(Tally::default);
        for moved in moves {
            tally.shift(moved);
        }
        if before.as_ref() != Some(&tally) {
            store::tally::put(tx, school_id, kind, starts_on, &tally).await?;
        }
    }
    Ok(())
}
