//! Three profiles of one person, seeded: links, handovers, repeats, crashes of dispatch and orders of every odd sequence.
//!
//! Whatever the interleaving: no id is sent twice where an unknown send is dropped (INV-4), no claim meets a journey that is
//! over, a denial or a profile that was handed over (INV-5, INV-11), and in the end nothing hangs (INV-7).

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use winback_campaign::Bundle;
use winback_contract::{
    Body, Channel, ConsentChange, ConsentStatus, CustomerId, Decision, Event, EventId, EventRecord,
    Identities, IdentityKind, Message, MessageId, Offset, Outcome, OutcomeStatus, Partition,
    Reason, SourceKind, SourcePosition, Span, Timestamp,
};

use super::world::{CART, LOST, POLICY, added, at, bundle, emptied, ordered, viewed};
use winback_scenario::Random;

use crate::coupons::Coupons;
use crate::customer::Customer;
use crate::effects::{Effects, Forward, GrantChange};
use crate::sellers::Sellers;
use crate::tick::GrantState;
use crate::world::{Limits, World};
use crate::{Room, book, decide, decode, encode, input, next_due, outcome, tick};
use winback_campaign::Bundles;

/// Lives, a seed each.
const LIVES: u64 = 4_000;

const KINDS: [IdentityKind; 3] = [
    IdentityKind::User,
    IdentityKind::Email,
    IdentityKind::Anonymous,
];

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Granted,
    Claimed(Timestamp),
    Moved,
}

struct Grant {
    attempt: u32,
    nb: Timestamp,
    na: Timestamp,
    state: State,
}

struct Sim {
    seed: u64,
    bundles: Bundles,
    active: Arc<Bundle>,
    limits: Limits,
    sellers: Sellers,
    coupons: Coupons,
    now: Timestamp,
    profiles: Vec<Customer>,
    queues: Vec<VecDeque<EventRecord>>,
    forwards: Vec<VecDeque<Forward>>,
    outcomes: Vec<VecDeque<Outcome>>,
    decisions: Vec<VecDeque<Decision>>,
    dispatch: Vec<VecDeque<Message>>,
    grants: BTreeMap<(usize, MessageId), Grant>,
    links: BTreeMap<usize, usize>,
    sent: BTreeMap<MessageId, u32>,
    offset: i64,
    log: Vec<String>,
}

fn id(index: usize) -> CustomerId {
    CustomerId([u8::try_from(index).unwrap() + 1; 16])
}

impl Sim {
    fn new(seed: u64, active: Arc<Bundle>) -> Self {
        let mut bundles = Bundles::default();
        bundles.insert(active.clone());
        Self {
            seed,
            bundles,
            active,
            limits: Limits::default(),
            sellers: Sellers::default(),
            coupons: Coupons::default(),
            now: at("2026-02-20T10:00:00Z"),
            profiles: vec![Customer::default(); 3],
            queues: vec![VecDeque::new(); 3],
            forwards: vec![VecDeque::new(); 3],
            outcomes: vec![VecDeque::new(); 3],
            decisions: vec![VecDeque::new(); 3],
            dispatch: vec![VecDeque::new(); 3],
            grants: BTreeMap::new(),
            links: BTreeMap::new(),
            sent: BTreeMap::new(),
            offset: 0,
            log: Vec::new(),
        }
    }

