//! Each pupil's sessions in a week, term or year, packed: what absence is counted from without reading every mark.

use std::collections::BTreeMap;

use crate::domain::{Entry, Register, Sessions, register::Moved};

/// Bytes of one packed cell: pupil, year group, possible and absent sessions (little endian).
const WIDTH: usize = 9;

/// A pupil's sessions in one year group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    pupil: i32,
    year_group: i8,
    possible: u16,
    absent: u16,
}

/// Who was how often absent in a school and period, by pupil and year group. Pupils without a possible session have
/// no cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    cells: Vec<Cell>,
}

/// What a tally comes to, for the school or a year group of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    pub sessions: Sessions,
    /// With at least one possible session.
    pub pupils: u32,
    pub persistently_absent: u32,
    pub severely_absent: u32,
}

impl Tally {
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Takes what moved out of one place and into another.
    pub fn shift(&mut self, moved: &[Moved]) {
        for it in moved {
            if let Some((year_group, sessions)) = it.before.and_then(Entry::counted) {
                self.count(it.before.map_or(0, |it| it.pupil), year_group, sessions, false);
            }
            if let Some((year_group, sessions)) = it.after.and_then(Entry::counted) {
                self.count(it.after.map_or(0, |it| it.pupil), year_group, sessions, true);
            }
        }
        self.cells.retain(|it| it.possible > 0);
    }

    /// Counts every mark of a register.
    pub fn add(&mut self, register: &Register) {
        for entry in register.entries() {
            if let Some((year_group, sessions)) = entry.counted() {
                self.count(entry.pupil, year_group, sessions, true);
            }
        }
    }

    fn count(&mut self, pupil: i32, year_group: i8, sessions: Sessions, more: bool) {
        let key = (pupil, year_group);
        let place = match self.cells.binary_search_by_key(&key, |it| (it.pupil, it.year_group)) {
            Ok(place) => place,
            Err(place) => {
                self.cells.insert(place, Cell { pupil, year_group, possible: 0, absent: 0 });
                place
            }
        };
        let Some(cell) = self.cells.get_mut(place) else { return };
        let possible = u16::try_from(sessions.possible).unwrap_or(u16::MAX);
        let absent = u16::try_from(sessions.absent).unwrap_or(u16::MAX);
        if more {
            cell.possible = cell.possible.saturating_add(possible);
            cell.absent = cell.absent.saturating_add(absent);
        } else {
            cell.possible = cell.possible.saturating_sub(possible);
            cell.absent = cell.absent.saturating_sub(absent);
        }
    }

    /// The whole school. A pupil who changed year group is one pupil.
    pub fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for pupil in self.cells.chunk_by(|a, b| a.pupil == b.pupil) {
            let sessions = pupil.iter().fold(Sessions::default(), |sum, it| sum + it.sessions());
            summary.add(sessions);
        }
        summary
    }

    /// Each year group, by the sessions a pupil had in it.
    pub fn by_year_group(&self) -> BTreeMap<i8, Summary> {
        let mut summaries = BTreeMap::<i8, Summary>::new();
        for cell in &self.cells {
            summaries.entry(cell.year_group).or_default().add(cell.sessions());
        }
        summaries
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.cells.len() * WIDTH);
        for cell in &self.cells {
            bytes.extend(cell.pupil.to_le_bytes());
            bytes.extend(cell.year_group.to_le_bytes());
            bytes.extend(cell.possible.to_le_bytes());
            bytes.extend(cell.absent.to_le_bytes());
        }
        bytes
    }

    /// Reads what [`Tally::encode`] wrote; `None` for anything else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (packed, []) = bytes.as_chunks::<WIDTH>() else { return None };
        let cells = packed.iter().map(|[a, b, c, d, year_group, p0, p1, a0, a1]| Cell {
            pupil: i32::from_le_bytes([*a, *b, *c, *d]),
            year_group: i8::from_le_bytes([*year_group]),
            possible: u16::from_le_bytes([*p0, *p1]),
            absent: u16::from_le_bytes([*a0, *a1]),
        });
        Some(Self { cells: cells.collect() })
    }
}

impl Cell {
    fn sessions(&self) -> Sessions {
        Sessions { possible: self.possible.into(), absent: self.absent.into() }
    }
}

impl Summary {
    fn add(&mut self, pupil: Sessions) {
        self.sessions += pupil;
        self.pupils += 1;
        self.persistently_absent += u32::from(pupil.persistently_absent());
        self.severely_absent += u32::from(pupil.severely_absent());
    }
}
