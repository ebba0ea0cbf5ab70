//! The fold of one batch: inputs in order, customer by customer, into one commit. No IO.
//!
//! Invariants: INV-2 (one commit holds all), INV-8 (each input is applied, dropped by position, or failed).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use winback_bus::{Record, Stamp, dead_letter};
use winback_campaign::Bundles;
use winback_contract::{
    Announcement, Body, BundleHash, CustomerId, Decision, Event, EventId, EventRecord,
    FailedReason, FailedStage, Outcome, Partition, PartitionCount, SourceKind, SourcePosition,
    Span, Timestamp, Topic,
};
use winback_journey::start::product::{self, PendingProductChange};
use winback_journey::{
    Count, Counts, Coupons, Effects, GrantState, Limits, Room, Sellers, Tally, World, book, input,
    outcome, tick,
};
use winback_store::{CouponChange, CouponWrite, GrantWrite, PartitionMeta};

mod effects;
mod finish;

use crate::cache::{Cache, IdHash};
use crate::entry::Entry;
use crate::headroom::Headroom;
use crate::sweep::{self, Job};
pub(crate) use finish::Folded;

/// The name of our own stream in source positions.
pub(crate) const STREAM: &str = "sessions";

/// Whoever is due while too many triggers are open is looked at again so much later.
const CROWDED: Span = Span::from_secs(2);

/// What a batch is folded against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FoldContext<'a> {
    /// Which partition.
    pub partition: Partition,
    /// Of how many.
    pub partitions: PartitionCount,
    /// All bundles.
    pub bundles: &'a Bundles,
    /// Numbers.
    pub limits: &'a Limits,
    /// The frontier: timers due up to it may fire.
    pub frontier: Timestamp,
    /// The room that the store has: where it is short not everybody new is remembered (INV-12).
    pub headroom: Headroom,
    /// Most triggers without a decision, and most messages without an outcome (INV-12).
    pub most_open: u64,
    /// The shop, as it goes into the keys of profiles.
    pub shop: &'a str,
}

/// Who waits for news of a product from now on, and who does no more: the last word of each counts.
#[derive(Debug, Default)]
struct Watching {
    by: Vec<(Timestamp, CustomerId)>,
    gone: BTreeSet<CustomerId>,
}

/// A batch being folded.
#[derive(Debug)]
pub(crate) struct Batch<'a> {
    context: FoldContext<'a>,
    cache: &'a mut Cache,
    /// The meta after this batch.
    pub meta: PartitionMeta,
    /// The shop's announcements after it.
    pub news: Vec<Announcement>,
    /// Whether the sweep that ran at the beginning of this batch was replaced.
    pub restarted: bool,
    base: PartitionMeta,
    /// Each customer that was touched, as it counted before.
    touched: HashMap<CustomerId, Tally, IdHash>,
    room: Room,
    woken: BTreeSet<CustomerId>,
    deleted: BTreeSet<CustomerId>,
    put_off: Vec<CustomerId>,
    outbox: Vec<Entry>,
    grants: Vec<GrantWrite>,
    watches: HashMap<String, Watching>,
    sellers: Arc<Sellers>,
    coupons: &'a mut Coupons,
    coupon_writes: Vec<CouponWrite>,
    learned: bool,
    forwards: u32,
    /// What left the customers, for metrics after the commit.
    pub effects: Vec<Effects>,
    /// What was counted.
    pub counts: Counts,
    /// Inputs that went to `failed`, by reason.
    pub failures: Vec<FailedReason>,
    /// Inputs dropped because they were applied before.
    pub repeats: u64,
}

impl<'a> Batch<'a> {
    /// Nothing folded yet.
    pub(crate) fn new(
        context: FoldContext<'a>,
        cache: &'a mut Cache,
        meta: &PartitionMeta,
        news: &[Announcement],
        sellers: &Arc<Sellers>,
        coupons: &'a mut Coupons,
    ) -> Self {
        Self {
            context,
            cache,
            base: meta.clone(),
            meta: PartitionMeta {
                goods_together: false,
                ..meta.clone()
            },
            news: news.to_vec(),
            restarted: false,
            touched: HashMap::default(),
            room: Room::of(meta.open_triggers, &meta.flights, context.most_open),
            woken: BTreeSet::new(),
            deleted: BTreeSet::new(),
            put_off: Vec::new(),
            outbox: Vec::new(),
            grants: Vec::new(),
            watches: HashMap::new(),
            sellers: Arc::clone(sellers),
            coupons,
            coupon_writes: Vec::new(),
            learned: false,
            forwards: 0,
            effects: Vec::new(),
            counts: Counts::default(),
            failures: Vec::new(),
            repeats: 0,
        }
    }