    fn with(&mut self, index: usize, work: impl FnOnce(&mut Customer, &World<'_>) -> Effects) {
        let world = World {
            customer: id(index),
            partition: Partition(u32::try_from(index).unwrap()),
            bundles: &self.bundles,
            active: Some(&self.active),
            limits: &self.limits,
            news: &[],
            sellers: &self.sellers,
            coupons: &self.coupons,
            shop: "shop",
        };
        let effects = work(&mut self.profiles[index], &world);
        self.profiles[index] = decode(&encode(&self.profiles[index])).unwrap();
        for change in effects.grants {
            match change {
                GrantChange::Grant {
                    message,
                    attempt,
                    not_before,
                    not_after,
                } => {
                    let grant = Grant {
                        attempt,
                        nb: not_before,
                        na: not_after,
                        state: State::Granted,
                    };
                    self.grants.insert((index, message), grant);
                }
                GrantChange::Remove(message) => {
                    self.grants.remove(&(index, message));
                }
                GrantChange::Withdraw(message) => {
                    if self
                        .grants
                        .get(&(index, message))
                        .is_some_and(|grant| !matches!(grant.state, State::Claimed(_)))
                    {
                        self.grants.remove(&(index, message));
                    }
                }
                GrantChange::Move(message) => {
                    if let Some(grant) = self
                        .grants
                        .get_mut(&(index, message))
                        .filter(|grant| grant.state == State::Granted)
                    {
                        grant.state = State::Moved;
                    }
                }
            }
        }
        if effects.delete {
            self.profiles[index] = Customer::default();
        }
        for message in effects.messages {
            self.dispatch[index].push_back(message);
        }
        for trigger in effects.triggers {
            let decision = decide(&self.bundles, &trigger).unwrap();
            self.decisions[index].push_back(decision);
        }
        self.forwards[index].extend(effects.forwards);
    }

    /// What ingest makes of an event with these identities (indexes, the strongest first).
    fn ingest(&mut self, who: &[usize], event: Event) {
        self.offset += 1;
        let mut event = event;
        event.identities = Identities::default();
        for index in who {
            match index {
                0 => event.identities.user = Some("u".into()),
                1 => event.identities.email = Some("ann@example.com".into()),
                _ => event.identities.anonymous = Some("d".into()),
            }
        }
        let record = |offset: i64, to: usize, index: u32, body: Body, now: Timestamp| EventRecord {
            v: 1,
            to: id(to),
            id: EventId::of_message_id(&format!("{offset}")),
            source: SourcePosition {
                stream: "raw".into(),
                partition: Partition(0),
                offset: Offset(offset),
                index,
            },
            kind: SourceKind::Live,
            arrival: now,
            at: now,
            body,
        };
        let (offset, now) = (self.offset, self.now);
        let owner = who[0];
        let own = record(
            offset,
            owner,
            0,
            Body::Storefront(Box::new(event.clone())),
            now,
        );
        self.queues[owner].push_back(own);
        for (index, weaker) in who[1..].iter().enumerate() {
            let index = u32::try_from(index).unwrap();
            if event.name == "Order Completed" {
                let copy = record(
                    offset,
                    *weaker,
                    1 + 2 * index,
                    Body::Copy(Box::new(event.clone())),
                    now,
                );
                self.queues[*weaker].push_back(copy);
            }
            if self.links.insert(*weaker, owner) != Some(owner) {
                let link = Body::Link {
                    owner: id(owner),
                    owner_kind: KINDS[owner],
                    kind: KINDS[*weaker],
                };
                self.queues[*weaker].push_back(record(offset, *weaker, 2 + 2 * index, link, now));
            }
        }
    }

    fn event(&mut self, index: usize) -> bool {
        let Some(record) = self.queues[index].pop_front() else {
            return false;
        };
        self.log
            .push(format!("{} p{index} {:?}", self.now, short(&record.body)));
        self.with(index, |customer, world| {
            input::apply(customer, &record, world)
        });
        true
    }

    fn forward(&mut self, index: usize) -> bool {
        let Some(forward) = self.forwards[index].pop_front() else {
            return false;
        };
        self.offset += 1;
        let to = usize::from(forward.to.0[0]) - 1;
        self.queues[to].push_back(EventRecord {
            v: 1,
            to: forward.to,
            id: forward.id,
            source: SourcePosition {
                stream: "sessions".into(),
                partition: Partition(u32::try_from(index).unwrap()),
                offset: Offset(self.offset),
                index: 0,
            },
            kind: forward.kind,
            arrival: forward.arrival,
            at: forward.at,
            body: forward.body,
        });
        true
    }

    fn outcome(&mut self, index: usize) -> bool {
        let Some(outcome) = self.outcomes[index].pop_front() else {
            return false;
        };
        self.log.push(format!(
            "{} p{index} outcome {:?} of {} attempt {}",
            self.now, outcome.status, outcome.message, outcome.attempt
        ));
        self.with(index, |customer, world| {
            outcome::apply(customer, &outcome, world)
        });
        true
    }

    fn decision(&mut self, index: usize) -> bool {
        let Some(decision) = self.decisions[index].pop_front() else {
            return false;
        };
        self.with(index, |customer, world| {
            book::apply(customer, &decision, world)
        });
        true
    }

    #[allow(
        clippy::too_many_lines,
        reason = "a life and what is checked of it, in order"
    )]
    fn claim(&mut self, random: &mut Random, index: usize, calm: bool) -> bool {
        let Some(message) = self.dispatch[index].pop_front() else {
            return false;
        };
        if !calm && random.percent(15) {
            // The outbox was produced twice.
            self.dispatch[index].push_back(message.clone());
        }
        let key = (usize::try_from(message.partition.0).unwrap(), message.id);
        let now = self.now;
        let timeout = self.limits.claim_timeout;
        let report = |status, reason| Outcome {
            v: 1,
            message: message.id,
            customer: message.customer,
            channel: Channel::Email,
            attempt: message.attempt,
            status,
            reason,
            provider_id: None,
            bot: false,
            rehearsed: false,
            retry_at: None,
            at: now,
        };
        let answer = match self.grants.get_mut(&key) {
            None => Some(report(OutcomeStatus::Deferred, None)),
            Some(grant) => match grant.state {
                State::Claimed(_) => None,
                State::Moved => Some(report(OutcomeStatus::Moved, Some(Reason::Moved))),
                State::Granted if grant.attempt != message.attempt => None,
                State::Granted if now < grant.nb || now > grant.na => {
                    Some(report(OutcomeStatus::Deferred, None))
                }
                State::Granted => {
                    grant.state = State::Claimed(now + timeout);
                    let holder = &self.profiles[key.0];
                    let alive = holder
                        .journeys
                        .iter()
                        .any(|journey| journey.id == message.journey);
                    let denied = holder.consents.iter().any(|consent| {
                        consent.channel == Channel::Email
                            && consent.topic.is_none()
                            && consent.status == ConsentStatus::Denied
                    });
                    assert!(
                        alive && !denied && holder.forward.is_none(),
                        "seed {}: claimed although its journey is over ({alive}), or denied ({denied}), or handed over\n{}",
                        self.seed,
                        self.log.join("\n")
                    );
                    let fate = if calm { 0 } else { random.below(10) };
                    let (goes, said) = match fate {
                        0..=5 => (true, Some(report(OutcomeStatus::Sent, None))),
                        6 => (true, None),
                        7 => (false, None),
                        8 => (
                            false,
                            Some(report(OutcomeStatus::Deferred, Some(Reason::ProviderDown))),
                        ),
                        _ => (
                            false,
                            Some(report(OutcomeStatus::Refused, Some(Reason::Refused))),
                        ),
                    };
                    if goes {
                        let times = self.sent.entry(message.id).or_default();
                        *times += 1;
                        assert!(
                            *times == 1,
                            "seed {}: {} was sent twice\n{}",
                            self.seed,
                            message.id,
                            self.log.join("\n")
                        );
                    }
                    self.log.push(format!(
                        "{now} claimed {} attempt {}: sent {goes}, says {:?}",
                        message.id,
                        message.attempt,
                        said.as_ref().map(|said| said.status)
                    ));
                    said
                }
            },
        };
        self.outcomes[index].extend(answer);
        true
    }

    /// The frontier: all input is applied, with what it caused elsewhere.
    fn drain(&mut self) {
        loop {
            let mut any = false;
            for index in 0..3 {
                while self.event(index) {
                    any = true;
                }
                while self.forward(index) {
                    any = true;
                }
                while self.outcome(index) {
                    any = true;
                }
            }
            if !any {
                return;
            }
        }
    }

    fn next(&self, index: usize) -> Timestamp {
        if self.profiles[index] == Customer::default() {
            return Timestamp::NEVER;
        }
        next_due(&self.profiles[index], &self.limits)
    }

    fn tick(&mut self) {
        self.drain();
        for index in 0..3 {
            if self.next(index) > self.now {
                continue;
            }
            let now = self.now;
            let states: BTreeMap<MessageId, GrantState> = self.profiles[index]
                .messages
                .iter()
                .map(|pending| {
                    let key = (
                        usize::try_from(pending.partition.0).unwrap(),
                        pending.message,
                    );
                    let state = match self.grants.get(&key).map(|grant| grant.state) {
                        None => GrantState::Gone,
                        Some(State::Granted) => GrantState::Granted,
                        Some(State::Claimed(until)) => GrantState::Claimed { until },
                        Some(State::Moved) => GrantState::Moved,
                    };
                    (pending.message, state)
                })
                .collect();
            let grants = move |message: MessageId| {
                states
                    .get(&message)
                    .copied()
                    .unwrap_or(GrantState::NotAsked)
            };
            self.with(index, |customer, world| {
                tick::tick(customer, now, &grants, &Room::plenty(), world)
            });
        }
    }

    fn wait(&mut self, random: &mut Random, span: Span, calm: bool) {
        let until = self.now + span;
        for _ in 0..5_000 {
            self.tick();
            for index in 0..3 {
                if calm || random.percent(70) {
                    while self.decision(index) {}
                }
                if calm || random.percent(60) {
                    while self.claim(random, index, calm) {}
                }
            }
            let next = (0..3).map(|index| self.next(index)).min().unwrap();
            let soon = self.now + Span::from_mins(random.between(1, 30));
            let waits = (0..3).any(|index| {
                !self.decisions[index].is_empty()
                    || !self.dispatch[index].is_empty()
                    || !self.outcomes[index].is_empty()
            });
            let next = if waits { next.min(soon) } else { next };
            if next > until {
                break;
            }
            self.now = next.max(self.now + Span::from_millis(1));
        }
        self.now = self.now.max(until);
        self.tick();
    }
}

