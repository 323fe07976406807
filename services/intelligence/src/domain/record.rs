//! What a vendor's record says, once each of its values has been read.

use std::{collections::HashMap, fmt, hash::Hash};

use chrono::NaiveDate;
use rpc::{Fault, Problem};

use crate::domain::{Code, Enrolment, Kind};

/// Half a school day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "UPPERCASE")]
pub enum Session {
    Am,
    Pm,
}

impl Session {
    pub fn parse(text: &str) -> Result<Self, Fault> {
        match text {
            "AM" => Ok(Self::Am),
            "PM" => Ok(Self::Pm),
            _ => Err(Fault::invalid("must be AM or PM").accepting(["AM", "PM"])),
        }
    }
}

impl fmt::Display for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Am => "AM",
            Self::Pm => "PM",
        })
    }
}

/// One record of a push: what it says, or all that is wrong with it.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its place in the push, from 1.
    pub line: u32,
    pub external_id: String,
    pub body: Result<Body<String>, Vec<Problem>>,
}

/// What a record says of pupils, who are named by the vendor's id (`String`) or by our number (`i32`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body<P> {
    Pupil { pupil: P, deleted: bool },
    Enrolment { urn: String, pupil: P, enrolment: Enrolment, deleted: bool },
    Register { urn: String, date: NaiveDate, session: Session, marks: Vec<Mark<P>> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark<P> {
    pub pupil: P,
    /// None takes the mark back.
    pub code: Option<Code>,
}

impl<P> Body<P> {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Pupil { .. } => Kind::Pupil,
            Self::Enrolment { .. } => Kind::Enrolment,
            Self::Register { .. } => Kind::AttendanceRegister,
        }
    }

    /// The school it speaks of, and the day by which that school must not have closed.
    pub fn school(&self) -> Option<(&str, NaiveDate)> {
        match self {
            Self::Pupil { .. } => None,
            Self::Enrolment { urn, enrolment, .. } => Some((urn, enrolment.starts_on)),
            Self::Register { urn, date, .. } => Some((urn, *date)),
        }
    }

    pub fn pupils(&self) -> impl Iterator<Item = &P> {
        let (one, many) = match self {
            Self::Pupil { pupil, .. } | Self::Enrolment { pupil, .. } => (Some(pupil), None),
            Self::Register { marks, .. } => (None, Some(marks)),
        };
        one.into_iter().chain(many.into_iter().flatten().map(|it| &it.pupil))
    }
}

impl<P: Eq + Hash> Body<P> {
    /// The same with pupils named otherwise; `None` when a name is missing.
    pub fn renamed<Q: Copy>(&self, names: &HashMap<P, Q>) -> Option<Body<Q>> {
        let name = |pupil: &P| names.get(pupil).copied();
        Some(match self {
            Self::Pupil { pupil, deleted } => {
                Body::Pupil { pupil: name(pupil)?, deleted: *deleted }
            }
            Self::Enrolment { urn, pupil, enrolment, deleted } => Body::Enrolment {
                urn: urn.clone(),
                pupil: name(pupil)?,
                enrolment: *enrolment,
                deleted: *deleted,
            },
            Self::Register { urn, date, session, marks } => Body::Register {
                urn: urn.clone(),
                date: *date,
                session: *session,
                marks: marks
                    .iter()
                    .map(|it| Some(Mark { pupil: name(&it.pupil)?, code: it.code }))
                    .collect::<Option<_>>()?,
            },
        })
    }
}
