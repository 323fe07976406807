//! One JSON object to a line.

use contract::intelligence as pb;
use rpc::{Error, Result, rest};
use serde_json::Value;

use super::Options;
use crate::{
    api::{quick, record},
    domain::{Read, Record},
};

pub(super) fn read(options: &Options, first_line: u32, bytes: &[u8]) -> Result<Read> {
    let text = std::str::from_utf8(bytes).map_err(Error::internal)?;
    let lines = (first_line..).zip(text.lines()).filter(|(_, it)| !it.trim().is_empty());
    let records = lines.map(|(line, text)| one(text, line, options)).collect();
    Ok(Read { records, skipped_rows: 0 })
}

/// One record, which is well-formed JSON; what else is wrong with it is told in its result.
fn one(text: &str, line: u32, options: &Options) -> Record {
    if let Some(record) = quick::register(text, line, options.today) {
        return record;
    }
    if let Ok(message) = serde_json::from_str(text) {
        return record::read(line, message, options.today);
    }
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let external_id = value.get("externalId").and_then(Value::as_str).unwrap_or_default();
    let descriptor = contract::pool().get_message_by_name("headway.intelligence.v1.Record");
    match descriptor.map(|it| rest::parse::<pb::Record>(&it, &value)) {
        Some(Ok(message)) => record::read(line, message, options.today),
        Some(Err(error)) => record::refused(line, external_id, error.problems),
        None => record::refused(line, external_id, Vec::new()),
    }
}
