//! Values that a shop adds of its own: texts, numbers, yes or no, and lists and maps of them, bounded (INV-12). What is too
//! much of a list or a map is left out and noted; a type is never made another one.

use serde_json::{Map, Value};

use crate::fields::scalar;

/// Most elements of a list or a map.
const ELEMENTS: usize = 16;
/// Most bytes of the texts of a list or a map.
const BYTES: usize = 256;
/// A list of maps of lists: nobody asks deeper.
const DEPTH: usize = 3;

/// Fields in the order in which they get room: plain ones first, then lists and maps, each by name.
pub(crate) fn in_order(map: &Map<String, Value>) -> impl Iterator<Item = (&String, &Value)> {
    let is_plain = |(_, value): &(&String, &Value)| !value.is_array() && !value.is_object();
    map.iter()
        .filter(is_plain)
        .chain(map.iter().filter(move |field| !is_plain(field)))
}

/// A value as it is kept, and whether a part of it was left out. `None` for what is empty.
pub(crate) fn own(value: &Value) -> (Option<Value>, bool) {
    let mut reader = Reader {
        left: BYTES,
        cut: false,
    };
    let kept = match value {
        Value::Array(_) | Value::Object(_) => reader.read(value, DEPTH),
        plain => scalar(plain),
    };
    (kept, reader.cut)
}

/// How many bytes of texts a value holds.
pub(crate) fn bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        // What is empty takes its place too.
        Value::Array(list) => 1 + list.iter().map(bytes).sum::<usize>(),
        Value::Object(map) => {
            let named = map.iter().map(|(name, value)| name.len() + bytes(value));
            1 + named.sum::<usize>()
        }
        Value::Null => 0,
        Value::Bool(_) | Value::Number(_) => 8,
    }
}

struct Reader {
    left: usize,
    cut: bool,
}

impl Reader {
    fn read(&mut self, value: &Value, depth: usize) -> Option<Value> {
        match value {
            Value::Array(list) if depth > 0 => {
                self.take(1)?;
                let mut kept = Vec::new();
                for element in list {
                    if self.is_full(kept.len()) {
                        break;
                    }
                    kept.extend(self.read(element, depth - 1));
                }
                Some(Value::Array(kept))
            }
            Value::Object(map) if depth > 0 => {
                self.take(1)?;
                let mut kept = Map::new();
                for (name, value) in map {
                    if self.is_full(kept.len()) {
                        break;
                    }
                    if let Some(value) = self
                        .take(name.len())
                        .and_then(|()| self.read(value, depth - 1))
                    {
                        kept.insert(name.clone(), value);
                    }
                }
                Some(Value::Object(kept))
            }
            Value::Array(_) | Value::Object(_) => {
                self.cut = true;
                None
            }
            plain => {
                let plain = scalar(plain)?;
                self.take(bytes(&plain)).map(|()| plain)
            }
        }
    }

    fn is_full(&mut self, elements: usize) -> bool {
        let full = elements == ELEMENTS || self.left == 0;
        self.cut |= full;
        full
    }

    /// Room for so many bytes.
    fn take(&mut self, bytes: usize) -> Option<()> {
        match self.left.checked_sub(bytes) {
            Some(left) => {
                self.left = left;
                Some(())
            }
            None => {
                self.cut = true;
                self.left = 0;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn types_are_kept_and_what_is_too_much_is_told() {
        for (value, kept, cut) in [
            (json!("red"), Some(json!("red")), false),
            (json!(3), Some(json!(3)), false),
            (json!(null), None, false),
            (
                json!([" a ", 1, true, null]),
                Some(json!(["a", 1, true])),
                false,
            ),
            (
                json!({ "size": { "eu": 42 } }),
                Some(json!({ "size": { "eu": 42 } })),
                false,
            ),
            (json!([]), Some(json!([])), false),
            (json!([[[[1]]]]), Some(json!([[[]]])), true),
            (
                json!([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]),
                Some(json!([
                    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
                ])),
                true,
            ),
            (json!(["a", "x".repeat(300), "b"]), Some(json!(["a"])), true),
        ] {
            assert_eq!(own(&value), (kept, cut), "{value}");
        }
    }
}
