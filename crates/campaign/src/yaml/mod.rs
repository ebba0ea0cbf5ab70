//! The files as they are written: flat structs with places, refusing unknown fields. No meaning yet.
//!
//! Start words and entry words are optional fields of one struct, so that every one keeps its line and column.

pub mod campaign;
pub mod policy;
pub mod schema;
pub mod values;

pub use campaign::CampaignFile;
pub use policy::PolicyFile;
pub use values::{OneOrMany, Patterns};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::diagnostic::Position;

/// A value with its place.
pub type Spanned<T> = serde_saphyr::Spanned<T>;

/// Where a value stands.
pub fn position<T>(spanned: &Spanned<T>) -> Option<Position> {
    of(spanned.referenced)
}

fn of(location: serde_saphyr::Location) -> Option<Position> {
    let line = usize::try_from(location.line())
        .ok()
        .filter(|line| *line > 0)?;
    Some(Position {
        line,
        column: usize::try_from(location.column()).unwrap_or(0),
    })
}

/// The head of every file.
#[derive(Deserialize, Debug)]
pub struct Head {
    /// `winback/v1`.
    #[serde(rename = "apiVersion")]
    pub api_version: Option<Spanned<String>>,
    /// `Campaign` or `Policy`.
    pub kind: Option<Spanned<String>>,
}

/// Reads one document.
///
/// # Errors
/// The place, if known, and what is wrong.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, (Option<Position>, String)> {
    serde_saphyr::from_str(text).map_err(|error| {
        let place = error.location().and_then(of);
        (place, message(&error))
    })
}

/// What the reader says, in the words of somebody who writes campaigns.
fn plain(message: &str) -> String {
    if let Some(rest) = message.strip_prefix("duplicate mapping key: ") {
        let key = rest.split(',').next().unwrap_or(rest);
        return format!("`{key}` is there twice");
    }
    let number = ["invalid u8", "invalid u16", "invalid u32", "invalid u64"];
    if let Some(found) = number.iter().find(|found| message.starts_with(**found)) {
        let rest = &message[found.len()..];
        let most = if *found == "invalid u8" {
            " up to 255"
        } else {
            ""
        };
        return format!("a whole number{most} is wanted here, such as 50{rest}");
    }
    if let Some(rest) = message.strip_prefix("expected string scalar") {
        return format!("a text is wanted here: put it in quotes{rest}");
    }
    message.to_owned()
}

/// The error without the excerpt and the place, which the report shows in its own way.
fn message(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    let first = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("not valid YAML")
        .trim()
        .to_owned();
    let first = plain(first.trim_start_matches("error: "));
    match first.rfind(" at line ") {
        Some(end) => first[..end].to_owned(),
        None => match first.rfind(" at ") {
            Some(end) if first[end..].contains("line") => first[..end].to_owned(),
            _ => first.to_owned(),
        },
    }
}
