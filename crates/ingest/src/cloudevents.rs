//! CloudEvents 1.0: binary mode, with attributes in `ce_*` headers of Kafka, and structured mode, with them in the body.
//!
//! The data may be Segment's envelope, or the properties of an event that the type names. Absent: batches (see
//! [`crate::calls`]), other versions.

use serde_json::{Map, Value};
use winback_bus::Record;
use winback_contract::FailedReason;

use crate::customs::Customs;
use crate::decode::{Envelope, segment};
use crate::fields::{Fields, Refusal};
use crate::notes::Notes;

/// The attributes winback reads.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Attributes {
    id: Option<Value>,
    kind: Option<String>,
    time: Option<Value>,
    subject: Option<Value>,
    /// The data, where it lies in the body with them.
    data: Option<Map<String, Value>>,
}

/// The attributes of a record, if it is a CloudEvent.
///
/// # Errors
/// `unsupported_cloudevent` for another version, and for data that is no JSON.
pub(crate) fn attributes(
    record: &Record,
    body: &Map<String, Value>,
) -> Result<Option<Attributes>, Refusal> {
    let unsupported = |why: &str| Refusal::new(FailedReason::UnsupportedCloudevent, why);
    let content = record.header("content-type").unwrap_or_default();
    if let Some(version) = record.header("ce_specversion") {
        if version != "1.0" {
            return Err(unsupported("`ce_specversion` must be 1.0"));
        }
        let text = |name| record.header(name).map(Value::from);
        return Ok(Some(Attributes {
            id: text("ce_id"),
            kind: record.header("ce_type").map(str::to_owned),
            time: text("ce_time"),
            subject: text("ce_subject"),
            data: None,
        }));
    }
    let is_structured = content.starts_with("application/cloudevents");
    match body.get("specversion").and_then(Value::as_str) {
        None if is_structured => Err(unsupported(
            "a structured CloudEvent must have `specversion`",
        )),
        None => Ok(None),
        Some("1.0") => {
            let text = body.get("data").and_then(Value::as_str);
            let read: Option<Value> = text.and_then(|text| serde_json::from_str(text).ok());
            let data = match read.as_ref().or_else(|| body.get("data")) {
                Some(Value::Object(data)) => data.clone(),
                None | Some(Value::Null) if !body.contains_key("data_base64") => Map::new(),
                _ => {
                    return Err(unsupported(
                        "the `data` of a CloudEvent must be a JSON object",
                    ));
                }
            };
            Ok(Some(Attributes {
                id: body.get("id").cloned(),
                kind: body.get("type").and_then(Value::as_str).map(str::to_owned),
                time: body.get("time").cloned(),
                subject: body.get("subject").cloned(),
                data: Some(data),
            }))
        }
        Some(_) => Err(unsupported("`specversion` must be 1.0")),
    }
}

/// The name of an event in a type such as `com.example.shop.order_completed`, `com.example.order.completed.v1` or
/// `Order Completed`: the longest end of it that is one.
fn event_of(kind: &str) -> &str {
    let is_version = |part: &str| {
        let digits = part.strip_prefix(['v', 'V']).unwrap_or(part);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    let mut whole = kind;
    while let Some((before, last)) = whole.rsplit_once(['.', '/', ':']) {
        if !is_version(last) {
            break;
        }
        whole = before;
    }
    let mut rest = whole;
    loop {
        if winback_contract::spec::lookup(rest).is_some() {
            return rest;
        }
        match rest.split_once(['.', '/', ':']) {
            Some((_, behind)) => rest = behind,
            None => return kind,
        }
    }
}

/// Joins attributes and data; what the data says itself wins.
///
/// # Errors
/// Those of the data, and `missing_field` without a type.
pub(crate) fn envelope(
    attributes: Attributes,
    body: Map<String, Value>,
    customs: &Customs,
    notes: &Notes,
) -> Result<Envelope, Refusal> {
    let body = attributes.data.unwrap_or(body);
    let is_segment = matches!(
        body.get("type").and_then(Value::as_str),
        Some("track" | "identify" | "page" | "screen" | "alias" | "group")
    );
    if body.get("batch").is_some_and(Value::is_array) {
        let detail = "a batch inside of a CloudEvent is not taken: send the batch itself, or a CloudEvent for each call";
        return Err(Refusal::new(FailedReason::UnsupportedCloudevent, detail));
    }
    let mut envelope = if is_segment {
        segment(body, customs, notes)?
    } else {
        let kind = attributes.kind.ok_or_else(|| {
            Refusal::new(
                FailedReason::MissingField,
                "a CloudEvent must have `ce_type`, or `type` in structured mode",
            )
        })?;
        let fields = Fields {
            map: &body,
            place: "",
            notes,
            customs,
        };
        Envelope {
            event: event_of(&kind).to_owned(),
            user_id: fields.text("userId").or_else(|| fields.text("user_id")),
            anonymous_id: fields
                .text("anonymousId")
                .or_else(|| fields.text("anonymous_id")),
            properties: body,
            ..Envelope::default()
        }
    };
    let mut own = Map::new();
    for (name, value) in [
        ("id", attributes.id),
        ("time", attributes.time),
        ("subject", attributes.subject),
    ] {
        own.extend(value.map(|value| (name.to_owned(), value)));
    }
    let own = Fields {
        map: &own,
        place: "",
        notes,
        customs,
    };
    envelope.message_id = envelope.message_id.or_else(|| own.text("id"));
    envelope.timestamp = envelope.timestamp.or_else(|| own.moment("time"));
    if envelope.user_id.is_none() && envelope.anonymous_id.is_none() {
        envelope.user_id = own.text("subject");
    }
    Ok(envelope)
}
