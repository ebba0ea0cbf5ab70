//! The fields of a record, each read by one reader of its kind, with bounded lengths. A fault of a field costs the field,
//! never the record (INV-8).

use std::borrow::Cow;

use serde_json::{Map, Value};
use winback_contract::{Currency, EventId, FailedReason, Money, Timestamp, ids::digest};

use crate::customs::Customs;
use crate::notes::{Notes, Why};
use crate::values::{Read, date, flag, number, shape, time};

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

/// The fields of a map, each read by what it is; what can't be read is left out and noted.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'m> {
    /// The map itself.
    pub map: &'m Map<String, Value>,
    /// What stands before its names in a note, such as `products[2].`.
    pub place: &'m str,
    /// Where it is noted.
    pub notes: &'m Notes,
    /// How the shop writes.
    pub customs: &'m Customs,
}

impl<'m> Fields<'m> {
    /// Notes that a field was left out.
    pub fn note(&self, name: &str, why: Why) {
        self.notes.add(format!("{}{name}", self.place), why);
    }

    fn take<T>(&self, name: &str, read: Read<T>) -> Option<T> {
        if matches!(read, Read::Odd) {
            self.note(name, Why::Unreadable);
        }
        read.value()
    }

    /// Text, or a number written as text. Control characters become blanks, long texts are cut.
    pub fn text(&self, name: &str) -> Option<String> {
        let read = match self.map.get(name) {
            None | Some(Value::Null) => Read::Absent,
            Some(Value::String(text)) => sized(name, text).map_or(Read::Absent, Read::Is),
            Some(Value::Number(number)) => Read::Is(number.to_string()),
            Some(Value::Bool(_) | Value::Array(_) | Value::Object(_)) => Read::Odd,
        };
        self.take(name, read)
    }

    /// A finite number.
    pub fn number(&self, name: &str) -> Option<f64> {
        let read = number::number(self.map.get(name), self.customs.decimal);
        self.take(name, read)
    }

    /// An amount in whole units of a currency; none where the currency is not known.
    pub fn money(&self, name: &str, currency: Option<Currency>) -> Option<Money> {
        let currency = currency?;
        let read = number::amount(self.map.get(name), self.customs.decimal, currency);
        let read = read.and_then(|major| Read::of(Money::from_major(major, currency)));
        self.take(name, read)
    }

    /// How many.
    pub fn count(&self, name: &str) -> Option<u32> {
        let read = number::count(self.map.get(name), self.customs.decimal);
        self.take(name, read)
    }

    /// Yes or no.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.take(name, flag::flag(self.map.get(name)))
    }

    /// A moment.
    pub fn moment(&self, name: &str) -> Option<Timestamp> {
        let read = time::moment(self.map.get(name), &self.customs.zone);
        self.take(name, read)
    }

    /// A day, as `YYYY-MM-DD`.
    pub fn day(&self, name: &str) -> Option<String> {
        let day = self.take(name, date::day(self.map.get(name)))?;
        Some(day.to_string())
    }

    /// An address that a mail may link to: http or https only.
    pub fn url(&self, name: &str) -> Option<String> {
        self.text(name)
            .filter(|url| url.starts_with("https://") || url.starts_with("http://"))
    }

    /// A nested map; an empty one where there is none.
    pub fn inner(&self, name: &str) -> Cow<'m, Map<String, Value>> {
        let read = shape::map(self.map.get(name));
        self.take(name, read).unwrap_or_default()
    }

    /// A list.
    pub fn list(&self, name: &str) -> Option<Cow<'m, [Value]>> {
        self.take(name, shape::list(self.map.get(name)))
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

/// A value of the shop's own: a text, a number, yes or no. Nothing else is kept.
pub(crate) fn scalar(value: &Value) -> Option<Value> {
    match value {
        Value::Bool(_) | Value::Number(_) => Some(value.clone()),
        Value::String(text) => clean(text).map(Value::String),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;
    use serde_json::json;

    fn kept(name: &str, value: &str) -> Option<String> {
        let map = json!({ name: value });
        let fields = Fields {
            map: map.as_object().unwrap(),
            place: "",
            notes: &Notes::default(),
            customs: &Customs::new(Currency::parse("EUR").unwrap()),
        };
        fields.text(name)
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
