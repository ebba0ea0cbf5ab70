//! Config of ingest: where raw records come from and how much of them is taken.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use winback_contract::SourceKind;

use crate::formats::mapping::Mapping;
use crate::formats::{Format, Shape};

/// Whose time is a record's arrival.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Arrival {
    /// The broker's (`LogAppendTime`). A topic with producers' time is refused.
    #[default]
    LogAppendTime,
    /// The producer's: for topics that cannot be changed.
    CreateTime,
}

/// A source of raw records.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// Its name in metrics and positions; never change it.
    pub name: String,
    /// Its topic, with the prefix.
    pub topic: String,
    /// What its records look like.
    #[serde(default)]
    pub format: Format,
    /// What the rows of changes of a table look like, with `format: debezium`.
    #[serde(default)]
    pub rows: Format,
    /// The file that says what records mean, with `format: map`, or `rows: map`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<PathBuf>,
    /// Live or history.
    #[serde(default)]
    pub kind: SourceKind,
    /// Whose time is the arrival.
    #[serde(default)]
    pub arrival: Arrival,
    /// Whether timers wait for it.
    #[serde(default = "yes")]
    pub required: bool,
}

impl SourceConfig {
    /// All that says what its records mean. Reads the file of a mapping.
    ///
    /// # Errors
    /// What is missing, or wrong in the file, each with its place.
    pub fn shape(&self) -> Result<Shape, String> {
        shape(self).map_err(|problem| format!("source `{}`: {problem}", self.name))
    }
}

fn shape(source: &SourceConfig) -> Result<Shape, String> {
    let (format, rows, map) = (source.format, source.rows, source.map.as_deref());
    let is_mapped = format == Format::Map || format == Format::Debezium && rows == Format::Map;
    let mapping = match (map, is_mapped) {
        (Some(path), true) => {
            let text = std::fs::read_to_string(path)
                .map_err(|error| format!("{}: {error}", path.display()))?;
            let mapping = Mapping::read(&path.display().to_string(), &text);
            Some(Arc::new(mapping.map_err(|report| report.to_string())?.0))
        }
        (None, true) => {
            return Err("`format: map` needs `map`, the file that says what records mean".into());
        }
        (Some(path), false) => {
            return Err(format!(
                "{} is read with `format: map` only",
                path.display()
            ));
        }
        (None, false) => None,
    };
    if rows != Format::Segment && format != Format::Debezium {
        return Err("`rows` belongs to `format: debezium`".into());
    }
    if [Format::Debezium, Format::Cloudevents].contains(&rows) {
        return Err(format!(
            "`rows` says what is inside of a change: it can't be {}",
            rows.word()
        ));
    }
    Ok(Shape {
        format,
        rows,
        mapping,
    })
}

fn yes() -> bool {
    true
}

/// Config of ingest.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where raw records come from.
    pub sources: Vec<SourceConfig>,
    /// Larger payloads go to `failed` as `too_large`, in bytes.
    pub max_bytes: usize,
    /// Records taken at once.
    pub batch: usize,
    /// Words of the shop's own that name nobody, beside those that every shop knows.
    pub nobody: Vec<String>,
    /// A price that changed by less is no news to customers, in hundredths of a percent.
    pub price_change: u32,
}
