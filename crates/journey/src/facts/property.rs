//! Properties of an event by name, and lines of products as conditions see them.

use serde_json::Value;
use winback_contract::{Event, Timestamp};

use crate::customer::{Details, Line};
use crate::state::Field;

/// The line of a product map of CEL.
pub(crate) fn line(value: &cel::Value) -> Option<Line> {
    let cel::Value::Map(map) = value else {
        return None;
    };
    let text = |name: &str| match map.get(&cel::objects::Key::from(name)) {
        Some(cel::Value::String(text)) => Some(text.to_string()),
        _ => None,
    };
    Some(Line {
        product_id: text("product_id")?,
        name: text("name"),
        category: text("category"),
        price: None,
        quantity: 1,
        url: text("url"),
        image_url: text("image_url"),
        details: details(map).map(Box::new),
    })
}

fn details(map: &cel::objects::Map) -> Option<Details> {
    let get = |name: &str| map.get(&cel::objects::Key::from(name));
    let text = |name: &str| match get(name) {
        Some(cel::Value::String(text)) => Some(text.to_string()),
        _ => None,
    };
    let mut fields = Vec::new();
    if let Some(cel::Value::Map(own)) = get("fields") {
        for (name, value) in own.map.iter() {
            let field = value.json().ok().and_then(|value| Field::of(&value));
            fields.extend(field.map(|field| (name.to_string(), field)));
        }
        // The order of a map is chance.
        fields.sort_by(|one: &(String, Field), other| one.0.cmp(&other.0));
    }
    let details = Details {
        variant: text("variant"),
        sku: text("sku"),
        brand: text("brand"),
        fields,
    };
    (details != Details::default()).then_some(details)
}

/// A text among the properties of an event.
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "another library's enum: what it adds is none of ours"
)]
pub(crate) fn text(event: &Event, name: &str) -> Option<String> {
    match event.properties.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A number among them; numeric text is taken too.
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "another library's enum: what it adds is none of ours"
)]
pub(crate) fn number(event: &Event, name: &str) -> Option<f64> {
    match event.properties.get(name)? {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text
            .trim()
            .parse()
            .ok()
            .filter(|number: &f64| number.is_finite()),
        _ => None,
    }
}

/// A moment among them.
pub(crate) fn moment(event: &Event, name: &str) -> Option<Timestamp> {
    text(event, name).and_then(|text| Timestamp::parse(&text).ok())
}
