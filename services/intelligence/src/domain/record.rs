//! What a vendor's record says, once each of its values has been read.

use std::fmt;

use chrono::NaiveDate;
use rpc::{Fault, Problem};
use serde::{Deserialize, Serialize};

use crate::domain::{Code, Enrolment, Fact, Kind};

/// Half a school day.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type,
)]
#[serde(rename_all = "UPPERCASE")]
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
pub struct Record<P = String> {
    /// Its place in the push, from 1.
    pub line: u32,
    pub external_id: String,
    pub body: Result<Body<P>, Vec<Problem>>,
}

/// What a record says of pupils, who are named by the vendor's id (`String`) or by its [`Hash`](crate::domain::Hash).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body<P> {
    Pupil {
        pupil: P,
        deleted: bool,
    },
    Enrolment {
        urn: String,
        pupil: P,
        enrolment: Enrolment,
        deleted: bool,
    },
    Register {
        urn: String,
        date: NaiveDate,
        session: Session,
        marks: Vec<Mark<P>>,
    },
    /// The vendor names a pupil otherwise from here on.
    KeyChange {
        pupil: P,
        new_pupil: P,
    },
    Fact {
        urn: String,
        fact: Fact<P>,
    },
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
            Self::KeyChange { .. } => Kind::PupilKeyChange,
            Self::Fact { fact, .. } => fact.kind,
        }
    }

    /// The school it speaks of, and the day by which that school must not have closed.
    pub fn school(&self) -> Option<(&str, NaiveDate)> {
        match self {
            Self::Pupil { .. } | Self::KeyChange { .. } => None,
            Self::Enrolment { urn, enrolment, .. } => Some((urn, enrolment.starts_on)),
            Self::Register { urn, date, .. } => Some((urn, *date)),
            Self::Fact { urn, fact, .. } => Some((urn, fact.on)),
        }
    }

    pub fn pupils(&self) -> impl Iterator<Item = &P> {
        let (one, other, many) = match self {
            Self::Pupil { pupil, .. } | Self::Enrolment { pupil, .. } => (Some(pupil), None, None),
            Self::Register { marks, .. } => (None, None, Some(marks)),
            Self::KeyChange { pupil, new_pupil } => (Some(pupil), Some(new_pupil), None),
            Self::Fact { fact, .. } => (fact.person.as_ref(), None, None),
        };
        let named = one.into_iter().chain(other);
        named.chain(many.into_iter().flatten().map(|it| &it.pupil))
    }

    /// Names its pupils otherwise.
    pub fn rename(&mut self, name: impl Fn(P) -> P)
    where
        P: Copy,
    {
        match self {
            Self::Pupil { pupil, .. } | Self::Enrolment { pupil, .. } => *pupil = name(*pupil),
            Self::Register { marks, .. } => {
                for it in marks {
                    it.pupil = name(it.pupil);
                }
            }
            Self::KeyChange { pupil, new_pupil } => {
                (*pupil, *new_pupil) = (name(*pupil), name(*new_pupil));
            }
            // Staff are not pupils.
            Self::Fact { fact, .. } if fact.kind.names_pupils() => {
                fact.person = fact.person.map(name);
            }
            Self::Fact { .. } => {}
        }
    }

    /// The same with pupils named otherwise.
    pub fn renamed<Q>(self, mut name: impl FnMut(P) -> Q) -> Body<Q> {
        match self {
            Self::Pupil { pupil, deleted } => Body::Pupil { pupil: name(pupil), deleted },
            Self::Enrolment { urn, pupil, enrolment, deleted } => {
                Body::Enrolment { urn, pupil: name(pupil), enrolment, deleted }
            }
            Self::Register { urn, date, session, marks } => {
                let marks = marks.into_iter();
                let marks = marks.map(|it| Mark { pupil: name(it.pupil), code: it.code }).collect();
                Body::Register { urn, date, session, marks }
            }
            Self::KeyChange { pupil, new_pupil } => {
                Body::KeyChange { pupil: name(pupil), new_pupil: name(new_pupil) }
            }
            Self::Fact { urn, fact } => Body::Fact { urn, fact: fact.renamed(name) },
        }
    }
}
