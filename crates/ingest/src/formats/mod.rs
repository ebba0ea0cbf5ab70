//! Shapes of other systems, made into calls of Segment before anything is read: what their fields mean is said here, how
//! values look is not.
//!
//! Which shape a source has is its config's word, never a guess. What has no meaning here is refused with what to do.
//! Absent: taking lists and batches apart (see [`crate::calls`]).

mod debezium;
mod ga4;
pub mod mapping;
mod shopify;
mod woocommerce;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use winback_bus::Record;
use winback_contract::FailedReason;

use crate::fields::Refusal;
use mapping::Mapping;

/// The shape of a source's records.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Calls of Segment, batches of them, and CloudEvents around them: <https://segment.com/docs/connections/spec/>.
    #[default]
    Segment,
    /// CloudEvents alone: a record that is none is refused: <https://github.com/cloudevents/spec>.
    Cloudevents,
    /// Rows of GA4's export to `BigQuery`, and payloads of its Measurement Protocol:
    /// <https://support.google.com/analytics/answer/7029846>.
    Ga4,
    /// Payloads of Shopify's webhooks: <https://shopify.dev/docs/api/webhooks>.
    Shopify,
    /// Payloads of `WooCommerce`'s webhooks: <https://woocommerce.github.io/woocommerce-rest-api-docs/#webhooks>.
    Woocommerce,
    /// Changes of a table as Debezium tells them, around any of the others:
    /// <https://debezium.io/documentation/reference/stable/connectors/postgresql.html>.
    Debezium,
    /// Any JSON, by a file that says what it means.
    Map,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Segment,
        Self::Cloudevents,
        Self::Ga4,
        Self::Shopify,
        Self::Woocommerce,
        Self::Debezium,
        Self::Map,
    ];

    /// Its name in config and on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Segment => "segment",
            Self::Cloudevents => "cloudevents",
            Self::Ga4 => "ga4",
            Self::Shopify => "shopify",
            Self::Woocommerce => "woocommerce",
            Self::Debezium => "debezium",
            Self::Map => "map",
        }
    }

    /// The header that names what a payload is about, in any case of letters.
    const fn topic(self) -> Option<&'static str> {
        match self {
            Self::Shopify => Some("x-shopify-topic"),
            Self::Woocommerce => Some("x-wc-webhook-topic"),
            _ => None,
        }
    }

    /// The header with an id that a delivery keeps when it is repeated. That of `WooCommerce` is of a second, not of a payload.
    pub(crate) const fn delivery(self) -> Option<&'static str> {
        match self {
            Self::Shopify => Some("x-shopify-webhook-id"),
            _ => None,
        }
    }
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|format| format.word() == word);
        known.ok_or_else(|| {
            let words = Self::ALL.map(Self::word);
            format!("formats are {}", words.join(", "))
        })
    }
}

/// All that says what the records of a source mean.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    /// What they look like.
    pub format: Format,
    /// What the rows in them look like, where they are changes of a table.
    pub rows: Format,
    /// What the file says, where there is one.
    pub mapping: Option<Arc<Mapping>>,
}

impl From<Format> for Shape {
    fn from(format: Format) -> Self {
        Self {
            format,
            ..Self::default()
        }
    }
}

/// A call of Segment, and what a format knows of the person beside it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Call {
    /// The call.
    pub body: Map<String, Value>,
    /// `email` and `phone` that the event is about, whatever its name.
    pub addresses: Map<String, Value>,
    /// Names of what could not be computed.
    pub faults: Vec<String>,
    /// Why it can't be taken, where its format knows.
    pub refusal: Option<Refusal>,
}

impl From<Map<String, Value>> for Call {
    fn from(body: Map<String, Value>) -> Self {
        Self {
            body,
            ..Self::default()
        }
    }
}

/// The calls that a payload is: one mostly, none where it says nothing.
///
/// # Errors
/// `unsupported_call` where it means nothing to winback, `missing_field` where it can't be told what it is.
pub(crate) fn translate(
    shape: &Shape,
    record: &Record,
    body: Map<String, Value>,
) -> Result<Vec<Call>, Refusal> {
    let format = shape.format;
    let topic = format.topic().and_then(|name| record.header(name));
    let call = match format {
        Format::Segment | Format::Cloudevents => return Ok(vec![body.into()]),
        Format::Debezium => return debezium::calls(shape, record, body),
        Format::Map => {
            let mapping = shape.mapping.as_ref().ok_or_else(|| {
                unsupported(
                    format.word(),
                    "its file is missing: name it in `map` of the source",
                )
            })?;
            return Ok(mapping.calls(record, body));
        }
        Format::Ga4 => ga4::call(&body)?,
        Format::Shopify => shopify::call(topic, &body)?,
        Format::Woocommerce => woocommerce::call(topic, &body)?,
    };
    let Value::Object(mut call) = call else {
        return Err(unsupported(format.word(), "this is no call"));
    };
    if let Some(id) = format.delivery().and_then(|name| record.header(name)) {
        call.insert("messageId".into(), json!(id));
    }
    call.retain(|_, value| !value.is_null());
    Ok(vec![call.into()])
}

fn unsupported(format: &str, what: &str) -> Refusal {
    Refusal::new(FailedReason::UnsupportedCall, format!("{format}: {what}"))
}

/// A field of a payload; null where it is not.
fn get(map: &Map<String, Value>, name: &str) -> Value {
    map.get(name).cloned().unwrap_or_default()
}

/// A field of an inner map.
fn inner(map: &Map<String, Value>, outer: &str, name: &str) -> Value {
    map.get(outer)
        .and_then(|outer| outer.get(name))
        .cloned()
        .unwrap_or_default()
}

/// The first of the codes that an order was paid with.
fn code_of(body: &Map<String, Value>, field: &str) -> Value {
    let first = body.get(field).and_then(|codes| codes.get(0));
    let code = first.and_then(|first| first.get("code"));
    code.cloned().unwrap_or_default()
}

/// The products of a payload. What is no list, or no map in it, is left to the reader of lines.
fn lines(body: &Map<String, Value>, of: impl Fn(&Map<String, Value>) -> Value) -> Value {
    let line = |line: &Value| match line {
        Value::Object(line) => of(line),
        other => other.clone(),
    };
    match body.get("line_items") {
        Some(Value::Array(lines)) => lines.iter().map(line).collect(),
        _ => get(body, "line_items"),
    }
}

/// The first that is something.
fn first(values: impl IntoIterator<Item = Value>) -> Value {
    let is_something = |value: &Value| !value.is_null() && value.as_str() != Some("");
    values.into_iter().find(is_something).unwrap_or_default()
}

/// An id of a version of something: told again it is the same, changed it is another.
fn version(kind: &str, id: &Value, changed: &Value) -> Value {
    let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    let changed = changed.as_str().unwrap_or_default();
    json!(format!("{kind}:{id}:{changed}"))
}

#[cfg(test)]
mod shape_tests;
#[cfg(test)]
mod tests;
