//! Conditions in CEL: compiled once, judged against variables that are built only when asked for.
//!
//! An error never sends: a condition that fails is reported as an error and the caller treats it as grammar
//! §1.4 says. Absent here: which variables exist for a customer (journey supplies them).

use std::collections::BTreeMap;

use cel::{Context, Program, Value};

use crate::diagnostic::{Position, did_you_mean};
use crate::names;

/// Supplies variables by name; an absent one is an error of the condition.
pub trait Variables {
    /// The value, if there is one.
    fn get(&self, name: &str) -> Option<Value>;
}

/// A compiled condition or expression.
pub struct Condition {
    source: String,
    program: Program,
    reads: Vec<String>,
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

impl Condition {
    /// Compiles and checks names.
    ///
    /// # Errors
    /// Every problem found.
    pub fn compile(source: &str, allowed: &[&str]) -> Result<Self, Vec<Problem>> {
        let program = Program::compile(source).map_err(|errors| {
            errors
                .errors
                .iter()
                .map(|error| Problem {
                    at: place(error.pos),
                    message: format!("the condition can't be read: {}", error.msg),
                    help: Some(
                        "conditions are CEL, such as `cart.total >= 300 && orders.count > 0`"
                            .into(),
                    ),
                })
                .collect::<Vec<_>>()
        })?;
        let mut problems = Vec::new();
        let mut reads = Vec::new();
        let references = program.references();
        for name in references.variables() {
            if name.starts_with('@') {
                continue;
            }
            if allowed.contains(&name) {
                reads.push(name.to_owned());
            } else {
                problems.push(unknown("value", name, allowed));
            }
        }
        let functions: Vec<&str> = names::FUNCTIONS
            .iter()
            .chain(names::BUILT_IN)
            .copied()
            .collect();
        for name in references.functions() {
            let is_word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && !name.starts_with('_');
            if is_word && !functions.contains(&name) {
                problems.push(unknown("function", name, &functions));
            }
        }
        problems.extend(unknown_fields(source));
        if problems.is_empty() {
            Ok(Self {
                source: source.to_owned(),
                program,
                reads,
            })
        } else {
            Err(problems)
        }
    }

