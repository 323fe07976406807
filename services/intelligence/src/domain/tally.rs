//! Each pupil's sessions over many registers, by year group and characteristics: what every measure of attendance is
//! counted from.
//!
//! A tally is stored packed, 14 bytes for a pupil and what it counted under, little endian: pupil index (4), year group
//! (1), characteristics (1), and sessions possible, absent, unauthorised and late (2 each).

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::{Flags, Register, Sessions, Standing};

/// Bytes of one packed cell.
const WIDTH: usize = 14;
/// The numbers of pupils who have no place on a roll begin here, where no roll comes.
const UNNAMED: u32 = 1 << 31;

/// A pupil's sessions while counted under one standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cell {
    index: u32,
    standing: Standing,
    sessions: Sessions,
}

/// Who was how often absent in a school and period, in order of pupil index and standing. Pupils without a possible
/// session have no cell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    cells: Vec<Cell>,
}

/// What a tally comes to, for the school or a part of it.
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

    /// Counts every mark of a register whose pupil is on roll: `standings` are the school's that day, by index.
    pub fn add(&mut self, register: &Register, standings: &[Option<Standing>]) {
        let mut near = 0;
        for (index, code) in register.marks() {
            let standing = usize::try_from(index).ok().and_then(|it| *standings.get(it)?);
            if let Some(standing) = standing {
                near = self.count(near, (index, standing), Sessions::of_mark(code));
            }
        }
    }

    /// Counts everything another tally holds.
    pub fn merge(&mut self, other: &Self) {
        let mut near = 0;
        for cell in &other.cells {
            near = self.count(near, (cell.index, cell.standing), cell.sessions);
        }
    }

    /// The same sessions of pupils who are only told apart: numbered by what they come to, whoever they were.
    pub fn unnamed<'a>(tallies: impl IntoIterator<Item = &'a Self>) -> Self {
        let alike = |a: &Cell, b: &Cell| a.index == b.index;
        let of = |it: &Cell| {
            let sessions = it.sessions;
            let counts = [sessions.possible, sessions.absent, sessions.unauthorised, sessions.late];
            (it.standing, counts)
        };
        let pupils = tallies.into_iter().flat_map(|it| it.cells.chunk_by(alike));
        let mut pupils: Vec<Vec<Cell>> = pupils.map(<[Cell]>::to_vec).collect();
        pupils.sort_by_cached_key(|it| it.iter().map(of).collect::<Vec<_>>());
        let numbered = (UNNAMED..).zip(pupils);
        let cells =
            numbered.flat_map(|(index, it)| it.into_iter().map(move |cell| Cell { index, ..cell }));
        Self { cells: cells.collect() }
    }

    /// Counts a mark, given as pupil, standing and sessions.
    pub fn put(&mut self, index: u32, standing: Standing, sessions: Sessions) {
        self.count(0, (index, standing), sessions);
    }

    /// Counts a mark no more.
    pub fn take(&mut self, index: u32, standing: Standing, sessions: Sessions) {
        let Ok(place) = self.place(0, (index, standing)) else { return };
        if let Some(cell) = self.cells.get_mut(place) {
            cell.sessions = cell.sessions - sessions;
            if cell.sessions.possible == 0 {
                self.cells.remove(place);
            }
        }
    }

    /// Adds to a cell; gives its place, near which the next will be.
    fn count(&mut self, near: usize, key: (u32, Standing), sessions: Sessions) -> usize {
        if sessions.possible == 0 {
            return near;
        }
        match self.place(near, key) {
            Ok(place) => {
                if let Some(cell) = self.cells.get_mut(place) {
                    cell.sessions += sessions;
                }
                place
            }
            Err(place) => {
                let (index, standing) = key;
                self.cells.insert(place, Cell { index, standing, sessions });
                place
            }
        }
    }

    /// Where a cell is or would be. Registers are read in order of index: mostly it is the next, or the end.
    fn place(&self, near: usize, key: (u32, Standing)) -> Result<usize, usize> {
        let of = |it: &Cell| (it.index, it.standing);
        for place in [near, near + 1] {
            if self.cells.get(place).is_some_and(|it| of(it) == key) {
                return Ok(place);
            }
        }
        if self.cells.last().is_none_or(|it| of(it) < key) {
            return Err(self.cells.len());
        }
        self.cells.binary_search_by_key(&key, of)
    }

    /// The whole school. A pupil who changed year group is one pupil.
    pub fn summary(&self) -> Summary {
        self.summary_where(|_| true)
    }

    /// Those who counted under some standings, by the sessions they had then.
    pub fn summary_where(&self, counts: impl Fn(Flags) -> bool) -> Summary {
        let mut summary = Summary::default();
        for pupil in self.cells.chunk_by(|a, b| a.index == b.index) {
            let counted = pupil.iter().filter(|it| counts(it.standing.flags));
            summary.add(counted.fold(Sessions::default(), |sum, it| sum + it.sessions));
        }
        summary
    }

    /// The combinations of some characteristics under which pupils counted.
    pub fn combinations(&self, of: Flags) -> BTreeSet<Flags> {
        self.cells.iter().map(|it| it.standing.flags.intersection(of)).collect()
    }

    /// Each year group, by the sessions a pupil had in it.
    pub fn by_year_group(&self) -> BTreeMap<i8, Summary> {
        let mut summaries = BTreeMap::<i8, Summary>::new();
        let alike = |a: &Cell, b: &Cell| {
            (a.index, a.standing.year_group) == (b.index, b.standing.year_group)
        };
        for cells in self.cells.chunk_by(alike) {
            let sessions = cells.iter().fold(Sessions::default(), |sum, it| sum + it.sessions);
            if let Some(cell) = cells.first() {
                summaries.entry(cell.standing.year_group).or_default().add(sessions);
            }
        }
        summaries
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.cells.len() * WIDTH);
        for Cell { index, standing, sessions: it } in &self.cells {
            bytes.extend(index.to_le_bytes());
            bytes.extend(standing.year_group.to_le_bytes());
            bytes.push(standing.flags.bits());
            for count in [it.possible, it.absent, it.unauthorised, it.late] {
                bytes.extend(u16::try_from(count).unwrap_or(u16::MAX).to_le_bytes());
            }
        }
        bytes
    }

    /// Reads what [`Tally::encode`] wrote; `None` for anything else.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (packed, []) = bytes.as_chunks::<WIDTH>() else { return None };
        let cells = packed.iter().map(|[a, b, c, d, year_group, flags, p, q, r, s, t, u, v, w]| {
            let count = |low: &u8, high: &u8| u16::from_le_bytes([*low, *high]).into();
            Cell {
                index: u32::from_le_bytes([*a, *b, *c, *d]),
                standing: Standing {
                    year_group: i8::from_le_bytes([*year_group]),
                    flags: Flags::from_bits(*flags),
                },
                sessions: Sessions {
                    possible: count(p, q),
                    absent: count(r, s),
                    unauthorised: count(t, u),
                    late: count(v, w),
                },
            }
        });
        Some(Self { cells: cells.collect() })
    }
}

impl Summary {
    /// Adds a pupil; one without a possible session is none.
    fn add(&mut self, pupil: Sessions) {
        if pupil.possible == 0 {
            return;
        }
        self.sessions += pupil;
        self.pupils += 1;
        self.persistently_absent += u32::from(pupil.persistently_absent());
        self.severely_absent += u32::from(pupil.severely_absent());
    }
}
