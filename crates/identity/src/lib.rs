//! The numbers England's schools and trusts are known by, and the ids Headway gives.
//!
//! Each is parsed once where it enters; a value that exists is well formed.

use rpc::{Fault, Reason};

/// Declares an id of our own: a `UUIDv7` that cannot be taken for another kind of id.
#[macro_export]
macro_rules! id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize, sqlx::Type,
        )]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub uuid::Uuid);

        impl $name {
            pub fn parse(text: &str) -> Result<Self, rpc::Fault> {
                uuid::Uuid::try_parse(text).map(Self).map_err(|_| {
                    rpc::Fault::new(rpc::Reason::FieldInvalid, "must be a UUID")
                })
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id! {
    /// A trust: the tenant.
    TrustId
}

id! {
    /// A school of a trust, through every URN it has had.
    SchoolId
}

/// Declares a number that is kept as text because leading zeros count.
macro_rules! number {
    ($(#[$meta:meta])* $name:ident, $problem:literal, $valid:expr) => {
        $(#[$meta])*
        #[derive(
            Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash,
            serde::Serialize, serde::Deserialize, sqlx::Type,
        )]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(String);

        impl $name {
            pub fn parse(text: &str) -> Result<Self, Fault> {
                let text = text.trim();
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(Fault::new(Reason::FieldInvalid, $problem))
                }
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

fn digits(text: &str, count: usize) -> bool {
    text.len() == count && text.bytes().all(|it| it.is_ascii_digit())
}

number! {
    /// Unique reference number of an establishment (DfE, GIAS).
    Urn, "must be a URN: 6 digits", |it| digits(it, 6)
}

number! {
    /// UK provider reference number (UKRLP).
    Ukprn, "must be a UKPRN: 8 digits, the first a 1", |it| digits(it, 8) && it.starts_with('1')
}

number! {
    /// Local authority code (3 digits) and establishment number (4), as DfE joins them.
    Laestab, "must be a LAESTAB: 7 digits", |it| digits(it, 7)
}

number! {
    /// Unique identifier of an establishment group in GIAS.
    GroupUid, "must be a group UID: 1 to 6 digits",
    |it| (1..=6).contains(&it.len()) && it.bytes().all(|b| b.is_ascii_digit())
}

number! {
    /// Companies House number: 8 digits, or 2 letters and 6 digits.
    CompaniesHouseNumber, "must be a Companies House number: 8 characters",
    |it| it.len() == 8
        && it.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
        && it.bytes().skip(2).all(|b| b.is_ascii_digit())
}

/// Any of the numbers a caller may name a school by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchoolNumber {
    Urn(Urn),
    Laestab(Laestab),
    Ukprn(Ukprn),
}

impl SchoolNumber {
    /// Tells them apart by their length; a LAESTAB may be written `936/2014`.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let joined: String = text.trim().chars().filter(|it| *it != '/').collect();
        match joined.len() {
            6 => Urn::parse(&joined).map(Self::Urn),
            7 => Laestab::parse(&joined).map(Self::Laestab),
            8 => Ukprn::parse(&joined).map(Self::Ukprn),
            _ => Err(Fault::new(
                Reason::FieldInvalid,
                "must be a URN (6 digits), a LAESTAB (7) or a UKPRN (8)",
            )),
        }
    }
}

/// A civil date as the contracts write it: `YYYY-MM-DD`.
pub fn date(text: &str) -> Result<chrono::NaiveDate, Fault> {
    if text.len() == 10
        && let Ok(date) = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d")
    {
        return Ok(date);
    }
    Err(Fault::new(Reason::FieldInvalid, "must be a date: YYYY-MM-DD"))
}

/// A date that has come: the record speaks of the past.
pub fn past_date(text: &str, today: chrono::NaiveDate) -> Result<chrono::NaiveDate, Fault> {
    let date = date(text)?;
    if date > today {
        return Err(Fault::new(Reason::DateInFuture, format!("{date} is after today, {today}")));
    }
    Ok(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_apart_by_their_length() {
        #[track_caller]
        fn check(text: &str, expected: Option<&str>) {
            let kind = SchoolNumber::parse(text).ok().map(|it| match it {
                SchoolNumber::Urn(_) => "urn",
                SchoolNumber::Laestab(_) => "laestab",
                SchoolNumber::Ukprn(_) => "ukprn",
            });
            assert_eq!(kind, expected, "{text}");
        }
        check("100000", Some("urn"));
        check(" 100000 ", Some("urn"));
        check("936/2014", Some("laestab"));
        check("9362014", Some("laestab"));
        check("10080446", Some("ukprn"));
        check("20080446", None);
        check("1", None);
        check("10000a", None);
    }

    #[test]
    fn companies_house_numbers_may_begin_with_letters() {
        assert!(CompaniesHouseNumber::parse("07654321").is_ok());
        assert!(CompaniesHouseNumber::parse("SC654321").is_ok());
        assert!(CompaniesHouseNumber::parse("7654321.0").is_err());
    }

    #[test]
    fn dates_are_whole_and_in_order() {
        assert!(date("2026-11-21").is_ok());
        for wrong in ["2026-1-2", "21-11-2026", "2026-02-30", "2026-11-21T00:00:00Z", ""] {
            assert!(date(wrong).is_err(), "{wrong}");
        }
    }
}
