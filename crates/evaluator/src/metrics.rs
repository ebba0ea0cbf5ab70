//! Metrics of the evaluator.

use prometheus::IntCounterVec;
use winback_contract::FailedReason;
use winback_service::Metrics as Registry;
use winback_service::metrics::begin;

/// All of them.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Counter: verdicts by word and reason.
    pub decisions: IntCounterVec,
    /// Counter: triggers that could not be decided.
    pub errors: IntCounterVec,
}

impl Metrics {
    /// Registers all.
    pub fn register(registry: &Registry) -> Self {
        let made = Self {
            decisions: registry.counter(
                "decisions_total",
                "verdicts of due steps",
                &["verdict", "reason"],
            ),
            errors: registry.counter(
                "rule_errors_total",
                "triggers that could not be decided",
                &["kind"],
            ),
        };
        for reason in [
            FailedReason::MalformedTrigger,
            FailedReason::UnreadableSnapshot,
        ] {
            begin(&made.errors, &[reason.as_str()]);
        }
        made
    }
}
