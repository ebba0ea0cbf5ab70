//! What is told of the partitions owned here: gauges, and what they wait for. Nothing is changed.

use std::collections::BTreeMap;

use winback_contract::{Reason, Span, Timestamp};

use super::{Service, lasts};
use crate::partition::OwnedPartition;

/// Reasons for which steps are held day by day.
const HOLD: [Reason; 5] = [
    Reason::QuietHours,
    Reason::Capped,
    Reason::Paused,
    Reason::ProviderDown,
    Reason::InputLag,
];

fn seconds(span: Span) -> f64 {
    span.as_millis().max(0) as f64 / 1_000.0
}

fn gauged(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

impl Service {
    /// Gauges, once a second, also while nothing is due: an old value would be a lie.
    pub(super) fn show(&mut self) {
        let here = self.shared.clock.now_millis();
        if lasts(self.shown, here, 1_000) {
            return;
        }
        self.shown = here;
        let now = Timestamp::from_millis(here);
        let is_due =
            |owned: &OwnedPartition| owned.earliest.is_some_and(|earliest| earliest <= now);
        let metrics = &self.shared.metrics;
        let gauges = &metrics.gauges;
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
            gauges.frontier_age.with_label_values(&[source]).set(age);
        }
        let active = self.owned.values().find_map(|owned| owned.meta.bundle);
        let pools = self.owned.values().flat_map(|owned| owned.coupons.left());
        metrics.stops.show(pools, active, &self.shared.bundles);
        for owned in self.owned.values() {
            self.show_one(owned, (here, now));
        }
        let active = self.owned.values().filter_map(|owned| {
            let bundle = owned.meta.bundle?.to_string();
            Some((vec![owned.partition.to_string(), bundle], 1))
        });
        gauges.bundle.show(active);
        let standing = self.standing();
        let goes_on = self.owned.keys().copied();
        let goes_on = goes_on.filter(|partition| !standing.contains(partition));
        let stands = standing.iter().map(|partition| (*partition, 1));
        let stands = goes_on.map(|partition| (partition, 0)).chain(stands);
        let stands = stands.map(|(partition, stands)| (vec![partition.to_string()], stands));
        metrics.stops.stand.show(stands);
        self.show_held();
    }

    /// What one partition holds, and how old the oldest of it is.
    fn show_one(&self, owned: &OwnedPartition, (here, now): (i64, Timestamp)) {
        let (label, metrics) = (owned.partition.to_string(), &self.shared.metrics);
        let (label, gauges) = (&[label.as_str()], &metrics.gauges);
        let due = owned.earliest;
        let age = due.map_or(0.0, |earliest| seconds(now.since(earliest)));
        gauges.oldest_due.with_label_values(label).set(age);
        let since = owned.outbox.since();
        let age = since.map_or(0, |since| (here - since).max(0)) as f64 / 1_000.0;
        gauges.outbox_age.with_label_values(label).set(age);
        let waits = owned.waits_for_bundle(&self.shared.bundles);
        let outbox = if owned.outbox.is_empty() {
            0
        } else {
            i64::try_from(owned.outbox.held()).unwrap_or(i64::MAX)
        };
        for (gauge, value) in [
            (&gauges.open_triggers, gauged(owned.meta.open_triggers)),
            (&gauges.in_flight, gauged(owned.meta.in_flight)),
            (&metrics.stops.waits, i64::from(waits)),
            (&gauges.outbox, outbox),
        ] {
            gauge.with_label_values(label).set(value);
        }
    }

    /// Held steps by reason; what usually holds is told also where it holds nothing.
    fn show_held(&self) {
        let mut held: BTreeMap<Reason, i64> = HOLD.map(|reason| (reason, 0)).into();
        for (reason, count) in self.owned.values().flat_map(|owned| &owned.meta.held) {
            *held.entry(*reason).or_insert(0) += gauged(*count);
        }
        let held = held.into_iter();
        let held = held.map(|(reason, count)| (vec![reason.as_str().to_owned()], count));
        self.shared.metrics.gauges.steps_held.show(held);
    }
}
