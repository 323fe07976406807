//! An event as it is told to those who read JSON: the one form of it that server-sent events and webhooks have.

use contract::journal::Event;
use prost_reflect::DynamicMessage;
use rpc::{Error, Result};
use serde_json::{Value, json};

/// An event as a `CloudEvents` 1.0 document in structured JSON.
pub fn cloud_event(event: &Event, service: &str) -> Result<Value> {
    let time = event.recorded_at.ok_or_else(|| Error::internal("an event of no time"))?;
    Ok(json!({
        "specversion": "1.0",
        "id": event.event_id,
        "source": format!("/v1/journals/{service}"),
        "type": event.r#type,
        "subject": event.stream,
        "time": chrono::DateTime::<chrono::Utc>::try_from(time).map_err(Error::internal)?,
        "datacontenttype": "application/json",
        "sequence": event.position.to_string(),
        "trustid": event.trust_id,
        "data": render(&event.r#type, &event.data)?,
    }))
}

/// A message of that type as canonical JSON, from the contract's descriptors.
pub(crate) fn render(kind: &str, data: &[u8]) -> Result<Value> {
    let message = contract::pool()
        .get_message_by_name(kind)
        .ok_or_else(|| Error::internal(format!("no message {kind} in the contract")))?;
    let message = DynamicMessage::decode(message, data).map_err(Error::internal)?;
    serde_json::to_value(message).map_err(Error::internal)
}
