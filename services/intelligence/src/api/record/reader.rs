use chrono::NaiveDate;
use identity::SchoolNumber;
use rpc::{Fault, Fields, Problem, Reason};

use super::{ID_LIMIT, pupil_id, unfit};
use crate::domain::{Body, CodeList, Fact};

/// The last day of something, or that it goes on.
pub(super) struct Until(pub(super) Option<NaiveDate>);

/// Reads the fields of one record of a kind, noting what is wrong by its JSON Pointer.
pub(super) struct Reader {
    fields: Fields,
    kind: &'static str,
}

impl Reader {
    /// `kind` is the field of the record that holds it.
    pub(super) fn new(kind: &'static str) -> Self {
        Self { fields: Fields::new(), kind }
    }

    pub(super) fn take<T>(&mut self, name: &str, parsed: Result<T, Fault>) -> Option<T> {
        self.fields.take(&format!("/{}/{name}", self.kind), parsed)
    }

    pub(super) fn refuse(&mut self, name: &str, fault: Fault) {
        self.fields.refuse(&format!("/{}/{name}", self.kind), fault);
    }

    pub(super) fn school(&mut self, urn: &str) {
        self.take("urn", SchoolNumber::parse(urn));
    }

    pub(super) fn pupil(&mut self, name: &str, id: String) -> Option<String> {
        self.take(name, pupil_id(id))
    }

    /// Somebody on the staff. Pupils' and staff's ids are of different lists, which their hashes tell apart.
    pub(super) fn staff(&mut self, name: &str, id: String) -> Option<String> {
        self.take(name, pupil_id(id)).map(|it| format!("staff\u{1f}{it}"))
    }

    pub(super) fn date(&mut self, name: &str, text: &str) -> Option<NaiveDate> {
        self.take(name, identity::date(text))
    }

    pub(super) fn past(&mut self, name: &str, text: &str, today: NaiveDate) -> Option<NaiveDate> {
        self.take(name, identity::past_date(text, today))
    }

    /// A last day that may be left out, not before the first.
    pub(super) fn ends_on(
        &mut self,
        starts_on: Option<NaiveDate>,
        text: Option<&str>,
    ) -> Option<Until> {
        let ends_on = match text {
            None => None,
            Some(text) => Some(self.date("endsOn", text)?),
        };
        if starts_on.zip(ends_on).is_some_and(|(first, last)| last < first) {
            self.refuse("endsOn", Fault::invalid("is before startsOn"));
            return None;
        }
        Some(Until(ends_on))
    }

    /// A code of a list as it was valid on a day; where the day is wrong, that has been said.
    pub(super) fn code(
        &mut self,
        name: &str,
        list: &str,
        code: &str,
        on: Option<NaiveDate>,
    ) -> Option<String> {
        let list = CodeList::named(list)?;
        let found = list.on(code.trim(), on?).map(|it| it.code.clone());
        self.take(name, found)
    }

    /// A short text that is part of a natural key.
    pub(super) fn id(&mut self, name: &str, text: String, limit: usize) -> Option<String> {
        let parsed = if text.trim().is_empty() {
            Err(Fault::new(Reason::FieldRequired, "must be given"))
        } else if text.chars().count() > limit || text.contains('\0') {
            let detail = format!("must be at most {limit} characters, none of them NUL");
            Err(if limit == ID_LIMIT { unfit() } else { Fault::invalid(detail) })
        } else {
            Ok(text)
        };
        self.take(name, parsed)
    }

    /// Hundredths of a quantity in a range.
    pub(super) fn hundredths(
        &mut self,
        name: &str,
        value: f64,
        (lowest, highest): (f64, f64),
    ) -> Option<i64> {
        let parsed = if value.is_finite() && (lowest..=highest).contains(&value) {
            Ok(to_hundredths(value))
        } else {
            Err(Fault::invalid(format!("must be {lowest} to {highest}")))
        };
        self.take(name, parsed)
    }

    pub(super) fn done(
        self,
        urn: String,
        fact: impl FnOnce() -> Option<Fact<String>>,
    ) -> Result<Body<String>, Vec<Problem>> {
        let read = self.fields.done(|| Some(Body::Fact { urn, fact: fact()? }));
        read.map_err(|error| error.problems)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the caller has seen that it is small")]
fn to_hundredths(value: f64) -> i64 {
    (value * 100.0).round() as i64
}
