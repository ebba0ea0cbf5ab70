//! The text of a condition: which fields it asks for, and which of winback's functions it calls.
//!
//! Calls are taken out and replaced by names, so that their arguments are judged before them and what they answer can
//! come from the customer. Texts in quotes are passed over.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::names;

/// Fields asked of a variable; `None` is the whole of it.
pub(super) type Asked = BTreeMap<String, Option<Vec<String>>>;

/// What is asked of a name that stands for each element of a list: `line.category` gives `category`.
pub(super) fn members(source: &str, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut quote = None;
    let mut word = String::new();
    let mut before: Option<String> = None;
    for c in source.chars().chain([' ']) {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c.is_ascii_alphanumeric() || c == '_' => {
                word.push(c);
                continue;
            }
            None => {}
        }
        // A call such as `line.name.startsWith(…)` asks for `name`; what follows that is no member of the element.
        let ended = std::mem::take(&mut word);
        if before.as_deref() == Some(name) && !ended.is_empty() && c != '(' {
            found.push(ended.clone());
        }
        before = (c == '.' && quote.is_none()).then_some(ended);
    }
    found
}

/// `cart.total` gives `cart` → `total`; a bare `cart` gives the whole.
pub(super) fn fields_asked(source: &str) -> Asked {
    let mut asked: Asked = BTreeMap::new();
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
                note(&mut asked, &words);
                words.clear();
                after_dot = false;
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
            note(&mut asked, &words);
            words.clear();
            after_dot = false;
        }
    }
    asked
}

fn note(asked: &mut Asked, words: &[String]) {
    match words {
        [] => {}
        [name] => {
            asked.insert(name.clone(), None);
        }
        [path, field, ..] => {
            if let Some(fields) = asked
                .entry(path.clone())
                .or_insert_with(|| Some(Vec::new()))
            {
                fields.push(field.clone());
            }
        }
    }
}

/// Names that macros such as `list.exists(name, …)` bind for their own use.
pub fn bound(source: &str) -> Vec<&str> {
    let macros = [".exists(", ".all(", ".filter(", ".map(", ".exists_one("];
    let mut names = Vec::new();
    for word in macros {
        for (place, _) in source.match_indices(word) {
            let rest = source[place + word.len()..].trim_start();
            let end = rest
                .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
                .unwrap_or(rest.len());
            if end > 0 && rest[end..].trim_start().starts_with(',') {
                names.push(&rest[..end]);
            }
        }
    }
    names
}

/// How a condition is put together.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Split {
    /// All must hold.
    And(Vec<String>),
    /// One must hold.
    Or(Vec<String>),
    /// It must not hold.
    Not(String),
    /// A yes or no of its own.
    One(String),
}