    /// The text it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    fn run(&self, variables: &dyn Variables) -> Result<Value, Failure> {
        thread_local! {
            static BASE: Context<'static, 'static> = base();
        }
        BASE.with(|base| {
            let mut context = base.new_inner_scope();
            for name in &self.reads {
                if let Some(value) = variables.get(name) {
                    context.add_variable_from_value(name.as_str(), value);
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
    pub fn holds(&self, variables: &dyn Variables) -> Result<bool, Failure> {
        match self.run(variables)? {
            Value::Bool(answer) => Ok(answer),
            other => Err(Failure::WrongType(format!(
                "{:?} instead of yes or no",
                other.type_of()
            ))),
        }
    }

    /// A text, as keys need it; numbers are written out.
    ///
    /// # Errors
    /// [`Failure`] when a value is absent or has no text.
    pub fn text(&self, variables: &dyn Variables) -> Result<String, Failure> {
        match self.run(variables)? {
            Value::String(text) => Ok(text.to_string()),
            Value::Int(number) => Ok(number.to_string()),
            Value::UInt(number) => Ok(number.to_string()),
            other => Err(Failure::WrongType(format!(
                "{:?} instead of a text",
                other.type_of()
            ))),
        }
    }
}

fn place((line, column): (isize, isize)) -> Option<Position> {
    let line = usize::try_from(line).ok().filter(|line| *line > 0)?;
    Some(Position {
        line,
        column: usize::try_from(column).unwrap_or(0),
    })
}

fn unknown(what: &str, name: &str, known: &[&str]) -> Problem {
    let help = did_you_mean(name, known.iter().copied())
        .unwrap_or_else(|| format!("known here: {}", known.join(", ")));
    Problem {
        at: None,
        message: format!("unknown {what} `{name}`"),
        help: Some(help),
    }
}

/// Fields after a dot that the variable does not have. A scan of words, since only one level is declared.
fn unknown_fields(source: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (path, fields) in fields_asked(source) {
        let Some((_, known)) = names::VARIABLES.iter().find(|(name, _)| *name == path) else {
            continue;
        };
        if known.is_empty() {
            continue;
        }
        for field in fields
            .iter()
            .filter(|field| !known.contains(&field.as_str()))
        {
            let help = did_you_mean(field, known.iter().copied())
                .unwrap_or_else(|| format!("`{path}` has {}", known.join(", ")));
            problems.push(Problem {
                at: None,
                message: format!("`{path}` has no `{field}`"),
                help: Some(help),
            });
        }
    }
    problems
}

/// `cart.total` gives `cart` → `total`; texts in quotes are passed over.
fn fields_asked(source: &str) -> BTreeMap<String, Vec<String>> {
    let mut asked: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut words: Vec<String> = Vec::new();
    let mut quote = None;
    let mut after_dot = false;
    for c in source.chars().chain([' ']) {
        match quote {
            Some(open) => {
                if c == open {
                    quote = None;
                }
                continue;
            }
            None if c == '\'' || c == '"' => {
                quote = Some(c);
                words.clear();
                continue;
            }
            None => {}
        }
        if c.is_ascii_alphanumeric() || c == '_' {
            if words.is_empty() || after_dot {
                words.push(String::new());
                after_dot = false;
            }
            if let Some(word) = words.last_mut() {
                word.push(c);
            }
        } else if c == '.' && !words.is_empty() {
            after_dot = true;
        } else {
            if let [path, field, ..] = words.as_slice() {
                asked.entry(path.clone()).or_default().push(field.clone());
            }
            words.clear();
            after_dot = false;
        }
    }
    asked
}

fn base() -> Context<'static, 'static> {
    let mut context = Context::default();
    type Span = fn(i64) -> Option<chrono::Duration>;
    let functions: [(&str, Span); 3] = [
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
mod tests {
    use super::*;

    struct Shop;
    impl Variables for Shop {
        fn get(&self, name: &str) -> Option<Value> {
            match name {
                "cart" => Some(Value::from(std::collections::HashMap::from([(
                    "total",
                    Value::Float(300.0),
                )]))),
                "orders" => Some(Value::from(std::collections::HashMap::from([(
                    "silent",
                    Value::Duration(chrono::Duration::days(61)),
                )]))),
                _ => None,
            }
        }
    }

    fn check(source: &str) -> Result<bool, String> {
        let allowed: Vec<&str> = names::VARIABLES.iter().map(|(name, _)| *name).collect();
        let condition = Condition::compile(source, &allowed).map_err(|problems| {
            problems
                .into_iter()
                .map(|p| p.message)
                .collect::<Vec<_>>()
                .join("; ")
        })?;
        condition
            .holds(&Shop)
            .map_err(|failure| failure.to_string())
    }

    #[test]
    fn conditions_are_judged() {
        assert_eq!(check("cart.total >= 300"), Ok(true));
        assert_eq!(check("cart.total >= 300.5"), Ok(false));
        assert_eq!(check("orders.silent >= days(60)"), Ok(true));
        assert_eq!(check("has(cart.url)"), Ok(false));
    }

    #[test]
    fn absence_is_an_error_not_a_yes() {
        assert!(
            check("customer.city == 'Kyiv'")
                .unwrap_err()
                .contains("could not be judged")
        );
        assert!(check("cart.url != 'x'").is_err());
        assert!(
            check("cart.total")
                .unwrap_err()
                .contains("instead of yes or no")
        );
    }

    #[test]
    fn names_are_checked() {
        assert_eq!(check("car.total > 1"), Err("unknown value `car`".into()));
        assert_eq!(check("cart.totl > 1"), Err("`cart` has no `totl`".into()));
        assert_eq!(
            check("dayz(3) > days(2)"),
            Err("unknown function `dayz`".into())
        );
        assert!(
            check("cart.total >=")
                .unwrap_err()
                .contains("can't be read")
        );
        assert_eq!(check("'car.totl' == 'x'"), Ok(false));
    }
}
