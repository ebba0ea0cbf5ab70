//! What can be said about a condition before it is judged: names, fields, functions, and types by trying samples.

use std::collections::HashMap;

use cel::{Program, Value};

use super::text::Asked;
use super::{Call, Condition, Failure, Problem, Variables};
use crate::diagnostic::{Position, did_you_mean};
use crate::names::{self, Kind};

pub(super) fn unreadable(source: &str, errors: &cel::ParseErrors) -> Vec<Problem> {
    let has = |word: &str| source.contains(word);
    let help = if has(" = ") {
        "write `==` to compare"
    } else if has(" and ") || has(" AND ") {
        "write `&&` for and"
    } else if has(" or ") || has(" OR ") {
        "write `||` for or"
    } else if has(" not ") {
        "write `!` for not"
    } else {
        "conditions are CEL, such as `cart.total >= 300 && orders.count > 0`"
    };
    // One mistake confuses the reader about all that follows: the first is enough.
    errors
        .errors
        .iter()
        .take(1)
        .map(|error| Problem {
            at: place(error.pos),
            message: format!("the condition can't be read: {}", error.msg),
            help: Some(help.into()),
        })
        .collect()
}

fn place((line, column): (isize, isize)) -> Option<Position> {
    let line = usize::try_from(line).ok().filter(|line| *line > 0)?;
    Some(Position {
        line,
        column: usize::try_from(column).unwrap_or(0),
    })
}

/// Unknown variables, functions and fields. What it reads goes to `reads`.
pub(super) fn names(
    program: &Program,
    rewritten: &str,
    allowed: &[&str],
    asked: &Asked,
    calls: &[Call],
    reads: &mut Vec<(String, Option<Vec<String>>)>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let bound = super::text::bound(rewritten);
    let references = program.references();
    for name in references.variables() {
        if name.starts_with('@') || is_call(name) || bound.contains(&name) {
            continue;
        }
        if allowed.contains(&name) {
            reads.push((name.to_owned(), asked.get(name).cloned().flatten()));
        } else {
            problems.push(unknown("value", name, allowed));
        }
    }
    let functions: Vec<&str> = names::FUNCTIONS
        .iter()
        .chain(names::BUILT_IN)
        .copied()
        .chain(names::CALLS.iter().map(|(name, _)| *name))
        .collect();
    for name in references.functions() {
        let is_word =
            name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.starts_with('_');
        if is_word && !functions.contains(&name) {
            problems.push(unknown("function", name, &functions));
        }
    }
    for (variable, fields) in asked {
        if bound.contains(&variable.as_str()) {
            // Lists with fields are lists of goods.
            let fields = super::text::members(rewritten, variable);
            problems.extend(
                fields
                    .iter()
                    .filter_map(|field| missing("a product", field, names::PRODUCT)),
            );
            continue;
        }
        let of_campaign = |call: &&Call| call.name == *variable && call.function == "campaign";
        if calls.iter().any(|call| of_campaign(&call)) {
            problems.extend(
                fields
                    .iter()
                    .flatten()
                    .filter_map(|field| missing("a campaign", field, names::CAMPAIGN)),
            );
        }
        for field in fields.iter().flatten() {
            if names::VARIABLES.iter().any(|(name, _)| name == variable)
                && names::kind(variable, field).is_none()
            {
                let known = names::fields(variable);
                let help = did_you_mean(field, known.iter().copied())
                    .unwrap_or_else(|| format!("`{variable}` has {}", known.join(", ")));
                problems.push(Problem {
                    at: None,
                    message: format!("`{variable}` has no `{field}`"),
                    help: Some(help),
                });
            }
        }
    }
    problems
}

fn missing(what: &str, field: &str, known: &[&str]) -> Option<Problem> {
    if known.contains(&field) {
        return None;
    }
    let help = did_you_mean(field, known.iter().copied());
    Some(Problem {
        at: None,
        message: format!("{what} has no `{field}`"),
        help: help.or_else(|| Some(format!("it has {}", known.join(", ")))),
    })
}

