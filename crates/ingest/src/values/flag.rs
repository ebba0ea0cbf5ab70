//! Yes or no, in the words of JSON, of databases, of forms and of schema.org.

use serde_json::Value;

use super::Read;
use super::words::letters;

const YES: &str =
    "true yes y on 1 да так tak ja oui si sí instock available preorder backorder onbackorder";
const NO: &str = "false no n off 0 нет ні nie nein non outofstock soldout unavailable discontinued";

/// A flag.
pub fn flag(value: Option<&Value>) -> Read<bool> {
    match value {
        None | Some(Value::Null) => Read::Absent,
        Some(Value::Bool(flag)) => Read::Is(*flag),
        Some(Value::Number(number)) => match number.as_f64() {
            Some(0.0) => Read::Is(false),
            Some(1.0) => Read::Is(true),
            _ => Read::Odd,
        },
        Some(Value::String(text)) => {
            // `in stock`, `in_stock` and schema.org's `InStock` are one word.
            let last = text.trim().rsplit('/').next().unwrap_or_default();
            let word = letters(last);
            let is = |list: &str| list.split(' ').any(|known| known == word);
            match word.as_str() {
                "" => Read::Absent,
                _ if is(YES) => Read::Is(true),
                _ if is(NO) => Read::Is(false),
                _ => Read::Odd,
            }
        }
        Some(_) => Read::Odd,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn flags_as_they_come() {
        for (value, expect) in [
            (json!(true), Some(true)),
            (json!("false"), Some(false)),
            (json!(0), Some(false)),
            (json!("1"), Some(true)),
            (json!("Да"), Some(true)),
            (json!("https://schema.org/OutOfStock"), Some(false)),
            (json!("out of stock"), Some(false)),
            (json!("in_stock"), Some(true)),
            (json!("maybe"), None),
            (json!(2), None),
            (json!([]), None),
        ] {
            assert_eq!(flag(Some(&value)).value(), expect, "{value}");
        }
    }
}
