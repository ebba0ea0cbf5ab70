//! Google Analytics 4: rows of its export to `BigQuery`, and payloads of its Measurement Protocol (taken apart before).
//!
//! Its names and parameters are aliases of the contract; here stands where they lie.

use serde_json::{Map, Value, json};
use winback_contract::FailedReason;

use super::{first, get, inner};
use crate::fields::Refusal;

/// The call of a row, or of a payload with one event.
pub(super) fn call(body: &Map<String, Value>) -> Result<Value, Refusal> {
    if let Some(Value::Array(events)) = body.get("events") {
        return Ok(measured(body, events.first().unwrap_or(&Value::Null)));
    }
    let name = get(body, "event_name");
    if name.is_null() {
        return Err(Refusal::new(
            FailedReason::MissingField,
            "ga4: a row of the export must have `event_name`, a payload of the Measurement Protocol `events`",
        ));
    }
    let mut properties = values(body.get("event_params"));
    let ecommerce = body.get("ecommerce").and_then(Value::as_object);
    for (name, value) in ecommerce.into_iter().flatten() {
        let named = match name.as_str() {
            "purchase_revenue" => "value",
            "refund_value" => "total",
            name => name,
        };
        if is_set(value) {
            properties
                .entry(named.to_owned())
                .or_insert_with(|| value.clone());
        }
    }
    properties.insert("items".into(), items(body.get("items")));
    Ok(json!({
        "type": "track",
        "event": name,
        "userId": get(body, "user_id"),
        "anonymousId": get(body, "user_pseudo_id"),
        "timestamp": millis(&get(body, "event_timestamp")),
        "properties": properties,
        "traits": values(body.get("user_properties")),
        "context": { "locale": first([inner(body, "device", "language")]) },
    }))
}

/// An event of the Measurement Protocol: <https://developers.google.com/analytics/devguides/collection/protocol/ga4>.
fn measured(body: &Map<String, Value>, event: &Value) -> Value {
    let mut properties = event.get("params").cloned().unwrap_or_default();
    if let Value::Object(properties) = &mut properties {
        let items = items(properties.get("items"));
        properties.insert("items".into(), items);
    }
    let moment = first([
        event.get("timestamp_micros").cloned().unwrap_or_default(),
        get(body, "timestamp_micros"),
    ]);
    json!({
        "type": "track",
        "event": event.get("name").cloned().unwrap_or_default(),
        "userId": get(body, "user_id"),
        "anonymousId": first([get(body, "client_id"), get(body, "app_instance_id")]),
        "timestamp": millis(&moment),
        "properties": properties,
        "traits": values(body.get("user_properties")),
    })
}

/// The export writes a word where nothing is.
fn is_set(value: &Value) -> bool {
    !value.is_null() && value.as_str() != Some("(not set)")
}

/// Microseconds as milliseconds; anything else as it is.
fn millis(micros: &Value) -> Value {
    let number = micros.as_f64();
    let number = number.or_else(|| micros.as_str()?.trim().parse().ok());
    let millis = number.filter(|micros: &f64| micros.is_finite() && micros.abs() < 9e18);
    // A double has 53 bits: enough for microseconds until the year 2255.
    millis.map_or_else(
        || micros.clone(),
        |micros| json!((micros / 1_000.0).floor() as i64),
    )
}

/// A list of `{key, value: {string_value, …}}`, or a map, as a map.
fn values(list: Option<&Value>) -> Map<String, Value> {
    let value = |value: &Value| match value {
        Value::Object(kinds) => {
            let kinds = kinds.iter().filter(|(kind, _)| kind.ends_with("value"));
            first(kinds.map(|(_, value)| value.clone()))
        }
        other => other.clone(),
    };
    match list {
        Some(Value::Array(pairs)) => pairs
            .iter()
            .filter_map(|pair| {
                let key = pair.get("key")?.as_str()?;
                let value = Some(value(pair.get("value")?)).filter(is_set)?;
                Some((key.to_owned(), value))
            })
            .collect(),
        Some(Value::Object(map)) => map
            .iter()
            .map(|(key, one)| (key.clone(), value(one)))
            .collect(),
        _ => Map::new(),
    }
}

/// Items without what the export writes where nothing is.
fn items(list: Option<&Value>) -> Value {
    let Some(Value::Array(list)) = list else {
        return list.cloned().unwrap_or_default();
    };
    let item = |item: &Value| match item {
        Value::Object(item) => {
            let set = item.iter().filter(|(_, value)| is_set(value));
            set.map(|(name, value)| (name.clone(), value.clone()))
                .collect()
        }
        other => other.clone(),
    };
    list.iter().map(item).collect()
}
