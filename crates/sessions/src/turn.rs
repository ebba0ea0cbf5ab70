//! One step of a partition (ADR 0002): take, load, fold, commit, produce. The seams stand apart for overlap.
//!
//! Invariants: INV-1 (a fenced commit throws everything folded away), INV-3 (produce comes after durability).

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use winback_bus::Log;
use winback_campaign::Bundles;
use winback_contract::{CustomerId, FailedReason, MessageId, Timestamp, Topic};
use winback_journey::{self as journey, Coupons, GrantState, decode};
use winback_service::outage::Outage;
use winback_service::{Clock, Health, Shutdown, clock};
use winback_store::{Commit, Committed, Grant, PartitionMeta, Store};

use crate::batch::{Batch, FoldContext, Folded};
use crate::config::Config;
use crate::entry::Entry;
use crate::error::Error;
use crate::headroom::Found;
use crate::metrics::Metrics;
use crate::partition::OwnedPartition;
use crate::sweep;

mod aside;
mod take;

use take::Inputs;

/// Most decisions in one commit: each may need a code of a pool, and so many codes are kept at hand.
pub(super) const DECISIONS: usize = 2_000;

/// What all partitions of the process share.
#[derive(Clone)]
pub(crate) struct Shared {
    /// The log.
    pub log: Arc<dyn Log>,
    /// The store.
    pub store: Arc<dyn Store>,
    /// Bundles.
    pub bundles: Bundles,
    /// Sizes.
    pub config: Config,
    /// Counters.
    pub metrics: Metrics,
    /// Ends retries.
    pub shutdown: Shutdown,
    /// Whether retries may wait in real time.
    pub clock: Clock,
    /// The room that the store has.
    pub headroom: Arc<Found>,
    /// Who is told what a commit waits for, once the loop runs.
    pub health: Arc<OnceLock<Health>>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

impl OwnedPartition {
    /// Does one step. Returns how much it did; zero means idle.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the partition is lost; the caller drops it.
    pub(crate) async fn turn(
        &mut self,
        shared: &Shared,
        frontier: Timestamp,
    ) -> Result<usize, Error> {
        self.produce(shared).await?;
        if self.outbox.is_full(shared.config.batch) {
            return Ok(0);
        }
        self.count_coupons(shared).await?;
        let taken = self.take(shared, frontier).await?;
        let work = taken.count();
        if work == 0 && self.outbox.sent() == 0 && taken.sweep.is_none() && taken.called.is_none() {
            return Ok(0);
        }
        let grants = self.load(shared, &taken, frontier).await?;
        let due: Vec<Timestamp> = taken.due.iter().map(|(_, due)| *due).collect();
        let (commit, entries, finished) = self.fold_or_aside(shared, taken, &grants, frontier)?;
        self.commit(shared, &commit).await?;
        self.done(shared, commit, entries, &finished);
        for due in due {
            let late = frontier.since(due).as_millis();
            shared
                .metrics
                .fire_delay
                .with_label_values(&["step"])
                .observe(late.max(0) as f64 / 1_000.0);
        }
        self.produce(shared).await?;
        Ok(work.max(1))
    }

    /// Notes when the next day has to be called out.
    pub(crate) fn plan_call(&mut self, shared: &Shared) {
        let bundle = self.meta.bundle.and_then(|hash| shared.bundles.get(hash));
        self.next_call = bundle.and_then(|bundle| sweep::next_call(&self.meta, bundle));
    }

