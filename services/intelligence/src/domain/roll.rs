//! A school's roll: every pupil ever named there, each with a place of its own.
//!
//! A pupil is a keyed hash ([`Hash`]); its place in the roll, the *pupil index*, is given on first appearance and never
//! again, so that a register can be an array by index. A roll is stored in two columns of one row:
//!
//! - `pupils`: 16 bytes each, the hashes in order of index. A forgotten pupil's are zeros.
//! - `enrolments`: 22 bytes each, little endian: index (4), what it is (1), year group (1), first day (4), last day (4),
//!   journal position of the last change (8). What it is: 255 for an enrolment; a row of the characteristics' list for
//!   a characteristic of the enrolment before it. Days are counted from 1 January of year 1, which is day 1; the least
//!   number says that a characteristic began with its enrolment, the greatest that there is no last day yet.

use std::collections::{BTreeSet, HashMap};

use chrono::{Datelike, NaiveDate};
use rustc_hash::FxBuildHasher;

use crate::domain::{Characteristic, Enrolment, Flag, Remainder, Standing, standing_on};

/// A pupil's id as a vendor gave it, hashed with the trust's key.
pub type Hash = [u8; 16];

/// Bytes of a packed enrolment or characteristic.
const WIDTH: usize = 22;
/// What marks an enrolment among the characteristics that follow it.
const ENROLMENT: u8 = u8::MAX;
/// No last day. Neither this nor `ENROLLED` is any day's number.
const OPEN: i32 = i32::MAX;
/// No first day but the enrolment's.
const ENROLLED: i32 = i32::MIN;
/// In place of the hash of a pupil who was forgotten.
const FORGOTTEN: Hash = [0; 16];

/// What changed something last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// The event at this position of the journal.
    At(i64),
    /// A push under way, by its number among those applied together.
    By(usize),
}

impl Changed {
    pub fn position(self, position_of: impl Fn(usize) -> i64) -> i64 {
        match self {
            Self::At(position) => position,
            Self::By(push) => position_of(push),
        }
    }
}

/// An enrolment on a roll.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub enrolment: Enrolment,
    pub changed: Changed,
}

#[derive(Clone, Debug, Default)]
pub struct Roll {
    pupils: Vec<Hash>,
    /// By index, as [`Roll::pupils`].
    held: Vec<Vec<Held>>,
    indices: HashMap<Hash, u32, FxBuildHasher>,
}

impl Roll {
    /// The place of a pupil who has one.
    pub fn index(&self, pupil: &Hash) -> Option<u32> {
        self.indices.get(pupil).copied()
    }

    /// The place of a pupil, who is given one on first appearance.
    pub fn place(&mut self, pupil: Hash) -> u32 {
        let Self { pupils, held, indices } = self;
        *indices.entry(pupil).or_insert_with(|| {
            pupils.push(pupil);
            held.push(Vec::new());
            u32::try_from(pupils.len() - 1).unwrap_or(u32::MAX)
        })
    }

    /// The pupil at a place; none where one was forgotten.
    pub fn pupil(&self, index: u32) -> Option<&Hash> {
        self.pupils.get(at(index)).filter(|it| **it != FORGOTTEN)
    }

    /// How many places were given.
    pub fn places(&self) -> usize {
        self.pupils.len()
    }

    /// Whether anybody who had a place is not known any more.
    pub fn has_forgotten(&self) -> bool {
        self.pupils.contains(&FORGOTTEN)
    }

    /// The enrolments of the pupil at a place.
    pub fn held(&self, index: u32) -> &[Held] {
        self.held.get(at(index)).map_or(&[], Vec::as_slice)
    }

    /// Every enrolment with its pupil, in order of index.
    pub fn enrolments(&self) -> impl Iterator<Item = (&Hash, &Held)> {
        let pairs = self.pupils.iter().zip(&self.held);
        pairs.flat_map(|(pupil, held)| held.iter().map(move |it| (pupil, it)))
    }

    /// What a pupil counts under on a day; nothing when not on roll.
    pub fn standing(&self, pupil: &Hash, date: NaiveDate) -> Option<Standing> {
        self.standing_at(self.index(pupil)?, date)
    }

    pub fn standing_at(&self, index: u32, date: NaiveDate) -> Option<Standing> {
        standing_on(self.held(index).iter().map(|it| &it.enrolment), date)
    }

    /// What everyone counts under on a day, by index.
    pub fn on(&self, date: NaiveDate) -> Vec<Option<Standing>> {
        let of = |held: &Vec<Held>| standing_on(held.iter().map(|it| &it.enrolment), date);
        self.held.iter().map(of).collect()
    }

