//! A payload to the calls in it: lists and batches are taken apart, and each part is made calls of its own by the format of
//! its source.
//!
//! INV-8: a part stands alone, so that what is refused of a batch goes to `failed` and back without the rest. INV-12: a
//! record has at most [`MOST`] calls. Absent: what the fields of a call mean (see [`crate::decode`]).

use serde_json::{Map, Value};
use winback_bus::Record;
use winback_contract::FailedReason;

use crate::fields::Refusal;
use crate::formats::{Call, Envelope, Format, Shape, translate};

/// Most calls of one record.
pub const MOST: usize = 1_000;

/// A part of a payload.
#[derive(Debug)]
pub struct Part {
    /// It by itself, where the payload is a list or a batch.
    pub alone: Option<Value>,
    /// What it says: one call mostly, none where it says nothing.
    pub calls: Result<Vec<Call>, Refusal>,
}

impl Envelope for Record {
    fn header(&self, name: &str) -> Option<&str> {
        Record::header(self, name)
    }

    fn headers(&self) -> Vec<(&str, &str)> {
        let headers = self.headers.iter();
        headers
            .filter_map(|(name, value)| Some((name.as_str(), std::str::from_utf8(value).ok()?)))
            .collect()
    }

    fn key(&self) -> Option<&str> {
        std::str::from_utf8(&self.key).ok()
    }
}

/// The parts of a record, in their order.
///
/// # Errors
/// `too_large` and `malformed_json`, about the whole record.
pub fn parts(record: &Record, max_bytes: usize, shape: &Shape) -> Result<Vec<Part>, Refusal> {
    let payload = record.value.as_deref().unwrap_or_default();
    if payload.is_empty() && shape.format == Format::Debezium {
        // A tombstone behind a row that was deleted.
        return Ok(Vec::new());
    }
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
    let (list, is_apart) = apart(value, shape.format)?;
    limited(list.len())?;
    let part = |value: Value| {
        let alone = is_apart.then(|| value.clone());
        let calls = match value {
            Value::Object(body) => translate(shape, record, body),
            _ => Err(Refusal::new(
                FailedReason::MalformedJson,
                "a call must be a JSON object",
            )),
        };
        Part { alone, calls }
    };
    let parts: Vec<Part> = list.into_iter().map(part).collect();
    let calls = parts.iter().flat_map(|part| part.calls.iter().flatten());
    limited(calls.count())?;
    Ok(parts)
}

fn limited(calls: usize) -> Result<(), Refusal> {
    if calls <= MOST {
        return Ok(());
    }
    Err(Refusal::new(
        FailedReason::TooLarge,
        format!("{calls} calls in one record, the limit is {MOST}"),
    ))
}

/// What a payload holds, and whether it is more than one thing.
fn apart(value: Value, format: Format) -> Result<(Vec<Value>, bool), Refusal> {
    match value {
        Value::Array(list) => {
            let mut all = Vec::new();
            for value in list {
                match value {
                    Value::Object(body) => all.extend(batch(body, format).0),
                    other => all.push(other),
                }
            }
            Ok((all, true))
        }
        Value::Object(body) => Ok(batch(body, format)),
        _ => Err(Refusal::new(
            FailedReason::MalformedJson,
            "the record must be a JSON object, or a list of them",
        )),
    }
}

/// The calls of a batch, each with what the batch says of all: <https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/#batch>.
fn batch(mut body: Map<String, Value>, format: Format) -> (Vec<Value>, bool) {
    let name = match format {
        Format::Segment if !body.contains_key("event") => "batch",
        Format::Ga4 if !body.contains_key("event_name") => "events",
        _ => return (vec![body.into()], false),
    };
    match body.remove(name) {
        Some(Value::Array(list)) => {
            let one = |value: Value| match (value, format) {
                (Value::Object(call), Format::Segment) => under(call, &body),
                (value, Format::Ga4) => {
                    let mut alone = body.clone();
                    alone.insert(name.into(), Value::Array(vec![value]));
                    alone.into()
                }
                (value, _) => value,
            };
            (list.into_iter().map(one).collect(), true)
        }
        other => {
            body.extend(other.map(|other| (name.to_owned(), other)));
            (vec![body.into()], false)
        }
    }
}

/// A call with the context of its batch, where it does not say otherwise.
fn under(mut call: Map<String, Value>, batch: &Map<String, Value>) -> Value {
    if let Some(Value::Object(all)) = batch.get("context") {
        let own = call.entry("context").or_insert_with(|| Map::new().into());
        if let Value::Object(own) = own {
            for (name, value) in all {
                own.entry(name).or_insert_with(|| value.clone());
            }
        }
    }
    call.into()
}
