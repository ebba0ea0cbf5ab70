//! Metrics of the gateway: what was asked, and what became of it. Labels are of our own words.

use prometheus::{IntCounterVec, IntGaugeVec};
use winback_service::Metrics as Registry;
use winback_service::metrics::begin;

/// All of them.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Counter: requests by what they are for and what became of them.
    pub requests: IntCounterVec,
    /// Gauge: outcomes that the log has not.
    pub waiting: IntGaugeVec,
}

/// What is asked for.
pub(crate) const KINDS: [&str; 4] = ["click", "open", "unsubscribe", "page"];
/// What became of it.
pub(crate) const RESULTS: [&str; 6] = ["ok", "machine", "forged", "malformed", "dropped", "away"];

impl Metrics {
    /// Registers all.
    pub fn register(registry: &Registry) -> Self {
        let made = Self {
            requests: registry.counter(
                "gateway_requests_total",
                "requests of customers' mail programs and browsers, by what became of them",
                &["kind", "result"],
            ),
            waiting: registry.gauge(
                "gateway_outcomes_waiting",
                "outcomes of customers that Kafka has not yet",
                &[],
            ),
        };
        for kind in KINDS {
            for result in RESULTS {
                begin(&made.requests, &[kind, result]);
            }
        }
        made.waiting.with_label_values::<&str>(&[]).set(0);
        made
    }

    pub(crate) fn count(&self, kind: &str, result: &str) {
        self.requests.with_label_values(&[kind, result]).inc();
    }
}
