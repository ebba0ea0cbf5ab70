//! Why a condition does not hold: the part that decided, with the values it saw (`cart.total 140 < settings.cart_min 1500`).
//!
//! Bounded, and without what may name a person: it goes into records. Absent: judging (see [`super`]), which never needs this.

use std::ops::Range;

use cel::Value;
use winback_contract::Timestamp;

use super::text::{Split, split, words};
use super::{Condition, Failure, Variables};
use crate::names;

/// Longest explanation, in bytes.
const LONGEST: usize = 240;
/// Longest text shown of a value, in characters.
const TEXT: usize = 32;
/// Fields whose texts may name somebody: only that they are there is shown.
const PERSONAL: &[&str] = &["city", "birthday", "traits", "properties"];

/// A condition that does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Because {
    /// Whether a value it needs is absent or of another type: it could not be judged, and is no "no".
    pub is_not_judged: bool,
    /// The part that decided, with its values.
    pub text: String,
}

impl std::fmt::Display for Because {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let word = if self.is_not_judged {
            "could not be judged: "
        } else {
            ""
        };
        write!(f, "{word}{}", self.text)
    }
}

/// A condition taken apart, once: it is asked again for every customer of a campaign for everybody.
pub(super) enum Tree {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    One(Part),
}

/// A yes or no of its own, and the words in it that have a value.
pub(super) struct Part {
    condition: Option<Box<Condition>>,
    source: String,
    words: Vec<(Range<usize>, Condition)>,
}

impl Tree {
    fn of(source: &str) -> Self {
        let all = |parts: Vec<String>| parts.iter().map(|part| Self::of(part)).collect();
        match split(source) {
            Split::And(parts) => Self::And(all(parts)),
            Split::Or(parts) => Self::Or(all(parts)),
            Split::Not(inner) => Self::Not(Box::new(Self::of(&inner))),
            Split::One(source) => {
                let words = words(&source).into_iter();
                let words = words.filter_map(|word| Some((word.clone(), compiled(&source[word])?)));
                Self::One(Part {
                    condition: compiled(&source).map(Box::new),
                    words: words.collect(),
                    source,
                })
            }
        }
    }

    /// What makes it other than wanted.
    fn deciding(&self, variables: &dyn Variables, is_true: bool) -> Option<Because> {
        match (self, is_true) {
            // One part of many decides.
            (Self::And(parts), false) | (Self::Or(parts), true) => {
                let mut parts = parts.iter();
                parts.find_map(|part| part.deciding(variables, is_true))
            }
            // All parts decide together.
            (Self::Or(parts), false) | (Self::And(parts), true) => {
                let all: Option<Vec<String>> = parts
                    .iter()
                    .map(|part| Some(part.deciding(variables, is_true)?.to_string()))
                    .collect();
                Some(Because {
                    is_not_judged: false,
                    text: all?.join(", and "),
                })
            }
            (Self::Not(inner), _) => {
                let mut found = inner.deciding(variables, !is_true)?;
                if !is_true && !found.is_not_judged {
                    found.text = format!("not wanted: {}", found.text);
                }
                Some(found)
            }
            (Self::One(part), _) => part.deciding(variables, is_true),
        }
    }
}

impl Part {
    fn deciding(&self, variables: &dyn Variables, is_true: bool) -> Option<Because> {
        let (is_not_judged, text) = match self.condition.as_ref()?.holds(variables) {
            Ok(answer) if answer == is_true => (false, self.with_values(variables)),
            Ok(_) => return None,
            Err(Failure::NotJudged(_)) => (true, self.with_values(variables)),
            Err(Failure::WrongType(what)) => (true, format!("`{}` gave {what}", self.source)),
        };
        Some(Because {
            is_not_judged,
            text,
        })
    }

    /// Its text with the value of each word behind it.
    fn with_values(&self, variables: &dyn Variables) -> String {
        let mut out = String::new();
        let mut from = 0;
        for (word, condition) in &self.words {
            out.push_str(&self.source[from..word.end]);
            from = word.end;
            match condition.value(variables) {
                Ok(value) => {
                    if let Some(value) = shown(&self.source[word.clone()], &value) {
                        out.push(' ');
                        out.push_str(&value);
                    }
                }
                Err(_) => out.push_str(" (absent)"),
            }
        }
        out.push_str(&self.source[from..]);
        out
    }
}

impl Condition {
    /// Which part of it decided that it does not hold; `None` where it does.
    pub fn because(&self, variables: &dyn Variables) -> Option<Because> {
        if matches!(self.holds(variables), Ok(true)) {
            return None;
        }
        let tree = self.tree.get_or_init(|| Box::new(Tree::of(&self.source)));
        let mut found = tree.deciding(variables, false)?;
        if found.text.len() > LONGEST {
            let mut cut = LONGEST - 3;
            while !found.text.is_char_boundary(cut) {
                cut -= 1;
            }
            found.text.truncate(cut);
            found.text.push('…');
        }
        Some(found)
    }
}

