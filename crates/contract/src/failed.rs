//! What could not be applied (INV-8): the payload as it came, the stage and the reason, for people.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::blob::Blob;
use crate::failed_reason::FailedReason;
use crate::partition::{Offset, Partition};
use crate::time::Timestamp;

/// Most of a payload that is kept; the rest is represented by its hash and position.
pub const KEPT_BYTES: usize = 64 * 1024;
/// Most of a key and headers that is kept.
const KEPT_HEAD_BYTES: usize = 8 * 1024;

/// One record of `failed`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Failed {
    /// Version of this shape.
    pub v: u8,
    /// Which service gave up.
    pub stage: FailedStage,
    /// Why.
    pub reason: FailedReason,
    /// What is wrong and where, without personal data.
    pub detail: String,
    /// The topic it came from.
    pub topic: String,
    /// Its partition.
    pub partition: Partition,
    /// Its offset.
    pub offset: Offset,
    /// When it arrived.
    pub arrival: Timestamp,
    /// Whole length in bytes.
    pub bytes: u64,
    /// BLAKE3 of the whole payload, 64 hex digits.
    pub blake3: String,
    /// The payload, cut after 64 KiB.
    pub payload: Blob,
    /// The record's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Blob>,
    /// Whether the record was applied all the same, without what could not be read of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub applied: bool,
    /// The record's headers: what a CloudEvent says of itself stands there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, Blob)>,
}

impl Failed {
    /// Version written now.
    pub const VERSION: u8 = 1;

    /// Keeps what is allowed of the payload.
    pub fn new(
        stage: FailedStage,
        reason: FailedReason,
        detail: String,
        place: (&str, Partition, Offset, Timestamp),
        payload: &[u8],
    ) -> Self {
        let (topic, partition, offset, arrival) = place;
        Self {
            v: Self::VERSION,
            stage,
            reason,
            detail,
            topic: topic.to_owned(),
            partition,
            offset,
            arrival,
            bytes: payload.len() as u64,
            blake3: blake3::hash(payload).to_hex().to_string(),
            payload: Blob(payload[..payload.len().min(KEPT_BYTES)].to_vec()),
            key: None,
            applied: false,
            headers: Vec::new(),
        }
    }

    /// Keeps the key and the headers too, unless they are larger than any that are meant.
    #[must_use]
    pub fn with(mut self, key: &[u8], headers: &[(String, Vec<u8>)]) -> Self {
        let bytes = |(name, value): &(String, Vec<u8>)| name.len() + value.len();
        let size = key.len() + headers.iter().map(bytes).sum::<usize>();
        if size <= KEPT_HEAD_BYTES {
            self.key = (!key.is_empty()).then(|| Blob(key.to_vec()));
            let kept = |(name, value): &(String, Vec<u8>)| (name.clone(), Blob(value.clone()));
            self.headers = headers.iter().map(kept).collect();
        }
        self
    }

    /// Whether the payload is all there.
    pub fn is_whole(&self) -> bool {
        self.bytes == self.payload.0.len() as u64
    }
}

/// The service that gave up on a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailedStage {
    /// Reading raw.
    Ingest,
    /// Reading events, decisions or outcomes.
    Sessions,
    /// Reading triggers.
    Evaluator,
    /// Reading dispatch.
    Dispatch,
}

impl FailedStage {
    /// The word on the wire and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Sessions => "sessions",
            Self::Evaluator => "evaluator",
            Self::Dispatch => "dispatch",
        }
    }
}
