//! The store in process: the same answers as Redis, no disk. Faults make commits and claims ambiguous, and reads fail.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use winback_contract::{CustomerId, MessageId, Partition, Span, Timestamp};
use winback_service::Clock;

use crate::commit::{Commit, Committed, CouponChange, CouponWrite, GrantWrite, WATCHERS, Watch};
use crate::error::Error;
use crate::meta::PartitionMeta;
use crate::port::{Claim, ClaimTerms, Grant, Lease, Problem, Progress, Standing, Store};

/// How long a grant outlives its window, so that a late claim still gets a true answer.
pub(crate) const GRANT_SLACK: Span = Span::from_days(1);

#[derive(Clone, Debug, Default)]
struct Partitioned {
    exists: bool,
    meta: PartitionMeta,
    /// Up to when the owner vouched for its input, and in which run.
    /// Of which run of the store, up to when input is applied, and when that was said.
    lease: Option<(u64, Timestamp, Timestamp)>,
    customers: BTreeMap<CustomerId, Vec<u8>>,
    timers: BTreeMap<CustomerId, Timestamp>,
    by_due: BTreeSet<(Timestamp, CustomerId)>,
    outbox: Vec<Vec<u8>>,
    grants: BTreeMap<MessageId, Kept>,
    watchers: BTreeMap<String, BTreeSet<(Timestamp, CustomerId)>>,
    coupons: BTreeMap<String, Pool>,
}

#[derive(Clone, Debug, Default)]
struct Pool {
    free: VecDeque<String>,
    known: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Kept {
    attempt: u32,
    not_before: Timestamp,
    not_after: Timestamp,
    claimed: Option<(u64, Timestamp)>,
    moved: bool,
    /// It is known to have gone out in a time that was lost.
    sent: bool,
}

#[derive(Debug, Default)]
struct Inner {
    partitions: BTreeMap<Partition, Partitioned>,
    pins: BTreeMap<String, String>,
    /// By name: how many in which minute.
    counters: BTreeMap<String, BTreeMap<i64, i64>>,
    high: i64,
    /// Counts restarts.
    run: u64,
    faults: Option<(u64, u64)>,
    draws: u64,
    fullness: f64,
}

/// See the module. Cheap to clone; clones share everything.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    inner: Arc<Mutex<Inner>>,
    clock: Clock,
}

impl MemoryStore {
    /// An empty store on this clock.
    pub fn new(clock: Clock) -> Self {
        Self {
            inner: Arc::new(Mutex::new(Inner::default())),
            clock,
        }
    }

    /// From now on one call in `one_in` reports a failure: half of those happened, half did not.
    #[must_use]
    pub fn with_faults(self, seed: u64, one_in: u64) -> Self {
        self.lock().faults = Some((seed, one_in));
        self
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self, inner: &mut Inner) -> Timestamp {
        inner.high = inner.high.max(self.clock.now_millis());
        Timestamp::from_millis(inner.high)
    }

    /// Says that this share of its memory is taken.
    pub fn fill(&self, share: f64) {
        self.lock().fullness = share;
    }

    /// The state as it is now, to be gone back to.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(self.lock().partitions.clone())
    }

    /// A restart with an older state, as after a failover or a restored disk.
    pub fn restore(&self, snapshot: Snapshot) {
        let mut inner = self.lock();
        inner.partitions = snapshot.0;
        inner.run += 1;
    }

    /// All customers of all partitions, for summaries and tests.
    pub fn customers(&self) -> Vec<(CustomerId, Vec<u8>)> {
        let inner = self.lock();
        inner
            .partitions
            .values()
            .flat_map(|state| state.customers.iter().map(|(id, blob)| (*id, blob.clone())))
            .collect()
    }
}

/// A state of a [`MemoryStore`].
#[derive(Clone, Debug)]
pub struct Snapshot(BTreeMap<Partition, Partitioned>);

impl Inner {
    /// A read that fails now and then.
    fn may_fail(&mut self) -> Result<(), Error> {
        match self.fault() {
            Some(true) => Err(Error::Unavailable("planted: no answer".into())),
            _ => Ok(()),
        }
    }

