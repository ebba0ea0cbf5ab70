//! Metrics of recoveries. Labels are bounded by the count of partitions.

use prometheus::IntCounterVec;
use winback_contract::Partition;
use winback_service::Metrics as Registry;

use super::Recovered;

/// See the module.
#[derive(Debug, Clone)]
pub struct Recoveries {
    /// Counter: partitions that recovered after the store went back in time.
    pub times: IntCounterVec,
    /// Counter: messages of a lost time: `sent` are known to have gone out, `in_doubt` were in flight at most.
    pub messages: IntCounterVec,
}

impl Recoveries {
    /// Registers all.
    pub fn register(registry: &Registry) -> Self {
        Self {
            times: registry.counter(
                "recoveries_total",
                "times a partition recovered after the store went back in time",
                &["partition"],
            ),
            messages: registry.counter(
                "recovered_messages_total",
                "messages of a lost time: known to have gone out, and in doubt at most",
                &["result"],
            ),
        }
    }

    /// Counts what a recovery found.
    pub fn count(&self, partition: Partition, found: Recovered) {
        let label = partition.to_string();
        self.times.with_label_values(&[&label]).inc();
        for (word, count) in [("sent", found.sent as u64), ("in_doubt", found.in_doubt)] {
            self.messages.with_label_values(&[word]).inc_by(count);
        }
    }
}