fn is_call(name: &str) -> bool {
    name.strip_prefix("call_")
        .and_then(|rest| rest.strip_suffix('_'))
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
}

fn unknown(what: &str, name: &str, known: &[&str]) -> Problem {
    let near = did_you_mean(name, known.iter().copied());
    let quotes = name.starts_with(|c: char| c.is_uppercase() || !c.is_ascii());
    let help = match near {
        Some(near) => near,
        None if quotes => format!("text goes in quotes: '{name}'"),
        None => format!("known here: {}", known.join(", ")),
    };
    Problem {
        at: None,
        message: format!("unknown {what} `{name}`"),
        help: Some(help),
    }
}

/// What an expression is used for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wanted {
    /// Yes or no.
    Answer,
    /// A text or a whole number.
    Text,
    /// A time, a day or a duration.
    Moment,
    /// A list.
    List,
}

impl Condition {
    /// Judges it for sample customers that have everything: what fails then has wrong types.
    pub fn mistyped(&self, wanted: Wanted, settings: &HashMap<String, Kind>) -> Option<String> {
        if let Some(wrong) = self.wrong_arguments(settings) {
            return Some(wrong);
        }
        // A part that is false hides the mistakes of the others: each is tried by itself.
        if wanted == Wanted::Answer {
            let parts = super::text::parts(&self.source);
            let allowed: Vec<&str> = names::VARIABLES.iter().map(|(name, _)| *name).collect();
            if parts.len() > 1 {
                return parts.iter().find_map(|part| {
                    let part = Self::compile(part, &allowed).ok()?;
                    part.mistyped(wanted, settings)
                });
            }
        }
        for high in [false, true] {
            let sample = Sample { high, settings };
            let failure = match wanted {
                Wanted::Answer => self.holds(&sample).err(),
                Wanted::Text => self.text(&sample).err(),
                Wanted::Moment => self.moment(&sample).err(),
                Wanted::List => self.list(&sample).err(),
            };
            match failure {
                None => {}
                Some(Failure::WrongType(what)) => return Some(format!("it gives {what}")),
                Some(Failure::NotJudged(why)) if is_about_types(&why) => {
                    return Some(format!("values of different types are mixed: {why}"));
                }
                Some(Failure::NotJudged(_)) => {}
            }
        }
        None
    }
}

impl Condition {
    /// A call whose arguments have the wrong types.
    fn wrong_arguments(&self, settings: &HashMap<String, Kind>) -> Option<String> {
        let sample = Sample {
            high: false,
            settings,
        };
        for call in &self.calls {
            let last = match call.function {
                "bought" | "viewed" | "orders_within" | "sessions_within" => Kind::Duration,
                "local" => Kind::Time,
                _ => Kind::Text,
            };
            for (place, argument) in call.arguments.iter().enumerate() {
                if let Some(wrong) = argument.wrong_arguments(settings) {
                    return Some(wrong);
                }
                let is_last = place + 1 == call.arguments.len();
                let wanted = if is_last { last } else { Kind::Text };
                let fits = match (argument.value(&sample), wanted) {
                    (Ok(Value::Duration(_)), Kind::Duration)
                    | (Ok(Value::Timestamp(_)), Kind::Time)
                    | (Ok(Value::String(_)), Kind::Text)
                    | (Err(_), _) => true,
                    (Ok(_), _) => false,
                };
                if !fits {
                    let what = match wanted {
                        Kind::Duration => "a duration such as days(90)",
                        Kind::Time => "a time such as now",
                        Kind::Bool
                        | Kind::Int
                        | Kind::Number
                        | Kind::Text
                        | Kind::Date
                        | Kind::Texts
                        | Kind::Products
                        | Kind::Numbers
                        | Kind::Any => "a text in quotes",
                    };
                    return Some(format!(
                        "`{}` wants {what}, not `{}`",
                        call.function, argument.source
                    ));
                }
            }
        }
        None
    }
}

