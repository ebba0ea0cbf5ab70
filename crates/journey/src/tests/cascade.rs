//! Tables: what goes out, and what does not, for short lives.

use winback_contract::{
    Body, Channel, ConsentChange, ConsentStatus, Event, OutcomeStatus, Reason, SourceKind, Span,
    Transition,
};

use super::world::{CART, LOST, Life, added, at, emptied, known, ordered, viewed};

const MORNING: &str = "2026-01-05T10:00:00Z";

fn minutes(n: i64) -> Span {
    Span::from_mins(n)
}

fn reasons(life: &Life) -> Vec<Reason> {
    life.records
        .iter()
        .filter_map(|record| match record.transition {
            Transition::Skipped { reason, .. } => Some(reason),
            Transition::Ended { outcome, .. } => Some(outcome),
            _ => None,
        })
        .collect()
}

#[test]
fn a_left_cart_gets_a_reminder_and_an_offer() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(added("c1"));
    life.wait(minutes(19));
    assert!(life.sent.is_empty());
    life.wait(Span::from_days(3));
    assert_eq!(life.steps(), ["reminder", "offer"]);
    assert_eq!(life.sent[0].0, at("2026-01-05T10:20:00Z"));
    assert_eq!(life.sent[1].0, at("2026-01-06T10:20:00Z"));
    assert_eq!(
        life.sent[1]
            .1
            .facts
            .offer
            .as_ref()
            .and_then(|offer| offer.code.as_deref()),
        Some("C10")
    );
    assert_eq!(
        life.sent[0]
            .1
            .facts
            .cart
            .as_ref()
            .map(|cart| cart.items.len()),
        Some(1)
    );
    assert_eq!(reasons(&life), [Reason::Finished]);
}

#[test]
fn activity_postpones_and_a_visit_excuses() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(added("c1"));
    life.wait(minutes(15));
    life.event(viewed());
    life.wait(minutes(19));
    assert!(life.sent.is_empty());
    life.wait(minutes(1));
    assert_eq!(life.steps(), ["reminder"]);
    life.wait(minutes(60));
    life.event(viewed());
    life.wait(Span::from_days(2));
    assert_eq!(life.steps(), ["reminder"]);
    assert_eq!(reasons(&life), [Reason::Reacted]);
}

#[test]
fn nothing_after_a_purchase_or_for_an_emptied_cart() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(added("c1"));
    life.wait(minutes(25));
    life.event(ordered("o1"));
    life.wait(Span::from_days(3));
    assert_eq!(life.steps(), ["reminder"]);
    assert_eq!(reasons(&life), [Reason::Converted]);
    let mut life = Life::new(MORNING, &[CART]);
    life.event(added("c1"));
    life.wait(minutes(5));
    life.event(emptied("c1"));
    life.wait(Span::from_days(3));
    assert!(life.sent.is_empty());
    assert_eq!(reasons(&life), [Reason::Cancelled]);
}

#[test]
fn an_order_that_comes_before_its_cart_prevents_arming() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(ordered("o1"));
    life.now = life.now + minutes(1);
    // The cart event is older by the storefront's clock and arrives later.
    let cart = Body::Storefront(Box::new(added("c1")));
    life.body(cart, at("2026-01-05T09:58:00Z"), SourceKind::Live);
    life.wait(Span::from_days(2));
    assert!(life.sent.is_empty() && life.customer.carts.is_empty());
}

#[test]
fn late_and_historical_events_trigger_nothing() {
    for (kind, age) in [(SourceKind::Live, 4), (SourceKind::History, 0)] {
        let mut life = Life::new(MORNING, &[CART]);
        let when = life.now - Span::from_days(age);
        life.body(Body::Storefront(Box::new(added("c1"))), when, kind);
        life.wait(Span::from_days(2));
        assert!(life.sent.is_empty(), "{kind:?}");
        assert_eq!(life.customer.carts.len(), 1);
    }
}

#[test]
fn repeats_change_nothing() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(ordered("o1"));
    life.event(ordered("o1"));
    assert_eq!(life.customer.orders.count, 1);
}

#[test]
fn nights_hold_and_mornings_send() {
    let mut life = Life::new("2026-01-05T21:00:00Z", &[CART]);
    life.event(added("c1"));
    life.wait(Span::from_hours(10));
    assert_eq!(life.sent[0].0, at("2026-01-06T05:00:00Z"));
    let held = life.records.iter().any(|record| {
        matches!(
            &record.transition,
            Transition::Held {
                reason: Reason::QuietHours,
                ..
            }
        )
    });
    assert!(held);
}

#[test]
fn withdrawn_consent_and_bad_addresses_stop() {
    let consent = |status| Event {
        name: "Consent Updated".into(),
        identities: known(),
        consent: Some(ConsentChange {
            channel: Channel::Email,
            topic: None,
            status,
            every: false,
        }),
        ..Event::default()
    };
    let mut life = Life::new(MORNING, &[CART]);
    life.event(added("c1"));
    life.wait(minutes(1));
    life.event(consent(ConsentStatus::Denied));
    life.wait(Span::from_days(2));
    assert!(life.sent.is_empty());
    assert_eq!(
        reasons(&life),
        [Reason::NoConsent, Reason::NoConsent, Reason::Finished]
    );
    let mut life = Life::new(MORNING, &[CART]);
    let mut event = added("c1");
    event.identities.email = None;
    life.event(event);
    life.wait(Span::from_days(2));
    assert_eq!(reasons(&life)[0], Reason::NoAddress);
}

