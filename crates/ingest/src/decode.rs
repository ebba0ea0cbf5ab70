//! Bytes to an envelope: Segment's JSON, or CloudEvents in binary mode around it.

use serde_json::{Map, Value};
use winback_bus::Record;
use winback_contract::{FailedReason, Timestamp};

use crate::cloudevents;
use crate::customs::Customs;
use crate::fields::{Fields, Refusal};
use crate::formats::{Call, Format};
use crate::notes::{Notes, Why};
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
    /// `email` and `phone` that its format knows to be the customer's, whatever the event.
    pub addresses: Map<String, Value>,
    /// Locale and zone of the device.
    pub context: Map<String, Value>,
    /// Whether the customer was not there: `context.active` is false, or a server called.
    pub passive: bool,
}

/// Reads a call of a record.
///
/// # Errors
/// [`Refusal`] with a stable reason.
pub fn decode(
    record: &Record,
    call: Call,
    format: Format,
    customs: &Customs,
    notes: &Notes,
) -> Result<Envelope, Refusal> {
    let Call {
        body,
        addresses,
        faults,
        refusal,
        ..
    } = call;
    if let Some(refusal) = refusal {
        return Err(refusal);
    }
    for field in faults {
        notes.add(field, Why::Unreadable);
    }
    let attributes = match format {
        Format::Segment | Format::Cloudevents => cloudevents::attributes(record, &body)?,
        _ => None,
    };
    let mut envelope = match attributes {
        Some(attributes) => cloudevents::envelope(attributes, body, customs, notes)?,
        None if format == Format::Cloudevents => {
            return Err(Refusal::new(
                FailedReason::UnsupportedCloudevent,
                "a CloudEvent must have `specversion`, in its headers or in its body",
            ));
        }
        None => segment(body, customs, notes)?,
    };
    envelope.addresses = addresses;
    Ok(envelope)
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
        addresses: Map::new(),
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
        "`batch` must be a list of calls"
    } else if has(&["line_items", "financial_status"])
        || has(&["line_items", "admin_graphql_api_id"])
    {
        "this is an order or a checkout of Shopify: set `format: shopify` for its source, see docs/storefront/from-your-shop.md"
    } else if has(&["line_items", "billing"]) {
        "this is an order of WooCommerce: set `format: woocommerce` for its source, see docs/storefront/from-your-shop.md"
    } else if has(&["event_name", "event_params"]) {
        "this is a row of GA4's export: set `format: ga4` for its source, see docs/storefront/from-your-shop.md"
    } else if has(&["client_id", "events"]) {
        "this is a payload of GA4's Measurement Protocol: set `format: ga4` for its source, see docs/storefront/from-your-shop.md"
    } else if has(&["after", "op"]) || has(&["payload", "schema"]) || has(&["__op"]) {
        "this is a change of a table told by Debezium: set `format: debezium` for its source, see docs/storefront/from-your-shop.md"
    } else {
        "a track call must have `event`; a record of another shape needs `format: map` for its source, see docs/storefront/from-your-shop.md"
    }
}
