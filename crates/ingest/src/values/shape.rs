//! Maps and lists, also as PHP, forms and columns of databases make them: `[]` for an empty map, a map with numbers for
//! names where a list is meant, and either of them as JSON in a text.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::Read;

/// A map.
pub fn map(value: Option<&Value>) -> Read<Cow<'_, Map<String, Value>>> {
    match value {
        None | Some(Value::Null) => Read::Absent,
        Some(Value::Object(map)) => Read::Is(Cow::Borrowed(map)),
        Some(Value::Array(list)) if list.is_empty() => Read::Absent,
        Some(Value::String(text)) if text.trim().is_empty() => Read::Absent,
        Some(Value::String(text)) => match serde_json::from_str(text) {
            Ok(Value::Object(map)) => Read::Is(Cow::Owned(map)),
            Ok(Value::Array(list)) if list.is_empty() => Read::Absent,
            _ => Read::Odd,
        },
        Some(_) => Read::Odd,
    }
}

/// A list.
pub fn list(value: Option<&Value>) -> Read<Cow<'_, [Value]>> {
    match value {
        None | Some(Value::Null) => Read::Absent,
        Some(Value::Array(list)) => Read::Is(Cow::Borrowed(list.as_slice())),
        Some(Value::Object(map)) => Read::of(numbered(map).map(Cow::Owned)),
        Some(Value::String(text)) if text.trim().is_empty() => Read::Absent,
        Some(Value::String(text)) => match serde_json::from_str(text) {
            Ok(Value::Array(list)) => Read::Is(Cow::Owned(list)),
            Ok(Value::Object(map)) => Read::of(numbered(&map).map(Cow::Owned)),
            _ => Read::Odd,
        },
        Some(_) => Read::Odd,
    }
}

/// The values of a map whose names are numbers, in their order; an empty map is an empty list.
fn numbered(map: &Map<String, Value>) -> Option<Vec<Value>> {
    let mut items: Vec<(u32, &Value)> = Vec::with_capacity(map.len());
    for (name, value) in map {
        items.push((name.parse().ok()?, value));
    }
    items.sort_by_key(|(number, _)| *number);
    Some(items.into_iter().map(|(_, value)| value.clone()).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn shapes_as_they_come() {
        let size = |value: Value| map(Some(&value)).value().map(|map| map.len());
        assert_eq!(size(json!({ "a": 1 })), Some(1));
        assert_eq!(size(json!("{\"a\":1}")), Some(1));
        for empty in [json!([]), json!(""), json!("[]"), json!(null)] {
            assert_eq!(map(Some(&empty)), Read::Absent, "{empty}");
        }
        for odd in [json!([1]), json!("x"), json!(1)] {
            assert_eq!(map(Some(&odd)), Read::Odd, "{odd}");
        }
        let items = |value: Value| list(Some(&value)).value().map(Cow::into_owned);
        let two = Some(vec![json!("a"), json!("b")]);
        assert_eq!(items(json!(["a", "b"])), two);
        assert_eq!(items(json!({ "1": "b", "0": "a" })), two);
        assert_eq!(items(json!("[\"a\",\"b\"]")), two);
        assert_eq!(items(json!({ "sku": "a" })), None);
    }
}
