//! A school's register of one session: an array of one byte for each pupil index, from the first that has a mark to the
//! last.
//!
//! The byte is the row of the attendance code in the statutory list; 255 where the pupil has no mark. Who an index is,
//! and what the pupil counts under that day, says the school's [roll](crate::domain::Roll).

use crate::domain::Code;

/// No mark.
const NONE: u8 = u8::MAX;

/// The marks of one school, date and session, by pupil index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Register {
    /// From index 0; the last is a mark.
    marks: Vec<u8>,
}

impl Register {
    pub fn is_empty(&self) -> bool {
        self.marks.is_empty()
    }

    pub fn code(&self, index: u32) -> Option<Code> {
        self.marks.get(at(index)).and_then(|it| Code::at(*it))
    }

    /// Enters a mark, or takes it back; gives what was there.
    pub fn put(&mut self, index: u32, code: Option<Code>) -> Option<Code> {
        let before = self.code(index);
        let place = at(index);
        if code.is_some() && self.marks.len() <= place {
            self.marks.resize(place + 1, NONE);
        }
        if let Some(mark) = self.marks.get_mut(place) {
            *mark = code.map_or(NONE, Code::row);
        }
        while self.marks.last() == Some(&NONE) {
            self.marks.pop();
        }
        before
    }

    /// Every mark, by index.
    pub fn marks(&self) -> impl Iterator<Item = (u32, Code)> {
        (0_u32..).zip(&self.marks).filter_map(|(index, it)| Some((index, Code::at(*it)?)))
    }

    /// The first index that has a mark, and the bytes from there on.
    pub fn encode(&self) -> (u32, &[u8]) {
        let first = self.marks.iter().take_while(|it| **it == NONE).count();
        (u32::try_from(first).unwrap_or(u32::MAX), self.marks.get(first..).unwrap_or_default())
    }

    /// Reads what [`Register::encode`] gave; `None` for anything else.
    pub fn decode(first: u32, bytes: &[u8]) -> Option<Self> {
        if bytes.last() == Some(&NONE)
            || bytes.iter().any(|it| *it != NONE && Code::at(*it).is_none())
        {
            return None;
        }
        let mut marks = vec![NONE; at(first)];
        marks.extend(bytes);
        Some(Self { marks })
    }
}

fn at(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Code {
        Code::on(text, "2026-11-20".parse().unwrap()).unwrap()
    }

    #[test]
    fn marks_are_kept_by_index_and_survive_packing() {
        let mut register = Register::default();
        assert_eq!(register.put(9, Some(code("/"))), None);
        assert_eq!(register.put(4, Some(code("I"))), None);
        assert_eq!(register.put(4, Some(code("M"))), Some(code("I")));
        assert_eq!(register.put(7, None), None);
        assert_eq!(register.put(20, None), None);
        let (first, bytes) = register.encode();
        assert_eq!((first, bytes), (4, &[14, 255, 255, 255, 255, 0][..]));
        assert_eq!(Register::decode(first, bytes), Some(register.clone()));
        assert_eq!(register.marks().map(|it| it.0).collect::<Vec<_>>(), [4, 9]);
        assert_eq!(register.put(9, None), Some(code("/")));
        assert_eq!(register.encode(), (4, &[14][..]));
        assert_eq!(register.put(4, None), Some(code("M")));
        assert!(register.is_empty());
    }

    #[test]
    fn what_is_not_a_register_is_not_read() {
        assert_eq!(Register::decode(0, &[200]), None);
        assert_eq!(Register::decode(0, &[1, 255]), None);
        assert_eq!(Register::decode(0, &[]), Some(Register::default()));
    }
}
