//! What a folded batch becomes: one commit, and what is left to do after it. Absent: the fold.
//!
//! Invariants: INV-2 (one commit holds all), INV-7 (due times are written with the state), INV-10 (in the order of ids).

use std::sync::Arc;

use winback_bus::Mark;
use winback_contract::{
    Announcement, CustomerId, FailedReason, Span, Timestamp, Topic, ids::digest,
};
use winback_journey::bound::encode_within;
use winback_journey::{Counts, Effects, Sellers, Tally, next_due};
use winback_store::{Commit, Watch};

use super::{Batch, CROWDED, Watching};
use crate::entry::Entry;

/// A timer that can't be judged, as of a customer whose state is damaged, is looked at again so much later.
const PUT_OFF: Span = Span::from_mins(1);

impl Batch<'_> {
    /// These were the last records of their topics: their marks are kept with the positions behind them, which tells a
    /// mark apart that was left by a release that knows none.
    pub(crate) fn reached(&mut self, last: &[(Topic, Mark)]) {
        for (topic, mark) in last {
            if let Some((position, kept)) = self.meta.input(*topic) {
                *kept = format!("{position}:{mark}");
            }
        }
    }

    /// The commit, and the entries it puts into the outbox. `trim` entries of the outbox are acknowledged.
    pub(crate) fn finish(mut self, trim: u64) -> (Commit, Vec<Entry>, Folded) {
        let mut customers = Vec::new();
        let mut timers = Vec::new();
        let mut earliest: Option<Timestamp> = None;
        // In the order of ids: the same inputs make the same commit (INV-10).
        let mut touched: Vec<(CustomerId, Tally)> =
            std::mem::take(&mut self.touched).into_iter().collect();
        touched.sort_unstable_by_key(|(id, _)| *id);
        let mut difference = Tally::default();
        for (id, before) in &touched {
            difference.add(before, -1);
            if self.deleted.contains(id) {
                customers.push((*id, None));
                timers.push((*id, None));
                self.cache.remove(*id);
                continue;
            }
            let customer = self.cache.get(*id);
            difference.add(&Tally::of(customer), 1);
            let mut due = next_due(customer, self.context.limits);
            if due <= self.context.frontier && self.woken.contains(id) {
                // It is due and can't be judged now, as when too many triggers are open: those behind it have their turn.
                due = self.context.frontier + CROWDED;
            }
            // Lazy timers: an entry that is too early wakes up once in vain; one that is too late must never be.
            let moves = match customer.scheduled {
                None => true,
                Some(at) => due < at || self.woken.contains(id),
            };
            if moves {
                customer.scheduled = Some(due);
                timers.push((*id, Some(due)));
                earliest = Some(earliest.map_or(due, |known| known.min(due)));
            }
            let blob = encode_within(customer, self.context.bundles.format(), &mut self.counts);
            customers.push((*id, Some(blob)));
        }
        for id in &self.put_off {
            let due = self.context.frontier + PUT_OFF;
            timers.push((*id, Some(due)));
            earliest = Some(earliest.map_or(due, |known| known.min(due)));
        }
        let watches = self.watched();
        self.count(&difference);
        if self.learned {
            self.meta.sellers = serde_json::to_string(self.sellers.as_ref()).unwrap_or_default();
        }
        self.meta.pushed += self.outbox.len() as u64;
        self.meta.trimmed += trim;
        let commit = Commit {
            epoch: self.base.epoch,
            sequence: self.base.sequence,
            id: self.id(),
            meta: self.meta,
            base: Some(self.base),
            customers,
            timers,
            outbox: self.outbox.iter().map(Entry::encode).collect(),
            trim,
            grants: self.grants,
            watches,
            coupons: self.coupon_writes,
        };
        let finished = Folded {
            effects: self.effects,
            counts: self.counts,
            failures: self.failures,
            repeats: self.repeats,
            news: self.news,
            sellers: self.sellers,
            earliest,
            woke: !self.woken.is_empty() || !self.put_off.is_empty(),
        };
        (commit, self.outbox, finished)
    }

    /// The same inputs make the same commit, known again by its id.
    fn id(&self) -> [u8; 16] {
        let id_parts = [
            &self.context.partition.0.to_be_bytes()[..],
            &self.base.epoch.to_be_bytes(),
            &self.base.sequence.to_be_bytes(),
        ];
        digest("commit", &id_parts)
    }

    fn watched(&mut self) -> Vec<Watch> {
        let watches = std::mem::take(&mut self.watches).into_iter();
        let mut watches: Vec<Watch> = watches
            .map(|(product, Watching { mut by, gone })| {
                by.sort_unstable();
                let gone = gone.into_iter().collect();
                Watch { product, by, gone }
            })
            .collect();
        watches.sort_unstable_by(|one, other| one.product.cmp(&other.product));
        watches
    }
}

/// What a finished batch leaves for after the commit.
#[derive(Debug)]
pub(crate) struct Folded {
    /// For metrics.
    pub effects: Vec<Effects>,
    /// For metrics.
    pub counts: Counts,
    /// For metrics.
    pub failures: Vec<FailedReason>,
    /// For metrics.
    pub repeats: u64,
    /// The shop's announcements now.
    pub news: Vec<Announcement>,
    /// What sells now.
    pub sellers: Arc<Sellers>,
    /// The earliest timer that was written.
    pub earliest: Option<Timestamp>,
    /// Whether timers were fired, so that the earliest is another one now.
    pub woke: bool,
}
