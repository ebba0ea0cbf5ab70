//! Cases found by reading: each failed before its fix.

use winback_contract::{
    Body, Channel, ConsentChange, ConsentStatus, CustomerId, Event, IdentityKind, JourneyRecord,
    Outcome, OutcomeStatus, Reason, SourceKind, Span, Timestamp, Transition,
};

use super::world::{CART, LOST, Life, POLICY, added, at, bundle, known, ordered, viewed};
use crate::{book, decide, next_due, outcome, tick};

const MORNING: &str = "2026-01-05T10:00:00Z";

fn consent(status: ConsentStatus) -> Event {
    Event {
        name: "Consent Updated".into(),
        identities: known(),
        consent: Some(ConsentChange {
            channel: Channel::Email,
            topic: None,
            status,
            every: false,
        }),
        ..Event::default()
    }
}

pub(super) fn report(
    life: &mut Life,
    status: OutcomeStatus,
    message: winback_contract::MessageId,
    attempt: u32,
) {
    let outcome = Outcome {
        v: 1,
        message,
        customer: life.me,
        channel: Channel::Email,
        attempt,
        status,
        reason: None,
        provider_id: None,
        bot: false,
        rehearsed: false,
        retry_at: None,
        at: life.now,
    };
    let effects = life.with(|customer, world| outcome::apply(customer, &outcome, world));
    life.take(effects);
}

/// The delay runs out and the evaluator answers; the answer is not applied yet.
fn decision_after_idle(life: &mut Life) -> winback_contract::Decision {
    life.now = life.now + Span::from_mins(20);
    let now = life.now;
    let gone = |_| crate::GrantState::Gone;
    let fired = life
        .with(|customer, world| tick::tick(customer, now, &gone, &crate::Room::plenty(), world));
    decide(&life.bundles, &fired.triggers[0]).unwrap()
}

#[test]
fn a_decision_in_flight_does_not_override_a_withdrawn_consent() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(added("c1"));
    let decision = decision_after_idle(&mut life);
    life.event(consent(ConsentStatus::Denied));
    let booked = life.with(|customer, world| book::apply(customer, &decision, world));
    assert!(booked.messages.is_empty() && booked.grants.is_empty());
    life.take(booked);
    life.wait(Span::from_days(3));
    assert!(life.sent.is_empty());
}

#[test]
fn an_old_yes_does_not_undo_an_unsubscribe() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(added("c1"));
    life.wait(Span::from_mins(21));
    let message = life.sent[0].1.id;
    report(&mut life, OutcomeStatus::Unsubscribed, message, 0);
    // A re-sync of the shop's directory tells of a consent of last year.
    let yes = Body::Storefront(Box::new(consent(ConsentStatus::Granted)));
    life.body(yes, at("2025-01-01T00:00:00Z"), SourceKind::Live);
    life.wait(Span::from_days(3));
    assert_eq!(life.steps(), ["reminder"]);
}

#[test]
fn a_late_sent_is_not_sent_again() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(added("c1"));
    let decision = decision_after_idle(&mut life);
    let booked = life.with(|customer, world| book::apply(customer, &decision, world));
    let message = booked.messages[0].clone();
    // One copy of the record reports "not now", the other one had sent it.
    report(
        &mut life,
        OutcomeStatus::Deferred,
        message.id,
        message.attempt,
    );
    report(&mut life, OutcomeStatus::Sent, message.id, message.attempt);
    life.wait(Span::from_hours(20));
    assert!(life.sent.is_empty(), "the reminder was out already");
    life.wait(Span::from_hours(10));
    assert_eq!(life.steps(), ["offer"]);
}

#[test]
fn what_was_sent_is_told_also_after_the_end() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(added("c1"));
    let decision = decision_after_idle(&mut life);
    let booked = life.with(|customer, world| book::apply(customer, &decision, world));
    let message = booked.messages[0].clone();
    // Dispatch has claimed it; before it can say that it went out, she buys.
    life.event(ordered("o1"));
    report(&mut life, OutcomeStatus::Sent, message.id, message.attempt);
    let told = life.records.iter().filter(|record| {
        matches!(&record.transition, Transition::Sent { message: sent, .. } if *sent == message.id)
            && record.bundle == message.bundle
            && record.campaign == message.campaign
    });
    assert_eq!(told.count(), 1, "{:?}", life.records);
    report(&mut life, OutcomeStatus::Sent, message.id, message.attempt);
    let sent = |record: &&JourneyRecord| matches!(record.transition, Transition::Sent { .. });
    assert_eq!(life.records.iter().filter(sent).count(), 1, "once");
}

