//! CloudEvents 1.0, Kafka binding, binary mode: attributes in `ce_*` headers, data in the value.
//!
//! The data may be Segment's envelope, or the properties of an event that `ce_type` names. Structured mode is absent.

use serde_json::{Map, Value};
use winback_bus::Record;
use winback_contract::FailedReason;

use crate::decode::{Envelope, segment};
use crate::fields::{Refusal, text};

/// The attributes winback reads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attributes {
    id: Option<String>,
    kind: Option<String>,
    time: Option<String>,
    subject: Option<String>,
}

/// The attributes of a record, if it is a CloudEvent.
///
/// # Errors
/// `unsupported_cloudevent` for another version or mode.
pub fn attributes(record: &Record) -> Result<Option<Attributes>, Refusal> {
    let content = record.header("content-type").unwrap_or_default();
    if content.starts_with("application/cloudevents") {
        return Err(Refusal::new(
            FailedReason::UnsupportedCloudevent,
            "structured mode is not supported: send `ce_*` headers",
        ));
    }
    match record.header("ce_specversion") {
        None => Ok(None),
        Some("1.0") => {
            let header = |name| record.header(name).map(str::to_owned);
            Ok(Some(Attributes {
                id: header("ce_id"),
                kind: header("ce_type"),
                time: header("ce_time"),
                subject: header("ce_subject"),
            }))
        }
        Some(_) => Err(Refusal::new(
            FailedReason::UnsupportedCloudevent,
            "`ce_specversion` must be 1.0",
        )),
    }
}

/// Joins attributes and data; what the data says itself wins.
///
/// # Errors
/// Those of the data, and `missing_field` without a type.
pub fn envelope(attributes: Attributes, body: Map<String, Value>) -> Result<Envelope, Refusal> {
    let is_segment = matches!(
        body.get("type").and_then(Value::as_str),
        Some("track" | "identify" | "page" | "screen" | "alias" | "group")
    );
    let mut envelope = if is_segment {
        segment(body)?
    } else {
        let event = attributes.kind.clone().ok_or_else(|| {
            Refusal::new(
                FailedReason::MissingField,
                "a CloudEvent must have `ce_type`",
            )
        })?;
        let (user_id, anonymous_id) = (text(&body, "userId")?, text(&body, "anonymousId")?);
        Envelope {
            event,
            user_id,
            anonymous_id,
            properties: body,
            ..Envelope::default()
        }
    };
    envelope.message_id = envelope.message_id.or(attributes.id);
    envelope.timestamp = envelope.timestamp.or(attributes.time);
    if envelope.user_id.is_none() && envelope.anonymous_id.is_none() {
        envelope.user_id = attributes.subject;
    }
    Ok(envelope)
}
