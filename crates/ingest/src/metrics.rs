//! Metrics of ingest.

use prometheus::IntCounterVec;
use winback_service::Metrics as Registry;

/// Counters of ingest; all are counted per record.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Counter by source.
    pub received: IntCounterVec,
    /// Counter by source and reason: what went to `failed`.
    pub invalid: IntCounterVec,
    /// Counter by source: calls, rows and records that say nothing, such as a row that was deleted.
    pub idle: IntCounterVec,
    /// Counter by event and field: what was left out of a record that was applied.
    pub ignored: IntCounterVec,
    /// Counter by source: names that are nearly one of the contract.
    pub nearly: IntCounterVec,
    /// Counter by source: names outside the contract, kept all the same.
    pub unknown: IntCounterVec,
}

impl Metrics {
    /// Registers all.
    pub fn register(registry: &Registry) -> Self {
        Self {
            received: registry.counter("events_received_total", "raw records read", &["source"]),
            invalid: registry.counter(
                "events_invalid_total",
                "raw records sent to failed",
                &["source", "reason"],
            ),
            idle: registry.counter(
                "records_without_event_total",
                "records that say nothing to winback: rows that were deleted, and what no rule of a map takes",
                &["source"],
            ),
            ignored: registry.counter(
                "fields_ignored_total",
                "fields that could not be read: their records were applied without them",
                &["event", "field", "reason"],
            ),
            nearly: registry.counter(
                "events_nearly_known_total",
                "events whose name is nearly one of the contract",
                &["source"],
            ),
            unknown: registry.counter(
                "events_unknown_total",
                "events with a name outside the contract",
                &["source"],
            ),
        }
    }
}