    /// `Some(true)`: fail before writing; `Some(false)`: write, then fail.
    fn fault(&mut self) -> Option<bool> {
        let (seed, one_in) = self.faults?;
        self.draws += 1;
        let mut mixed = seed.wrapping_add(self.draws.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        (mixed % one_in.max(1) == 0).then_some(mixed & (1 << 40) == 0)
    }
}

fn apply(state: &mut Partitioned, commit: &Commit) {
    let epoch = state.meta.epoch;
    state.exists = true;
    state.meta = PartitionMeta {
        epoch,
        sequence: commit.sequence + 1,
        last_commit: Some(commit.id),
        ..commit.meta.clone()
    };
    for (id, blob) in &commit.customers {
        match blob {
            Some(blob) => state.customers.insert(*id, blob.clone()),
            None => state.customers.remove(id),
        };
    }
    for (id, due) in &commit.timers {
        if let Some(old) = state.timers.remove(id) {
            state.by_due.remove(&(old, *id));
        }
        if let Some(due) = due {
            state.timers.insert(*id, *due);
            state.by_due.insert((*due, *id));
        }
    }
    let trim = usize::try_from(commit.trim)
        .unwrap_or(usize::MAX)
        .min(state.outbox.len());
    state.outbox.drain(..trim);
    state.outbox.extend(commit.outbox.iter().cloned());
    apply_watches(state, &commit.watches);
    apply_coupons(state, &commit.coupons);
    for write in &commit.grants {
        apply_grant(state, write);
    }
}

fn apply_watches(state: &mut Partitioned, watches: &[Watch]) {
    for watch in watches {
        let list = state.watchers.entry(watch.product.clone()).or_default();
        for (since, who) in &watch.by {
            list.retain(|(_, customer)| customer != who);
            list.insert((*since, *who));
        }
        list.retain(|(_, customer)| !watch.gone.contains(customer));
        while list.len() > WATCHERS {
            list.pop_first();
        }
    }
}

fn apply_coupons(state: &mut Partitioned, writes: &[CouponWrite]) {
    for write in writes {
        let pool = state.coupons.entry(write.pool.clone()).or_default();
        match &write.change {
            CouponChange::Add(codes) => {
                let new = codes
                    .iter()
                    .filter(|code| pool.known.insert((*code).clone()));
                pool.free.extend(new.cloned());
            }
            CouponChange::Take(code) => {
                if let Some(index) = pool.free.iter().position(|free| free == code) {
                    pool.free.remove(index);
                }
            }
            CouponChange::Return(code) => pool.free.push_back(code.clone()),
        }
    }
}

fn apply_grant(state: &mut Partitioned, write: &GrantWrite) {
    let grants = &mut state.grants;
    match *write {
        GrantWrite::Grant {
            message,
            attempt,
            not_before,
            not_after,
        } => {
            let is_sent = grants.get(&message).is_some_and(|kept| kept.sent);
            if !is_sent {
                let kept = Kept {
                    attempt,
                    not_before,
                    not_after,
                    ..Kept::default()
                };
                grants.insert(message, kept);
            }
        }
        GrantWrite::Sent { message, until } => {
            let kept = Kept {
                not_after: until + Span::from_millis(-GRANT_SLACK.as_millis()),
                sent: true,
                ..Kept::default()
            };
            grants.insert(message, kept);
        }
        GrantWrite::Remove(message) => {
            grants.remove(&message);
        }
        GrantWrite::Withdraw(message) => {
            let is_taken = |kept: &Kept| kept.claimed.is_some() || kept.sent;
            if !grants.get(&message).is_some_and(is_taken) {
                grants.remove(&message);
            }
        }
        GrantWrite::Move(message) => {
            let is_free = |kept: &&mut Kept| kept.claimed.is_none() && !kept.sent;
            if let Some(kept) = grants.get_mut(&message).filter(is_free) {
                kept.moved = true;
            }
        }
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn time(&self) -> Result<Timestamp, Error> {
        let mut inner = self.lock();
        Ok(self.now(&mut inner))
    }

    async fn acquire(&self, partition: Partition, known: Standing) -> Result<PartitionMeta, Error> {
        let mut inner = self.lock();
        let micros = self.now(&mut inner).as_millis().saturating_mul(1_000);
        let state = inner.partitions.entry(partition).or_default();
        state.exists = true;
        let meta = &mut state.meta;
        if known.sequence > meta.sequence {
            meta.recovering = Some(meta.sequence);
            state.lease = None;
        }
        meta.epoch = meta.epoch.max(known.epoch) + 1;
        meta.sequence = meta
            .sequence
            .max(known.sequence)
            .max(u64::try_from(micros).unwrap_or(0));
        Ok(meta.clone())
    }

    async fn metas(&self, partitions: &[Partition]) -> Result<Vec<Option<PartitionMeta>>, Error> {
        let inner = self.lock();
        let meta = |partition| {
            inner
                .partitions
                .get(partition)
                .filter(|state| state.exists)
                .map(|state| state.meta.clone())
        };
        Ok(partitions.iter().map(meta).collect())
    }

    async fn progress(&self, partitions: &[Partition]) -> Result<Vec<Option<Progress>>, Error> {
        let metas = self.metas(partitions).await?.into_iter();
        let progress = |meta: PartitionMeta| Progress {
            events: meta.positions.events,
            outcomes: meta.positions.outcomes,
            pushed: meta.pushed,
            trimmed: meta.trimmed,
        };
        let applied = |meta: &PartitionMeta| meta.last_commit.is_some();
        Ok(metas
            .map(|meta| meta.filter(applied).map(progress))
            .collect())
    }

    async fn load(
        &self,
        partition: Partition,
        ids: &[CustomerId],
    ) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let mut inner = self.lock();
        inner.may_fail()?;
        let state = inner.partitions.get(&partition);
        Ok(ids
            .iter()
            .map(|id| state.and_then(|state| state.customers.get(id).cloned()))
            .collect())
    }

    async fn commit(&self, partition: Partition, commit: &Commit) -> Result<Committed, Error> {
        let mut inner = self.lock();
        let fault = inner.fault();
        let state = inner.partitions.entry(partition).or_default();
        if state.meta.last_commit == Some(commit.id) && state.meta.epoch == commit.epoch {
            return Ok(Committed::AlreadyApplied);
        }
        if state.meta.epoch != commit.epoch || state.meta.sequence != commit.sequence {
            return Ok(Committed::Fenced {
                epoch: state.meta.epoch,
                sequence: state.meta.sequence,
            });
        }
        if fault != Some(true) {
            apply(state, commit);
        }
        match fault {
            Some(_) => Err(Error::Unavailable("planted: the reply was lost".into())),
            None => Ok(Committed::Applied),
        }
    }

    async fn due(
        &self,
        partition: Partition,
        until: Timestamp,
        most: usize,
    ) -> Result<Vec<(CustomerId, Timestamp)>, Error> {
        let mut inner = self.lock();
        inner.may_fail()?;
        let due = inner
            .partitions
            .get(&partition)
            .into_iter()
            .flat_map(|state| state.by_due.iter());
        Ok(due
            .take_while(|(at, _)| *at <= until)
            .take(most)
            .map(|(at, id)| (*id, *at))
            .collect())
    }

    async fn earliest(&self, partition: Partition) -> Result<Option<Timestamp>, Error> {
        let inner = self.lock();
        Ok(inner
            .partitions
            .get(&partition)
            .and_then(|state| state.by_due.first())
            .map(|(at, _)| *at))
    }

    async fn outbox(&self, partition: Partition) -> Result<Vec<Vec<u8>>, Error> {
        Ok(self
            .lock()
            .partitions
            .get(&partition)
            .map(|state| state.outbox.clone())
            .unwrap_or_default())
    }

    async fn grants(
        &self,
        indexes: &[(Partition, MessageId)],
    ) -> Result<Vec<Option<Grant>>, Error> {
        let mut inner = self.lock();
        let now = self.now(&mut inner);
        let grant = |(partition, message): &(Partition, MessageId)| {
            let kept = inner.partitions.get(partition)?.grants.get(message)?;
            if kept.claimed.is_none() && kept.not_after + GRANT_SLACK < now {
                return None;
            }
            Some(match kept.claimed {
                Some((_, until)) => Grant::Claimed { until },
                None if kept.sent => Grant::Sent,
                None if kept.moved => Grant::Moved,
                None => Grant::Granted,
            })
        };
        Ok(indexes.iter().map(grant).collect())
    }

    async fn renew(&self, leases: &[Lease]) -> Result<Vec<Standing>, Error> {
        let mut inner = self.lock();
        let (run, now) = (inner.run, self.now(&mut inner));
        let renew = |lease: &Lease| {
            let state = inner.partitions.get_mut(&lease.partition)?;
            let is_its = state.meta.epoch == lease.epoch && state.meta.sequence >= lease.sequence;
            if let (true, Some(applied)) = (is_its, lease.applied) {
                let before = state.lease.filter(|(of, ..)| *of == run);
                let applied = before.map_or(applied, |(_, before, _)| before.max(applied));
                state.lease = Some((run, applied, now));
            }
            Some(Standing {
                epoch: state.meta.epoch,
                sequence: state.meta.sequence,
            })
        };
        Ok(leases
            .iter()
            .map(renew)
            .map(Option::unwrap_or_default)
            .collect())
    }

    async fn claim(
        &self,
        partition: Partition,
        message: MessageId,
        attempt: u32,
        token: u64,
        terms: ClaimTerms,
    ) -> Result<Claim, Error> {
        let mut inner = self.lock();
        let now = self.now(&mut inner);
        let fault = inner.fault();
        if fault == Some(true) {
            return Err(Error::Unavailable("planted: no answer".into()));
        }
        let run = inner.run;
        let state = inner.partitions.get_mut(&partition);
        let lease = state
            .as_ref()
            .and_then(|state| state.lease.filter(|(of, ..)| *of == run));
        let kept = state.and_then(|state| state.grants.get_mut(&message));
        let Some(kept) =
            kept.filter(|kept| kept.claimed.is_some() || kept.not_after + GRANT_SLACK >= now)
        else {
            return Ok(Claim::Gone);
        };
        if let Some((owner, until)) = kept.claimed {
            return Ok(
                if owner == token && kept.attempt == attempt && now < until {
                    Claim::Claimed
                } else {
                    Claim::Taken
                },
            );
        }
        if kept.sent {
            return Ok(Claim::Sent);
        }
        if kept.moved {
            return Ok(Claim::Moved);
        }
        if kept.attempt != attempt {
            return Ok(Claim::Stale);
        }
        if now < kept.not_before || now > kept.not_after {
            return Ok(Claim::OutsideWindow);
        }
        let is_old =
            |at: Timestamp| now.since(at) > terms.most_lag || at.since(now) > terms.most_lag;
        if lease.is_none_or(|(_, applied, said)| is_old(applied) || is_old(said)) {
            return Ok(Claim::Lagging);
        }
        kept.claimed = Some((token, now + terms.timeout));
        match fault {
            Some(_) => Err(Error::Unavailable("planted: the answer was lost".into())),
            None => Ok(Claim::Claimed),
        }
    }

    async fn roll(
        &self,
        partition: Partition,
        cursor: &str,
        most: usize,
    ) -> Result<(Vec<CustomerId>, Option<String>), Error> {
        let inner = self.lock();
        let from = CustomerId::parse(cursor).ok();
        let timers = inner
            .partitions
            .get(&partition)
            .into_iter()
            .flat_map(|state| state.timers.keys());
        let slice: Vec<CustomerId> = timers
            .filter(|id| from.is_none_or(|from| **id > from))
            .take(most)
            .copied()
            .collect();
        let next = slice
            .last()
            .filter(|_| slice.len() == most)
            .map(ToString::to_string);
        Ok((slice, next))
    }

    async fn watchers(
        &self,
        partition: Partition,
        product: &str,
        cursor: &str,
        most: usize,
    ) -> Result<(Vec<CustomerId>, Option<String>), Error> {
        let inner = self.lock();
        let from: usize = cursor.parse().unwrap_or(0);
        let list = inner
            .partitions
            .get(&partition)
            .and_then(|state| state.watchers.get(product));
        let newest_first = list.into_iter().flat_map(|list| list.iter().rev());
        let slice: Vec<CustomerId> = newest_first
            .skip(from)
            .take(most)
            .map(|(_, customer)| *customer)
            .collect();
        let next = (slice.len() == most).then(|| (from + most).to_string());
        Ok((slice, next))
    }

    async fn coupons(
        &self,
        partition: Partition,
        pool: &str,
        most: usize,
    ) -> Result<(Vec<String>, u64), Error> {
        let mut inner = self.lock();
        inner.may_fail()?;
        let state = inner.partitions.get(&partition);
        let Some(pool) = state.and_then(|state| state.coupons.get(pool)) else {
            return Ok((Vec::new(), 0));
        };
        let front = pool.free.iter().take(most).cloned().collect();
        Ok((front, pool.free.len() as u64))
    }

    async fn count(&self, name: &str, most: u32) -> Result<bool, Error> {
        let mut inner = self.lock();
        inner.may_fail()?;
        let minute = self.now(&mut inner).as_millis().div_euclid(60_000);
        let minutes = inner.counters.entry(name.to_owned()).or_default();
        minutes.retain(|at, _| *at >= minute - 60);
        let has_room = minutes.values().sum::<i64>() < i64::from(most);
        if has_room {
            *minutes.entry(minute).or_default() += 1;
        }
        Ok(has_room)
    }

    async fn uncount(&self, name: &str) -> Result<(), Error> {
        let mut inner = self.lock();
        inner.may_fail()?;
        let minute = self.now(&mut inner).as_millis().div_euclid(60_000);
        let minutes = inner.counters.entry(name.to_owned()).or_default();
        minutes.retain(|at, _| *at >= minute - 60);
        if minutes.values().sum::<i64>() > 0 {
            *minutes.entry(minute).or_default() -= 1;
        }
        Ok(())
    }

    async fn pin(&self, name: &str, value: &str) -> Result<String, Error> {
        Ok(self
            .lock()
            .pins
            .entry(name.to_owned())
            .or_insert_with(|| value.to_owned())
            .clone())
    }

    async fn fullness(&self) -> Result<f64, Error> {
        Ok(self.lock().fullness)
    }

    async fn problems(&self) -> Result<Vec<Problem>, Error> {
        Ok(Vec::new())
    }
}
