//! Gauges of the partitions owned here: how much waits, and how old it is. They go with the partition; its new owner tells.
//!
//! Absent: when they are set; see `service::gauges`.

use prometheus::{GaugeVec, IntGaugeVec};
use winback_service::Metrics as Registry;
use winback_service::metrics::Changing;

/// See the module.
#[derive(Debug, Clone)]
pub struct Gauges {
    /// Gauge: 1 while a partition is owned here.
    pub owned: IntGaugeVec,
    /// Gauge: seconds since the oldest due timer of a partition was due.
    pub oldest_due: GaugeVec,
    /// Gauge: while a timer is due, seconds between now and the time up to which a topic's input has passed.
    pub frontier_age: GaugeVec,
    /// Gauge: entries of the outbox that Kafka has not.
    pub outbox: IntGaugeVec,
    /// Gauge: seconds since the oldest of them was committed.
    pub outbox_age: GaugeVec,
    /// Gauge: triggers without a decision.
    pub open_triggers: IntGaugeVec,
    /// Gauge: messages without an outcome.
    pub in_flight: IntGaugeVec,
    /// Gauge: held steps, by reason, over the partitions owned here.
    pub steps_held: Changing,
    /// Gauge: 1 for the active bundle of a partition.
    pub bundle: Changing,
}

impl Gauges {
    pub(super) fn register(registry: &Registry) -> Self {
        let by = &["partition"];
        Self {
            owned: registry.gauge(
                "partition_owned",
                "1 while the partition is owned by this process",
                by,
            ),
            oldest_due: registry.float_gauge(
                "timer_oldest_due_age_seconds",
                "age of the oldest due timer",
                by,
            ),
            frontier_age: registry.float_gauge(
                "frontier_age_seconds",
                "while a timer is due: how far the input of a topic is behind",
                &["source"],
            ),
            outbox: registry.gauge("outbox_entries", "outbox entries that Kafka has not", by),
            outbox_age: registry.float_gauge(
                "outbox_oldest_age_seconds",
                "age of the oldest outbox entry that Kafka has not",
                by,
            ),
            open_triggers: registry.gauge("triggers_open", "triggers without a decision", by),
            in_flight: registry.gauge("messages_in_flight", "messages without an outcome", by),
            steps_held: changing(
                registry,
                "steps_held",
                "steps that are held now",
                &["reason"],
            ),
            bundle: changing(
                registry,
                "bundle_active",
                "1 for the active bundle",
                &["partition", "bundle"],
            ),
        }
    }

    /// One that was never set has nothing to forget.
    pub(super) fn forget(&self, label: &str) {
        self.owned.with_label_values(&[label]).set(0);
        for gauge in [&self.oldest_due, &self.outbox_age] {
            let _absent = gauge.remove_label_values(&[label]);
        }
        for gauge in [&self.outbox, &self.open_triggers, &self.in_flight] {
            let _absent = gauge.remove_label_values(&[label]);
        }
    }
}

/// A gauge whose series come and go.
fn changing(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> Changing {
    Changing::new(registry.gauge(name, help, labels))
}