fn compiled(source: &str) -> Option<Condition> {
    let allowed: Vec<&str> = names::VARIABLES.iter().map(|(name, _)| *name).collect();
    Condition::compile(source, &allowed).ok()
}

fn shown(name: &str, value: &Value) -> Option<String> {
    let is_personal = name.split('.').any(|word| PERSONAL.contains(&word));
    Some(match value {
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Float(number) => {
            let text = format!("{number:.2}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        Value::Bool(answer) => answer.to_string(),
        Value::Null => "null".into(),
        _ if is_personal => "(is set)".into(),
        Value::String(text) => {
            let mut short: String = text.chars().take(TEXT).collect();
            if short.len() < text.len() {
                short.push('…');
            }
            format!("'{short}'")
        }
        Value::Timestamp(at) => Timestamp::from_millis(at.timestamp_millis()).to_string(),
        Value::Duration(span) => {
            let (days, hours) = (span.num_days(), span.num_hours() % 24);
            let minutes = span.num_minutes() % 60;
            format!("({days}d {hours}h {minutes}m)")
        }
        Value::List(list) => format!("({} of them)", list.len()),
        _ => return None,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use std::collections::HashMap;

    use cel::objects::Key;

    use super::*;

    struct World;

    fn map(fields: &[(&str, Value)]) -> Value {
        let fields = fields
            .iter()
            .map(|(name, value)| (Key::from((*name).to_owned()), value.clone()));
        Value::Map(fields.collect::<HashMap<Key, Value>>().into())
    }

    impl Variables for World {
        fn get(&self, name: &str, _: Option<&[String]>) -> Option<Value> {
            Some(match name {
                "cart" => map(&[
                    ("total", Value::Float(140.5)),
                    ("items", Value::from(vec![Value::Int(1), Value::Int(2)])),
                ]),
                "settings" => map(&[("cart_min", Value::Int(1_500))]),
                "customer" => map(&[
                    ("level", Value::from("gold")),
                    ("city", Value::from("Kyiv")),
                    ("known", Value::Bool(true)),
                ]),
                "orders" => map(&[("count", Value::Int(0))]),
                _ => return None,
            })
        }

        fn call(&self, function: &str, _: &[Value]) -> Option<Value> {
            (function == "bought").then_some(Value::Int(3))
        }
    }

    #[test]
    fn the_part_that_decided_is_named_with_its_values() {
        for (source, expected) in [
            (
                "cart.total >= settings.cart_min",
                "cart.total 140.5 >= settings.cart_min 1500",
            ),
            (
                "customer.known && (cart.total >= settings.cart_min) && orders.count > 0",
                "cart.total 140.5 >= settings.cart_min 1500",
            ),
            (
                "customer.level == 'silver' || orders.count > 0",
                "customer.level 'gold' == 'silver', and orders.count 0 > 0",
            ),
            ("!customer.known", "not wanted: customer.known true"),
            (
                "!(customer.known && orders.count == 0)",
                "not wanted: customer.known true, and orders.count 0 == 0",
            ),
            (
                "bought('coffee', days(90)) == 0 && customer.known",
                "bought('coffee', days(90)) 3 == 0",
            ),
            ("size(cart.items) > 5", "size(cart.items (2 of them)) > 5"),
            // What may name somebody is not shown.
            (
                "customer.city == 'Lviv'",
                "customer.city (is set) == 'Lviv'",
            ),
            // Absent is not "no".
            (
                "orders.last_at < now",
                "could not be judged: orders.last_at (absent) < now (absent)",
            ),
            (
                "customer.known && points.balance > 5",
                "could not be judged: points.balance (absent) > 5",
            ),
            (
                "customer.known ? orders.count > 1 : orders.count > 2",
                "customer.known true ? orders.count 0 > 1 : orders.count 0 > 2",
            ),
        ] {
            let because = compiled(source).unwrap().because(&World);
            assert_eq!(because.unwrap().to_string(), expected, "{source}");
        }
        for source in ["customer.known", "orders.count == 0 || points.balance > 5"] {
            assert_eq!(compiled(source).unwrap().because(&World), None, "{source}");
        }
    }

    #[test]
    fn it_is_bounded() {
        let source = vec!["orders.count > 100"; 40].join(" || ");
        let because = compiled(&source).unwrap().because(&World).unwrap();
        assert!(because.text.len() <= LONGEST, "{}", because.text.len());
    }
}