/// A condition's outermost `||`, `&&` or `!`; parentheses around all of it are taken off.
pub(super) fn split(source: &str) -> Split {
    let source = source.trim();
    let mut cuts: Vec<(usize, &str)> = Vec::new();
    let (mut depth, mut at, mut is_compared) = (0_i32, 0, false);
    while at < source.len() {
        let rest = &source[at..];
        let c = rest.chars().next().unwrap_or(' ');
        match c {
            '\'' | '"' => {
                at = end_of_text(source, at);
                continue;
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            '?' if depth == 0 => return Split::One(source.to_owned()),
            _ if depth == 0 && (rest.starts_with("&&") || rest.starts_with("||")) => {
                cuts.push((at, &rest[..2]));
                at += 2;
                continue;
            }
            '=' | '<' | '>' | '+' | '-' | '*' | '/' | '%' | ' ' if depth == 0 => is_compared = true,
            _ => {}
        }
        at += c.len_utf8();
    }
    // What `&&` joins is closer than what `||` does.
    let outer = if cuts.iter().any(|(_, word)| *word == "||") {
        "||"
    } else {
        "&&"
    };
    cuts.retain(|(_, word)| *word == outer);
    if !cuts.is_empty() {
        let mut found = Vec::new();
        let mut from = 0;
        for (cut, _) in cuts {
            found.push(source[from..cut].trim().to_owned());
            from = cut + 2;
        }
        found.push(source[from..].trim().to_owned());
        return if outer == "||" {
            Split::Or(found)
        } else {
            Split::And(found)
        };
    }
    // `!a == b` is `(!a) == b`.
    if let Some(inner) = source.strip_prefix('!')
        && !is_compared
    {
        return Split::Not(inner.to_owned());
    }
    let inside = source
        .strip_prefix('(')
        .and_then(|rest| rest.strip_suffix(')'));
    // The parentheses are a pair only if the first is closed by the last.
    match inside {
        Some(inner) if arguments(source, 0).is_ok_and(|(_, end)| end == source.len()) => {
            split(inner)
        }
        _ => Split::One(source.to_owned()),
    }
}

/// The parts of a condition between `&&` and `||`, without parentheses around them and `!` before them: each is a yes
/// or no of its own.
pub(super) fn parts(source: &str) -> Vec<String> {
    match split(source) {
        Split::And(all) | Split::Or(all) => all.iter().flat_map(|part| parts(part)).collect(),
        Split::Not(inner) => parts(&inner),
        Split::One(part) => vec![part],
    }
}

/// Where the variables with their fields stand, and the calls of winback's functions with their arguments. What a macro
/// binds or asks for (`has(…)`, `exists(…)`) is left out: it has no value by itself.
pub(super) fn words(source: &str) -> Vec<Range<usize>> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let bound = bound(source);
    let mut found = Vec::new();
    let mut at = 0;
    while at < source.len() {
        let rest = &source[at..];
        let c = rest.chars().next().unwrap_or(' ');
        if c == '\'' || c == '"' {
            at = end_of_text(source, at);
            continue;
        }
        if !(c.is_ascii_alphabetic() || c == '_') {
            // Numbers are no words.
            let skip = if c.is_ascii_digit() {
                rest.find(|c: char| !is_part(c)).unwrap_or(rest.len())
            } else {
                c.len_utf8()
            };
            at += skip;
            continue;
        }
        let end = at + rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        let word = &source[at..end];
        let is_called = source[end..].starts_with('(');
        let is_ours = METHODS.iter().any(|(method, _)| *method == word)
            || names::CALLS.iter().any(|(name, _)| *name == word);
        at = match (is_called, arguments(source, end)) {
            (true, Ok((_, after))) if is_ours => {
                found.push(at..after);
                after
            }
            // `size(cart.items)` shows what is in it; macros and methods do not.
            (true, Ok((_, after))) if word == "has" || word.contains('.') => after,
            (true, Ok((_, after))) if source[..at].ends_with('.') => after,
            (true, _) => end,
            // An element of a list is not the list.
            (false, _) if source[end..].starts_with('[') => end,
            (false, _) => {
                let root = word.split('.').next().unwrap_or(word);
                let is_own = bound.contains(&root) || source[..at].ends_with('.');
                if !is_own && names::VARIABLES.iter().any(|(name, _)| *name == root) {
                    found.push(at..end);
                }
                end
            }
        };
    }
    found
}

/// A call taken out of a condition.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FoundText {
    /// The function; methods are named as functions (`orders.within(d)` is `orders_within`).
    pub(super) function: &'static str,
    /// The texts of its arguments.
    pub(super) arguments: Vec<String>,
}

/// Methods and the functions they stand for.
const METHODS: &[(&str, &str)] = &[
    ("journey.sent", "sent"),
    ("orders.within", "orders_within"),
    ("sessions.within", "sessions_within"),
];

/// The condition with every call of [`names::CALLS`] replaced by `call_N_`, and the calls.
///
/// # Errors
/// What is wrong with a call.
pub(super) fn take_calls(source: &str) -> Result<(String, Vec<FoundText>), String> {
    let mut out = String::new();
    let mut calls = Vec::new();
    let bytes = source.as_bytes();
    let mut at = 0;
    while at < source.len() {
        let c = bytes[at] as char;
        if c == '\'' || c == '"' {
            let end = end_of_text(source, at);
            out.push_str(&source[at..end]);
            at = end;
            continue;
        }
        if c.is_ascii_alphabetic() || c == '_' {
            let end = at
                + source[at..]
                    .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '.'))
                    .unwrap_or(source.len() - at);
            let word = &source[at..end];
            let function = METHODS
                .iter()
                .find(|(method, _)| *method == word)
                .map(|(_, function)| *function)
                .or_else(|| {
                    names::CALLS
                        .iter()
                        .map(|(name, _)| *name)
                        .find(|name| *name == word)
                });
            match function {
                Some(function) if source[end..].trim_start().starts_with('(') => {
                    let open = end + source[end..].find('(').unwrap_or(0);
                    let (arguments, after) = arguments(source, open)?;
                    let wanted = names::CALLS
                        .iter()
                        .find(|(name, _)| *name == function)
                        .map_or(0, |(_, count)| *count);
                    if arguments.len() != wanted {
                        return Err(format!(
                            "`{word}` takes {wanted} argument{}, not {}",
                            if wanted == 1 { "" } else { "s" },
                            arguments.len()
                        ));
                    }
                    out.push_str(&format!("call_{}_", calls.len()));
                    calls.push(FoundText {
                        function,
                        arguments,
                    });
                    at = after;
                }
                _ => {
                    out.push_str(word);
                    at = end;
                }
            }
            continue;
        }
        let width = source[at..].chars().next().map_or(1, char::len_utf8);
        out.push_str(&source[at..at + width]);
        at += width;
    }
    Ok((out, calls))
}

