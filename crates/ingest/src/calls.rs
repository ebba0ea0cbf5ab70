//! A payload to the calls in it: lists and batches are taken apart, and each part is made calls of its own by the format of
//! its source.
//!
//! INV-8: a part stands alone, so that what is refused of a batch goes to `failed` and back without the rest. INV-12: a
//! record has at most [`MOST`] calls. Absent: what the fields of a call mean (see [`crate::decode`]).

use std::rc::Rc;

use serde_json::{Map, Value};
use winback_bus::Record;
use winback_contract::FailedReason;

use crate::fields::Refusal;
use crate::formats::{Call, Format, Shape, translate};

/// Most calls of one record.
pub const MOST: usize = 1_000;
/// So many times the largest record may be copied, where the calls of a batch have much in common.
const COPIED: usize = 8;

/// What all calls of a batch have in common, without the calls.
#[derive(Debug)]
pub struct Batch {
    /// The name of the list.
    name: &'static str,
    body: Map<String, Value>,
    /// How long it is, as JSON.
    bytes: usize,
}

/// A part of a payload.
#[derive(Debug)]
pub struct Part {
    /// It as it stands there, where the payload is a list or a batch.
    pub alone: Option<Value>,
    /// The batch it is of.
    pub batch: Option<Rc<Batch>>,
    /// What it says: one call mostly, none where it says nothing.
    pub calls: Result<Vec<Call>, Refusal>,
}

/// The parts of a record, in their order.
///
/// # Errors
/// `too_large` and `malformed_json`, about the whole record.
pub fn parts(record: &Record, max_bytes: usize, shape: &Shape) -> Result<Vec<Part>, Refusal> {
    let payload = record.value.as_deref().unwrap_or_default();
    if payload.is_empty() && shape.format != Format::Segment {
        // A tombstone: what its key named is deleted.
        return Ok(Vec::new());
    }
    if payload.len() > max_bytes {
        return Err(Refusal::new(
            FailedReason::TooLarge,
            format!("{} bytes, the limit is {max_bytes}", payload.len()),
        ));
    }
    let mut value: Value = serde_json::from_slice(payload).map_err(|error| {
        Refusal::new(
            FailedReason::MalformedJson,
            format!(
                "not JSON at line {} column {}",
                error.line(),
                error.column()
            ),
        )
    })?;
    if shape.format != Format::Debezium {
        value = unwrapped(value);
    }
    let (items, is_apart) = apart(value, shape.format)?;
    limited(items.len())?;
    // What a batch says of all is copied for each of its calls: that is bounded before it is done (INV-12).
    let batches = items.iter().filter_map(|(_, batch)| batch.as_ref());
    let copied: usize = batches.map(|batch| batch.bytes).sum();
    if copied > COPIED * max_bytes {
        return Err(Refusal::new(
            FailedReason::TooLarge,
            "a batch with so many calls has too much in common: send smaller batches",
        ));
    }
    let part = |(item, batch): (Value, Option<Rc<Batch>>)| {
        let alone = is_apart.then(|| item.clone());
        let whole = match &batch {
            Some(batch) => batch.with(item),
            None => item,
        };
        let calls = match whole {
            Value::Object(body) => translate(shape, record, body),
            _ => Err(Refusal::new(
                FailedReason::MalformedJson,
                "a call must be a JSON object",
            )),
        };
        Part {
            alone,
            batch,
            calls,
        }
    };
    let parts: Vec<Part> = items.into_iter().map(part).collect();
    let calls = parts.iter().flat_map(|part| part.calls.iter().flatten());
    limited(calls.count())?;
    Ok(parts)
}

