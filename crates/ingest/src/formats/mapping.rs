//! Any JSON to calls, by a file: for each event when there is one, its name, whom it is about and its fields, in CEL.
//!
//! What is absent in a record is absent in its event; a field that can't be computed is noted and left out; a rule that can't
//! be judged refuses the record. Expressions see the record, its headers and its key, and nothing else: no clock, no chance. Absent: how values look (see [`crate::values`]).

mod compile;

use std::collections::HashMap;

use cel::objects::Key;
use cel::{Context, ExecutionError, Program, Value};
use serde_json::{Map, Value as Json};
use winback_bus::Record;
use winback_campaign::Report;
use winback_contract::FailedReason;

use super::Call;
use crate::calls::MOST;
use crate::fields::Refusal;
use crate::values::Read;
use crate::values::flag::flag;

/// The variables that an expression may read.
pub const VARIABLES: &[&str] = &["record", "headers", "key", "item"];

/// Why an expression has no value. What the interpreter says may hold values of a customer.
const ODD: &str = "a field is absent, or has another type than is wanted";

/// A file that says what records mean.
#[derive(Debug)]
pub struct Mapping {
    events: Vec<Rule>,
}

/// One event of it.
#[derive(Debug)]
struct Rule {
    name: Expression,
    when: Option<Expression>,
    each: Option<Expression>,
    /// Where a value goes in the call, and what it is.
    values: Vec<(Target, Expression)>,
}

/// A place of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    /// A field of the call itself, such as `userId`.
    Call(&'static str),
    /// `email` or `phone` of whom it is about.
    Address(&'static str),
    /// A property.
    Property(String),
    /// Something about the person.
    Trait(String),
}

impl Target {
    /// As the file names it.
    fn text(&self) -> String {
        match self {
            Self::Call("messageId") => "message_id".into(),
            Self::Call("timestamp") => "time".into(),
            Self::Call("userId") => "identities.user".into(),
            Self::Call(_) => "identities.anonymous".into(),
            Self::Address(name) => format!("identities.{name}"),
            Self::Property(name) => format!("fields.{name}"),
            Self::Trait(name) => format!("traits.{name}"),
        }
    }
}

/// A constant, a place in the record, or what is computed.
enum Expression {
    Constant(Json),
    /// `record.customer.id` and the like: absent where it leads nowhere.
    Path(Vec<String>),
    Judged(Program),
}

impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Expression")
    }
}

/// What expressions see: as JSON, and as CEL has it.
struct Seen<'s> {
    roots: Vec<(&'static str, &'s Json)>,
    context: Context<'s, 's>,
}

impl Expression {
    /// Whether it tells one element of a list from the others.
    fn reads_item(&self) -> bool {
        match self {
            Self::Constant(_) => false,
            Self::Path(path) => path.first().is_some_and(|root| root == "item"),
            Self::Judged(program) => program.references().has_variable("item"),
        }
    }

    /// Its value: `None` where it is absent or null, an error where it can't be computed.
    fn value(&self, seen: &Seen<'_>) -> Result<Option<Json>, ExecutionError> {
        let value = match self {
            Self::Constant(value) => value.clone(),
            Self::Path(path) => {
                let (root, rest) = path
                    .split_first()
                    .map_or(("", &path[..]), |(root, rest)| (root.as_str(), rest));
                let found = seen.roots.iter().find(|(name, _)| *name == root);
                let found = found.map(|(_, value)| *value);
                let found = rest.iter().fold(found, |at, name| at?.get(name.as_str()));
                found.cloned().unwrap_or_default()
            }
            Self::Judged(program) => {
                let value = program.execute(&seen.context)?;
                let no_json =
                    |_| ExecutionError::function_error("json", "this is no value of JSON");
                value.json().map_err(no_json)?
            }
        };
        Ok(Some(value).filter(|value| !value.is_null()))
    }

    /// Yes or no, also as databases and forms write it; absent is no.
    fn holds(&self, seen: &Seen<'_>) -> Result<bool, String> {
        match self.value(seen) {
            Ok(None) | Err(ExecutionError::NoSuchKey(_)) => Ok(false),
            Ok(Some(value)) => match flag(Some(&value)) {
                Read::Is(answer) => Ok(answer),
                Read::Absent | Read::Odd => Err("it is neither yes nor no".to_owned()),
            },
            Err(_) => Err(ODD.to_owned()),
        }
    }
}

impl std::fmt::Display for Mapping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} events are good to go", self.events.len())
    }
}

impl Mapping {
    /// Reads a file; warnings come along.
    ///
    /// # Errors
    /// All that is wrong with it, each with its place.
    pub fn read(file: &str, text: &str) -> Result<(Self, Report), Report> {
        compile::read(file, text)
    }