    /// Puts an enrolment in the place of the one with the same first day, or takes that one away; gives it back.
    pub(super) fn put(
        &mut self,
        index: u32,
        starts_on: NaiveDate,
        after: Option<Held>,
    ) -> Option<Held> {
        let held = self.held.get_mut(at(index))?;
        let place = held.iter().position(|it| it.enrolment.starts_on == starts_on);
        let before = place.map(|it| held.remove(it));
        held.extend(after);
        held.sort_by_key(|it| it.enrolment.starts_on);
        before
    }

    /// Gives a pupil's place to another hash; false where the pupil has none, or the other has one too.
    pub fn rename(&mut self, pupil: &Hash, new_pupil: Hash) -> bool {
        if self.indices.contains_key(&new_pupil) {
            return false;
        }
        let Some(index) = self.indices.remove(pupil) else { return false };
        if let Some(place) = self.pupils.get_mut(at(index)) {
            *place = new_pupil;
        }
        self.indices.insert(new_pupil, index);
        true
    }

    /// Gives everybody another hash; says how many there are.
    pub fn rename_all(&mut self, name: impl Fn(Hash) -> Hash) -> usize {
        for it in self.pupils.iter_mut().filter(|it| **it != FORGOTTEN) {
            *it = name(*it);
        }
        let known = self.pupils.iter().zip(0_u32..).filter(|(it, _)| **it != FORGOTTEN);
        self.indices = known.map(|(it, index)| (*it, index)).collect();
        self.indices.len()
    }

    /// Forgets who had a place, and the enrolments.
    pub(super) fn forget(&mut self, index: u32) {
        if let Some(pupil) = self.pupils.get_mut(at(index)) {
            self.indices.remove(pupil);
            *pupil = FORGOTTEN;
        }
        if let Some(held) = self.held.get_mut(at(index)) {
            held.clear();
        }
    }

    /// Whether any enrolment ended before a day.
    pub fn has_ended(&self, before: NaiveDate) -> bool {
        let ended = |it: &Held| it.enrolment.ends_on.is_some_and(|it| it < before);
        self.held.iter().flatten().any(ended)
    }

    /// Lets go of enrolments that ended before a day, but for those of people who are held; a pupil without any other is
    /// forgotten, unless there are marks. Gives what counts on of them, and how many went.
    pub fn let_go(
        &mut self,
        before: NaiveDate,
        kept: &BTreeSet<Hash>,
        has_marks: impl Fn(u32) -> bool,
    ) -> (Remainder, usize) {
        let mut remainder = Remainder::default();
        let mut gone = 0;
        for index in 0..u32::try_from(self.places()).unwrap_or(u32::MAX) {
            let Some(place) = self.held.get_mut(at(index)) else { continue };
            let ended = |it: &Held| it.enrolment.ends_on.is_some_and(|it| it < before);
            let is_kept = self.pupils.get(at(index)).is_some_and(|it| kept.contains(it));
            if is_kept || !place.iter().any(ended) {
                continue;
            }
            let all = place.clone();
            place.retain(|it| !ended(it));
            gone += all.len() - place.len();
            // What the rest says by itself is not part of it.
            let mut rest = Remainder::default();
            rest.enrolled(place, before);
            remainder.enrolled(&all, before);
            remainder.less(&rest);
            if place.is_empty() && !has_marks(index) {
                self.forget(index);
            }
        }
        (remainder, gone)
    }

    /// The column `pupils`.
    pub fn encode_pupils(&self) -> Vec<u8> {
        self.pupils.concat()
    }

