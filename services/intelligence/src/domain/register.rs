//! A school's register of one session: every mark the latest push left, packed.

use crate::domain::{Code, Mark, Sessions};

/// Bytes of one packed mark: pupil (little endian), year group, code.
const WIDTH: usize = 6;
/// The year group of a mark that waits for its pupil's enrolment.
const WAITING: i8 = i8::MIN;

/// One pupil's mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub pupil: i32,
    /// Where the pupil's enrolment on the day puts them; none while the mark waits for one, and counts in nothing.
    pub year_group: Option<i8>,
    pub code: Code,
}

/// A mark as it was and as it is: what tallies move by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    pub before: Option<Entry>,
    pub after: Option<Entry>,
}

/// The marks of one school, date and session, by pupil.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Register {
    entries: Vec<Entry>,
}

impl Entry {
    /// The sessions it counts as, and in which year group.
    pub fn counted(self) -> Option<(i8, Sessions)> {
        let sessions = Sessions::of(self.code.class(), 1);
        self.year_group.filter(|_| sessions.possible > 0).map(|it| (it, sessions))
    }
}

impl Register {
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub fn entry(&self, pupil: i32) -> Option<&Entry> {
        self.entries.get(self.entries.binary_search_by_key(&pupil, |it| it.pupil).ok()?)
    }

    /// How many marks wait for their pupil's enrolment.
    pub fn waiting(&self) -> usize {
        self.entries.iter().filter(|it| it.year_group.is_none()).count()
    }

    /// Enters marks, at most one for each pupil, and says what moved. Marks it does not name stay.
    pub fn put(
        &mut self,
        marks: &[Mark<i32>],
        year_group: impl Fn(i32) -> Option<i8>,
    ) -> Vec<Moved> {
        let mut marks: Vec<_> = marks.iter().collect();
        marks.sort_unstable_by_key(|it| it.pupil);
        let mut old = std::mem::take(&mut self.entries).into_iter().peekable();
        let mut moved = Vec::with_capacity(marks.len());
        self.entries.reserve(old.len() + marks.len());
        for mark in marks {
            while let Some(entry) = old.next_if(|it| it.pupil < mark.pupil) {
                self.entries.push(entry);
            }
            let before = old.next_if(|it| it.pupil == mark.pupil);
            let after = mark.code.map(|code| Entry {
                pupil: mark.pupil,
                year_group: year_group(mark.pupil),
                code,
            });
            self.entries.extend(after);
            if before != after {
                moved.push(Moved { before, after });
            }
        }
        self.entries.extend(old);
        moved
    }

    /// Puts the marks of some pupils into the year groups their enrolments now say.
    pub fn settle(&mut self, year_group: impl Fn(i32) -> Option<Option<i8>>) -> Vec<Moved> {
        let mut moved = Vec::new();
        for entry in &mut self.entries {
            let before = *entry;
            if let Some(settled) = year_group(entry.pupil) {
                entry.year_group = settled;
            }
            if *entry != before {
                moved.push(Moved { before: Some(before), after: Some(*entry) });
            }
        }
        moved
    }

    /// Forgets a pupil.
    pub fn erase(&mut self, pupil: i32) -> Option<Moved> {
        let place = self.entries.binary_search_by_key(&pupil, |it| it.pupil).ok()?;
        let before = self.entries.remove(place);
        Some(Moved { before: Some(before), after: None })
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.entries.len() * WIDTH);
        for entry in &self.entries {
            bytes.extend(entry.pupil.to_le_bytes());
            bytes.extend(entry.year_group.unwrap_or(WAITING).to_le_bytes());
            bytes.push(entry.code.row());
        }
        bytes
    }

    /// Reads what [`Register::encode`] wrote; `None` for anything else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (packed, []) = bytes.as_chunks::<WIDTH>() else { return None };
        let entries = packed.iter().map(|[a, b, c, d, year_group, code]| {
            let year_group = Some(i8::from_le_bytes([*year_group])).filter(|it| *it != WAITING);
            let pupil = i32::from_le_bytes([*a, *b, *c, *d]);
            Some(Entry { pupil, year_group, code: Code::at(*code)? })
        });
        Some(Self { entries: entries.collect::<Option<_>>()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(pupil: i32, code: &str) -> Mark<i32> {
        let date = "2026-11-20".parse().unwrap();
        let code = (!code.is_empty()).then(|| Code::on(code, date).unwrap());
        Mark { pupil, code }
    }

    #[test]
    fn marks_are_merged_by_pupil_and_survive_packing() {
        let mut register = Register::default();
        let year = |pupil| (pupil != 9).then_some(3);
        assert_eq!(register.put(&[mark(9, "/"), mark(2, "I"), mark(5, "/")], year).len(), 3);
        assert_eq!(register.put(&[mark(2, "I")], year), []);
        let moved = register.put(&[mark(5, ""), mark(1, "L"), mark(2, "M"), mark(7, "")], year);
        assert_eq!(moved.len(), 3);
        let pupils: Vec<_> = register.entries().iter().map(|it| it.pupil).collect();
        assert_eq!(pupils, [1, 2, 9]);
        assert_eq!(register.waiting(), 1);
        assert_eq!(Register::decode(&register.encode()), Some(register.clone()));
        assert_eq!(register.settle(|it| (it == 9).then_some(Some(-1))).len(), 1);
        assert_eq!(register.waiting(), 0);
        assert!(register.erase(9).is_some() && register.erase(9).is_none());
        assert_eq!(Register::decode(&register.encode()), Some(register));
    }

    #[test]
    fn what_is_not_a_register_is_not_read() {
        assert_eq!(Register::decode(&[1, 2, 3]), None);
        assert_eq!(Register::decode(&[1, 0, 0, 0, 3, 200]), None);
    }
}
