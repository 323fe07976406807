//! Code lists: data, not enumerations, for those who publish them change them.
//!
//! Each is a CSV file whose first two lines say what it is and who publishes it. Columns beyond code, meaning and
//! validity are attributes, which the rules of the domain read by name.

use std::{collections::BTreeMap, sync::LazyLock};

use chrono::NaiveDate;
use rpc::{Fault, Reason};

macro_rules! lists {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../data/", $name, ".csv")))),+]
    };
}

static LISTS: LazyLock<Vec<CodeList>> = LazyLock::new(|| {
    let files = lists![
        "assessment_scales",
        "assessment_grades",
        "assessment_points",
        "subjects",
        "suspension_categories",
        "suspension_reasons",
        "behaviour_categories",
        "staff_roles",
        "staff_absence_reasons",
        "cover",
        "budget_codes",
        "budget_kinds",
        "pupil_groups",
        "characteristics",
    ];
    files.into_iter().map(|(name, text)| CodeList::read(name, text)).collect()
});

#[derive(Clone, Debug)]
pub struct CodeList {
    pub name: &'static str,
    pub title: String,
    pub source: String,
    pub codes: Vec<Listed>,
}

/// One code of a list.
#[derive(Clone, Debug)]
pub struct Listed {
    pub code: String,
    pub meaning: String,
    /// First and last day it may be used.
    pub valid_from: Option<NaiveDate>,
    pub valid_to: Option<NaiveDate>,
    pub attributes: BTreeMap<String, String>,
}

impl Listed {
    /// A row by its columns; none where it lacks one that every list has.
    fn read(mut row: BTreeMap<String, String>) -> Option<Self> {
        let mut day = |column| match row.remove(column)?.as_str() {
            "" => Some(None),
            text => text.parse().ok().map(Some),
        };
        let (valid_from, valid_to) = (day("valid_from")?, day("valid_to")?);
        let (code, meaning) = (row.remove("code")?, row.remove("meaning")?);
        Some(Self { code, meaning, valid_from, valid_to, attributes: row })
    }

    pub fn valid_on(&self, date: NaiveDate) -> bool {
        self.valid_from.is_none_or(|it| it <= date) && self.valid_to.is_none_or(|it| date <= it)
    }

    /// What the list says of it in a column; empty where it says nothing.
    pub fn attribute(&self, column: &str) -> &str {
        self.attributes.get(column).map_or("", String::as_str)
    }

    /// A number of a column.
    pub fn number(&self, column: &str) -> Option<f64> {
        self.attribute(column).parse().ok()
    }

    /// Whether a column says 1.
    pub fn is(&self, column: &str) -> bool {
        self.attribute(column) == "1"
    }
}

impl CodeList {
    pub fn all() -> &'static [Self] {
        &LISTS
    }

    pub fn named(name: &str) -> Option<&'static Self> {
        LISTS.iter().find(|it| it.name == name)
    }

    /// The code as it was valid on a date; otherwise why not, with those that were.
    pub fn on(&self, code: &str, date: NaiveDate) -> Result<&Listed, Fault> {
        choose(self.codes.iter(), code, date, self.name)
    }

    pub fn get(&self, code: &str) -> Option<&Listed> {
        self.codes.iter().find(|it| it.code == code)
    }

    #[expect(
        clippy::expect_used,
        reason = "the files are part of this code, and a test reads them"
    )]
    fn read(name: &'static str, text: &str) -> Self {
        let mut head = text.lines().map(|it| it.trim_start_matches("# ").to_owned());
        let (title, source) = (head.next().unwrap_or_default(), head.next().unwrap_or_default());
        let mut reader = csv::ReaderBuilder::new().comment(Some(b'#')).from_reader(text.as_bytes());
        let codes = reader
            .deserialize::<BTreeMap<String, String>>()
            .map(|row| row.ok().and_then(Listed::read))
            .collect::<Option<_>>()
            .expect("a code list can be read");
        Self { name, title, source, codes }
    }
}

