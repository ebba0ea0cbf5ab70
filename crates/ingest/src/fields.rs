//! Tolerant reading of JSON fields: numbers as text, numeric text as numbers, lengths bounded.

use serde_json::{Map, Value};
use winback_contract::{EventId, FailedReason, ids::digest};

/// Longest text kept of a field, in bytes (INV-12).
pub const LONGEST: usize = 256;
/// Longest id: a longer one is kept as its beginning and a hash, so that two stay two.
pub const LONGEST_ID: usize = 128;
/// Longest address of a page: a longer one is left out, since half of it leads nowhere.
pub const LONGEST_URL: usize = 512;
/// Longest token of a device; some are made of an address and two keys.
pub const LONGEST_TOKEN: usize = 1_024;

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
        Some(Value::String(text)) => Ok(sized(name, text)),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(_) => Err(Refusal::new(
            FailedReason::WrongType,
            format!("`{name}` must be text"),
        )),
    }
}

/// A text as long as what its name says it is.
fn sized(name: &str, text: &str) -> Option<String> {
    if name.ends_with("token") {
        cut(text, LONGEST_TOKEN)
    } else if name.ends_with("url") {
        cut(text, LONGEST_URL).filter(|_| text.len() <= LONGEST_URL)
    } else if name.to_ascii_lowercase().ends_with("id") && text.len() > LONGEST_ID {
        // As many hexadecimal digits as our own ids have.
        let hash = EventId(digest("long id", &[text.as_bytes()])).to_string();
        let beginning = cut(text, LONGEST_ID - hash.len() - 1)?;
        Some(format!("{beginning}~{hash}"))
    } else {
        clean(text)
    }
}

/// Trims, takes out control characters, cuts at a character. `None` for what is empty then.
pub fn clean(text: &str) -> Option<String> {
    cut(text, LONGEST)
}

fn cut(text: &str, most: usize) -> Option<String> {
    let mut cut = text.len().min(most);
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;
    use serde_json::json;

    fn kept(name: &str, value: &str) -> Option<String> {
        let map = json!({ name: value });
        text(map.as_object().unwrap(), name).unwrap()
    }

    #[test]
    fn a_text_is_as_long_as_what_it_is() {
        let long = "x".repeat(2_000);
        assert_eq!(kept("name", &long).unwrap().len(), LONGEST);
        assert_eq!(kept("push_token", &long).unwrap().len(), LONGEST_TOKEN);
        // Two that begin alike stay two; one that is short enough stays as it is.
        for name in ["userId", "product_id", "id"] {
            let ids = ["a", "b"].map(|end| kept(name, &format!("{long}{end}")).unwrap());
            assert_ne!(ids[0], ids[1], "{name}");
            assert_eq!(ids[0].len(), LONGEST_ID);
            assert_eq!(kept(name, "u42").unwrap(), "u42");
        }
        // Half of an address leads nowhere.
        let page = |length: usize| format!("https://shop.example/{}", "p".repeat(length));
        assert_eq!(kept("image_url", &page(400)), Some(page(400)));
        assert_eq!(kept("image_url", &page(600)), None);
        // A cut never splits a character.
        assert!(kept("name", &"ї".repeat(200)).unwrap().len() <= LONGEST);
    }
}
