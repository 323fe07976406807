//! Records that were stored and wait for their pupils: they count once those are on roll, or are rejected in the end.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use identity::{SchoolId, TrustId};

use crate::domain::{BatchId, FeedId, Hash, Kind, Session};

/// How long a record may wait.
pub const PARKED_FOR: TimeDelta = TimeDelta::days(14);

/// Bytes of one packed wait: place, pupil.
const WIDTH: usize = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum ParkedState {
    Waiting,
    /// Nothing of it waits any more: it counts, or was taken back.
    Resolved,
    /// It waited until its deadline.
    Expired,
}

/// A pupil a record waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait {
    /// The mark's place in the register; 0 in a record of one pupil.
    pub place: u32,
    pub pupil: Hash,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    pub batch_id: BatchId,
    /// The number of its result in the batch.
    pub ordinal: u32,
    pub line: u32,
    pub trust_id: TrustId,
    pub feed_id: FeedId,
    pub external_id: String,
    pub kind: Kind,
    pub school_id: Option<SchoolId>,
    pub date: NaiveDate,
    /// Of a register.
    pub session: Option<Session>,
    pub waits: Vec<Wait>,
    pub state: ParkedState,
    pub parked_at: DateTime<Utc>,
    pub deadline: DateTime<Utc>,
    /// When it was resolved or expired.
    pub settled_at: Option<DateTime<Utc>>,
}

impl Parked {
    /// What is left to wait for, if anything is: the pupils of whom it is said that they still wait.
    pub fn waiting(&self, waits: impl Fn(&Hash) -> bool) -> Vec<Hash> {
        self.waits.iter().map(|it| it.pupil).filter(|it| waits(it)).collect()
    }

    /// Where in the record a wait is.
    pub fn pointer(&self, wait: &Wait) -> String {
        match self.kind {
            Kind::AttendanceRegister => {
                format!("/{}/marks/{}/pupil", self.kind.field(), wait.place)
            }
            kind => format!("/{}/pupil", kind.field()),
        }
    }

    /// What is said of it once its deadline has passed.
    pub fn expiry(&self) -> String {
        let until = calendar::london_date(self.deadline);
        match self.kind {
            Kind::PupilKeyChange => {
                format!("waited for a record that names either id until {until}, and was dropped")
            }
            _ => format!(
                "waited for an enrolment of this pupil at the school on {} until {until}, and was dropped",
                self.date
            ),
        }
    }

    pub fn encode_waits(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.waits.len() * WIDTH);
        for it in &self.waits {
            bytes.extend(it.place.to_le_bytes());
            bytes.extend(it.pupil);
        }
        bytes
    }

    /// Reads what [`Parked::encode_waits`] wrote; `None` for anything else.
    pub fn decode_waits(bytes: &[u8]) -> Option<Vec<Wait>> {
        let (packed, []) = bytes.as_chunks::<WIDTH>() else { return None };
        let read = |it: &[u8; WIDTH]| {
            let (place, pupil) = it.split_first_chunk::<4>()?;
            Some(Wait { place: u32::from_le_bytes(*place), pupil: pupil.try_into().ok()? })
        };
        packed.iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn parked(kind: Kind) -> Parked {
        let at = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        Parked {
            batch_id: BatchId(Uuid::nil()),
            ordinal: 2,
            line: 3,
            trust_id: TrustId(Uuid::nil()),
            feed_id: FeedId(Uuid::nil()),
            external_id: "reg-1".to_owned(),
            kind,
            school_id: None,
            date: "2027-01-14".parse().unwrap(),
            session: None,
            waits: vec![Wait { place: 0, pupil: [7; 16] }, Wait { place: 29, pupil: [8; 16] }],
            state: ParkedState::Waiting,
            parked_at: at,
            deadline: at + PARKED_FOR,
            settled_at: None,
        }
    }

    #[test]
    fn what_is_waited_for_survives_packing() {
        let it = parked(Kind::AttendanceRegister);
        assert_eq!(Parked::decode_waits(&it.encode_waits()), Some(it.waits.clone()));
        assert_eq!(Parked::decode_waits(&[0; 21]), None);
        assert_eq!(it.pointer(&it.waits[1]), "/attendanceRegister/marks/29/pupil");
        assert_eq!(parked(Kind::Enrolment).pointer(&it.waits[0]), "/enrolment/pupil");
        assert_eq!(it.waiting(|pupil| *pupil == [8; 16]), [[8; 16]]);
        assert!(it.waiting(|_| false).is_empty());
        assert!(it.expiry().contains("on 2027-01-14 until 2027-01-29"));
    }
}
