//! Values as callers send them.

use chrono::NaiveDate;
use rpc::{Fault, Fields};

/// The most entries a list in a request may have.
const LIST_LIMIT: usize = 100;
/// The longest title, role or reference, in characters.
const LINE_LIMIT: usize = 200;

/// A text of one line, such as a title or a role.
pub(super) fn line(fields: &mut Fields, pointer: &str, text: String) -> Option<String> {
    let text = fields.text(pointer, text)?;
    if text.chars().count() > LINE_LIMIT {
        let fault = format!("must be at most {LINE_LIMIT} characters");
        fields.refuse(pointer, Fault::invalid(fault));
        return None;
    }
    Some(text)
}

/// An id or address. It goes into an event for ever, so it must not be prose.
pub(super) fn reference(fields: &mut Fields, pointer: &str, text: String) -> Option<String> {
    let text = line(fields, pointer, text)?;
    if text.chars().any(char::is_whitespace) {
        fields.refuse(pointer, Fault::invalid("must be an id or address, without spaces"));
        return None;
    }
    Some(text)
}

/// A text that may be left out.
#[expect(clippy::option_option, reason = "absent and wrong are different answers")]
pub(super) fn optional_text(
    fields: &mut Fields,
    pointer: &str,
    text: Option<String>,
) -> Option<Option<String>> {
    match text {
        None => Some(None),
        Some(text) => fields.text(pointer, text).map(Some),
    }
}

/// Each entry of a list, or `None` with every problem noted.
pub(super) fn each<T, U>(
    fields: &mut Fields,
    pointer: &str,
    items: Vec<T>,
    mut parse: impl FnMut(&mut Fields, &str, T) -> Option<U>,
) -> Option<Vec<U>> {
    if items.len() > LIST_LIMIT {
        let fault = format!("must have at most {LIST_LIMIT} entries");
        fields.refuse(pointer, Fault::invalid(fault));
        return None;
    }
    let parsed: Vec<Option<U>> = items
        .into_iter()
        .enumerate()
        .map(|(index, item)| parse(fields, &format!("{pointer}/{index}"), item))
        .collect();
    parsed.into_iter().collect()
}

/// A date something is due: today or later.
pub(super) fn due_date(text: &str, today: NaiveDate) -> Result<NaiveDate, Fault> {
    let date = identity::date(text)?;
    if date < today {
        return Err(Fault::invalid(format!("must not be before today, {today}")));
    }
    Ok(date)
}

/// A value of a measure.
pub(super) fn number(value: f64) -> Result<f64, Fault> {
    if value.is_finite() { Ok(value) } else { Err(Fault::invalid("must be a finite number")) }
}
