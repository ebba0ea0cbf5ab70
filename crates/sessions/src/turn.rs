//! One step of a partition (design §3): take, load, fold, commit, produce. The seams stand apart for overlap.
//!
//! Invariants: INV-1 (a fenced commit throws everything folded away), INV-3 (produce comes after durability).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use winback_bus::{Log, Record};
use winback_contract::{Body, CustomerId, Decision, EventRecord, MessageId, Outcome, Timestamp};
use winback_journey::{Bundles, Coupons, GrantState, decode};
use winback_service::outage::Outage;
use winback_service::{Clock, Shutdown, clock};
use winback_store::{Commit, Committed, Grant, Meta, Store};

use crate::batch::{Batch, Finished, Ground};
use crate::config::Config;
use crate::entry::Entry;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::partition::Owned;
use crate::sweep::{self, Job};

/// Most decisions in one commit: each may need a code of a pool, and so many codes are kept at hand.
const DECISIONS: usize = 2_000;

/// What all partitions of the process share.
#[derive(Clone)]
pub struct Shared {
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
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

/// The inputs of one batch, decoded.
#[derive(Default)]
struct Taken {
    events: Vec<(Record, Result<EventRecord, String>)>,
    decisions: Vec<(Record, Result<Decision, String>)>,
    outcomes: Vec<(Record, Result<Outcome, String>)>,
    due: Vec<(CustomerId, Timestamp)>,
    swept: Vec<CustomerId>,
    /// Where the running sweep got to.
    sweep: Option<(Job, Option<String>)>,
    /// The meta with the days that have come, if any have.
    called: Option<Meta>,
}

impl Owned {
    /// Does one step. Returns how much it did; zero means idle.
    ///
    /// # Errors
    /// [`Error::Fenced`] when the partition is lost; the caller drops it.
    pub async fn turn(&mut self, shared: &Shared, frontier: Timestamp) -> Result<usize, Error> {
        self.produce(shared).await?;
        self.count_coupons(shared).await?;
        let taken = self.take(shared, frontier).await?;
        let work = taken.events.len()
            + taken.decisions.len()
            + taken.outcomes.len()
            + taken.due.len()
            + taken.swept.len();
        if work == 0 && self.sent == 0 && taken.sweep.is_none() && taken.called.is_none() {
            return Ok(0);
        }
        let grants = self.load(shared, &taken, frontier).await?;
        let due: Vec<Timestamp> = taken.due.iter().map(|(_, due)| *due).collect();
        let (commit, entries, finished) = self.fold(shared, taken, &grants, frontier);
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

    /// Takes what is there, bounded. Live input goes first, then timers, then the sweep.
    async fn take(&mut self, shared: &Shared, frontier: Timestamp) -> Result<Taken, Error> {
        let mut taken = Taken::default();
        self.waits_for_bundle = false;
        if !self.can_go_on(&shared.bundles) {
            return Ok(taken);
        }
        let most = shared.config.batch;
        let positions = self.meta.positions;
        while taken.decisions.len() < most.min(DECISIONS) {
            let Some(record) = self.decisions.pop_front() else {
                break;
            };
            if record.offset >= positions.decisions {
                let decision = read(&record);
                taken.decisions.push((record, decision));
            }
        }
        while taken.outcomes.len() < most {
            let Some(record) = self.outcomes.pop_front() else {
                break;
            };
            if record.offset >= positions.outcomes {
                let outcome = read(&record);
                taken.outcomes.push((record, outcome));
            }
        }
        while taken.events.len() < most {
            let Some(record) = self.events.pop_front() else {
                break;
            };
            if record.offset < positions.events {
                continue;
            }
            let event: Result<EventRecord, String> = read(&record);
            if let Ok(EventRecord {
                body: Body::Activation { bundle },
                ..
            }) = &event
                && shared.bundles.get(*bundle).is_none()
            {
                if shared.bundles.is_refused(*bundle) {
                    // Whatever published it is newer than this release, or wrong: the shop goes on as before, and
                    // whoever published looks at what is active.
                    tracing::error!(%bundle, partition = self.partition.0, "a bundle that this release can't use is passed over; what was active stays");
                    shared
                        .metrics
                        .stops
                        .bundles_refused
                        .with_label_values(&[&self.partition.to_string()])
                        .inc();
                } else {
                    // The bundle is on its way: everything behind the switch waits for it.
                    self.events.push_front(record);
                    self.waits_for_bundle = true;
                    break;
                }
            }
            taken.events.push((record, event));
        }
        let may_fire = self.earliest.is_some_and(|earliest| earliest <= frontier);
        if may_fire {
            taken.due = shared
                .store
                .due(self.partition, frontier, shared.config.due_batch)
                .await?;
        }
        // Live input and timers go first; a slice of the sweep follows unless this partition is behind.
        let keeps_up = taken.events.len() < most
            && taken.due.len() < shared.config.due_batch
            && frontier > Timestamp::from_millis(i64::MIN);
        if let (true, Some(cursor)) = (keeps_up, &self.meta.sweep) {
            // A job that this release does not know is passed over, and said.
            let job = sweep::running(&self.meta).unwrap_or_else(|| {
                tracing::error!(job = ?self.meta.jobs.first(), "an unknown sweep is passed over");
                Job::Activate
            });
            let (place, most) = (self.partition, shared.config.sweep_batch);
            let (ids, next) = match &job {
                Job::Goods(product) => shared.store.watchers(place, product, cursor, most).await?,
                _ => shared.store.roll(place, cursor, most).await?,
            };
            taken.swept = ids;
            taken.sweep = Some((job, next));
        }
        if keeps_up && self.next_call.is_some_and(|call| call <= frontier) {
            taken.called = self.call_days(shared, frontier);
        }
        Ok(taken)
    }

    /// The meta after the days that have come were called out.
    fn call_days(&self, shared: &Shared, frontier: Timestamp) -> Option<Meta> {
        let bundle = shared.bundles.get(self.meta.bundle?)?;
        let mut meta = self.meta.clone();
        sweep::call(&mut meta, bundle, frontier).then_some(meta)
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
        taken: &Taken,
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
        let missing: Vec<CustomerId> = missing.into_iter().collect();
        let blobs = shared.store.load(self.partition, &missing).await?;
        for (id, blob) in missing.into_iter().zip(blobs) {
            let Some(blob) = blob else { continue };
            let customer = decode(&blob).map_err(|error| {
                Error::Fatal(format!(
                    "partition {}, customer {id}: {error}",
                    self.partition
                ))
            })?;
            self.cache.put(id, customer);
        }
        let mut places = Vec::new();
        for (id, _) in &taken.due {
            let customer = self.cache.get(*id);
            let waiting = customer
                .messages
                .iter()
                .filter(|pending| pending.check_at <= frontier);
            places.extend(waiting.map(|pending| (pending.partition, pending.message)));
        }
        let grants = shared.store.grants(&places).await?;
        Ok(places
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

    fn fold(
        &mut self,
        shared: &Shared,
        taken: Taken,
        grants: &HashMap<MessageId, GrantState>,
        frontier: Timestamp,
    ) -> (Commit, Vec<Entry>, Finished) {
        let ground = Ground {
            partition: self.partition,
            partitions: shared.config.partitions,
            bundles: &shared.bundles,
            limits: &shared.config.limits,
            frontier,
            most_open: shared.config.most_open,
        };
        let self_jobs = self.meta.jobs.clone();
        let mut batch = Batch::new(
            ground,
            &mut self.cache,
            &self.meta,
            &self.news,
            &self.sellers,
            &mut self.coupons,
        );
        for (record, decision) in taken.decisions {
            shared
                .metrics
                .triggers
                .with_label_values(&["decided"])
                .inc();
            batch.decision(&record, decision);
        }
        for (record, outcome) in taken.outcomes {
            batch.outcome(&record, outcome);
        }
        for (record, event) in taken.events {
            batch.event(&record, event);
        }
        let grant = |message: MessageId| {
            grants
                .get(&message)
                .copied()
                .unwrap_or(GrantState::NotAsked)
        };
        for (id, _) in &taken.due {
            batch.due(*id, &grant);
        }
        if let Some((job, next)) = &taken.sweep {
            batch.sweep(&taken.swept, job);
            // A switch of bundles in this very batch has begun the list anew.
            if !batch.restarted {
                sweep::got_on(&mut batch.meta, next.clone());
            }
        }
        if let Some(called) = taken.called {
            for job in called.jobs.iter().skip(self_jobs.len()) {
                if !batch.meta.jobs.contains(job) {
                    batch.meta.jobs.push(job.clone());
                }
            }
            if batch.meta.sweep.is_none() && !batch.meta.jobs.is_empty() {
                batch.meta.sweep = Some(String::new());
            }
            batch.meta.called = called.called;
        }
        batch.finish(self.sent)
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
                    if !shared.clock.is_virtual() {
                        clock::pause(Duration::from_millis(200)).await;
                    }
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The commit is durable: its state is the state now.
    fn done(&mut self, shared: &Shared, commit: Commit, entries: Vec<Entry>, finished: &Finished) {
        let metrics = &shared.metrics;
        self.sent -= commit.trim;
        self.meta = Meta {
            epoch: commit.epoch,
            sequence: commit.sequence + 1,
            last_commit: Some(commit.id),
            ..commit.meta
        };
        if self.unsent.is_empty() {
            self.unsent_since = Some(shared.clock.now_millis());
        }
        self.unsent.extend(entries);
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
        if self.unsent.is_empty() {
            return Ok(());
        }
        let standing = self.standing();
        let records = self
            .unsent
            .iter()
            .cloned()
            .map(|entry| entry.outgoing(&shared.config.names, standing))
            .collect();
        shared.log.produce(records).await?;
        self.sent += self.unsent.len() as u64;
        self.unsent.clear();
        Ok(())
    }
}

fn read<T: serde::de::DeserializeOwned>(record: &Record) -> Result<T, String> {
    let payload = record.value.as_deref().unwrap_or_default();
    serde_json::from_slice(payload).map_err(|error| {
        format!(
            "not a record of this topic at line {} column {}",
            error.line(),
            error.column()
        )
    })
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
