//! What a step takes: inputs decoded as far as their version is known, timers that are due, a slice of the sweep.
//!
//! Invariants: INV-8 (what a newer release wrote is left where it is, and said), INV-12 (bounded). Absent: the fold.

use std::collections::{BTreeMap, VecDeque};

use winback_bus::{Mark, Record};
use winback_contract::version::{Unread, Versioned, read};
use winback_contract::{
    Body, CustomerId, Decision, EventRecord, Offset, Outcome, Partition, Timestamp, Topic,
};
use winback_journey::codec;
use winback_store::PartitionMeta;

use super::{DECISIONS, Shared};
use crate::error::Error;
use crate::partition::{OwnedPartition, Waits};
use crate::service::lasts;
use crate::sweep::{self, Job};

/// The inputs of one batch, decoded.
#[derive(Clone, Default)]
pub(super) struct Inputs {
    pub(super) events: Vec<(Record, Result<EventRecord, String>)>,
    pub(super) decisions: Vec<(Record, Result<Decision, String>)>,
    pub(super) outcomes: Vec<(Record, Result<Outcome, String>)>,
    pub(super) due: Vec<(CustomerId, Timestamp)>,
    pub(super) swept: Vec<CustomerId>,
    /// Where the running sweep got to.
    pub(super) sweep: Option<(Job, Option<String>)>,
    /// The meta with the days that have come, if any have.
    pub(super) called: Option<PartitionMeta>,
}

impl Inputs {
    /// The marks of the last records of each topic, where there is any.
    pub(super) fn last(&self) -> Vec<(Topic, Mark)> {
        let last = [
            (Topic::Events, self.events.last().map(|(record, _)| record)),
            (
                Topic::Decisions,
                self.decisions.last().map(|(record, _)| record),
            ),
            (
                Topic::Outcomes,
                self.outcomes.last().map(|(record, _)| record),
            ),
        ];
        let mark = |(topic, record): (Topic, Option<&Record>)| Some((topic, Mark::of(record?)));
        last.into_iter().filter_map(mark).collect()
    }

    /// How many inputs it holds.
    pub(super) fn count(&self) -> usize {
        self.events.len()
            + self.decisions.len()
            + self.outcomes.len()
            + self.due.len()
            + self.swept.len()
    }
}

impl OwnedPartition {
    /// Takes what is there, bounded. Live input goes first, then timers, then the sweep.
    pub(super) async fn take(
        &mut self,
        shared: &Shared,
        frontier: Timestamp,
    ) -> Result<Inputs, Error> {
        let mut taken = Inputs::default();
        self.waits.clear();
        if !self.can_go_on(&shared.bundles) {
            return Ok(taken);
        }
        self.take_inputs(shared, &mut taken);
        self.take_timers(shared, frontier, &mut taken).await?;
        Ok(taken)
    }

    /// At most so many at once: one by one after a panic, to find out what it was about.
    fn most(&self, usually: usize) -> usize {
        if self.careful > 0 { 1 } else { usually }
    }

    fn take_inputs(&mut self, shared: &Shared, taken: &mut Inputs) {
        let most = self.most(shared.config.batch);
        let (from, waits) = (self.meta.positions, &mut self.waits);
        while taken.decisions.len() < most.min(DECISIONS) {
            let input = next(&mut self.decisions, from.decisions, Topic::Decisions, waits);
            let Some(input) = input else { break };
            taken.decisions.push(input);
        }
        while taken.outcomes.len() < most && has_room(self.careful > 0, taken) {
            let input = next(&mut self.outcomes, from.outcomes, Topic::Outcomes, waits);
            let Some(input) = input else { break };
            taken.outcomes.push(input);
        }
        while taken.events.len() < most && has_room(self.careful > 0, taken) {
            let input = next(&mut self.events, from.events, Topic::Events, waits);
            let Some((record, event)) = input else { break };
            let event: Result<EventRecord, String> = event.and_then(handed_over);
            let wait = event
                .as_ref()
                .ok()
                .and_then(|event| wait(event, record.partition, shared));
            if let Some(wait) = wait {
                // Everything behind it waits with it.
                waits.insert(Topic::Events, wait);
                self.events.push_front(record);
                break;
            }
            taken.events.push((record, event));
        }
    }

