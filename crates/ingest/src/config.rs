//! Config of ingest: where raw records come from and how much of them is taken.

use serde::{Deserialize, Serialize};
use winback_contract::SourceKind;

use crate::formats::Format;

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
    /// A price that changed by less is no news to customers, in hundredths of a percent.
    pub price_change: u32,
}