fn short(body: &Body) -> String {
    match body {
        Body::Storefront(event) => format!("{} {:?}", event.name, event.identities),
        Body::Copy(event) => format!("copy of {}", event.name),
        Body::Link { owner, .. } => format!("link to {}", owner.0[0] - 1),
        Body::Handover { from, .. } => format!("handover from {}", from.0[0] - 1),
        Body::Repoint { owner, .. } => format!("repoint to {}", owner.0[0] - 1),
        Body::Outcome(outcome) => format!(
            "forwarded outcome {:?} of {} attempt {}",
            outcome.status, outcome.message, outcome.attempt
        ),
        _ => "other".into(),
    }
}

#[allow(
    clippy::too_many_lines,
    reason = "a life and what is checked of it, in order"
)]
fn run(seed: u64, active: &Arc<Bundle>) -> usize {
    let mut random = Random::new(seed);
    let mut sim = Sim::new(seed, active.clone());
    let sets: [&[usize]; 7] = [&[2], &[1, 2], &[0, 2], &[0, 1, 2], &[0], &[1], &[0, 1]];
    for number in 0..random.between(4, 24) {
        let who = sets[usize::try_from(random.below(7)).unwrap()];
        match random.below(12) {
            0..=4 => sim.ingest(who, added(&format!("c{}", random.below(3)))),
            5 => sim.ingest(who, viewed()),
            6 => sim.ingest(who, emptied(&format!("c{}", random.below(3)))),
            7 | 8 => sim.ingest(who, ordered(&format!("o{number}"))),
            9 => {
                let status = if random.percent(50) {
                    ConsentStatus::Denied
                } else {
                    ConsentStatus::Granted
                };
                sim.ingest(
                    who,
                    Event {
                        name: "Consent Updated".into(),
                        consent: Some(ConsentChange {
                            channel: Channel::Email,
                            topic: None,
                            status,
                            every: false,
                        }),
                        ..Event::default()
                    },
                );
            }
            _ => {}
        }
        for _ in 0..random.below(12) {
            let index = usize::try_from(random.below(3)).unwrap();
            match random.below(5) {
                0 => {
                    sim.event(index);
                }
                1 => {
                    sim.forward(index);
                }
                2 => {
                    sim.outcome(index);
                }
                3 => {
                    sim.decision(index);
                }
                _ => {
                    sim.claim(&mut random, index, false);
                }
            }
        }
        let pause = match random.below(4) {
            0 => Span::from_secs(random.between(1, 60)),
            1 => Span::from_mins(random.between(1, 60)),
            2 => Span::from_hours(random.between(1, 48)),
            _ => Span::from_days(random.between(1, 20)),
        };
        if random.percent(70) {
            sim.wait(&mut random, pause, false);
        } else {
            sim.now = sim.now + Span::from_secs(random.between(1, 30));
        }
    }
    sim.wait(&mut random, Span::from_days(60), true);
    sim.wait(&mut random, Span::from_days(60), true);
    for (index, profile) in sim.profiles.iter().enumerate() {
        assert!(
            profile.messages.is_empty() && profile.trigger.is_none(),
            "seed {seed}: p{index} hangs: {:?} {:?}\n{}",
            profile.messages,
            profile.trigger,
            sim.log.join("\n")
        );
        let carts = profile
            .journeys
            .iter()
            .filter(|journey| journey.campaign == "cart")
            .count();
        assert!(
            carts == 0,
            "seed {seed}: p{index} has {carts} carts\n{}",
            sim.log.join("\n")
        );
    }
    sim.sent.len()
}

#[test]
fn three_profiles_of_one_person() {
    let policy = POLICY.replace(
        "caps: [ { channels: [email], at_most: 1, per: 16h }, { at_most: 4, per: 7d } ]",
        "caps: []",
    );
    let active = Arc::new(bundle(&policy, &[CART, LOST]));
    let sent: usize = (0..LIVES).map(|seed| run(seed, &active)).sum();
    assert!(sent > usize::try_from(LIVES).unwrap(), "{sent}");
}