    fn with(
        &mut self,
        id: CustomerId,
        work: impl FnOnce(&mut winback_journey::Customer, &World<'_>) -> Effects,
    ) {
        let active = self
            .meta
            .bundle
            .and_then(|hash| self.context.bundles.get(hash));
        let world = World {
            customer: id,
            partition: self.context.partition,
            bundles: self.context.bundles,
            active: active.map(AsRef::as_ref),
            limits: self.context.limits,
            news: &self.news,
            sellers: &self.sellers,
            coupons: self.coupons,
            shop: self.context.shop,
        };
        let customer = self.cache.get(id);
        self.touched
            .entry(id)
            .or_insert_with(|| Tally::of(customer));
        let effects = work(customer, &world);
        self.take(id, effects);
    }

    /// The shop switched to a bundle: it decides from here on, and everybody is told.
    fn activated(&mut self, bundle: BundleHash) {
        let bundles = self.context.bundles;
        let is_usable = bundles.get(bundle).is_some() && !bundles.is_refused(bundle);
        if !is_usable || self.meta.bundle == Some(bundle) {
            return;
        }
        self.meta.bundle = Some(bundle);
        self.restarted |= sweep::begin_activation(&mut self.meta);
        // Which other bundles are needed is known anew once its sweep has seen everybody.
        (self.meta.named, self.meta.naming) = (None, Some(BTreeSet::new()));
    }

    /// An event whose record was read already, or a failure.
    pub(crate) fn event(&mut self, record: &Record, event: Result<EventRecord, String>) {
        self.meta.positions.events = record.offset.next();
        let event = match event {
            Ok(event) => event,
            Err(detail) => return self.fail(record, FailedReason::MalformedEvent, detail),
        };
        // A switch of bundles has no position: published twice, it changes nothing the second time.
        if let Body::Activation { bundle } = event.body {
            return self.activated(bundle);
        }
        // Nor has the word to forget somebody: said twice, it is known by its moment, and it must not get lost to another one
        // of the same moment.
        let is_erasure = matches!(event.body, Body::Erased);
        // What failed and was put back lies below what came since: repeats of it are known by their ids.
        if !is_erasure && !record.is_redriven() && !self.is_news(&event.source) {
            self.repeats += 1;
            return;
        }
        if let Body::Announcement(told) = event.body {
            // What is told of the past was told then.
            let at = match event.kind {
                SourceKind::Live => event.arrival,
                SourceKind::History => event.at,
            };
            self.announced(event.id, at, *told, event.kind);
            return;
        }
        if let Body::Coupons { pool, codes } = event.body {
            // Which of them are new is known to the store alone.
            self.coupons.forget(&pool);
            let change = CouponChange::Add(codes);
            self.coupon_writes.push(CouponWrite { pool, change });
            return;
        }
        if let Body::Goods(news) = event.body {
            // Without anybody who listens nothing is kept.
            let listens = self
                .meta
                .bundle
                .and_then(|hash| self.context.bundles.get(hash))
                .is_some_and(|bundle| !bundle.watched().is_empty());
            if listens && event.kind == SourceKind::Live {
                let told = PendingProductChange {
                    id: event.id,
                    at: event.arrival,
                    news: *news,
                };
                match sweep::keep(&mut self.meta, &told) {
                    Some(restarted) => self.restarted |= restarted,
                    None => self.counts.add(Count::Truncated),
                }
            }
            return;
        }
        if self.context.partitions.of(event.to) != self.context.partition {
            return self.fail(
                record,
                FailedReason::WrongPartition,
                "the customer belongs to another partition".into(),
            );
        }
        if self.context.headroom.gives_up(&event.body) && !self.cache.has(event.to) {
            self.counts.add(Count::NoMemory);
            return;
        }
        self.with(event.to, |customer, world| {
            #[cfg(test)]
            tests::planted(&event);
            input::apply(customer, &event, world)
        });
        if matches!(event.body, Body::Handover { .. }) {
            self.name_bundles(event.to);
        }
    }

    /// Notes which bundles beside the active one a customer's journeys name.
    fn name_bundles(&mut self, id: CustomerId) {
        let active = self.meta.bundle;
        let journeys = &self.cache.get(id).journeys;
        let named = journeys.iter().map(|journey| journey.bundle);
        for hash in named.filter(|hash| Some(*hash) != active) {
            for known in [&mut self.meta.named, &mut self.meta.naming] {
                known.as_mut().map(|known| known.insert(hash));
            }
        }
    }

    /// The running sweep got on to this cursor, and left out those who can't be read.
    pub(crate) fn got_on(&mut self, job: &Job, next: Option<String>, damaged: bool) {
        if *job == Job::Activate {
            if damaged {
                // Nobody knows what they need.
                self.meta.naming = None;
            }
            if next.is_none() {
                self.meta.named = self.meta.naming.take();
            }
        }
        sweep::got_on(&mut self.meta, next);
    }

    /// The newest announcement of each name is kept; a live one begins what waits for it.
    fn announced(&mut self, id: EventId, at: Timestamp, event: Event, kind: SourceKind) {
        let name = event.name.clone();
        let newer = self
            .news
            .iter()
            .any(|known| known.event.name == name && known.at > at);
        if newer {
            return;
        }
        self.news.retain(|known| known.event.name != name);
        let news = Announcement { id, at, event };
        if let Ok(json) = serde_json::to_string(&news) {
            self.meta.news.insert(name.clone(), json);
        }
        self.news.push(news);
        self.news
            .sort_by(|one, other| one.event.name.cmp(&other.event.name));
        if kind == SourceKind::Live {
            sweep::add(&mut self.meta, &Job::News(name));
        }
    }

    /// Whether an internal position is above the high-water mark of its stream; if so it becomes the mark.
    fn is_news(&mut self, source: &SourcePosition) -> bool {
        let position = (source.offset, source.index);
        // A few streams at most: looking through them costs less than making a key for every event.
        let marks = self.meta.high_water.iter_mut();
        let known = marks.into_iter().find(|((stream, partition), _)| {
            *partition == source.partition && *stream == source.stream
        });
        match known {
            Some((_, mark)) if *mark >= position => false,
            Some((_, mark)) => {
                *mark = position;
                true
            }
            None => {
                self.meta
                    .high_water
                    .insert((source.stream.clone(), source.partition), position);
                true
            }
        }
    }

    /// A decision.
    pub(crate) fn decision(&mut self, record: &Record, decision: Result<Decision, String>) {
        self.meta.positions.decisions = record.offset.next();
        match decision {
            Ok(decision) => {
                self.with(decision.customer, |customer, world| {
                    book::apply(customer, &decision, world)
                });
            }
            Err(detail) => self.fail(record, FailedReason::MalformedDecision, detail),
        }
    }

    /// An outcome.
    pub(crate) fn outcome(&mut self, record: &Record, outcome: Result<Outcome, String>) {
        self.meta.positions.outcomes = record.offset.next();
        match outcome {
            Ok(mut outcome) => {
                // The broker's time, where there is one: the clock of whoever reports may be a day off.
                if record.stamp == Stamp::Broker {
                    let ahead = record.time.since(outcome.at);
                    outcome.retry_at = outcome.retry_at.map(|at| at + ahead);
                    outcome.at = record.time;
                }
                self.with(outcome.customer, |customer, world| {
                    outcome::apply(customer, &outcome, world)
                });
            }
            Err(detail) => self.fail(record, FailedReason::MalformedOutcome, detail),
        }
    }

    /// An input that can't be applied: it goes to `failed` as it is, and its position moves on (INV-8).
    pub(crate) fn aside(&mut self, topic: Topic, record: &Record, reason: FailedReason) {
        if let Some((position, _)) = self.meta.input(topic) {
            *position = record.offset.next();
        }
        self.fail(record, reason, reason.explanation().to_owned());
    }

    /// A timer that can't be judged: it is looked at again later.
    pub(crate) fn put_off(&mut self, id: CustomerId) {
        self.put_off.push(id);
    }

    /// A customer whose timer is due.
    pub(crate) fn due(
        &mut self,
        id: CustomerId,
        grants: &dyn Fn(winback_contract::MessageId) -> GrantState,
    ) {
        let frontier = self.context.frontier;
        let room = self.room.clone();
        self.woken.insert(id);
        self.with(id, |customer, world| {
            tick::tick(customer, frontier, grants, &room, world)
        });
    }

    /// The customers whom a sweep reaches.
    pub(crate) fn sweep(&mut self, ids: &[CustomerId], job: &Job) {
        let now = self.context.frontier;
        let product = match job {
            Job::Goods(product) => Some(product),
            _ => None,
        };
        let told = product.and_then(|product| sweep::told_of(&self.meta, product));
        for id in ids {
            // A list of watchers may name those whom it no longer concerns: they are left as they are.
            if product.is_some_and(|product| !product::wants(self.cache.get(*id), product)) {
                continue;
            }
            // Who was touched by something else is written anyway.
            let before = (!self.touched.contains_key(id)).then(|| self.cache.get(*id).clone());
            self.with(*id, |customer, world| {
                job.run(customer, now, world, told.as_ref())
            });
            if *job == Job::Activate {
                self.name_bundles(*id);
            }
            // A job that concerns a few must not write all of them anew.
            if before.is_some_and(|before| *self.cache.get(*id) == before) {
                self.touched.remove(id);
            }
        }
    }

    fn fail(&mut self, record: &Record, reason: FailedReason, detail: String) {
        let failed = dead_letter(record, FailedStage::Sessions, reason, detail);
        self.put(
            Topic::Failed,
            None,
            String::new(),
            serde_json::to_vec(&failed),
        );
        self.failures.push(reason);
    }

    fn count(&mut self, difference: &Tally) {
        let meta = &mut self.meta;
        meta.open_triggers = meta
            .open_triggers
            .saturating_add_signed(difference.triggers);
        meta.in_flight = meta.in_flight.saturating_add_signed(difference.messages());
        for (channel, change) in &difference.flights {
            let count = meta.flights.entry(*channel).or_insert(0);
            *count = count.saturating_add_signed(*change);
        }
        for (reason, change) in &difference.held {
            let count = meta.held.entry(*reason).or_insert(0);
            *count = count.saturating_add_signed(*change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Body, EventRecord};

    /// Panics for the order that a test names so.
    pub(super) fn planted(event: &EventRecord) {
        let is_planted = matches!(&event.body, Body::Storefront(told) if told.order_id.as_deref() == Some("panic"));
        assert!(!is_planted, "planted");
    }
}
