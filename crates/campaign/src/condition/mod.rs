//! Conditions in CEL: compiled once, judged against variables that are built only when asked for.
//!
//! An error never sends: a condition that fails is reported as an error and the caller treats it as ADR 0014
//! says. Absent here: which values a customer has (journey supplies them).

mod because;
mod check;
mod text;

pub use check::Wanted;
pub use text::bound;

use std::sync::OnceLock;

use cel::{Context, Program, Value};
use winback_contract::{Span, Timestamp};

use crate::diagnostic::Position;
use text::Asked;

/// Supplies variables by name; an absent one is an error of the condition.
pub trait Variables {
    /// The value, if there is one. Only `fields` are asked for; `None` asks for all.
    fn get(&self, name: &str, fields: Option<&[String]>) -> Option<Value>;

    /// A field that can be told without making its variable; `None` when it is absent or has to be made.
    fn direct(&self, _name: &str, _field: &str) -> Option<Value> {
        None
    }

    /// The answer of one of winback's functions; `None` when it has none.
    fn call(&self, function: &str, arguments: &[Value]) -> Option<Value>;
}

/// A compiled condition or expression.
pub struct Condition {
    source: String,
    program: Program,
    /// Variables it reads, and of which only fields.
    reads: Vec<(String, Option<Vec<String>>)>,
    calls: Vec<Call>,
    /// Variable and field, of an expression that is nothing else: keys, mostly. It is answered without an interpreter.
    plain: Option<Box<(String, String)>>,
    /// Its parts, once somebody asks which of them decided.
    tree: OnceLock<Box<because::Tree>>,
}

struct Call {
    function: &'static str,
    arguments: Vec<Condition>,
    name: String,
}

impl std::fmt::Debug for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Condition({})", self.source)
    }
}

/// Why a condition gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// A value it needs is absent, or has another type.
    #[error("the condition could not be judged: {0}")]
    NotJudged(String),
    /// It is not a yes or no, or not a text.
    #[error("the condition gave {0}")]
    WrongType(String),
}

/// What is wrong with the text of a condition; the position is inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line and column inside the text, from 1.
    pub at: Option<Position>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

/// When something is to happen, as an expression says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// So long from now; negative spans are in the past.
    After(Span),
    /// At this moment.
    At(Timestamp),
    /// On this day, in the customer's zone.
    Day(jiff::civil::Date),
}

impl Condition {
    /// Compiles and checks names.
    ///
    /// # Errors
    /// Every problem found.
    pub fn compile(source: &str, allowed: &[&str]) -> Result<Self, Vec<Problem>> {
        let condition = Self::build(source, allowed)?;
        Ok(condition)
    }

    fn build(source: &str, allowed: &[&str]) -> Result<Self, Vec<Problem>> {
        let one = |message: String, help: Option<String>| {
            vec![Problem {
                at: None,
                message,
                help,
            }]
        };
        if source.len() > 4_096 {
            return Err(one(
                "a condition is at most 4096 characters long".into(),
                None,
            ));
        }
        // The text as written is read first: places of mistakes are those of the file.
        Program::compile(source).map_err(|errors| check::unreadable(source, &errors))?;
        let (rewritten, taken) = text::take_calls(source).map_err(|message| {
            let help = "as in segment('top') or bought('coffee', days(90))";
            one(message, Some(help.into()))
        })?;
        let program =
            Program::compile(&rewritten).map_err(|errors| check::unreadable(source, &errors))?;
        let mut calls = Vec::new();
        let mut problems = Vec::new();
        for (index, call) in taken.into_iter().enumerate() {
            let mut arguments = Vec::new();
            for argument in &call.arguments {
                match Self::build(argument, allowed) {
                    Ok(argument) => arguments.push(argument),
                    Err(found) => problems.extend(found),
                }
            }
            calls.push(Call {
                function: call.function,
                arguments,
                name: format!("call_{index}_"),
            });
        }
        let asked: Asked = text::fields_asked(&rewritten);
        let mut reads = Vec::new();
        problems.extend(check::names(
            &program, &rewritten, allowed, &asked, &calls, &mut reads,
        ));
        if problems.is_empty() {
            Ok(Self {
                plain: plain(source, &reads),
                source: source.to_owned(),
                program,
                reads,
                calls,
                tree: OnceLock::new(),
            })
        } else {
            Err(problems)
        }
    }

    /// The text it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The fields it asks of a variable; `None` in the list's place asks for all.
    pub fn asks(&self, variable: &str) -> Option<Option<Vec<String>>> {
        let own = self
            .reads
            .iter()
            .find(|(name, _)| name == variable)
            .map(|(_, fields)| fields.clone());
        self.calls
            .iter()
            .flat_map(|call| &call.arguments)
            .filter_map(|argument| argument.asks(variable))
            .chain(own)
            .reduce(|one, other| match (one, other) {
                (Some(mut one), Some(other)) => {
                    one.extend(other);
                    Some(one)
                }
                _ => None,
            })
    }

    /// The literal arguments given to a function, for checking the names they hold.
    pub fn literals(&self, function: &str) -> Vec<String> {
        let own = self
            .calls
            .iter()
            .filter(|call| call.function == function)
            .filter_map(|call| {
                let text = call.arguments.first()?.source.trim();
                let inner = text
                    .strip_prefix('\'')
                    .and_then(|text| text.strip_suffix('\''))
                    .or_else(|| {
                        text.strip_prefix('"')
                            .and_then(|text| text.strip_suffix('"'))
                    })?;
                Some(inner.to_owned())
            });
        let inner = self
            .calls
            .iter()
            .flat_map(|call| &call.arguments)
            .flat_map(|argument| argument.literals(function));
        own.chain(inner).collect()
    }

