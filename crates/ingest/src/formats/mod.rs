//! Shapes of other systems, made into calls of Segment before anything is read: what their fields mean is said here, how
//! values look is not.
//!
//! Which shape a source has is its config's word, never a guess. What has no meaning here is refused with what to do.
//! Absent: batches; one payload is one event.

mod shopify;
mod woocommerce;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use winback_contract::FailedReason;

use crate::fields::Refusal;

/// The shape of a source's records.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// Calls of Segment, and CloudEvents around them: <https://segment.com/docs/connections/spec/>.
    #[default]
    Segment,
    /// Payloads of Shopify's webhooks: <https://shopify.dev/docs/api/webhooks>.
    Shopify,
    /// Payloads of `WooCommerce`'s webhooks: <https://woocommerce.github.io/woocommerce-rest-api-docs/#webhooks>.
    Woocommerce,
}

impl Format {
    /// Its name in config and on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Segment => "segment",
            Self::Shopify => "shopify",
            Self::Woocommerce => "woocommerce",
        }
    }

    /// The header that names what a payload is about, in any case of letters.
    const fn topic(self) -> Option<&'static str> {
        match self {
            Self::Segment => None,
            Self::Shopify => Some("x-shopify-topic"),
            Self::Woocommerce => Some("x-wc-webhook-topic"),
        }
    }

    /// The header with an id that a delivery keeps when it is repeated. That of `WooCommerce` is of a second, not of a payload.
    const fn delivery(self) -> Option<&'static str> {
        match self {
            Self::Segment | Self::Woocommerce => None,
            Self::Shopify => Some("x-shopify-webhook-id"),
        }
    }
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let all = [Self::Segment, Self::Shopify, Self::Woocommerce];
        let known = all.into_iter().find(|format| format.word() == word);
        known.ok_or_else(|| "formats are segment, shopify and woocommerce".into())
    }
}

/// The call of Segment that a payload is.
///
/// # Errors
/// `unsupported_call` where it means nothing to winback, `missing_field` where it can't be told what it is.
pub fn translate<'h>(
    format: Format,
    header: impl Fn(&str) -> Option<&'h str>,
    body: Map<String, Value>,
) -> Result<Map<String, Value>, Refusal> {
    let topic = format.topic().and_then(&header);
    let call = match format {
        Format::Segment => return Ok(body),
        Format::Shopify => shopify::call(topic, &body)?,
        Format::Woocommerce => woocommerce::call(topic, &body)?,
    };
    let Value::Object(mut call) = call else {
        return Err(unsupported(format.word(), "this is no call"));
    };
    if let Some(id) = format.delivery().and_then(header) {
        call.insert("messageId".into(), json!(id));
    }
    call.retain(|_, value| !value.is_null());
    Ok(call)
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
mod tests;