    /// Reads what the batch needs and the cache has not.
    async fn load(
        &mut self,
        shared: &Shared,
        taken: &Inputs,
        frontier: Timestamp,
    ) -> Result<HashMap<MessageId, GrantState>, Error> {
        let mut missing: BTreeSet<CustomerId> = BTreeSet::new();
        missing.extend(
            taken
                .events
                .iter()
                .filter_map(|(_, event)| event.as_ref().ok().map(|event| event.to)),
        );
        missing.extend(
            taken
                .decisions
                .iter()
                .filter_map(|(_, d)| d.as_ref().ok().map(|d| d.customer)),
        );
        missing.extend(
            taken
                .outcomes
                .iter()
                .filter_map(|(_, o)| o.as_ref().ok().map(|o| o.customer)),
        );
        missing.extend(taken.due.iter().map(|(id, _)| *id));
        missing.extend(taken.swept.iter().copied());
        missing.retain(|id| !self.cache.has(*id));
        self.damaged.clear();
        let missing: Vec<CustomerId> = missing.into_iter().collect();
        let blobs = shared.store.load(self.partition, &missing).await?;
        for (id, blob) in missing.into_iter().zip(blobs) {
            let Some(blob) = blob else { continue };
            let customer = match decode(&blob) {
                Ok(customer) => customer,
                Err(error @ journey::codec::Error::Damaged) => {
                    // It stays as it is, and what is said of it goes to `failed`: everybody else goes on (INV-8).
                    tracing::error!(partition = self.partition.0, customer = %id, %error, "its input is put aside");
                    self.damaged.insert(id);
                    continue;
                }
                Err(error) => {
                    return Err(Error::Stopped {
                        partition: self.partition,
                        why: format!("customer {id}: {error}"),
                    });
                }
            };
            self.cache.put(id, customer);
        }
        let mut waiting_grants = Vec::new();
        for (id, _) in &taken.due {
            // Asking the cache would make an empty customer of one that can't be read.
            if self.damaged.contains(id) {
                continue;
            }
            let customer = self.cache.get(*id);
            let waiting = customer
                .messages
                .iter()
                .filter(|pending| pending.check_at <= frontier);
            waiting_grants.extend(waiting.map(|pending| (pending.partition, pending.message)));
        }
        let grants = shared.store.grants(&waiting_grants).await?;
        Ok(waiting_grants
            .into_iter()
            .zip(grants)
            .map(|((_, message), grant)| (message, state(grant)))
            .collect())
    }

    /// Knows enough codes of every pool for the decisions of a batch.
    async fn count_coupons(&mut self, shared: &Shared) -> Result<(), Error> {
        if shared.config.sample_coupons {
            self.coupons = Coupons::endless();
            return Ok(());
        }
        for pool in shared.bundles.pools() {
            let enough = shared.config.batch.min(DECISIONS);
            if self.coupons.lacks(pool, enough) {
                let most = 2 * enough;
                let (front, left) = shared.store.coupons(self.partition, pool, most).await?;
                self.coupons.learn(pool, front, left);
            }
        }
        Ok(())
    }

    /// A batch on what is committed.
    fn batch<'b>(&'b mut self, shared: &'b Shared, frontier: Timestamp) -> Batch<'b> {
        let context = FoldContext {
            partition: self.partition,
            partitions: shared.config.partitions,
            bundles: &shared.bundles,
            limits: &shared.config.limits,
            frontier,
            most_open: shared.config.most_open,
            headroom: shared.headroom.get(),
            shop: &shared.config.shop,
        };
        let (cache, coupons) = (&mut self.cache, &mut self.coupons);
        Batch::new(
            context,
            cache,
            &self.meta,
            &self.news,
            &self.sellers,
            coupons,
        )
    }

    fn fold(
        &mut self,
        shared: &Shared,
        taken: Inputs,
        grants: &HashMap<MessageId, GrantState>,
        frontier: Timestamp,
    ) -> (Commit, Vec<Entry>, Folded) {
        let (sent, last) = (self.outbox.sent(), taken.last());
        let damaged = std::mem::take(&mut self.damaged);
        let mut batch = self.batch(shared, frontier);
        for (record, decision) in taken.decisions {
            shared
                .metrics
                .triggers
                .with_label_values(&["decided"])
                .inc();
            match &decision {
                Ok(said) if damaged.contains(&said.customer) => {
                    batch.aside(Topic::Decisions, &record, FailedReason::DamagedState);
                }
                _ => batch.decision(&record, decision),
            }
        }
        for (record, outcome) in taken.outcomes {
            match &outcome {
                Ok(said) if damaged.contains(&said.customer) => {
                    batch.aside(Topic::Outcomes, &record, FailedReason::DamagedState);
                }
                _ => batch.outcome(&record, outcome),
            }
        }
        for (record, event) in taken.events {
            match &event {
                Ok(said) if damaged.contains(&said.to) => {
                    batch.aside(Topic::Events, &record, FailedReason::DamagedState);
                }
                _ => batch.event(&record, event),
            }
        }
        let grant = |message: MessageId| {
            grants
                .get(&message)
                .copied()
                .unwrap_or(GrantState::NotAsked)
        };
        for (id, _) in &taken.due {
            if damaged.contains(id) {
                batch.put_off(*id);
            } else {
                batch.due(*id, &grant);
            }
        }
        if let Some((job, next)) = &taken.sweep {
            let mut swept = taken.swept;
            let all = swept.len();
            swept.retain(|id| !damaged.contains(id));
            batch.sweep(&swept, job);
            // A switch of bundles in this very batch has begun the list anew.
            if !batch.restarted {
                batch.got_on(job, next.clone(), swept.len() < all);
            }
        }
        if let Some(called) = taken.called {
            sweep::join_called(&mut batch.meta, called);
        }
        batch.reached(&last);
        batch.finish(sent)
    }