#[test]
fn silence_speaks_after_ninety_days_at_ten_and_again_after_an_order() {
    let mut life = Life::new(MORNING, &[LOST]);
    life.event(ordered("o1"));
    life.wait(Span::from_days(89));
    assert!(life.sent.is_empty());
    life.wait(Span::from_days(12));
    assert_eq!(life.steps(), ["miss", "second"]);
    // Ninety days later it is ten o'clock in Kyiv on the next day.
    assert_eq!(life.sent[0].0, at("2026-04-06T07:00:00Z"));
    life.event(ordered("o2"));
    life.wait(Span::from_days(85));
    assert_eq!(life.sent.len(), 2);
    life.wait(Span::from_days(20));
    assert_eq!(life.sent.len(), 4);
}

#[test]
fn those_already_silent_are_taken_in_over_the_stated_time() {
    let mut reached = Vec::new();
    for n in 0..40_u8 {
        let mut life = Life::new("2026-06-01T10:00:00Z", &[LOST]);
        life.me = winback_contract::CustomerId([n; 16]);
        let order = Body::Storefront(Box::new(ordered("o1")));
        life.body(order, at("2025-06-01T10:00:00Z"), SourceKind::History);
        life.wait(Span::from_days(16));
        assert_eq!(life.steps().first(), Some(&"miss"), "customer {n}");
        reached.push(life.sent[0].0);
    }
    reached.sort_unstable();
    let spread = reached[39].since(reached[0]);
    assert!(
        spread > Span::from_days(8) && spread <= Span::from_days(15),
        "{spread}"
    );
}

#[test]
fn a_timer_of_400_days_fires() {
    let far = LOST.replace("90d", "400d");
    let mut life = Life::new(MORNING, &[&far]);
    life.event(ordered("o1"));
    life.wait(Span::from_days(399));
    assert!(life.sent.is_empty());
    life.wait(Span::from_days(3));
    assert_eq!(life.steps(), ["miss"]);
}

#[test]
fn what_a_provider_says_decides_how_it_goes_on() {
    for (trouble, steps, first) in [
        (
            vec![OutcomeStatus::Refused],
            vec!["offer"],
            Some(Reason::Refused),
        ),
        (
            vec![OutcomeStatus::Deferred],
            vec!["reminder", "offer"],
            None,
        ),
        (
            vec![OutcomeStatus::Unknown],
            vec!["reminder", "offer"],
            Some(Reason::Unknown),
        ),
    ] {
        let mut life = Life::new(MORNING, &[CART]);
        life.trouble = trouble.clone();
        life.event(added("c1"));
        life.wait(Span::from_days(3));
        assert_eq!(life.steps(), steps, "{trouble:?}");
        let reason = reasons(&life)
            .into_iter()
            .find(|reason| *reason != Reason::Finished);
        assert_eq!(reason, first, "{trouble:?}");
    }
}

#[test]
fn an_unanswered_trigger_is_emitted_again_and_given_up_at_last() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(added("c1"));
    life.now = life.now + minutes(20);
    let gone = |_| crate::GrantState::Gone;
    let mut ids = std::collections::BTreeSet::new();
    let mut emitted = 0;
    for _ in 0..2_000 {
        let now = life.now;
        let effects = life.with(|customer, world| {
            crate::tick::tick(customer, now, &gone, &crate::Room::plenty(), world)
        });
        emitted += effects.triggers.len();
        ids.extend(effects.triggers.iter().map(|trigger| trigger.id));
        life.records.extend(effects.journeys);
        if life.customer.trigger.is_none() {
            break;
        }
        life.now = crate::next_due(&life.customer, &life.limits);
    }
    assert!(
        emitted > 5 && ids.len() == 1,
        "{emitted} emissions of {ids:?}"
    );
    assert_eq!(reasons(&life), [Reason::NoDecision]);
}

#[test]
fn the_first_message_keeps_the_shop_s_hour_whatever_lies_before_it() {
    let birthday = "apiVersion: winback/v1
kind: Campaign
metadata: { name: birthday, group: cart }
spec:
  enter: { date: customer.birthday, every: year }
  cascade:
    - { if: customer.city == 'Kyiv', then: [ { step: gift, send: [email] } ] }
    - { step: wishes, send: [email] }
";
    for (city, expected) in [
        ("Lviv", vec!["wishes 2026-02-20T08:00:00.000Z"]),
        // What follows a message has no hour of its own: here it waits for the cap and the end of the night.
        (
            "Kyiv",
            vec![
                "gift 2026-02-20T08:00:00.000Z",
                "wishes 2026-02-21T05:00:00.000Z",
            ],
        ),
    ] {
        let mut life = Life::new(MORNING, &[birthday]);
        life.event(Event {
            name: "Identified".into(),
            identities: known(),
            traits: Some(winback_contract::Traits {
                birthday: Some("1992-02-20".into()),
                city: Some(city.into()),
                ..winback_contract::Traits::default()
            }),
            ..Event::default()
        });
        life.wait(Span::from_days(60));
        let steps = life.steps();
        let times = life.sent.iter().map(|(at, _)| at.to_string());
        let told: Vec<String> = steps
            .iter()
            .zip(times)
            .map(|(step, at)| format!("{step} {at}"))
            .collect();
        assert_eq!(told, expected, "{city}");
    }
}
