//! A value among the properties of an event, in the type that the contract says: the same where a journey begins and
//! where it is asked for later as `entry`.

use std::collections::HashMap;

use cel::Value;
use serde_json::Value as Json;
use winback_campaign::names::{Kind, kind};
use winback_contract::Timestamp;

use super::time;
use crate::state::Field;

/// Reads it. Numbers and moments are taken from text too, and ids that came as numbers are texts; `None` is neither.
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "another library's enum: what it adds is none of ours"
)]
pub(crate) fn field(value: &Json, name: &str) -> Option<Field> {
    let kind = kind("event", name);
    match value {
        Json::Number(number) if kind == Some(Kind::Text) => Some(Field::Text(number.to_string())),
        Json::String(text) => match kind {
            Some(Kind::Time) => Timestamp::parse(text).ok().map(Field::Time),
            Some(Kind::Number) => {
                let number = text.trim().parse().ok();
                number
                    .filter(|number: &f64| number.is_finite())
                    .map(Field::Number)
            }
            _ => Field::of(value),
        },
        _ => Field::of(value),
    }
}

impl Field {
    /// As conditions have it.
    pub(crate) fn into_value(self) -> Option<Value> {
        match self {
            Self::Text(text) => Some(Value::from(text)),
            Self::Number(number) => Some(Value::Float(number)),
            Self::Bool(flag) => Some(Value::Bool(flag)),
            Self::Time(at) => time(at),
            Self::List(list) => {
                let list = list.into_iter().filter_map(Self::into_value);
                Some(Value::from(list.collect::<Vec<_>>()))
            }
            Self::Map(map) => {
                let named = map.into_iter();
                let named = named.filter_map(|(name, field)| Some((name, field.into_value()?)));
                Some(Value::from(named.collect::<HashMap<_, _>>()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_has_the_type_of_the_contract() {
        let at = Timestamp::parse("2026-12-01T00:00:00Z").ok();
        for (name, value, expected) in [
            ("balance", json!("12.5"), Some(Field::Number(12.5))),
            ("balance", json!(3), Some(Field::Number(3.0))),
            ("balance", json!("many"), None),
            ("balance", json!("inf"), None),
            ("complaint_id", json!(77), Some(Field::Text("77".into()))),
            (
                "expires_at",
                json!("2026-12-01T00:00:00Z"),
                at.map(Field::Time),
            ),
            ("expires_at", json!("soon"), None),
            ("of_the_shop_s_own", json!(3), Some(Field::Number(3.0))),
            (
                "of_the_shop_s_own",
                json!("3"),
                Some(Field::Text("3".into())),
            ),
            ("of_the_shop_s_own", json!(true), Some(Field::Bool(true))),
            ("of_the_shop_s_own", json!(null), None),
            (
                "of_the_shop_s_own",
                json!(["a", { "b": 1 }]),
                Some(Field::List(vec![
                    Field::Text("a".into()),
                    Field::Map(vec![("b".into(), Field::Number(1.0))]),
                ])),
            ),
        ] {
            assert_eq!(field(&value, name), expected, "{name} {value}");
        }
    }
}
