//! Tolerant reading of JSON fields: numbers as text, numeric text as numbers, lengths bounded.

use serde_json::{Map, Value};
use winback_contract::FailedReason;

/// Longest text kept of any field, in bytes.
pub const LONGEST: usize = 1_024;

/// Why a record is refused; the detail names fields and never values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: FailedReason,
    /// What is wrong and where.
    pub detail: String,
}

impl Refusal {
    /// A refusal.
    pub fn new(reason: FailedReason, detail: impl Into<String>) -> Self {
        Self {
            reason,
            detail: detail.into(),
        }
    }
}

/// Text, or a number written as text. Control characters become blanks, long texts are cut.
///
/// # Errors
/// `wrong_type` for anything else.
pub fn text(map: &Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    match map.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(clean(text)),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(Refusal::new(
            FailedReason::WrongType,
            format!("`{name}` must be text"),
        )),
    }
}

/// Trims, takes out control characters, cuts at a character. `None` for what is empty then.
pub fn clean(text: &str) -> Option<String> {
    let mut cut = text.len().min(LONGEST);
    while !text.is_char_boundary(cut) {
        cut -= 1;
    }
    let cleaned: String = text[..cut]
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    let trimmed = cleaned.trim();
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

/// A finite number, or text that is one.
///
/// # Errors
/// `wrong_type` for anything else.
pub fn number(map: &Map<String, Value>, name: &str) -> Result<Option<f64>, Refusal> {
    let wrong = || {
        Refusal::new(
            FailedReason::WrongType,
            format!("`{name}` must be a number"),
        )
    };
    match map.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Number(number)) => number
            .as_f64()
            .filter(|n| n.is_finite())
            .map(Some)
            .ok_or_else(wrong),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => text
            .trim()
            .parse::<f64>()
            .ok()
            .filter(|n| n.is_finite())
            .map(Some)
            .ok_or_else(wrong),
        Some(_) => Err(wrong()),
    }
}

/// An address that a mail may link to: http or https only.
///
/// # Errors
/// `wrong_type` when it is no text.
pub fn url(map: &Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    Ok(text(map, name)?.filter(|url| url.starts_with("https://") || url.starts_with("http://")))
}

/// A nested object.
///
/// # Errors
/// `wrong_type` when it is something else.
pub fn object<'a>(
    map: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a Map<String, Value>>, Refusal> {
    match map.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(inner)) => Ok(Some(inner)),
        Some(_) => Err(Refusal::new(
            FailedReason::WrongType,
            format!("`{name}` must be an object"),
        )),
    }
}
