//! Properties over random lives (INV-4, 5, 7, 10, 11): seeds are printed with every failure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use winback_campaign::{Bundle, calendar};
use winback_contract::{
    Channel, ConsentChange, ConsentStatus, Event, MessageId, OutcomeStatus, Span, Timestamp,
    Transition,
};
use winback_scenario::Random;

use super::world::{
    CART, LOST, Life, POLICY, added, bundle, emptied, known, ordered, product, viewed,
};

/// Lives in one run of the suite: four tests of so many each, side by side.
const LIVES: u64 = 25_000;

const POINTS: &str = "apiVersion: winback/v1
kind: Campaign
metadata: { name: burn, group: points, priority: 70 }
spec:
  enter: { date: points.expires_at, before: 14d }
  audience: points.expiring > 0
  exit: { converted: Points Spent, at: entry.date }
  cascade:
    - { step: early, send: [email] }
    - until: entry.date - days(7)
    - split: tone
      into: { warm: { share: 50%, then: [ { step: warm, send: [email], at: \"18:00\" } ] }, cool: { share: 50% } }
";

const BACK: &str = "apiVersion: winback/v1
kind: Campaign
metadata: { name: back, group: care, priority: 60 }
spec:
  enter: { ended: [lost, cart], when: event.outcome == 'converted', after: 7d, reentry: 30d }
  exit: { converted: Order Completed }
  cascade:
    - await: { on: Product Viewed }
      for: 3d
      otherwise: [ { step: come, send: [email], offer: { points: 50, otherwise: skip } } ]
    - if: orders.count > 2
      then: [ { step: thanks, send: [email] } ]
      else: [ { end: early } ]
";

/// Compiled once: every life of a test lives under it.
fn shared() -> Arc<Bundle> {
    let policy = POLICY.replace(
        "groups: {",
        "groups: { points: { ended_by: Points Spent }, care: {},",
    );
    Arc::new(bundle(&policy, &[CART, LOST, POINTS, BACK]))
}

struct Lived {
    life: Life,
    orders: Vec<Timestamp>,
    denied: Vec<(Timestamp, bool)>,
}

/// A random life of thirty to two hundred days.
fn live(seed: u64, active: &Arc<Bundle>) -> Lived {
    let mut random = Random::new(seed);
    let mut life = Life::on("2026-02-20T10:00:00Z", active.clone());
    life.thorough = seed.is_multiple_of(10);
    let zones = [
        "Europe/Kyiv",
        "Asia/Kolkata",
        "America/New_York",
        "Australia/Lord_Howe",
        "Nowhere/AtAll",
    ];
    life.customer.profile.timezone = random.pick(&zones).map(|zone| (*zone).to_owned());
    life.customer.profile.created_at = Some(life.now);
    let (mut orders, mut denied) = (Vec::new(), Vec::new());
    for number in 0..random.between(3, 30) {
        if random.percent(20) {
            let trouble = [
                OutcomeStatus::Refused,
                OutcomeStatus::Deferred,
                OutcomeStatus::Unknown,
            ];
            life.trouble.extend(random.pick(&trouble));
        }
        match random.below(14) {
            12 => {
                let days = random.between(1, 40);
                life.event(points(&life, days));
            }
            13 => life.event(Event {
                name: "Product Viewed".into(),
                products: vec![product(900)],
                ..viewed()
            }),
            0..=4 => life.event(added(&format!("c{}", random.below(3)))),
            5 | 6 => life.event(viewed()),
            7 => life.event(emptied(&format!("c{}", random.below(3)))),
            8 | 9 => {
                life.event(ordered(&format!("o{number}")));
                orders.push(life.now);
            }
            10 => {
                let status = if random.percent(50) {
                    ConsentStatus::Denied
                } else {
                    ConsentStatus::Granted
                };
                let consent = ConsentChange {
                    channel: Channel::Email,
                    topic: None,
                    every: false,
                    status,
                };
                life.event(Event {
                    name: "Consent Updated".into(),
                    identities: known(),
                    consent: Some(consent),
                    ..Event::default()
                });
                denied.push((life.now, status == ConsentStatus::Denied));
            }
            _ => {}
        }
        let pause = match random.below(4) {
            0 => Span::from_secs(random.between(1, 3_000)),
            1 => Span::from_mins(random.between(1, 600)),
            2 => Span::from_hours(random.between(1, 72)),
            _ => Span::from_days(random.between(1, 40)),
        };
        life.wait(pause);
    }
    life.wait(Span::from_days(130));
    Lived {
        life,
        orders,
        denied,
    }
}

fn points(life: &Life, days: i64) -> Event {
    let expires = (life.now + Span::from_days(days)).to_string();
    let spent = days % 5 == 0;
    Event {
        name: if spent {
            "Points Spent"
        } else {
            "Points Credited"
        }
        .into(),
        identities: known(),
        properties: [
            ("balance".to_owned(), serde_json::json!(days * 10)),
            ("expiring".to_owned(), serde_json::json!(days)),
            ("expires_at".to_owned(), serde_json::json!(expires)),
        ]
        .into(),
        ..Event::default()
    }
}

#[allow(
    clippy::too_many_lines,
    reason = "a life and what is checked of it, in order"
)]
fn check(seed: u64, active: &Arc<Bundle>) {
    let told = live(seed, active);
    let life = &told.life;
    let zone = calendar::zone(
        life.customer
            .profile
            .timezone
            .as_deref()
            .unwrap_or_default(),
    );
    let zone = zone.unwrap_or_else(|| life.active.policy.zone.clone());
    let mut times: Vec<Timestamp> = Vec::new();
    let mut ids: BTreeMap<MessageId, u32> = BTreeMap::new();
    for (at, message) in &life.sent {
        // Where two things share a moment, time passed first: only what came before counts.
        // INV-11: never in quiet hours, never against consent, never over a cap.
        assert_eq!(
            calendar::quiet_until(&life.active.policy, Channel::Email, &zone, *at),
            None,
            "seed {seed}: quiet at {at}"
        );
        let last = told.denied.iter().rfind(|(when, _)| when < at);
        assert!(
            last.is_none_or(|(_, denied)| !denied),
            "seed {seed}: against consent at {at}"
        );
        assert!(
            times
                .last()
                .is_none_or(|last| at.since(*last) >= Span::from_hours(16)),
            "seed {seed}: cap at {at}"
        );
        let week = times
            .iter()
            .filter(|earlier| at.since(**earlier) < Span::from_days(7))
            .count();
        assert!(week < 4, "seed {seed}: weekly cap at {at}");
        times.push(*at);
        // INV-4: at most once per step.
        let count = ids.entry(message.id).or_default();
        *count += 1;
        assert_eq!(*count, 1, "seed {seed}: {} twice", message.id);
        // INV-5: a cart's mail never comes after an order that came after the cart.
        if message.campaign == "cart" {
            let armed = life.records.iter().find(|record| {
                record.journey == message.journey
                    && matches!(record.transition, Transition::Entered)
            });
            let entered = armed.map(|record| record.at).unwrap_or_default();
            assert!(
                !told
                    .orders
                    .iter()
                    .any(|order| *order > entered && order < at),
                "seed {seed}: mail at {at} after an order"
            );
        }
    }
    // Every journey that entered ends in exactly one recorded way, or is still open.
    let mut open = BTreeSet::new();
    let mut ended = BTreeSet::new();
    for record in &life.records {
        match record.transition {
            Transition::Entered => {
                assert!(open.insert(record.journey), "seed {seed}: entered twice")
            }
            Transition::Ended { entered, .. } => {
                assert!(ended.insert(record.journey), "seed {seed}: ended twice");
                assert_eq!(
                    open.contains(&record.journey),
                    entered,
                    "seed {seed}: {record:?}"
                );
            }
            _ => assert!(
                !ended.contains(&record.journey) || matches!(record.transition, Transition::Goal),
                "seed {seed}: {record:?}"
            ),
        }
    }
    let still: BTreeSet<_> = life
        .customer
        .journeys
        .iter()
        .map(|journey| journey.id)
        .collect();
    for journey in open.difference(&ended) {
        assert!(
            still.contains(journey),
            "seed {seed}: journey {journey} vanished"
        );
    }
    // A hundred and thirty quiet days later nothing hangs: carts are over.
    assert!(
        life.customer
            .journeys
            .iter()
            .all(|journey| journey.campaign != "cart"),
        "seed {seed}: a cart hangs"
    );
    assert!(
        life.customer.messages.is_empty() && life.customer.trigger.is_none(),
        "seed {seed}: something hangs"
    );
}

fn check_all(part: u64) {
    let active = shared();
    for seed in part * LIVES..(part + 1) * LIVES {
        check(seed, &active);
    }
}

#[test]
fn lives_keep_the_invariants_first_quarter() {
    check_all(0);
}

#[test]
fn lives_keep_the_invariants_second_quarter() {
    check_all(1);
}

#[test]
fn lives_keep_the_invariants_third_quarter() {
    check_all(2);
}

#[test]
fn lives_keep_the_invariants_last_quarter() {
    check_all(3);
}

#[test]
fn the_same_life_twice_is_the_same_life() {
    let active = shared();
    for seed in 0..50 {
        let (one, two) = (live(seed, &active), live(seed, &active));
        assert_eq!(one.life.customer, two.life.customer);
        assert_eq!(one.life.records, two.life.records);
    }
}