/// The calls of a record one behind the other, for who does not put parts back.
///
/// # Errors
/// Those of [`parts`].
pub fn calls(
    record: &Record,
    max_bytes: usize,
    shape: &Shape,
) -> Result<Vec<Result<Call, Refusal>>, Refusal> {
    let mut all = Vec::new();
    for part in parts(record, max_bytes, shape)? {
        match part.calls {
            Ok(calls) => all.extend(calls.into_iter().map(Ok)),
            Err(refusal) => all.push(Err(refusal)),
        }
    }
    Ok(all)
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

/// JSON in a text, and the value beside its schema: as converters of Kafka Connect write what they are given.
fn unwrapped(value: Value) -> Value {
    let of_text = |text: &str| {
        let inner: Option<Value> = serde_json::from_str(text).ok();
        inner.filter(|inner| inner.is_object() || inner.is_array())
    };
    match value {
        Value::String(text) => of_text(&text).unwrap_or(Value::String(text)),
        Value::Object(mut body) if body.len() == 2 && body.contains_key("schema") => {
            // A change of a table is not what a row says.
            let is_change = body
                .get("payload")
                .is_some_and(|payload| payload.get("op").is_some());
            match body.remove("payload") {
                Some(Value::Object(payload)) if !is_change => Value::Object(payload),
                Some(Value::String(text)) if of_text(&text).is_some() => {
                    of_text(&text).unwrap_or_default()
                }
                payload => {
                    body.extend(payload.map(|payload| ("payload".to_owned(), payload)));
                    Value::Object(body)
                }
            }
        }
        other => other,
    }
}

type Items = Vec<(Value, Option<Rc<Batch>>)>;

/// What a payload holds, and whether it is more than one thing.
fn apart(value: Value, format: Format) -> Result<(Items, bool), Refusal> {
    match value {
        Value::Array(list) => {
            let mut all = Vec::new();
            for value in list {
                match value {
                    Value::Object(body) => all.extend(batch(body, format).0),
                    other => all.push((other, None)),
                }
                limited(all.len())?;
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

/// The calls of a batch: <https://segment.com/docs/connections/sources/catalog/libraries/server/http-api/#batch>.
fn batch(mut body: Map<String, Value>, format: Format) -> (Items, bool) {
    let name = match format {
        Format::Segment if !body.contains_key("event") => "batch",
        Format::Ga4 if !body.contains_key("event_name") => "events",
        _ => return (vec![(body.into(), None)], false),
    };
    match body.remove(name) {
        Some(Value::Array(list)) => {
            if name == "batch" {
                body.retain(|name, _| name == "context");
            }
            let bytes = serde_json::to_string(&body).map_or(0, |text| text.len());
            let batch = Rc::new(Batch { name, body, bytes });
            let items = list.into_iter();
            (
                items.map(|item| (item, Some(batch.clone()))).collect(),
                true,
            )
        }
        other => {
            body.extend(other.map(|other| (name.to_owned(), other)));
            (vec![(body.into(), None)], false)
        }
    }
}

impl Batch {
    /// A call with what its batch says of all, where it does not say otherwise.
    fn with(&self, item: Value) -> Value {
        match (item, self.name) {
            (Value::Object(mut call), "batch") => {
                if let Some(Value::Object(all)) = self.body.get("context") {
                    let own = call.entry("context").or_insert(Value::Null);
                    if own.is_null() {
                        *own = Value::Object(Map::new());
                    }
                    if let Value::Object(own) = own {
                        for (name, value) in all {
                            own.entry(name).or_insert_with(|| value.clone());
                        }
                    }
                }
                call.into()
            }
            (item @ Value::Object(_), _) => self.of(vec![item]),
            (other, _) => other,
        }
    }

    fn of(&self, items: Vec<Value>) -> Value {
        let mut body = self.body.clone();
        body.insert(self.name.into(), items.into());
        body.into()
    }
}

/// Parts as they can be sent again: each batch with those of its calls, and none longer than `most` if that can be.
pub fn again(parts: Vec<(Value, Option<Rc<Batch>>)>, most: usize) -> Vec<Value> {
    let mut groups: Vec<(Option<Rc<Batch>>, Vec<Value>, usize)> = Vec::new();
    for (item, batch) in parts {
        let length = item.to_string().len() + 1;
        let is_same = |known: &Option<Rc<Batch>>| match (known, &batch) {
            (Some(known), Some(batch)) => Rc::ptr_eq(known, batch),
            (None, None) => true,
            _ => false,
        };
        match groups.last_mut() {
            Some((known, items, size)) if is_same(known) && *size + length <= most => {
                items.push(item);
                *size += length;
            }
            _ => {
                // Beside it stand the name of the list, its brackets and quotes.
                let common = batch
                    .as_ref()
                    .map_or(2, |batch| batch.bytes + batch.name.len() + 6);
                groups.push((batch, vec![item], common + length));
            }
        }
    }
    let groups = groups.into_iter();
    groups
        .map(|(batch, items, _)| match batch {
            Some(batch) => batch.of(items),
            None => items.into(),
        })
        .collect()
}