/// A list by its name, which is one of this code's.
#[expect(clippy::expect_used, reason = "a test asks for every list that is named in the code")]
pub(crate) fn list(name: &str) -> &'static CodeList {
    CodeList::named(name).expect("the list is one of those this service has")
}

/// The code of some of a list's, as it was valid on a date.
pub(crate) fn choose<'a>(
    codes: impl Iterator<Item = &'a Listed> + Clone,
    code: &str,
    date: NaiveDate,
    list: &str,
) -> Result<&'a Listed, Fault> {
    match codes.clone().find(|it| it.code == code) {
        Some(found) if found.valid_on(date) => Ok(found),
        Some(found) => {
            let why = match (found.valid_from, found.valid_to) {
                (_, Some(end)) if end < date => format!("may be used up to {end}"),
                (Some(first), _) => format!("may be used from {first}"),
                _ => "is not valid".to_owned(),
            };
            Err(refusal(codes, &why, date, list))
        }
        None if code.is_empty() => {
            let fault = Fault::new(Reason::FieldRequired, "must be given");
            Err(fault.accepting(valid(codes, date)))
        }
        None => Err(refusal(codes, &format!("is not a code of {list}"), date, list)),
    }
}

/// Accepted codes named in a refusal's sentence; all of them are in its list.
const NAMED: usize = 40;

fn refusal<'a>(
    codes: impl Iterator<Item = &'a Listed>,
    why: &str,
    date: NaiveDate,
    list: &str,
) -> Fault {
    let accepted = valid(codes, date);
    let shown = accepted.iter().take(NAMED).copied().collect::<Vec<_>>().join(" ");
    let more = if accepted.len() > NAMED {
        format!(" and more: /v1/code-lists/{list}")
    } else {
        String::new()
    };
    let detail = format!("{why}; accepted on {date}: {shown}{more}");
    Fault::new(Reason::CodeUnknown, detail).accepting(accepted)
}

fn valid<'a>(codes: impl Iterator<Item = &'a Listed>, date: NaiveDate) -> Vec<&'a str> {
    codes.filter(|it| it.valid_on(date)).map(|it| it.code.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_accepted_while_they_are_valid() {
        #[track_caller]
        fn check(name: &str, code: &str, on: &str, expected: Result<&str, &str>) {
            match (list(name).on(code, on.parse().unwrap()), expected) {
                (Ok(code), Ok(meaning)) => assert_eq!(code.meaning, meaning),
                (Err(fault), Err(part)) => assert!(fault.detail.contains(part), "{fault}"),
                (got, _) => panic!("{code} on {on}: {got:?}"),
            }
        }
        check("suspension_reasons", "BU", "2026-11-20", Ok("bullying"));
        check("suspension_reasons", "BU", "2020-08-31", Err("may be used from 2020-09-01"));
        check("suspension_reasons", "bu", "2026-11-20", Err("is not a code of suspension_reasons"));
        check("suspension_reasons", "", "2026-11-20", Err("must be given"));
        check("suspension_reasons", "??", "2026-11-20", Err("accepted on 2026-11-20: PP PA VP"));
        check("subjects", "alchemy", "2026-11-20", Err("and more: /v1/code-lists/subjects"));
        check("assessment_grades", "PKG", "2018-05-01", Ok("pre-key stage, growing development"));
        check("assessment_grades", "PKG", "2018-09-01", Err("may be used up to 2018-08-31"));
    }

    #[test]
    fn every_list_says_what_it_is_and_names_no_code_twice() {
        for list in CodeList::all() {
            assert!(!list.title.is_empty() && !list.source.is_empty(), "{}", list.name);
            assert!(!list.codes.is_empty(), "{}", list.name);
            let mut seen = std::collections::BTreeSet::new();
            for it in &list.codes {
                assert!(!it.code.is_empty() && !it.meaning.is_empty(), "{it:?}");
                assert!(seen.insert((it.attribute("scale"), &it.code)), "{it:?}");
            }
        }
        for grade in &list("assessment_grades").codes {
            assert!(list("assessment_scales").get(grade.attribute("scale")).is_some(), "{grade:?}");
        }
    }
}