/// Absence is normal, a missing operator for two types is not.
fn is_about_types(why: &str) -> bool {
    let why = why.to_lowercase();
    [
        "overload",
        "unsupported",
        "not comparable",
        "unexpected type",
        "cannot compare",
    ]
    .iter()
    .any(|word| why.contains(word))
}

struct Sample<'a> {
    high: bool,
    settings: &'a HashMap<String, Kind>,
}

impl Sample<'_> {
    fn value(&self, kind: Kind) -> Option<Value> {
        let number = if self.high { 1_000_000 } else { 0 };
        Some(match kind {
            Kind::Bool => Value::Bool(self.high),
            Kind::Int => Value::Int(number),
            Kind::Number => Value::Float(number as f64),
            Kind::Text => Value::from("x".to_owned()),
            Kind::Date => Value::from("2026-01-05".to_owned()),
            Kind::Time => Value::Timestamp(
                chrono::DateTime::from_timestamp_millis(1_780_000_000_000 + number * 1_000)?
                    .fixed_offset(),
            ),
            Kind::Duration => {
                Value::Duration(chrono::Duration::days(if self.high { 900 } else { 1 }))
            }
            Kind::Texts => Value::from(vec![Value::from("x".to_owned())]),
            Kind::Products => Value::from(vec![self.product()]),
            Kind::Numbers => Value::from(HashMap::from([("x".to_owned(), Value::Float(1.0))])),
            Kind::Any => return None,
        })
    }

    fn product(&self) -> Value {
        let fields = names::VARIABLES
            .iter()
            .find(|(name, _)| *name == "item")
            .map_or(&[][..], |(_, fields)| *fields);
        Value::from(
            fields
                .iter()
                .filter_map(|(name, kind)| Some(((*name).to_owned(), self.value(*kind)?)))
                .collect::<HashMap<String, Value>>(),
        )
    }
}

impl Variables for Sample<'_> {
    fn get(&self, name: &str, fields: Option<&[String]>) -> Option<Value> {
        match name {
            "now" => return self.value(Kind::Time),
            "settings" => {
                let values = self
                    .settings
                    .iter()
                    .filter_map(|(name, kind)| Some((name.clone(), self.value(*kind)?)));
                return Some(Value::from(values.collect::<HashMap<String, Value>>()));
            }
            _ => {}
        }
        let all: Vec<String> = names::fields(name).into_iter().map(str::to_owned).collect();
        let wanted = fields.unwrap_or(&all);
        let values = wanted.iter().filter_map(|field| {
            let kind = names::kind(name, field)?;
            Some((field.clone(), self.value(kind)?))
        });
        Some(Value::from(values.collect::<HashMap<String, Value>>()))
    }

    fn call(&self, function: &str, _arguments: &[Value]) -> Option<Value> {
        match function {
            "segment" | "can" | "sent" => self.value(Kind::Bool),
            "bucket" => Some(Value::Int(if self.high { 99 } else { 0 })),
            "bought" | "viewed" | "orders_within" | "sessions_within" => self.value(Kind::Int),
            "usual" => self.value(Kind::Duration),
            "campaign" => Some(Value::from(HashMap::from([
                ("active".to_owned(), Value::Bool(self.high)),
                ("count".to_owned(), Value::Int(i64::from(self.high))),
                ("outcome".to_owned(), Value::from("x".to_owned())),
            ]))),
            "local" => Some(Value::from(HashMap::from([
                (
                    "hour".to_owned(),
                    Value::Int(if self.high { 23 } else { 0 }),
                ),
                ("day".to_owned(), Value::Int(1)),
                ("weekday".to_owned(), Value::from("monday".to_owned())),
                ("date".to_owned(), Value::from("2026-01-05".to_owned())),
            ]))),
            _ => None,
        }
    }
}