    /// The column `enrolments`.
    pub fn encode_enrolments(&self, position_of: impl Fn(usize) -> i64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.held.len() * WIDTH);
        for (held, index) in self.held.iter().zip(0_u32..) {
            for Held { enrolment: it, changed } in held {
                let changed = changed.position(&position_of);
                let mut cell = |what: u8, starts_on: i32, ends_on: Option<NaiveDate>| {
                    bytes.extend(index.to_le_bytes());
                    bytes.push(what);
                    bytes.extend(it.year_group.to_le_bytes());
                    bytes.extend(starts_on.to_le_bytes());
                    bytes.extend(ends_on.map_or(OPEN, |it| it.num_days_from_ce()).to_le_bytes());
                    bytes.extend(changed.to_le_bytes());
                };
                cell(ENROLMENT, it.starts_on.num_days_from_ce(), it.ends_on);
                for it in &it.characteristics {
                    let starts_on = it.starts_on.map_or(ENROLLED, |it| it.num_days_from_ce());
                    cell(it.flag.row(), starts_on, it.ends_on);
                }
            }
        }
        bytes
    }

    /// Reads both columns; `None` for what was not written so.
    pub fn decode(pupils: &[u8], enrolments: &[u8]) -> Option<Self> {
        let (hashes, []) = pupils.as_chunks::<16>() else { return None };
        let (cells, []) = enrolments.as_chunks::<WIDTH>() else { return None };
        let known = hashes.iter().zip(0_u32..).filter(|(it, _)| **it != FORGOTTEN);
        let mut indices = HashMap::with_capacity_and_hasher(hashes.len(), FxBuildHasher);
        indices.extend(known.map(|(it, index)| (*it, index)));
        let held = vec![Vec::new(); hashes.len()];
        let mut roll = Self { pupils: hashes.to_vec(), held, indices };
        for cell in cells {
            roll.read(cell)?;
        }
        Some(roll)
    }

    fn read(&mut self, cell: &[u8; WIDTH]) -> Option<()> {
        let mut rest = cell.as_slice();
        let index = u32::from_le_bytes(take(&mut rest)?);
        let [what, year_group] = take(&mut rest)?;
        let (first, last) = (take(&mut rest)?, take(&mut rest)?);
        let (first, last) = (i32::from_le_bytes(first), i32::from_le_bytes(last));
        let day = NaiveDate::from_num_days_from_ce_opt;
        let (starts_on, ends_on) = (day(first), day(last));
        if ends_on.is_none() && last != OPEN || starts_on.is_none() && first != ENROLLED {
            return None;
        }
        let changed = Changed::At(i64::from_le_bytes(take(&mut rest)?));
        let held = self.held.get_mut(at(index))?;
        if what == ENROLMENT {
            let enrolment = Enrolment {
                year_group: i8::from_le_bytes([year_group]),
                starts_on: starts_on?,
                ends_on,
                characteristics: Vec::new(),
            };
            held.push(Held { enrolment, changed });
        } else {
            let it = Characteristic { flag: Flag::at(what)?, starts_on, ends_on };
            held.last_mut()?.enrolment.characteristics.push(it);
        }
        Some(())
    }
}

fn at(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, after) = rest.split_first_chunk()?;
    *rest = after;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn enrolment(starts: &str, flags: &[(&str, Option<&str>)]) -> Held {
        let of = |(code, from): &(&str, Option<&str>)| Characteristic {
            flag: Flag::named(code).unwrap(),
            starts_on: from.map(date),
            ends_on: from.map(date),
        };
        let characteristics = flags.iter().map(of).collect();
        let starts_on = date(starts);
        let enrolment = Enrolment { year_group: -1, starts_on, ends_on: None, characteristics };
        Held { enrolment, changed: Changed::By(1) }
    }

    #[test]
    fn places_are_given_once() {
        let mut roll = Roll::default();
        let [a, b] = [[1; 16], [2; 16]];
        assert_eq!((roll.place(a), roll.place(b), roll.place(a)), (0, 1, 0));
        roll.put(0, date("2025-09-01"), Some(enrolment("2025-09-01", &[])));
        assert!(roll.standing(&a, date("2025-09-01")).is_some());
        roll.forget(0);
        assert_eq!((roll.index(&a), roll.pupil(0)), (None, None));
        assert_eq!(roll.standing_at(0, date("2025-09-01")), None);
        let roll = Roll::decode(&roll.encode_pupils(), &[]).unwrap();
        assert_eq!((roll.index(&a), roll.index(&b), roll.index(&[0; 16])), (None, Some(1), None));
        assert_eq!(roll.places(), 2);
    }

    #[test]
    fn a_roll_survives_packing() {
        let mut roll = Roll::default();
        for (number, starts) in [(1, "2025-09-01"), (2, "2024-09-01"), (1, "2024-01-08")] {
            let flags = [("eal", None), ("ehcp", Some("2025-10-01"))];
            let index = roll.place([number; 16]);
            roll.put(index, date(starts), Some(enrolment(starts, &flags)));
        }
        let packed = roll.encode_enrolments(|push| i64::try_from(push).unwrap() + 40);
        assert_eq!(packed.len(), 9 * WIDTH);
        let read = Roll::decode(&roll.encode_pupils(), &packed).unwrap();
        let plain = |it: &Roll| -> Vec<_> {
            it.enrolments().map(|(pupil, it)| (*pupil, it.enrolment.clone())).collect()
        };
        assert_eq!(plain(&read), plain(&roll));
        assert!(read.enrolments().all(|(_, it)| it.changed == Changed::At(41)));
        assert_eq!(read.encode_enrolments(|_| 0), packed);
        let long_ago = date("0000-12-31");
        roll.put(1, long_ago, Some(enrolment("0000-12-31", &[("eal", Some("0000-01-01"))])));
        let again = Roll::decode(&roll.encode_pupils(), &roll.encode_enrolments(|_| 0)).unwrap();
        assert_eq!(plain(&again), plain(&roll));
        for wrong in [&packed[1..], &packed[WIDTH..2 * WIDTH], &[9; WIDTH]] {
            assert!(Roll::decode(&roll.encode_pupils(), wrong).is_none());
        }
        assert!(Roll::decode(&[1, 2, 3], &[]).is_none());
    }
}