    /// Whether it calls a function.
    pub fn calls(&self, function: &str) -> bool {
        self.calls.iter().any(|call| {
            call.function == function || call.arguments.iter().any(|part| part.calls(function))
        })
    }

    /// The value.
    ///
    /// # Errors
    /// [`Failure`] when a value is absent.
    pub fn value(&self, variables: &dyn Variables) -> Result<Value, Failure> {
        if let Some((name, field)) = self.plain.as_deref() {
            if let Some(value) = variables.direct(name, field) {
                return Ok(value);
            }
            if let Some(Value::Map(map)) = variables.get(name, Some(std::slice::from_ref(field))) {
                let value = map.get(&cel::objects::KeyRef::String(field));
                return value
                    .cloned()
                    .ok_or_else(|| Failure::NotJudged(format!("No such key: {field}")));
            }
        }
        thread_local! {
            static BASE: Context<'static, 'static> = base();
        }
        BASE.with(|base| {
            let mut context = base.new_inner_scope();
            for (name, fields) in &self.reads {
                if let Some(value) = variables.get(name, fields.as_deref()) {
                    context.add_variable_from_value(name.as_str(), value);
                }
            }
            for call in &self.calls {
                let arguments: Result<Vec<Value>, Failure> = call
                    .arguments
                    .iter()
                    .map(|argument| argument.value(variables))
                    .collect();
                // A call that can't be answered is absent: it fails where it is used.
                if let Ok(arguments) = arguments
                    && let Some(answer) = variables.call(call.function, &arguments)
                {
                    context.add_variable_from_value(call.name.as_str(), answer);
                }
            }
            self.program
                .execute(&context)
                .map_err(|error| Failure::NotJudged(error.to_string()))
        })
    }

    /// Yes or no.
    ///
    /// # Errors
    /// [`Failure`] when a value is absent or the answer is neither.
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "another library's enum: what it adds is none of ours"
    )]
    pub fn holds(&self, variables: &dyn Variables) -> Result<bool, Failure> {
        match self.value(variables)? {
            Value::Bool(answer) => Ok(answer),
            other => Err(wrong(&other, "yes or no")),
        }
    }

    /// A text, as keys need it; numbers are written out.
    ///
    /// # Errors
    /// [`Failure`] when a value is absent or has no text.
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "another library's enum: what it adds is none of ours"
    )]
    pub fn text(&self, variables: &dyn Variables) -> Result<String, Failure> {
        match self.value(variables)? {
            Value::String(text) => Ok(text.to_string()),
            Value::Int(number) => Ok(number.to_string()),
            Value::UInt(number) => Ok(number.to_string()),
            other => Err(wrong(&other, "a text")),
        }
    }

    /// A moment: a time, a day, or a duration from now.
    ///
    /// # Errors
    /// [`Failure`] when a value is absent or is none of these.
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "another library's enum: what it adds is none of ours"
    )]
    pub fn moment(&self, variables: &dyn Variables) -> Result<Moment, Failure> {
        match self.value(variables)? {
            Value::Duration(span) => Ok(Moment::After(Span::from_millis(span.num_milliseconds()))),
            Value::Timestamp(at) => Ok(Moment::At(Timestamp::from_millis(at.timestamp_millis()))),
            Value::String(day) => day
                .parse()
                .map(Moment::Day)
                .map_err(|_| Failure::WrongType("a text that is no day such as 2026-12-31".into())),
            other => Err(wrong(&other, "a time, a day or a duration")),
        }
    }

    /// A list.
    ///
    /// # Errors
    /// [`Failure`] when a value is absent or is no list.
    #[allow(
        clippy::wildcard_enum_match_arm,
        reason = "another library's enum: what it adds is none of ours"
    )]
    pub fn list(&self, variables: &dyn Variables) -> Result<Vec<Value>, Failure> {
        match self.value(variables)? {
            Value::List(list) => Ok(list.iter().cloned().collect()),
            other => Err(wrong(&other, "a list")),
        }
    }
}

/// `variable.field`, if the source is just that.
fn plain(source: &str, reads: &[(String, Option<Vec<String>>)]) -> Option<Box<(String, String)>> {
    let (name, field) = source.trim().split_once('.')?;
    match reads {
        [(read, Some(fields))] if read == name && fields.iter().eq([field]) => {
            Some(Box::new((name.to_owned(), field.to_owned())))
        }
        _ => None,
    }
}

fn wrong(value: &Value, wanted: &str) -> Failure {
    Failure::WrongType(format!("{:?} instead of {wanted}", value.type_of()))
}

fn base() -> Context<'static, 'static> {
    let mut context = Context::default();
    type Make = fn(i64) -> Option<chrono::Duration>;
    let functions: [(&str, Make); 3] = [
        ("days", chrono::Duration::try_days),
        ("hours", chrono::Duration::try_hours),
        ("minutes", chrono::Duration::try_minutes),
    ];
    for (name, span) in functions {
        let added =
            context.add_function(name, move |n: i64| -> Result<Value, cel::ExecutionError> {
                span(n)
                    .map(Value::Duration)
                    .ok_or_else(|| cel::ExecutionError::function_error(name, "too long"))
            });
        debug_assert!(added.is_ok(), "{name} is a name of CEL's own");
    }
    context
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