#[test]
fn a_late_word_of_a_sent_mail_is_told() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(added("c1"));
    let decision = decision_after_idle(&mut life);
    let booked = life.with(|customer, world| book::apply(customer, &decision, world));
    let message = booked.messages[0].clone();
    report(
        &mut life,
        OutcomeStatus::Deferred,
        message.id,
        message.attempt,
    );
    report(&mut life, OutcomeStatus::Sent, message.id, message.attempt);
    let sent = |record: &&JourneyRecord| matches!(&record.transition, Transition::Sent { message: id, step } if *id == message.id && *step == message.step);
    assert_eq!(
        life.records.iter().filter(sent).count(),
        1,
        "{:?}",
        life.records
    );
}

#[test]
fn an_answer_that_is_lost_is_told_also_after_the_end() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(added("c1"));
    let decision = decision_after_idle(&mut life);
    let booked = life.with(|customer, world| book::apply(customer, &decision, world));
    let message = booked.messages[0].clone();
    life.event(ordered("o1"));
    report(
        &mut life,
        OutcomeStatus::Unknown,
        message.id,
        message.attempt,
    );
    let unknown = |record: &&JourneyRecord| matches!(&record.transition, Transition::Skipped { reason: Reason::Unknown, step, .. } if *step == message.step);
    assert_eq!(
        life.records.iter().filter(unknown).count(),
        1,
        "{:?}",
        life.records
    );
}

#[test]
fn what_was_sent_after_the_end_is_told_with_its_own_bundle() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(added("c1"));
    let decision = decision_after_idle(&mut life);
    let booked = life.with(|customer, world| book::apply(customer, &decision, world));
    let message = booked.messages[0].clone();
    life.event(ordered("o1"));
    // Meanwhile the campaign is published anew, and another of its journeys is decided on.
    let newer = CART.replace("idle: 20m", "idle: 21m");
    life.active = std::sync::Arc::new(bundle(POLICY, &[&newer]));
    life.bundles.insert(life.active.clone());
    life.event(added("c2"));
    life.customer.decisions.push(crate::state::DecisionTrace {
        at: life.now,
        campaign: message.campaign.clone(),
        step: message.step.clone(),
        what: crate::state::What::Hold(Reason::QuietHours, life.now),
        bundle: life.active.hash,
    });
    assert_ne!(life.active.hash, message.bundle);
    report(&mut life, OutcomeStatus::Sent, message.id, message.attempt);
    let sent = |record: &&JourneyRecord| matches!(record.transition, Transition::Sent { .. });
    let told: Vec<_> = life.records.iter().filter(sent).collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].bundle, message.bundle);
}

#[test]
fn retention_never_spins_while_a_journey_runs() {
    let mut life = Life::new(MORNING, &[LOST]);
    life.limits.retention = Span::from_days(30);
    life.event(ordered("o1"));
    life.now = life.now + Span::from_days(60);
    assert!(next_due(&life.customer, &life.limits) > life.now);
    life.wait(Span::from_days(60));
    assert_eq!(life.steps(), ["miss", "second"]);
}

#[test]
fn who_was_won_back_can_be_lost_again() {
    let mut life = Life::new(MORNING, &[LOST]);
    life.event(ordered("o1"));
    life.wait(Span::from_days(92));
    assert_eq!(life.steps(), ["miss"]);
    // The order comes two days after the first mail: within the seven days of re-entry.
    life.event(ordered("o2"));
    life.wait(Span::from_days(92));
    assert_eq!(life.steps(), ["miss", "miss"]);
}

#[test]
fn an_order_of_the_past_ends_nothing_of_today() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(added("c1"));
    life.wait(Span::from_mins(1));
    let old = Body::Storefront(Box::new(ordered("o-2023")));
    life.body(old, at("2023-06-01T10:00:00Z"), SourceKind::History);
    life.wait(Span::from_hours(2));
    assert_eq!(life.steps(), ["reminder"]);
    assert_eq!(life.customer.orders.count, 1);
}

#[test]
fn a_refused_mail_counts_neither_for_reentry_nor_for_a_goal() {
    let mut life = Life::new(MORNING, &[CART]);
    life.trouble = vec![OutcomeStatus::Refused, OutcomeStatus::Refused];
    life.event(added("c1"));
    life.wait(Span::from_days(2));
    assert!(life.sent.is_empty());
    life.event(ordered("o1"));
    assert!(
        !life
            .records
            .iter()
            .any(|record| record.transition == Transition::Goal)
    );
    life.wait(Span::from_mins(1));
    life.event(added("c2"));
    life.wait(Span::from_hours(1));
    assert_eq!(
        life.steps(),
        ["reminder"],
        "another cart is not held back by what never went out"
    );
}

