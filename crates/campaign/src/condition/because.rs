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
/// Words whose texts name nobody, and no place of theirs: every other text is only said to be there.
const PLAIN: &[&str] = &[
    "customer.level",
    "customer.locale",
    "customer.zone",
    "customer.country",
    "customer.preferred_channel",
    "points.level",
    "order.status",
    "event.name",
    "event.campaign",
    "event.outcome",
    "event.category",
    "event.product_id",
    "entry.name",
    "entry.campaign",
    "entry.outcome",
    "entry.product_id",
    "answer.name",
    "item.category",
    "item.product_id",
    "product.category",
    "product.product_id",
];

/// What decided.
pub(super) struct Because {
    /// Whether a value it needs is absent or of another type: it could not be judged, and is no "no".
    is_not_judged: bool,
    /// The part that decided, with its values.
    text: String,
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
    /// A part that can't be read by itself is not taken apart.
    fn of(source: &str) -> Self {
        let tree = Self::apart(source);
        match tree.is_whole() {
            true => tree,
            false => Self::One(Part::of(source.to_owned())),
        }
    }

    fn is_whole(&self) -> bool {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().all(Self::is_whole),
            Self::Not(inner) => inner.is_whole(),
            Self::One(part) => part.condition.is_some(),
        }
    }

    fn apart(source: &str) -> Self {
        let all = |parts: Vec<String>| parts.iter().map(|part| Self::of(part)).collect();
        match split(source) {
            Split::And(parts) => Self::And(all(parts)),
            Split::Or(parts) => Self::Or(all(parts)),
            Split::Not(inner) => Self::Not(Box::new(Self::of(&inner))),
            Split::One(source) => Self::One(Part::of(source)),
        }
    }

    /// What makes it other than wanted.
    fn deciding(&self, variables: &dyn Variables, is_true: bool) -> Option<Because> {
        match (self, is_true) {
            // One part of many decides: one that is judged, if there is one, for it outweighs what is absent.
            (Self::And(parts), false) | (Self::Or(parts), true) => {
                let all = parts
                    .iter()
                    .filter_map(|part| part.deciding(variables, is_true));
                all.min_by_key(|found| found.is_not_judged)
            }
            // All parts decide together; what is absent among them leaves it open.
            (Self::Or(parts), false) | (Self::And(parts), true) => {
                let all: Option<Vec<Because>> = parts
                    .iter()
                    .map(|part| part.deciding(variables, is_true))
                    .collect();
                let mut all = all?;
                let is_not_judged = all.iter().any(|found| found.is_not_judged);
                all.retain(|found| found.is_not_judged == is_not_judged);
                let texts: Vec<String> = all.into_iter().map(|found| found.text).collect();
                Some(Because {
                    is_not_judged,
                    text: texts.join(", and "),
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
    fn of(source: String) -> Self {
        let words = words(&source).into_iter();
        let words = words.filter_map(|word| Some((word.clone(), compiled(&source[word])?)));
        Self {
            condition: compiled(&source).map(Box::new),
            words: words.collect(),
            source,
        }
    }

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

    /// Its text with the value of each word behind it. Beside a value that is hidden nothing is shown that tells it.
    fn with_values(&self, variables: &dyn Variables) -> String {
        let (mut out, mut hidden) = (String::new(), String::new());
        let (mut from, mut is_hidden) = (0, false);
        for (word, condition) in &self.words {
            let name = &self.source[word.clone()];
            out.push_str(&self.source[from..word.end]);
            from = word.end;
            let value = match condition.value(variables) {
                Ok(value) if is_plain(name, &value) => shown(&value),
                Ok(_) => {
                    is_hidden = true;
                    Some("(is set)".to_owned())
                }
                Err(_) => Some("(absent)".to_owned()),
            };
            if let Some(value) = value {
                out.push(' ');
                out.push_str(&value);
                hidden.push_str(if hidden.is_empty() { "" } else { ", " });
                hidden.push_str(&format!("{name} {value}"));
            }
        }
        if is_hidden {
            return format!("a condition on {hidden}");
        }
        out.push_str(&self.source[from..]);
        out
    }
}

/// Whether a value may stand in a record: no text that may name somebody.
#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "another library's enum: what it adds is none of ours"
)]
fn is_plain(name: &str, value: &Value) -> bool {
    let is_of_settings = name.starts_with("settings.");
    match value {
        Value::String(_) => is_of_settings || PLAIN.contains(&name),
        _ => !name.starts_with("customer.traits") && name != "customer.birthday",
    }
}

impl Condition {
    /// Which part of it decided that it does not hold, with the values it saw, or that it could not be judged; `None` where
    /// it holds.
    pub fn because(&self, variables: &dyn Variables) -> Option<String> {
        if matches!(self.holds(variables), Ok(true)) {
            return None;
        }
        let tree = self.tree.get_or_init(|| Box::new(Tree::of(&self.source)));
        let Because {
            is_not_judged,
            mut text,
        } = tree.deciding(variables, false)?;
        if is_not_judged {
            text.insert_str(0, "could not be judged: ");
        }
        if text.len() > LONGEST {
            let mut cut = LONGEST - 3;
            while !text.is_char_boundary(cut) {
                cut -= 1;
            }
            text.truncate(cut);
            text.push('…');
        }
        Some(text)
    }
}

fn compiled(source: &str) -> Option<Condition> {
    let allowed: Vec<&str> = names::VARIABLES.iter().map(|(name, _)| *name).collect();
    Condition::compile(source, &allowed).ok()
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "another library's enum: what it adds is none of ours"
)]
fn shown(value: &Value) -> Option<String> {
    Some(match value {
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(answer) => answer.to_string(),
        Value::Null => "null".into(),
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
            // What may name somebody is not shown, nor what would tell it.
            (
                "customer.city == 'Lviv'",
                "a condition on customer.city (is set)",
            ),
            (
                "!(customer.city == 'Kyiv')",
                "not wanted: a condition on customer.city (is set)",
            ),
            // What is judged outweighs what is absent; what is absent leaves the rest open.
            (
                "points.balance > 5 && orders.count > 0",
                "orders.count 0 > 0",
            ),
            (
                "points.balance > 5 || orders.count > 0",
                "could not be judged: points.balance (absent) > 5",
            ),
            (
                "!(points.balance > 5 && customer.known)",
                "could not be judged: points.balance (absent) > 5",
            ),
            // Names that macros bind have no value of their own.
            (
                "cart.items.exists(item, item > 5)",
                "cart.items.exists(item, item > 5)",
            ),
            (
                "customer.level == 'a\\'b && c' && customer.known",
                "customer.level 'gold' == 'a\\'b && c'",
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
            assert_eq!(because.unwrap(), expected, "{source}");
        }
        for source in ["customer.known", "orders.count == 0 || points.balance > 5"] {
            assert_eq!(compiled(source).unwrap().because(&World), None, "{source}");
        }
    }

    #[test]
    fn it_is_bounded() {
        let source = vec!["orders.count > 100"; 40].join(" || ");
        let because = compiled(&source).unwrap().because(&World).unwrap();
        assert!(because.len() <= LONGEST, "{}", because.len());
    }
}
