//! What is told of the partitions owned here: gauges, and what they wait for. Nothing is changed.

use std::collections::BTreeMap;

use winback_contract::{Reason, Timestamp};

use super::{Service, lasts};
use crate::partition::Owned;

/// Reasons for which steps are held day by day.
const HOLD: [Reason; 5] = [
    Reason::QuietHours,
    Reason::Capped,
    Reason::Paused,
    Reason::ProviderDown,
    Reason::InputLag,
];

impl Service {
    /// Gauges, once a second, also while nothing is due: an old value would be a lie.
    pub(super) fn show(&mut self) {
        let here = self.shared.clock.now_millis();
        if lasts(self.shown, here, 1_000) {
            return;
        }
        self.shown = here;
        let now = Timestamp::from_millis(here);
        let seconds = |span: winback_contract::Span| span.as_millis().max(0) as f64 / 1_000.0;
        let is_due = |owned: &Owned| owned.earliest.is_some_and(|earliest| earliest <= now);
        let metrics = &self.shared.metrics;
        let waiting = self.owned.values().filter(|owned| is_due(owned));
        let acquired = waiting.map(|owned| owned.acquired).min();
        for (source, behind) in self.frontier.behind() {
            // Before anything passed here, age counts from when the partition was acquired.
            let age = match (acquired, behind) {
                (Some(acquired), Some(passed)) => {
                    seconds(now.since(passed.unwrap_or(acquired).max(acquired)))
                }
                _ => 0.0,
            };
            metrics.frontier_age.with_label_values(&[source]).set(age);
        }
        let active = self.owned.values().find_map(|owned| owned.meta.bundle);
        let pools = self.owned.values().flat_map(|owned| owned.coupons.left());
        metrics.stops.show(pools, active, &self.shared.bundles);
        let mut held: BTreeMap<Reason, i64> = BTreeMap::new();
        for owned in self.owned.values() {
            let label = owned.partition.to_string();
            let age = owned
                .earliest
                .map_or(0.0, |earliest| seconds(now.since(earliest)));
            self.shared
                .metrics
                .oldest_due
                .with_label_values(&[&label])
                .set(age);
            let age = owned
                .outbox
                .since()
                .map_or(0, |since| (here - since).max(0));
            metrics
                .outbox_age
                .with_label_values(&[&label])
                .set(age as f64 / 1_000.0);
            let gauge = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
            metrics
                .open_triggers
                .with_label_values(&[&label])
                .set(gauge(owned.meta.open_triggers));
            metrics
                .in_flight
                .with_label_values(&[&label])
                .set(gauge(owned.meta.in_flight));
            for (reason, count) in &owned.meta.held {
                *held.entry(*reason).or_insert(0) += gauge(*count);
            }
            let waits = owned.waits_for_bundle(&self.shared.bundles);
            metrics
                .stops
                .waits
                .with_label_values(&[&label])
                .set(i64::from(waits));
            let outbox = i64::try_from(if owned.outbox.is_empty() {
                0
            } else {
                owned.outbox.held()
            })
            .unwrap_or(i64::MAX);
            self.shared
                .metrics
                .outbox
                .with_label_values(&[&label])
                .set(outbox);
        }
        let active = self.owned.values().filter_map(|owned| {
            let bundle = owned.meta.bundle?.to_string();
            Some((vec![owned.partition.to_string(), bundle], 1))
        });
        metrics.bundle.show(active);
        let standing = self.standing();
        let goes_on = self.owned.keys().copied();
        let goes_on = goes_on.filter(|partition| !standing.contains(partition));
        let stands = standing.iter().map(|partition| (*partition, 1));
        let stands = goes_on.map(|partition| (partition, 0)).chain(stands);
        let stands = stands.map(|(partition, stands)| (vec![partition.to_string()], stands));
        metrics.stops.stand.show(stands);
        // What usually holds is told also where it holds nothing.
        for reason in HOLD {
            held.entry(reason).or_insert(0);
        }
        let held = held.into_iter();
        let held = held.map(|(reason, count)| (vec![reason.as_str().to_owned()], count));
        metrics.steps_held.show(held);
    }
}