    /// The calls that a record is: none where no `when` holds.
    pub(super) fn calls(&self, around: &Record, record: Map<String, Json>) -> Vec<Call> {
        let headers = around.headers.iter();
        let headers: Map<String, Json> = headers
            .filter_map(|(name, value)| {
                Some((name.to_lowercase(), std::str::from_utf8(value).ok()?.into()))
            })
            .collect();
        let (record, headers) = (Json::Object(record), Json::Object(headers));
        let key = std::str::from_utf8(&around.key).ok().map(Json::from);
        let mut roots = vec![("record", &record), ("headers", &headers)];
        roots.extend(key.as_ref().map(|key| ("key", key)));
        let mut context = Context::default();
        for (name, value) in &roots {
            context.add_variable_from_value(*name, of_json(value));
        }
        let seen = Seen { roots, context };
        let mut calls = Vec::new();
        for rule in &self.events {
            let Some(each) = &rule.each else {
                calls.extend(rule.call(&seen, None));
                continue;
            };
            let items = match each.value(&seen) {
                Ok(Some(Json::Array(items))) => items,
                // What is not there has no elements.
                Ok(None) | Err(ExecutionError::NoSuchKey(_)) => continue,
                Ok(Some(_)) => {
                    calls.push(rule.refused("each", "it is no list"));
                    continue;
                }
                Err(_) => {
                    calls.push(rule.refused("each", ODD));
                    continue;
                }
            };
            for (number, item) in items.iter().enumerate() {
                let mut roots = seen.roots.clone();
                roots.push(("item", item));
                let mut context = seen.context.new_inner_scope();
                context.add_variable_from_value("item", of_json(item));
                calls.extend(rule.call(&Seen { roots, context }, Some(number)));
                // One too many: the record is refused for it.
                if calls.len() > MOST {
                    return calls;
                }
            }
        }
        calls
    }
}

impl Rule {
    /// The call of a record, or of one of its elements.
    fn call(&self, seen: &Seen<'_>, number: Option<usize>) -> Option<Call> {
        match self.when.as_ref().map(|when| when.holds(seen)) {
            None | Some(Ok(true)) => {}
            Some(Ok(false)) => return None,
            Some(Err(problem)) => return Some(self.refused("when", &problem)),
        }
        let mut call = Call::default();
        call.body.insert("type".into(), "track".into());
        match self.name.value(seen) {
            Ok(Some(name)) => drop(call.body.insert("event".into(), name)),
            Ok(None) => return Some(self.refused("name", "it is absent")),
            Err(_) => return Some(self.refused("name", ODD)),
        }
        let (mut properties, mut traits) = (Map::new(), Map::new());
        for (target, expression) in &self.values {
            match expression.value(seen) {
                Ok(None) => {}
                Ok(Some(value)) => {
                    let (map, name) = match target {
                        Target::Call(name) => (&mut call.body, *name),
                        Target::Address(name) => (&mut call.addresses, *name),
                        Target::Property(name) => (&mut properties, name.as_str()),
                        Target::Trait(name) => (&mut traits, name.as_str()),
                    };
                    map.insert(name.to_owned(), value);
                }
                Err(_) => call.faults.push(target.text()),
            }
        }
        // An id of the record is not that of each of its elements.
        let is_of_item = |(target, id): &(Target, Expression)| {
            *target == Target::Call("messageId") && id.reads_item()
        };
        if let (Some(number), Some(id)) = (number, call.body.get_mut("messageId"))
            && !self.values.iter().any(is_of_item)
        {
            let text = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
            *id = format!("{text}#{number}").into();
        }
        for (name, map) in [("properties", properties), ("traits", traits)] {
            if !map.is_empty() {
                call.body.insert(name.into(), map.into());
            }
        }
        Some(call)
    }

    fn refused(&self, part: &str, problem: &str) -> Call {
        let name = match &self.name {
            Expression::Constant(Json::String(name)) => name.as_str(),
            _ => "an event",
        };
        let detail = format!("map: `{part}` of {name} can't be computed: {problem}");
        Call {
            refusal: Some(Refusal::new(FailedReason::WrongType, detail)),
            ..Call::default()
        }
    }
}

/// Whole numbers are of one kind, so that they can be compared and added; those that are too large for it keep their digits.
fn of_json(value: &Json) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(whole), _) => Value::Int(whole),
            (None, Some(large)) => Value::UInt(large),
            (None, None) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(list) => Value::from(list.iter().map(of_json).collect::<Vec<_>>()),
        Json::Object(object) => {
            let fields = object.iter();
            let map: HashMap<Key, Value> = fields
                .map(|(name, value)| (Key::from(name.clone()), of_json(value)))
                .collect();
            Value::Map(map.into())
        }
    }
}
