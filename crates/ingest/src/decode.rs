//! Bytes to an envelope: Segment's JSON, or CloudEvents in binary mode around it.

use serde_json::{Map, Value};
use winback_bus::Record;
use winback_contract::FailedReason;

use crate::cloudevents;
use crate::fields::{Refusal, object, text};

/// Segment's envelope, as far as it is needed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Envelope {
    /// Name of the event, before aliases.
    pub event: String,
    /// The storefront's id.
    pub message_id: Option<String>,
    /// Customer number.
    pub user_id: Option<String>,
    /// Device.
    pub anonymous_id: Option<String>,
    /// When it happened, as written.
    pub timestamp: Option<String>,
    /// What it is about.
    pub properties: Map<String, Value>,
    /// About the person.
    pub traits: Map<String, Value>,
    /// Whether the call was identify: only then are traits' addresses identifiers.
    pub identify: bool,
    /// Locale and zone of the device.
    pub context: Map<String, Value>,
}

/// Reads a record.
///
/// # Errors
/// [`Refusal`] with a stable reason.
pub fn decode(record: &Record, max_bytes: usize) -> Result<Envelope, Refusal> {
    let payload = record.value.as_deref().unwrap_or_default();
    if payload.len() > max_bytes {
        return Err(Refusal::new(
            FailedReason::TooLarge,
            format!("{} bytes, the limit is {max_bytes}", payload.len()),
        ));
    }
    let value: Value = serde_json::from_slice(payload).map_err(|error| {
        Refusal::new(
            FailedReason::MalformedJson,
            format!(
                "not JSON at line {} column {}",
                error.line(),
                error.column()
            ),
        )
    })?;
    let Value::Object(body) = value else {
        return Err(Refusal::new(
            FailedReason::MalformedJson,
            "the record must be a JSON object",
        ));
    };
    match cloudevents::attributes(record)? {
        Some(attributes) => cloudevents::envelope(attributes, body),
        None => segment(body),
    }
}

/// Segment's own shape.
pub(crate) fn segment(mut body: Map<String, Value>) -> Result<Envelope, Refusal> {
    let call = text(&body, "type")?.unwrap_or_else(|| "track".into());
    let event = match call.as_str() {
        "track" => text(&body, "event")?.ok_or_else(|| {
            Refusal::new(FailedReason::MissingField, "a track call must have `event`")
        })?,
        "page" | "screen" => "Page Viewed".to_owned(),
        "identify" => "Identified".to_owned(),
        "alias" | "group" => {
            return Err(Refusal::new(
                FailedReason::UnsupportedCall,
                format!("`{call}` calls carry no event"),
            ));
        }
        _ => {
            return Err(Refusal::new(
                FailedReason::UnsupportedCall,
                "`type` must be track, identify, page or screen",
            ));
        }
    };
    let timestamp = match text(&body, "timestamp")? {
        Some(time) => Some(time),
        None => text(&body, "originalTimestamp")?,
    };
    let context = object(&body, "context")?.cloned().unwrap_or_default();
    let traits = match object(&body, "traits")? {
        Some(traits) => traits.clone(),
        None => object(&context, "traits")?.cloned().unwrap_or_default(),
    };
    Ok(Envelope {
        message_id: text(&body, "messageId")?,
        user_id: text(&body, "userId")?,
        anonymous_id: text(&body, "anonymousId")?,
        timestamp,
        identify: call == "identify",
        properties: match body.remove("properties") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(properties)) => properties,
            Some(_) => {
                return Err(Refusal::new(
                    FailedReason::WrongType,
                    "`properties` must be an object",
                ));
            }
        },
        traits,
        context,
        event,
    })
}