    /// Commits until the answer is definite. The same commit id makes a retry safe.
    async fn commit(&mut self, shared: &Shared, commit: &Commit) -> Result<(), Error> {
        let mut outage = Outage::default();
        loop {
            let watch = clock::Stopwatch::start();
            let answer = shared.store.commit(self.partition, commit).await;
            shared
                .metrics
                .commit_seconds
                .with_label_values(&["commit"])
                .observe(watch.elapsed().as_secs_f64());
            match answer {
                Ok(Committed::Applied) => return Ok(()),
                Ok(Committed::AlreadyApplied) => {
                    shared
                        .metrics
                        .already_applied
                        .with_label_values(&[&self.partition.to_string()])
                        .inc();
                    return Ok(());
                }
                Ok(Committed::Fenced { epoch, sequence }) => {
                    shared
                        .metrics
                        .fences
                        .with_label_values(&[&self.partition.to_string()])
                        .inc();
                    if epoch <= commit.epoch && sequence < commit.sequence {
                        return Err(Error::WentBack {
                            partition: self.partition,
                            known: self.standing(),
                            found: sequence,
                        });
                    }
                    return Err(Error::Fenced(self.partition));
                }
                Err(error @ winback_store::Error::Unavailable(_)) => {
                    if shared.shutdown.is_raised() {
                        return Err(error.into());
                    }
                    if let Some(untold) = outage.failed() {
                        let partition = self.partition.0;
                        tracing::warn!(partition, %error, untold, "a commit waits for the store");
                    }
                    if let Some(health) = shared.health.get() {
                        health.not_ready("sessions", format!("a commit waits: {error}"));
                    }
                    if !shared.clock.is_virtual() {
                        clock::pause(Duration::from_millis(200)).await;
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The commit is durable: its state is the state now.
    fn done(&mut self, shared: &Shared, commit: Commit, entries: Vec<Entry>, finished: &Folded) {
        let metrics = &shared.metrics;
        self.outbox.trimmed(commit.trim);
        self.meta = PartitionMeta {
            epoch: commit.epoch,
            sequence: commit.sequence + 1,
            last_commit: Some(commit.id),
            ..commit.meta
        };
        let written = (&shared.config.names, self.standing());
        self.outbox.put(entries, written, shared.clock.now_millis());
        self.earliest = match (self.earliest, finished.earliest) {
            (Some(known), Some(new)) => Some(known.min(new)),
            (known, new) => known.or(new),
        };
        self.earliest_is_stale |= finished.woke;
        self.news.clone_from(&finished.news);
        self.sellers = Arc::clone(&finished.sellers);
        self.plan_call(shared);
        self.cache
            .end_turn(shared.config.cache / shared.config.partitions.get().max(1) as usize);
        metrics.counts(&finished.counts);
        for effects in &finished.effects {
            metrics.effects(effects);
        }
        for reason in &finished.failures {
            metrics
                .dead_letters
                .with_label_values(&["sessions", reason.as_str()])
                .inc();
        }
        metrics
            .inputs
            .with_label_values(&["repeated_position"])
            .inc_by(finished.repeats);
    }

    /// Sends what is committed. On an error it stays and goes first next time.
    async fn produce(&mut self, shared: &Shared) -> Result<(), Error> {
        match self.outbox.send(&shared.log).await {
            Err(winback_bus::Error::Refused(why)) => {
                let partition = self.partition;
                Err(Error::Stopped { partition, why })
            }
            sent => Ok(sent?),
        }
    }
}

fn state(grant: Option<Grant>) -> GrantState {
    match grant {
        // What went out before waits for dispatch to say so.
        Some(Grant::Granted | Grant::Sent) => GrantState::Granted,
        Some(Grant::Claimed { until }) => GrantState::Claimed { until },
        Some(Grant::Moved) => GrantState::Moved,
        None => GrantState::Gone,
    }
}
