//! JSON Schemas (2020-12) of the public topics, generated from the types. `schemas/` holds their text; a
//! test fails when the two differ.

use schemars::generate::SchemaSettings;
use serde_json::{Value, json};

use crate::decision::Decision;
use crate::journey::JourneyRecord;
use crate::outcome::Outcome;
use crate::raw::RawMessage;
use crate::spec::{Field, FieldType, Need, PRODUCT_FIELDS};

/// Topic and schema of every public format, in the order of the documentation.
pub fn public() -> Vec<(&'static str, Value)> {
    vec![
        ("raw", raw()),
        (
            "decisions",
            generate::<Decision>("decisions", "A decision about due steps"),
        ),
        (
            "outcomes",
            generate::<Outcome>("outcomes", "What became of a message"),
        ),
        (
            "journeys",
            generate::<JourneyRecord>("journeys", "What happened to a journey"),
        ),
    ]
}

fn generate<T: schemars::JsonSchema>(topic: &str, title: &str) -> Value {
    let schema = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<T>();
    let mut value = schema.to_value();
    if let Some(object) = value.as_object_mut() {
        object.insert("$id".into(), json!(format!("urn:winback:{topic}:v1")));
        object.insert("title".into(), json!(title));
        object.insert("x-version".into(), json!(1));
    }
    value
}

/// The envelope, with the fields of every known event under `x-events` and as conditional parts.
fn raw() -> Value {
    let mut schema = generate::<RawMessage>("raw", "A storefront's record");
    let rules: Vec<Value> = crate::spec::events().filter(|spec| spec.name != "Identified").map(|spec| {
        let mut fields: Vec<Field> = spec.fields.to_vec();
        if spec.product {
            fields.extend(PRODUCT_FIELDS.iter().filter(|field| !spec.fields.iter().any(|own| own.name == field.name)));
        }
        json!({
            "if": { "properties": { "event": { "const": spec.name } }, "required": ["event"] },
            "then": { "properties": { "properties": object(&fields) }, "required": required_part(&fields) }
        })
    }).collect();
    if let Some(root) = schema.as_object_mut() {
        root.insert("allOf".into(), Value::Array(rules));
        root.insert("x-events".into(), Value::Array(crate::spec::events().map(|spec| {
            json!({ "name": spec.name, "aliases": spec.aliases, "role": spec.role })
        }).collect()));
    }
    schema
}

fn required_part(fields: &[Field]) -> Value {
    if fields.iter().any(|field| field.need == Need::Required) {
        json!(["properties"])
    } else {
        json!([])
    }
}

fn object(fields: &[Field]) -> Value {
    let required: Vec<&str> = fields
        .iter()
        .filter(|field| field.need == Need::Required)
        .map(|field| field.name)
        .collect();
    let properties: serde_json::Map<String, Value> = fields
        .iter()
        .map(|field| (field.name.to_owned(), type_of(field.kind)))
        .collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn type_of(kind: FieldType) -> Value {
    match kind {
        FieldType::Text => json!({ "type": ["string", "integer"] }),
        FieldType::Number => json!({ "type": ["number", "string"] }),
        FieldType::Amount => {
            json!({ "type": ["number", "string"], "description": "whole units of `currency`" })
        }
        FieldType::Bool => json!({ "type": "boolean" }),
        FieldType::Time => json!({ "type": "string", "format": "date-time" }),
        FieldType::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        FieldType::Products => json!({ "type": "array", "items": object(PRODUCT_FIELDS) }),
    }
}
