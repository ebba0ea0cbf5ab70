//! Any JSON to calls, by a file: for each event when there is one, its name, whom it is about and its fields, in CEL.
//!
//! What is absent in a record is absent in its event; what can't be computed is noted and left out. Expressions see the
//! record, its headers and its key, and nothing else: no clock, no chance. Absent: how values look (see [`crate::values`]).

mod compile;

use std::collections::HashMap;

use cel::objects::Key;
use cel::{Context, ExecutionError, Program, Value};
use serde_json::{Map, Value as Json};
use winback_campaign::Report;

use super::{Call, Envelope};

/// The variables that an expression may read.
pub const VARIABLES: &[&str] = &["record", "headers", "key", "item"];

/// Most events that one `each` makes of a record.
const MOST: usize = 1_000;

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

/// A constant, or an expression.
enum Expression {
    Constant(Json),
    Judged(Program),
}

impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Expression")
    }
}

impl Expression {
    /// Its value: `None` where it is absent, an error where it can't be told.
    fn value(&self, context: &Context<'_, '_>) -> Result<Option<Json>, ExecutionError> {
        let judged = match self {
            Self::Constant(value) => return Ok(Some(value.clone())),
            Self::Judged(program) => program.execute(context),
        };
        match judged {
            Ok(value) => {
                let json = value.json().map_err(|_| {
                    ExecutionError::function_error("json", "this is no value of JSON")
                })?;
                Ok(Some(json).filter(|json| !json.is_null()))
            }
            Err(ExecutionError::NoSuchKey(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn holds(&self, context: &Context<'_, '_>) -> bool {
        matches!(self.value(context), Ok(Some(Json::Bool(true))))
    }
}

impl std::fmt::Display for Mapping {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} events are good to go", self.events.len())
    }
}

impl Mapping {
    /// Reads a file.
    ///
    /// # Errors
    /// All that is wrong with it, each with its place.
    pub fn read(file: &str, text: &str) -> Result<Self, Report> {
        compile::read(file, text)
    }

    /// The calls that a record is: none where no `when` holds.
    pub(super) fn calls(&self, around: &impl Envelope, record: &Map<String, Json>) -> Vec<Call> {
        let mut context = Context::default();
        let headers = around.headers().into_iter();
        let headers: HashMap<Key, Value> = headers
            .map(|(name, value)| (Key::from(name.to_lowercase()), Value::from(value)))
            .collect();
        context.add_variable_from_value("record", map(record));
        context.add_variable_from_value("headers", Value::Map(headers.into()));
        if let Some(key) = around.key() {
            context.add_variable_from_value("key", key);
        }
        let mut calls = Vec::new();
        for rule in &self.events {
            let Some(each) = &rule.each else {
                calls.extend(rule.call(&context));
                continue;
            };
            let items = match each {
                Expression::Judged(program) => program.execute(&context),
                Expression::Constant(_) => continue,
            };
            let Ok(Value::List(items)) = items else {
                continue;
            };
            for item in items.iter().take(MOST) {
                let mut inner = context.new_inner_scope();
                inner.add_variable_from_value("item", item.clone());
                calls.extend(rule.call(&inner));
            }
        }
        calls
    }
}

impl Rule {
    fn call(&self, context: &Context<'_, '_>) -> Option<Call> {
        if !self.when.as_ref().is_none_or(|when| when.holds(context)) {
            return None;
        }
        let mut call = Call::default();
        call.body.insert("type".into(), "track".into());
        let name = self.name.value(context).ok().flatten();
        call.body
            .extend(name.map(|name| ("event".to_owned(), name)));
        let (mut properties, mut traits) = (Map::new(), Map::new());
        for (target, expression) in &self.values {
            match expression.value(context) {
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
        for (name, map) in [("properties", properties), ("traits", traits)] {
            if !map.is_empty() {
                call.body.insert(name.into(), map.into());
            }
        }
        Some(call)
    }
}

/// A map without what is null: a field that is null is absent.
fn map(map: &Map<String, Json>) -> Value {
    let set = map.iter().filter(|(_, value)| !value.is_null());
    let map: HashMap<Key, Value> = set
        .map(|(name, value)| (Key::from(name.clone()), of_json(value)))
        .collect();
    Value::Map(map.into())
}

/// Whole numbers are of one kind, so that they can be compared and added.
fn of_json(value: &Json) -> Value {
    match value {
        Json::Null => Value::Null,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(list) => Value::from(list.iter().map(of_json).collect::<Vec<_>>()),
        Json::Object(object) => map(object),
    }
}
