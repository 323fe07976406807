//! The schools of a trust as records name them.

use std::collections::HashMap;

use chrono::NaiveDate;
use identity::{SchoolId, TrustId};
use rpc::{Fault, Reason};

/// A school as the registry last told of it.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct School {
    pub school_id: SchoolId,
    pub trust_id: TrustId,
    /// Its URN now.
    pub urn: String,
    pub name: String,
    /// Its last day in the trust, when it closed, merged or left.
    pub left_on: Option<NaiveDate>,
    /// The school of the trust its pupils went to.
    pub successor_urn: Option<String>,
}

/// Every school of a trust, by every number it has or had.
#[derive(Clone, Debug, Default)]
pub struct Schools {
    schools: HashMap<SchoolId, School>,
    numbers: HashMap<String, SchoolId>,
}

impl Schools {
    pub fn new(
        schools: impl IntoIterator<Item = School>,
        numbers: impl IntoIterator<Item = (String, SchoolId)>,
    ) -> Self {
        let schools = schools.into_iter().map(|it| (it.school_id, it)).collect();
        Self { schools, numbers: numbers.into_iter().collect() }
    }

    pub fn get(&self, school_id: SchoolId) -> Option<&School> {
        self.schools.get(&school_id)
    }

    /// All of them, by URN.
    pub fn all(&self) -> Vec<&School> {
        let mut schools: Vec<_> = self.schools.values().collect();
        schools.sort_by(|a, b| a.urn.cmp(&b.urn));
        schools
    }

    /// A number as schools are found by it: a LAESTAB is written with or without its stroke.
    pub fn plain(number: &str) -> String {
        number.trim().chars().filter(|it| *it != '/').collect()
    }

    /// The school a URN (now or before), LAESTAB or UKPRN names.
    pub fn find(&self, number: &str) -> Result<&School, Fault> {
        let found = self.numbers.get(&Self::plain(number)).and_then(|it| self.schools.get(it));
        found.ok_or_else(|| {
            Fault::new(Reason::SchoolUnknown, format!("no school {number} in this trust"))
        })
    }

    /// The same for a fact of a day: a school that had closed by then has none.
    pub fn find_open(&self, number: &str, on: NaiveDate) -> Result<&School, Fault> {
        let school = self.find(number)?;
        match school.left_on {
            Some(last) if last < on => {
                let detail = match &school.successor_urn {
                    Some(urn) => format!(
                        "school {} closed on {last}; its pupils went to {urn}: send them there",
                        school.urn
                    ),
                    None => format!("school {} left the trust or closed on {last}", school.urn),
                };
                Err(Fault::new(Reason::SchoolClosed, detail))
            }
            _ => Ok(school),
        }
    }
}

impl School {
    /// Its URN, if a record named it by one it no longer has.
    pub fn superseding(&self, named: &str) -> Option<String> {
        let urn = named.trim();
        (urn.len() == self.urn.len() && urn != self.urn).then(|| self.urn.clone())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[track_caller]
    fn check(schools: &Schools, number: &str, on: &str, expected: Result<Option<&str>, Reason>) {
        let found = schools.find_open(number, on.parse().unwrap());
        let found = found.map(|it| it.superseding(number)).map_err(|it| it.reason);
        assert_eq!(found, expected.map(|it| it.map(str::to_owned)), "{number} on {on}");
    }

    #[test]
    fn a_school_is_found_by_every_number_it_had() {
        let school = |id: u128, urn: &str, left_on: Option<&str>, successor: Option<&str>| School {
            school_id: SchoolId(Uuid::from_u128(id)),
            trust_id: TrustId(Uuid::nil()),
            urn: urn.to_owned(),
            name: String::new(),
            left_on: left_on.map(|it| it.parse().unwrap()),
            successor_urn: successor.map(str::to_owned),
        };
        let numbers = [("100001", 1), ("100002", 1), ("9362001", 1), ("100003", 2), ("100004", 3)]
            .map(|(number, id)| (number.to_owned(), SchoolId(Uuid::from_u128(id))));
        let schools = Schools::new(
            [
                school(1, "100002", None, None),
                school(2, "100003", Some("2026-08-31"), Some("100002")),
                school(3, "100004", Some("2026-08-31"), None),
            ],
            numbers,
        );
        check(&schools, "100002", "2026-11-20", Ok(None));
        check(&schools, "100001", "2026-11-20", Ok(Some("100002")));
        check(&schools, "936/2001", "2026-11-20", Ok(None));
        check(&schools, "100003", "2026-08-31", Ok(None));
        check(&schools, "100003", "2026-09-01", Err(Reason::SchoolClosed));
        check(&schools, "100004", "2026-09-01", Err(Reason::SchoolClosed));
        check(&schools, "100009", "2026-09-01", Err(Reason::SchoolUnknown));
    }
}
