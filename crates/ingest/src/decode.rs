//! Bytes to an envelope: Segment's JSON, or CloudEvents in binary mode around it.

use serde_json::{Map, Value};
use winback_bus::Record;
use winback_contract::{FailedReason, Timestamp};

use crate::cloudevents;
use crate::customs::Customs;
use crate::fields::{Fields, Refusal};
use crate::formats::{Format, translate};
use crate::notes::Notes;
use crate::values::Read;
use crate::values::flag::flag;

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
    /// When it happened, as it was read.
    pub timestamp: Option<Timestamp>,
    /// What it is about.
    pub properties: Map<String, Value>,
    /// About the person.
    pub traits: Map<String, Value>,
    /// Whether the call was identify: only then are traits' addresses identifiers.
    pub identify: bool,
    /// Locale and zone of the device.
    pub context: Map<String, Value>,
    /// Whether the customer was not there: `context.active` is false, or a server called.
    pub passive: bool,
}

/// Reads a record.
///
/// # Errors
/// [`Refusal`] with a stable reason.
pub fn decode(
    record: &Record,
    max_bytes: usize,
    format: Format,
    customs: &Customs,
    notes: &Notes,
) -> Result<Envelope, Refusal> {
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
    if format != Format::Segment {
        let call = translate(format, |name| record.header(name), body)?;
        return segment(call, customs, notes);
    }
    match cloudevents::attributes(record, &body)? {
        Some(attributes) => cloudevents::envelope(attributes, body, customs, notes),
        None => segment(body, customs, notes),
    }
}

/// Segment's own shape.
pub(crate) fn segment(
    mut body: Map<String, Value>,
    customs: &Customs,
    notes: &Notes,
) -> Result<Envelope, Refusal> {
    let fields = Fields {
        map: &body,
        place: "",
        notes,
        customs,
    };
    let call = fields
        .text("type")
        .unwrap_or_else(|| "track".into())
        .to_lowercase();
    let event = match call.as_str() {
        "track" => fields
            .text("event")
            .ok_or_else(|| Refusal::new(FailedReason::MissingField, elsewhere(&body)))?,
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
    let timestamp = match body.get("timestamp") {
        None | Some(Value::Null) => fields.moment("originalTimestamp"),
        Some(_) => fields.moment("timestamp"),
    };
    let context = fields.inner("context").into_owned();
    let traits = match body.get("traits") {
        None | Some(Value::Null) => {
            let of_context = Fields {
                map: &context,
                place: "context.",
                ..fields
            };
            of_context.inner("traits").into_owned()
        }
        Some(_) => fields.inner("traits").into_owned(),
    };
    let by_server = fields
        .text("channel")
        .is_some_and(|channel| channel == "server");
    let is_away = context
        .get("active")
        .is_some_and(|active| flag(Some(active)) == Read::Is(false));
    let mut envelope = Envelope {
        message_id: fields.text("messageId"),
        user_id: fields.text("userId"),
        anonymous_id: fields.text("anonymousId"),
        timestamp,
        identify: call == "identify",
        properties: Map::new(),
        traits,
        passive: by_server || is_away,
        context,
        event,
    };
    // They are most of a record: moved where they are a map, read where they stand for one.
    envelope.properties = match body.get_mut("properties") {
        Some(Value::Object(properties)) => std::mem::take(properties),
        _ => Fields {
            map: &body,
            place: "",
            notes,
            customs,
        }
        .inner("properties")
        .into_owned(),
    };
    Ok(envelope)
}

/// What a record without an event's name looks like, and what to do with it.
fn elsewhere(body: &Map<String, Value>) -> &'static str {
    let has = |names: &[&str]| names.iter().all(|name| body.contains_key(*name));
    if has(&["batch"]) {
        "this is a batch of Segment: send its calls one by one"
    } else if has(&["line_items", "financial_status"])
        || has(&["line_items", "admin_graphql_api_id"])
    {
        "this is an order or a checkout of Shopify: set `format: shopify` for its source, see docs/events.md"
    } else if has(&["line_items", "billing"]) {
        "this is an order of WooCommerce: set `format: woocommerce` for its source, see docs/events.md"
    } else if has(&["event_name", "event_params"]) {
        "this is a row of GA4's export: map it to a track call, see docs/events.md"
    } else if has(&["before", "after", "op"]) || has(&["payload", "schema"]) {
        "this is a change of a table told by Debezium: map it to a track call, see docs/events.md"
    } else {
        "a track call must have `event`"
    }
}