    /// Timers, unless inputs alone are enough; a slice of the sweep follows unless this partition is behind.
    async fn take_timers(
        &mut self,
        shared: &Shared,
        frontier: Timestamp,
        taken: &mut Inputs,
    ) -> Result<(), Error> {
        let may_fire = self.earliest.is_some_and(|earliest| earliest <= frontier);
        if may_fire && has_room(self.careful > 0, taken) {
            let most = self.most(shared.config.due_batch);
            let store = &shared.store;
            taken.due = store.due(self.partition, frontier, most).await?;
        }
        let keeps_up = taken.events.len() < shared.config.batch
            && taken.due.len() < shared.config.due_batch
            && frontier > Timestamp::from_millis(i64::MIN)
            && has_room(self.careful > 0, taken);
        let here = shared.clock.now_millis();
        let may_sweep =
            keeps_up && (!lasts(self.swept.0, here, self.swept.1) || shared.clock.is_virtual());
        if let (true, Some(cursor)) = (may_sweep, &self.meta.sweep) {
            // A job that this release does not know is passed over, and said.
            let job = sweep::running(&self.meta).unwrap_or_else(|| {
                tracing::error!(job = ?self.meta.jobs.first(), "an unknown sweep is passed over");
                Job::Activate
            });
            let most = self.most(shared.config.sweep_batch);
            let partition = self.partition;
            let (ids, next) = match &job {
                Job::Goods(product) => {
                    shared
                        .store
                        .watchers(partition, product, cursor, most)
                        .await?
                }
                _ => shared.store.roll(partition, cursor, most).await?,
            };
            // A sweep looks at everybody: at a stated rate, so that it never fills the store's log.
            let rate = i64::from(shared.config.sweep_rate.max(1));
            let many = i64::try_from(ids.len()).unwrap_or(i64::MAX);
            self.swept = (here, many.saturating_mul(1_000) / rate);
            taken.swept = ids;
            taken.sweep = Some((job, next));
        }
        if keeps_up && self.next_call.is_some_and(|call| call <= frontier) {
            taken.called = self.call_days(shared, frontier);
        }
        Ok(())
    }

    /// The meta after the days that have come were called out.
    fn call_days(&self, shared: &Shared, frontier: Timestamp) -> Option<PartitionMeta> {
        let bundle = shared.bundles.get(self.meta.bundle?)?;
        let mut meta = self.meta.clone();
        sweep::call(&mut meta, bundle, frontier).then_some(meta)
    }
}

/// Whether another input may join: after a panic each goes alone.
fn has_room(careful: bool, taken: &Inputs) -> bool {
    !careful || taken.count() == 0
}

/// The next input of a queue that was not applied before. What a newer release wrote stays at the front.
fn next<T: Versioned>(
    queue: &mut VecDeque<Record>,
    from: Offset,
    topic: Topic,
    waits: &mut BTreeMap<Topic, Waits>,
) -> Option<(Record, Result<T, String>)> {
    loop {
        let record = queue.pop_front()?;
        if record.offset < from {
            continue;
        }
        return match read(record.value.as_deref().unwrap_or_default()) {
            Ok(input) => Some((record, Ok(input))),
            Err(Unread::Malformed(detail)) => Some((record, Err(detail))),
            Err(Unread::Newer(version)) => {
                waits.insert(topic, Waits::Newer(version));
                queue.push_front(record);
                None
            }
        };
    }
}

/// What an event can't be applied before.
fn wait(event: &EventRecord, partition: Partition, shared: &Shared) -> Option<Waits> {
    match &event.body {
        Body::Handover { state, .. } => newer_state(&state.0).map(Waits::Newer),
        Body::Activation { bundle } if shared.bundles.is_refused(*bundle) => {
            // Whatever published it is newer than this release, or wrong: the shop goes on as before, and whoever
            // published looks at what is active.
            tracing::error!(%bundle, %partition, "a bundle that this release can't use is passed over; what was active stays");
            let label = partition.to_string();
            let refused = &shared.metrics.stops.bundles_refused;
            refused.with_label_values(&[&label]).inc();
            None
        }
        Body::Activation { bundle } if shared.bundles.was_gone(*bundle, event.arrival) => {
            tracing::warn!(%bundle, %partition, "a switch to a bundle that was taken out is passed over: one away from it follows");
            None
        }
        Body::Activation { bundle } => {
            // The bundle is on its way.
            shared
                .bundles
                .get(*bundle)
                .is_none()
                .then_some(Waits::Bundle)
        }
        _ => None,
    }
}

/// The version of a state that this release can't read yet.
fn newer_state(blob: &[u8]) -> Option<u64> {
    let version = *blob.first()?;
    (version > codec::VERSION).then_some(u64::from(version))
}

/// A handover of a known version that can't be read is no handover: carts and denials in it are looked at by a person.
fn handed_over(event: EventRecord) -> Result<EventRecord, String> {
    match &event.body {
        Body::Handover { state, .. } if newer_state(&state.0).is_none() => {
            match codec::decode(&state.0) {
                Ok(_) => Ok(event),
                Err(error) => Err(format!("what was handed over: {error}")),
            }
        }
        _ => Ok(event),
    }
}
