//! The JSON Schema of campaign files, made of the types that read them: for editors that complete and underline.
//!
//! It knows shapes, not meanings: names that must exist, conditions and durations are for `winback check`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::campaign::CampaignFile;
use super::policy::{CalendarPart, Consent, PolicyFile, SettingPart};
use super::values::{OneOrMany, PatternMap, Patterns, StructOrList};

/// Kinds of files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `campaign.yaml`.
    Campaign,
    /// `policy.yaml`.
    Policy,
}

/// Of the start words exactly one is present in a start (ADR 0014).
const START_WORDS: [&str; 6] = ["on", "silence", "date", "schedule", "ended", "product"];
/// Of the entry words exactly one in an entry.
const ENTRY_WORDS: [&str; 7] = ["step", "wait", "until", "await", "if", "split", "end"];

/// The schema of a kind of file (JSON Schema 2020-12).
pub fn of(kind: Kind) -> Value {
    let schema = match kind {
        Kind::Campaign => schemars::schema_for!(CampaignFile),
        Kind::Policy => schemars::schema_for!(PolicyFile),
    };
    let mut schema = schema.to_value();
    for (part, words) in [("Start", &START_WORDS[..]), ("EntryPart", &ENTRY_WORDS[..])] {
        if let Some(part) = schema
            .get_mut("$defs")
            .and_then(|parts| parts.get_mut(part))
        {
            let one: Vec<Value> = words
                .iter()
                .map(|word| json!({ "required": [word] }))
                .collect();
            part["oneOf"] = Value::Array(one);
        }
    }
    schema
}

impl JsonSchema for OneOrMany {
    fn schema_name() -> Cow<'static, str> {
        "OneOrMany".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // Days of a month are written without quotes.
        let word = json!({ "type": ["string", "integer"] });
        json_schema!({ "oneOf": [word, { "type": "array", "items": word }] })
    }
}

impl<T: JsonSchema> JsonSchema for StructOrList<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}OrList", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one = generator.subschema_for::<T>();
        json_schema!({ "oneOf": [one, { "type": "array", "items": one }] })
    }
}

impl JsonSchema for Patterns {
    fn schema_name() -> Cow<'static, str> {
        "Patterns".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let map = generator.subschema_for::<PatternMap>();
        let one = json!({ "anyOf": [{ "type": "string" }, map] });
        json_schema!({ "anyOf": [{ "type": "string" }, map, { "type": "array", "items": one }] })
    }
}

impl JsonSchema for SettingPart {
    fn schema_name() -> Cow<'static, str> {
        "Setting".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["number", "string"] })
    }
}

impl JsonSchema for Consent {
    fn schema_name() -> Cow<'static, str> {
        "Consent".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let word = json!({ "enum": ["granted", "not_denied"] });
        json_schema!({ "oneOf": [word, { "type": "object", "additionalProperties": word }] })
    }
}

impl JsonSchema for CalendarPart {
    fn schema_name() -> Cow<'static, str> {
        "CalendarPart".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "oneOf": [
            { "type": "array", "items": { "type": "string" } },
            {
                "type": "object",
                "properties": { "from": { "type": "string" }, "to": { "type": "string" } },
                "required": ["from", "to"],
                "additionalProperties": false,
            },
        ] })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
#[path = "schema_tests.rs"]
mod tests;
