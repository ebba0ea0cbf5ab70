//! Changes of a table as Debezium tells them: what a row is after its change, or the payload in it where the table is an
//! outbox. What is deleted says nothing.
//!
//! Source: <https://debezium.io/documentation/reference/stable/transformations/outbox-event-router.html>.

use std::borrow::Cow;

use serde_json::{Map, Value, json};
use winback_bus::Record;
use winback_contract::{EventId, FailedReason};

use super::{Call, Format, Shape, first, get, inner, translate};
use crate::fields::Refusal;

/// See [`translate`].
pub(super) fn calls(
    shape: &Shape,
    record: &Record,
    body: Map<String, Value>,
) -> Result<Vec<Call>, Refusal> {
    // With schemas, the change is beside its schema.
    let change = match body.get("payload") {
        Some(Value::Object(change)) if body.contains_key("schema") => change,
        _ => &body,
    };
    let Some(row) = row_of(change)? else {
        return Ok(Vec::new());
    };
    let inside = Shape {
        format: shape.rows,
        rows: Format::Segment,
        mapping: shape.mapping.clone(),
    };
    if inside.format == Format::Debezium {
        return Err(Refusal::new(
            FailedReason::UnsupportedCall,
            "debezium: its `rows` can't be debezium themselves",
        ));
    }
    let payload = payload_of(&row, inside.format);
    let mut calls = translate(&inside, record, payload)?;
    // A snapshot is of now; what it tells is not.
    let is_snapshot = ["op", "__op"]
        .iter()
        .any(|op| get(change, op) == json!("r"));
    let at = first([inner(change, "source", "ts_ms"), get(change, "__ts_ms")]);
    let place = (!is_snapshot).then(|| place(change, &row)).flatten();
    for (index, call) in calls.iter_mut().enumerate() {
        if !is_snapshot && !at.is_null() && absent(&call.body, &["timestamp", "originalTimestamp"])
        {
            call.body.insert("timestamp".into(), at.clone());
        }
        if let Some(place) = &place
            && absent(&call.body, &["messageId"])
        {
            let id = EventId::of_message_id(&format!("{place}#{index}"));
            call.body
                .insert("messageId".into(), json!(format!("debezium:{id}")));
        }
    }
    Ok(calls)
}

/// Where a change stands in the database's log, and what it says: it stays when the change is told again, also by a newer
/// connector, and two rows of one statement are two.
fn place(change: &Map<String, Value>, row: &Map<String, Value>) -> Option<String> {
    let source = change.get("source")?.as_object()?;
    let fields = [
        "connector",
        "name",
        "db",
        "schema",
        "table",
        "collection",
        "lsn",
        "file",
        "pos",
        "row",
        "scn",
        "ord",
    ];
    let place: Vec<String> = fields
        .iter()
        .map(|name| get(source, name).to_string())
        .collect();
    let row = Value::from(row.clone());
    Some(format!("{}|{}|{row}", place.join("|"), get(change, "op")))
}

/// The row after its change; none where nothing is left of it, and for what Debezium tells of itself.
fn row_of(change: &Map<String, Value>) -> Result<Option<Cow<'_, Map<String, Value>>>, Refusal> {
    let has = |name: &str| change.contains_key(name);
    if has("op") {
        let is_left = ["c", "u", "r"]
            .iter()
            .any(|op| get(change, "op") == json!(op));
        return match change.get("after") {
            Some(Value::Object(row)) => Ok(Some(Cow::Borrowed(row))),
            // MongoDB writes a document as JSON in a text.
            Some(Value::String(text)) => match serde_json::from_str(text) {
                Ok(Value::Object(row)) => Ok(Some(Cow::Owned(row))),
                _ => Err(unread()),
            },
            _ if !is_left => Ok(None),
            _ => Err(unread()),
        };
    }
    // Rows alone, as `ExtractNewRecordState` leaves them.
    if has("__op") || has("__deleted") {
        let word = get(change, "__deleted");
        let is_deleted = word == json!(true) || word == json!("true");
        return Ok((!is_deleted).then_some(Cow::Borrowed(change)));
    }
    let is_heartbeat = change.keys().all(|key| key == "ts_ms");
    let is_of_a_transaction = has("status") && has("event_count");
    if is_heartbeat || is_of_a_transaction || has("ddl") {
        return Ok(None);
    }
    Err(Refusal::new(
        FailedReason::MissingField,
        "debezium: a change must have `op` and `after`, or be a row with `__op`; where the connector already unwraps the \
         payload, set the format of the payload",
    ))
}

fn unread() -> Refusal {
    Refusal::new(
        FailedReason::WrongType,
        "debezium: `after` must be a map, or a document as JSON: the whole row, not what changed of it alone",
    )
}

fn absent(body: &Map<String, Value>, names: &[&str]) -> bool {
    names
        .iter()
        .all(|name| body.get(*name).is_none_or(Value::is_null))
}

/// What a row says: its `payload` where it is one of an outbox, with its id for a payload that has none; else its columns.
fn payload_of(row: &Map<String, Value>, format: Format) -> Map<String, Value> {
    let is_outbox = row.contains_key("aggregateid") || row.contains_key("aggregatetype");
    let is_call =
        format == Format::Segment && !row.contains_key("event") && !row.contains_key("type");
    let payload = match row.get("payload") {
        _ if !is_outbox && !is_call => None,
        Some(Value::Object(payload)) => Some(payload.clone()),
        Some(Value::String(text)) => serde_json::from_str(text).ok(),
        _ => None,
    };
    let Some(mut payload) = payload else {
        return row.clone();
    };
    if is_outbox && absent(&payload, &["messageId"]) && format == Format::Segment {
        payload.insert("messageId".into(), get(row, "id"));
    }
    payload.retain(|_, value| !value.is_null());
    payload
}
