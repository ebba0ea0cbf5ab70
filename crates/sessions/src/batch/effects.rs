//! What leaves a customer becomes writes of the commit: records of the outbox, grants, lists of watchers, codes. Absent: the
//! fold that it comes from.
//!
//! Invariant: INV-2 (one commit holds all).

use std::sync::Arc;

use winback_contract::{Body, CustomerId, EventRecord, Offset, Partition, SourcePosition, Topic};
use winback_journey::{Count, CouponMove, Effects, Forward, GrantChange};
use winback_store::{CouponChange, CouponWrite, GrantWrite};

use super::{Batch, STREAM};
use crate::entry::Entry;
use crate::headroom::Headroom;

impl Batch<'_> {
    /// Who waits for news of which products from now on.
    fn watch(&mut self, id: CustomerId, effects: &mut Effects) {
        // What is wanted after all of an input counts: a list that was left may be joined again by it.
        for product in effects.unwatched.drain(..) {
            let list = self.watches.entry(product).or_default();
            list.by.retain(|(_, by)| *by != id);
            list.gone.insert(id);
        }
        for (product, since) in effects.watches.drain(..) {
            if self.context.headroom != Headroom::Enough {
                continue;
            }
            let list = self.watches.entry(product).or_default();
            list.gone.remove(&id);
            list.by.push((since, id));
        }
    }

    /// What goes to other profiles.
    fn pass_on(&mut self, forwards: &[Forward]) {
        let newest = EventRecord::newest_in(self.context.bundles.format());
        for forward in forwards {
            let body = match &forward.body {
                // The release before knows no word at an address, and must hear of the order all the same (INV-5).
                Body::AtAddress(event) if newest < EventRecord::ADDRESS => {
                    &Body::Copy(event.clone())
                }
                body => body,
            };
            let version = EventRecord::version_of(body);
            if version > newest {
                // Told once the shop is on a format that can say it.
                self.counts.add(Count::LaterFormat);
                continue;
            }
            self.forwards += 1;
            let record = EventRecord {
                v: version,
                to: forward.to,
                id: forward.id,
                source: SourcePosition {
                    stream: STREAM.into(),
                    partition: self.context.partition,
                    offset: Offset(i64::try_from(self.base.sequence).unwrap_or(i64::MAX)),
                    index: self.forwards,
                },
                kind: forward.kind,
                arrival: forward.arrival,
                at: forward.at,
                body: body.clone(),
            };
            let partition = self.context.partitions.of(forward.to);
            self.put(
                Topic::Events,
                Some(partition),
                forward.to.to_string(),
                serde_json::to_vec(&record),
            );
        }
    }

    pub(super) fn take(&mut self, id: CustomerId, mut effects: Effects) {
        self.counts.merge(&effects.counts);
        self.watch(id, &mut effects);
        // Whoever comes back in the same batch is not to be forgotten.
        if !effects.delete && !self.deleted.is_empty() {
            self.deleted.remove(&id);
        }
        if effects.is_quiet() {
            return;
        }
        let here = Some(self.context.partition);
        let key = id.to_string();
        for record in &effects.journeys {
            self.put(
                Topic::Journeys,
                here,
                key.clone(),
                serde_json::to_vec(record),
            );
        }
        for trigger in &effects.triggers {
            self.put(
                Topic::Triggers,
                here,
                key.clone(),
                serde_json::to_vec(trigger),
            );
        }
        for message in &effects.messages {
            self.put(
                Topic::Dispatch(message.channel),
                here,
                key.clone(),
                serde_json::to_vec(message),
            );
        }
        self.pass_on(&effects.forwards);
        self.grants
            .extend(effects.grants.iter().map(|change| match *change {
                GrantChange::Grant {
                    message,
                    attempt,
                    not_before,
                    not_after,
                } => GrantWrite::Grant {
                    message,
                    attempt,
                    not_before,
                    not_after,
                },
                GrantChange::Remove(message) => GrantWrite::Remove(message),
                GrantChange::Withdraw(message) => GrantWrite::Withdraw(message),
                GrantChange::Move(message) => GrantWrite::Move(message),
            }));
        for moved in &effects.coupons {
            let (pool, change) = match moved {
                CouponMove::Taken(pool, code) => {
                    self.coupons.take(pool, code);
                    (pool.clone(), CouponChange::Take(code.clone()))
                }
                CouponMove::Returned(pool, code) => {
                    self.coupons.put_back(pool, code);
                    (pool.clone(), CouponChange::Return(code.clone()))
                }
            };
            self.coupon_writes.push(CouponWrite { pool, change });
        }
        for (products, at) in &effects.sold {
            Arc::make_mut(&mut self.sellers).sold(products, *at);
        }
        self.learned |= !effects.sold.is_empty();
        if effects.delete {
            self.deleted.insert(id);
        }
        self.effects.push(effects);
    }

    pub(super) fn put(
        &mut self,
        topic: Topic,
        partition: Option<Partition>,
        key: String,
        value: serde_json::Result<Vec<u8>>,
    ) {
        // Our own plain types always serialise; a failure here would be a bug that tests meet first.
        let entry = value
            .ok()
            .and_then(|value| Entry::new(topic, partition, key, value));
        debug_assert!(
            entry.is_some(),
            "a record for {topic:?} could not be written"
        );
        self.outbox.extend(entry);
    }
}