#[test]
fn a_silence_of_an_older_order_ends_with_a_merge() {
    let mut user = Life::new(MORNING, &[LOST]);
    user.me = CustomerId([2; 16]);
    let mut guest = Life::new(MORNING, &[LOST]);
    guest.me = CustomerId([1; 16]);
    guest.event(ordered("o1"));
    user.now = user.now + Span::from_days(60);
    user.event(ordered("o2"));
    let link = Body::Link {
        owner: user.me,
        owner_kind: IdentityKind::User,
        kind: IdentityKind::Email,
    };
    guest.now = user.now;
    let now: Timestamp = guest.now;
    guest.body(link, now, SourceKind::Live);
    for forward in std::mem::take(&mut guest.forwards) {
        user.body(forward.body, forward.at, forward.kind);
    }
    user.wait(Span::from_days(85));
    assert!(
        user.sent.is_empty(),
        "she bought again: the old silence is over"
    );
    user.wait(Span::from_days(10));
    assert_eq!(user.steps().first(), Some(&"miss"));
}

#[test]
fn what_came_before_the_order_begins_nothing_that_an_order_ends() {
    let checkout = CART.replace(
        "[Product Added, Cart Updated], key: event.cart_id",
        "Page Viewed",
    );
    let checkout = checkout.replace(
        "audience: cart.open && cart.total >= 10",
        "audience: \"true\"",
    );
    let mut life = Life::new(MORNING, &[&checkout]);
    life.event(ordered("o1"));
    life.now = life.now + Span::from_mins(1);
    let earlier = Body::Storefront(Box::new(viewed()));
    life.body(earlier, at("2026-01-05T09:59:00Z"), SourceKind::Live);
    life.wait(Span::from_days(1));
    assert!(life.sent.is_empty());
}

#[test]
fn a_moved_message_is_judged_again_with_what_was_said_since() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(added("c1"));
    let decision = decision_after_idle(&mut life);
    let booked = life.with(|customer, world| book::apply(customer, &decision, world));
    let message = booked.messages[0].clone();
    life.event(consent(ConsentStatus::Denied));
    report(&mut life, OutcomeStatus::Moved, message.id, message.attempt);
    life.wait(Span::from_days(3));
    assert!(life.sent.is_empty());
    let no_consent = |record: &JourneyRecord| {
        matches!(
            record.transition,
            Transition::Skipped {
                reason: Reason::NoConsent,
                ..
            }
        )
    };
    assert!(life.records.iter().any(no_consent));
}

#[test]
fn activity_that_is_read_late_still_restarts_an_idle_delay() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(added("c1"));
    // Two raw partitions, read unevenly: what arrived at 10:30 comes before what arrived at 10:15.
    life.now = at("2026-01-05T10:30:00Z");
    life.event(viewed());
    life.now = at("2026-01-05T10:15:00Z");
    life.event(viewed());
    life.now = at("2026-01-05T10:31:00Z");
    life.settle();
    assert!(life.sent.is_empty(), "the customer is still there");
    life.wait(Span::from_mins(20));
    assert_eq!(life.steps(), ["reminder"]);
    assert_eq!(life.sent[0].0, at("2026-01-05T10:50:00Z"));
}

#[test]
fn whoever_reacts_before_the_next_step_is_sent_is_left_alone() {
    // The wait ends at night: the step is held until seven, local time.
    let campaign = CART.replace("wait: 24h", "wait: 12h");
    let mut life = Life::new(MORNING, &[&campaign]);
    life.event(added("c1"));
    life.wait(Span::from_hours(16));
    assert_eq!(life.steps(), ["reminder"]);
    let held = life.customer.journeys[0].hold.map(|hold| hold.reason);
    assert_eq!(held, Some(Reason::QuietHours));
    let message = life.sent[0].1.id;
    report(&mut life, OutcomeStatus::Clicked, message, 0);
    life.wait(Span::from_days(2));
    assert_eq!(life.steps(), ["reminder"]);
    let ended = life.records.last().map(|record| record.transition.clone());
    assert!(
        matches!(
            ended,
            Some(Transition::Ended {
                outcome: Reason::Reacted,
                ..
            })
        ),
        "{ended:?}"
    );
}