fn end_of_text(source: &str, from: usize) -> usize {
    let quote = source.as_bytes()[from];
    let mut at = from + 1;
    while let Some(byte) = source.as_bytes().get(at) {
        match byte {
            b'\\' => at += 2,
            _ if *byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    source.len()
}

/// The arguments behind the parenthesis at `open`, and the place behind the closing one.
fn arguments(source: &str, open: usize) -> Result<(Vec<String>, usize), String> {
    let mut depth = 0_i32;
    let mut from = open + 1;
    let mut found = Vec::new();
    let mut at = open;
    while at < source.len() {
        let c = source[at..].chars().next().unwrap_or(' ');
        match c {
            '\'' | '"' => {
                at = end_of_text(source, at);
                continue;
            }
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => {
                depth -= 1;
                if depth == 0 {
                    let last = source[from..at].trim();
                    if !last.is_empty() {
                        found.push(last.to_owned());
                    }
                    return Ok((found, at + 1));
                }
            }
            ',' if depth == 1 => {
                found.push(source[from..at].trim().to_owned());
                from = at + 1;
            }
            _ => {}
        }
        at += c.len_utf8();
    }
    Err("a parenthesis is not closed".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_taken_out() {
        let (text, calls) = take_calls(
            "segment('top') && bought('a,b', days(30)) > 1 || orders.within(days(3)) == 0",
        )
        .unwrap();
        assert_eq!(text, "call_0_ && call_1_ > 1 || call_2_ == 0");
        assert_eq!(calls[0].arguments, ["'top'"]);
        assert_eq!(calls[1].arguments, ["'a,b'", "days(30)"]);
        assert_eq!(calls[2].function, "orders_within");
        let (text, calls) = take_calls("usual(item.product_id) - days(3)").unwrap();
        assert_eq!((text.as_str(), calls.len()), ("call_0_ - days(3)", 1));
        assert!(take_calls("segment()").is_err());
        assert_eq!(
            take_calls("'segment(1)' == x").unwrap().0,
            "'segment(1)' == x"
        );
    }

    #[test]
    fn a_condition_falls_into_its_parts() {
        assert_eq!(
            parts("a > 1 && !(b == 'x && y' || c) && f(d && e)"),
            ["a > 1", "b == 'x && y'", "c", "f(d && e)"]
        );
        assert_eq!(parts("(a) && (b || c)"), ["a", "b", "c"]);
        let of = |all: &[&str]| {
            all.iter()
                .map(|part| (*part).to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(split("a && b || c"), Split::Or(of(&["a && b", "c"])));
        assert_eq!(
            split("((a && (b || c)))"),
            Split::And(of(&["a", "(b || c)"]))
        );
        assert_eq!(split("!(a || b)"), Split::Not("(a || b)".into()));
        assert_eq!(split("!a == b"), Split::One("!a == b".into()));
        assert_eq!(split("a ? b : c && d"), Split::One("a ? b : c && d".into()));
    }

    #[test]
    fn whole_variables_and_fields_are_told_apart() {
        let asked = fields_asked("cart.total > 1 && size(cart.items) > 0 && event == 'x.y'");
        assert_eq!(
            asked["cart"],
            Some(vec!["total".to_owned(), "items".to_owned()])
        );
        assert_eq!(asked["event"], None);
        assert!(!asked.contains_key("x"));
    }
}
