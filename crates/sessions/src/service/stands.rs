//! Partitions that stand while the others go on: what a newer release wrote is left where it is, and said (INV-8).

use winback_contract::Partition;

use super::{Service, lasts};
use crate::partition::{OwnedPartition, Waits};

/// So long a partition stands before it is tried again, in milliseconds: it may have been mended meanwhile.
const AGAIN: i64 = 30_000;

impl Service {
    /// From now on it stands.
    pub(super) fn stand(&mut self, partition: Partition, why: String) {
        let known = self.stopped.get(&partition);
        if known.is_none_or(|(before, _)| *before != why) {
            tracing::error!(
                partition = partition.0,
                why,
                "the partition stands, the others go on"
            );
        }
        let now = self.shared.clock.now_millis();
        self.stopped.insert(partition, (why, now));
    }

    /// What has stood for a while is tried again.
    pub(super) fn try_again(&mut self) {
        let now = self.shared.clock.now_millis();
        for (partition, (_, since)) in &mut self.stopped {
            let is_tried = self.owned.contains_key(partition) || self.wanted.contains(partition);
            if !lasts(*since, now, AGAIN) && !is_tried {
                *since = now;
                self.wanted.push(*partition);
            }
        }
        // What goes on again does not stand.
        let owned = &self.owned;
        self.stopped.retain(|partition, (_, since)| {
            !owned.contains_key(partition) || lasts(*since, now, AGAIN)
        });
    }

    /// The partitions that stand now.
    pub(super) fn standing(&self) -> Vec<Partition> {
        let newer = |owned: &&OwnedPartition| newer(owned).is_some();
        let waiting = self
            .owned
            .values()
            .filter(newer)
            .map(|owned| owned.partition);
        let stopped = self.stopped.keys().copied();
        stopped
            .filter(|partition| !self.owned.contains_key(partition))
            .chain(waiting)
            .collect()
    }

    /// Why partitions can't go on, and what to do.
    pub(super) fn stands(&self) -> Option<String> {
        if let Some(why) = self.newcomers.stands() {
            return Some(why);
        }
        let standing = self.standing();
        if let Some(first) = standing.first() {
            let more = standing.len() - 1;
            let why = match (self.stopped.get(first), self.owned.get(first)) {
                (_, Some(owned)) => newer(owned).unwrap_or_default(),
                (Some((why, _)), None) => why.clone(),
                (None, None) => String::new(),
            };
            return Some(format!("partition {first} and {more} more stand: {why}"));
        }
        let mut slow = self
            .owned
            .values()
            .filter_map(|owned| Some((owned.partition, owned.outbox.slow()?)));
        if let Some((first, why)) = slow.next() {
            let more = slow.count();
            return Some(format!(
                "what partition {first} and {more} more have to say waits: {why}"
            ));
        }
        let waits = |owned: &&OwnedPartition| owned.waits_for_bundle(&self.shared.bundles);
        let mut waiting = self.owned.values().filter(waits);
        let first = waiting.next()?.partition;
        let more = waiting.count();
        Some(format!(
            "partition {first} and {more} more wait for a bundle that is not in the campaigns topic, or that this release can't \
             use: publish the campaigns, or run the release that published them"
        ))
    }
}

/// What it waits for, where that is a newer release.
fn newer(owned: &OwnedPartition) -> Option<String> {
    owned.waits.iter().find_map(|(topic, waits)| match waits {
        Waits::Newer(version) => Some(format!(
            "a record of {topic:?} has version {version}, of a newer release: run that release"
        )),
        Waits::Bundle => None,
    })
}
