//! Everything else that an event says: first the fields of its own table, each in the type that the table gives it, then
//! what the shop adds, as many as there is room for (INV-12).

use std::collections::BTreeMap;

use serde_json::{Number, Value};
use winback_contract::spec::{EventSpec, FieldType};

use crate::fields::Fields;
use crate::notes::Why;
use crate::own;

/// Most fields of the shop's own.
const OWN: usize = 32;

/// Fields with a place of their own in the event.
const PLACED: &[&str] = &[
    "cart_id",
    "order_id",
    "checkout_id",
    "products",
    "total",
    "revenue",
    "value",
    "amount",
    "currency",
    "url",
    "checkout_url",
    "email",
    "phone",
];
/// Fields of a product, which have their place where the event is one.
const OF_PRODUCT: &[&str] = &[
    "product_id",
    "name",
    "category",
    "price",
    "quantity",
    "image_url",
    "in_stock",
];
/// What a consent says has its own place; an order has a status too.
const OF_CONSENT: &[&str] = &["channel", "status", "topic"];

/// The rest.
pub(crate) fn extras(known: Option<&EventSpec>, fields: &Fields<'_>) -> BTreeMap<String, Value> {
    let is_product = known.is_some_and(|spec| spec.product);
    let is_consent = known.is_some_and(|spec| spec.name == "Consent Updated");
    let has_place = |name: &str| {
        PLACED.contains(&name)
            || is_product && OF_PRODUCT.contains(&name)
            || is_consent && OF_CONSENT.contains(&name)
    };
    let mut kept = BTreeMap::new();
    let table = known.map_or(&[][..], |spec| spec.fields);
    for field in table.iter().filter(|field| !has_place(field.name)) {
        if let Some(value) = typed(field.kind, field.name, fields) {
            kept.insert(field.name.to_owned(), value);
        }
    }
    let mut count = 0;
    for (name, value) in own::in_order(fields.map) {
        let is_of_table = table.iter().any(|field| field.name == name);
        if has_place(name) || is_of_table || name.len() > 64 {
            continue;
        }
        let (value, is_cut) = own::own(value);
        let Some(value) = value else { continue };
        if count == OWN {
            fields.note(name, Why::TooMany);
            break;
        }
        if is_cut {
            fields.note(name, Why::TooMany);
        }
        count += 1;
        kept.insert(name.clone(), value);
    }
    kept
}

/// A field in its type; what can't be read in it is left out.
fn typed(kind: FieldType, name: &str, fields: &Fields<'_>) -> Option<Value> {
    match kind {
        FieldType::Text => fields.text(name).map(Value::String),
        FieldType::Number | FieldType::Amount => {
            Number::from_f64(fields.number(name)?).map(|number| whole(&number))
        }
        FieldType::Bool => fields.flag(name).map(Value::Bool),
        FieldType::Time => fields.moment(name).map(|at| Value::String(at.to_string())),
        // Codes are looked at one by one where they are dealt out.
        FieldType::Texts => fields
            .list(name)
            .map(|list| Value::Array(list.into_owned())),
        FieldType::Products => None,
    }
}

/// A whole number is written as one.
fn whole(number: &Number) -> Value {
    match number.as_f64() {
        Some(float) if float.fract() == 0.0 && float.abs() < 9e15 => Value::from(float as i64),
        _ => Value::Number(number.clone()),
    }
}
