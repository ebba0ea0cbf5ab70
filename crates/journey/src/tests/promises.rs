//! Promises about consents, caps and lost answers, where two clocks, a full list or an outage pull at them.

use winback_contract::{
    Body, Channel, ConsentChange, ConsentStatus, Event, Identities, Outcome, OutcomeStatus, Reason,
    SourceKind, Span, Timestamp,
};

use super::world::{CART, Life, POLICY, added, at, known, viewed};
use crate::world::Ambiguous;
use crate::{book, decide, outcome, tick};

const MORNING: &str = "2026-01-05T10:00:00Z";

fn consent(channel: Channel, topic: Option<&str>, status: ConsentStatus) -> Event {
    Event {
        name: "Consent Updated".into(),
        identities: known(),
        consent: Some(ConsentChange {
            channel,
            topic: topic.map(str::to_owned),
            status,
            every: false,
        }),
        ..Event::default()
    }
}

/// INV-11: the denial arrived after the grant; only the device's clock says otherwise.
#[test]
fn a_denial_from_a_device_with_a_slow_clock_holds() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(consent(Channel::Email, None, ConsentStatus::Granted));
    life.wait(Span::from_mins(2));
    let no = consent(Channel::Email, None, ConsentStatus::Denied);
    // It arrives at 10:02, its device says 09:57.
    life.body(
        Body::Storefront(Box::new(no)),
        at("2026-01-05T09:57:00Z"),
        SourceKind::Live,
    );
    life.event(added("c1"));
    life.wait(Span::from_hours(2));
    assert!(
        life.sent.is_empty(),
        "sent against a denial: {:?}",
        life.steps()
    );
}

/// INV-11 and INV-12: a full list of consents must not forget a "no".
#[test]
fn a_full_list_of_consents_does_not_forget_a_no() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(consent(Channel::Email, None, ConsentStatus::Denied));
    // A preference centre with four topics on nine channels.
    let channels = Channel::ALL;
    let mut sent = 0;
    'all: for topic in ["news", "offers", "service", "surveys"] {
        for channel in channels
            .iter()
            .filter(|channel| **channel != Channel::Email)
        {
            life.event(consent(*channel, Some(topic), ConsentStatus::Granted));
            sent += 1;
            if sent == 32 {
                break 'all;
            }
        }
    }
    assert_eq!(sent, 32);
    life.event(added("c1"));
    life.wait(Span::from_hours(2));
    assert!(
        life.sent.is_empty(),
        "sent against a denial: {:?}",
        life.steps()
    );
}

/// INV-11: dispatch was away; both may be claimed at the same moment although the cap says one per 16 hours.
#[test]
fn two_messages_of_one_cap_are_never_claimable_together() {
    let peek = "apiVersion: winback/v1
kind: Campaign
metadata: { name: peek, group: cart, priority: 10 }
spec:
  enter: { on: Page Viewed, idle: 20m }
  exit: { converted: Order Completed }
  cascade: [ { step: peek, send: [email] } ]
";
    let policy = POLICY.replace("  quiet: [ { from: \"22:00\", to: \"07:00\" } ]\n", "");
    let mut life = Life::with_policy(MORNING, &policy, &[CART, peek]);
    let fire = |life: &mut Life| {
        life.now = life.now + Span::from_mins(20);
        let now = life.now;
        let granted = |_| crate::GrantState::Granted;
        let fired = life.with(|customer, world| {
            tick::tick(customer, now, &granted, &crate::Room::plenty(), world)
        });
        let decision = decide(&life.bundles, &fired.triggers[0]).unwrap();
        life.with(|customer, world| book::apply(customer, &decision, world))
    };
    life.event(added("c1"));
    let first = fire(&mut life);
    let one = first.messages[0].clone();
    // Dispatch of this channel is away for 18 hours: nobody claims it.
    life.now = life.now + Span::from_hours(17);
    life.event(viewed());
    let second = fire(&mut life);
    for two in &second.messages {
        let together = one.not_after >= life.now && two.not_before <= life.now;
        assert!(
            !together,
            "{} (window to {}) and {} may both be claimed at {}",
            one.step, one.not_after, two.step, life.now
        );
    }
}

/// Whoever complained is not written to again because another address was used in between.
#[test]
fn a_complaint_survives_another_address_in_between() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(added("c1"));
    life.wait(Span::from_mins(21));
    let message = life.sent[0].1.id;
    let complained = Outcome {
        v: 1,
        message,
        customer: life.me,
        channel: Channel::Email,
        attempt: 0,
        status: OutcomeStatus::Complained,
        reason: None,
        provider_id: None,
        bot: false,
        rehearsed: false,
        retry_at: None,
        at: life.now,
    };
    let effects = life.with(|customer, world| outcome::apply(customer, &complained, world));
    life.take(effects);
    let with = |email: &str| Event {
        identities: Identities {
            email: Some(email.into()),
            ..known()
        },
        ..viewed()
    };
    // A guest checkout with a typo, and back.
    life.event(with("ann@example.con"));
    life.event(with("ann@example.com"));
    life.wait(Span::from_days(9));
    life.event(added("c2"));
    life.wait(Span::from_hours(2));
    assert_eq!(
        life.steps(),
        ["reminder"],
        "written to the address that complained"
    );
}

/// INV-11: a "no" of an hour ago that comes late changes nothing, and takes nothing back.
#[test]
fn a_no_that_is_older_than_the_yes_takes_no_grant_back() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(added("c1"));
    life.now = life.now + Span::from_mins(20);
    on_its_way(&mut life);
    // Both of the shop's past: arrival is when it happened.
    let told = |status, at: &str, life: &mut Life| {
        let body = Body::Storefront(Box::new(consent(Channel::Email, None, status)));
        life.body(body, super::world::at(at), SourceKind::History);
    };
    told(ConsentStatus::Granted, "2026-01-05T09:30:00Z", &mut life);
    let before = life.withdrawn.len();
    told(ConsentStatus::Denied, "2026-01-05T09:00:00Z", &mut life);
    assert_eq!(life.withdrawn.len(), before, "its message may still go out");
}

/// A "yes" that is newer by both clocks undoes a "no"; one that only arrives later does not.
#[test]
fn a_yes_undoes_a_no_only_by_both_clocks() {
    for (said, wanted) in [("2026-01-05T09:57:00Z", 0), ("2026-01-05T10:10:00Z", 1)] {
        let mut life = Life::new(MORNING, &[CART]);
        life.event(consent(Channel::Email, None, ConsentStatus::Denied));
        life.now = at("2026-01-05T10:10:00Z");
        let yes = consent(Channel::Email, None, ConsentStatus::Granted);
        life.body(Body::Storefront(Box::new(yes)), at(said), SourceKind::Live);
        life.event(added("c1"));
        life.wait(Span::from_hours(2));
        assert_eq!(life.sent.len(), wanted, "said at {said}");
    }
}

/// Of a list that is full of denials none is forgotten either.
#[test]
fn a_list_full_of_denials_forgets_none() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(consent(
        Channel::Email,
        Some("marketing"),
        ConsentStatus::Denied,
    ));
    for number in 0..40 {
        let topic = format!("t{number}");
        life.event(consent(Channel::Sms, Some(&topic), ConsentStatus::Denied));
        life.event(consent(Channel::Push, Some(&topic), ConsentStatus::Granted));
    }
    assert!(life.customer.consents.len() <= crate::customer::limit::CONSENTS);
    life.event(added("c1"));
    life.wait(Span::from_hours(2));
    assert!(life.sent.is_empty(), "{:?}", life.steps());
    let no = |channel: Channel, topic: &str| {
        !crate::consent::has_consent(
            &life.customer,
            channel,
            topic,
            winback_campaign::policy::ConsentRule::NotDenied,
        )
    };
    assert!((0..40).all(|number| no(Channel::Sms, &format!("t{number}"))));
}

fn report(
    life: &mut Life,
    status: OutcomeStatus,
    reason: impl Into<Option<Reason>>,
    retry_at: Option<Timestamp>,
) {
    let pending = life.customer.messages[0].clone();
    let said = Outcome {
        v: 1,
        message: pending.message,
        customer: life.me,
        channel: pending.channel,
        attempt: pending.attempt,
        status,
        reason: reason.into(),
        provider_id: None,
        bot: false,
        rehearsed: false,
        retry_at,
        at: life.now,
    };
    life.with(|customer, world| outcome::apply(customer, &said, world));
}

/// The first message of a cart, decided and granted; nobody has answered yet.
fn on_its_way(life: &mut Life) {
    let now = life.now;
    let granted = |_| crate::GrantState::Granted;
    let fired = life
        .with(|customer, world| tick::tick(customer, now, &granted, &crate::Room::plenty(), world));
    let decision = decide(&life.bundles, &fired.triggers[0]).unwrap();
    life.with(|customer, world| book::apply(customer, &decision, world));
    assert_eq!(life.customer.messages.len(), 1);
}

/// INV-4: under `resend` a lost answer leads to two repeats, each later than the one before, and never to a loop.
#[test]
fn repeats_of_a_lost_answer_are_few_and_far_between() {
    let mut life = Life::new(MORNING, &[CART]);
    life.limits
        .ambiguous
        .insert(Channel::Email, Ambiguous::Resend);
    life.event(added("c1"));
    life.now = life.now + Span::from_mins(20);
    on_its_way(&mut life);
    for wait in [30, 60] {
        report(&mut life, OutcomeStatus::Unknown, Reason::Unknown, None);
        let hold = life.customer.journeys[0].hold.expect("it waits");
        assert_eq!(
            (hold.until, hold.reason),
            (life.now + Span::from_secs(wait), Reason::Unknown)
        );
        life.now = hold.until;
        on_its_way(&mut life);
    }
    report(&mut life, OutcomeStatus::Unknown, Reason::Unknown, None);
    assert!(life.customer.messages.is_empty());
    assert_ne!(
        life.customer.journeys[0].station,
        crate::state::Stage::Step,
        "the cascade goes on without it"
    );
}

/// INV-11: a message that waited for long counts towards caps from when it went out.
#[test]
fn caps_count_from_the_send_not_from_the_decision() {
    let peek = "apiVersion: winback/v1
kind: Campaign
metadata: { name: peek, group: cart, priority: 10 }
spec:
  enter: { on: Page Viewed, idle: 20m }
  exit: { converted: Order Completed }
  cascade: [ { step: peek, send: [email] } ]
";
    let policy = POLICY.replace("  quiet: [ { from: \"22:00\", to: \"07:00\" } ]\n", "");
    let mut life = Life::with_policy(MORNING, &policy, &[CART, peek]);
    life.event(added("c1"));
    life.now = life.now + Span::from_mins(20);
    on_its_way(&mut life);
    life.now = life.now + Span::from_hours(10);
    report(&mut life, OutcomeStatus::Sent, None, None);
    // 20 hours after the decision, 10 after the send; the cap is one in 16.
    life.now = life.now + Span::from_hours(10);
    life.event(viewed());
    life.now = life.now + Span::from_mins(20);
    let now = life.now;
    let gone = |_| crate::GrantState::Gone;
    let fired = life
        .with(|customer, world| tick::tick(customer, now, &gone, &crate::Room::plenty(), world));
    let decision = decide(&life.bundles, &fired.triggers[0]).unwrap();
    let verdict = decision
        .steps
        .iter()
        .find(|step| step.campaign == "peek")
        .map(|step| step.verdict.reason());
    assert_eq!(verdict, Some(Some(Reason::Capped)), "{:?}", decision.steps);
}

/// An address that bounced is forgotten with itself, not with the address of another channel.
#[test]
fn a_bounce_is_forgotten_with_its_own_address_only() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(added("c1"));
    life.now = life.now + Span::from_mins(20);
    on_its_way(&mut life);
    report(&mut life, OutcomeStatus::Bounced, None, None);
    let with = |email: Option<&str>, phone: Option<&str>| Event {
        identities: Identities {
            email: email.map_or_else(|| known().email, |email| Some(email.to_owned())),
            phone: phone.map(str::to_owned),
            ..known()
        },
        ..viewed()
    };
    life.event(with(None, Some("+380501112233")));
    let why =
        |life: &Life| crate::address::words::closed(&life.customer, Channel::Email, "marketing");
    assert_eq!(
        why(&life),
        Some(Reason::Suppressed),
        "a phone says nothing of a mailbox"
    );
    life.event(with(Some("new@example.com"), None));
    assert_eq!(why(&life), None);
    life.event(with(Some("ann@example.com"), None));
    assert_eq!(
        why(&life),
        Some(Reason::Suppressed),
        "it is the old one again"
    );
}

/// INV-11: of a "no" and a "yes" of one moment the "no" holds, whichever profile said it.
#[test]
fn of_one_moment_the_no_holds_in_a_merge_too() {
    for (mine, theirs) in [
        (ConsentStatus::Denied, ConsentStatus::Granted),
        (ConsentStatus::Granted, ConsentStatus::Denied),
    ] {
        let mut user = Life::new(MORNING, &[CART]);
        user.me = winback_contract::CustomerId([2; 16]);
        user.event(consent(Channel::Email, None, mine));
        let mut device = Life::new(MORNING, &[CART]);
        device.me = winback_contract::CustomerId([1; 16]);
        device.event(consent(Channel::Email, None, theirs));
        device.link_to(&mut user);
        let status = user.customer.consents[0].status;
        assert_eq!(status, ConsentStatus::Denied, "{mine:?} and {theirs:?}");
    }
}

/// Input that stays behind is no reason to decide anew every moment.
#[test]
fn a_claim_that_came_too_early_for_the_input_is_judged_again_with_patience() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(added("c1"));
    life.now = life.now + Span::from_mins(20);
    let mut waits = Vec::new();
    for _ in 0..8 {
        on_its_way(&mut life);
        report(&mut life, OutcomeStatus::Deferred, Reason::InputLag, None);
        let until = life.customer.journeys[0].hold.expect("it waits").until;
        waits.push(until.since(life.now).as_millis() / 1_000);
        life.now = until;
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
}

/// A provider that is away is asked more and more rarely, and when it names a time, not before; the step's end caps both.
#[test]
fn a_provider_that_is_away_is_left_alone() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(added("c1"));
    life.now = life.now + Span::from_mins(20);
    let mut waits = Vec::new();
    for _ in 0..4 {
        on_its_way(&mut life);
        report(
            &mut life,
            OutcomeStatus::Deferred,
            Reason::ProviderDown,
            None,
        );
        let until = life.customer.journeys[0].hold.expect("it waits").until;
        waits.push(until.since(life.now).as_millis() / 1_000);
        life.now = until;
    }
    assert_eq!(waits, [60, 120, 240, 480]);
    on_its_way(&mut life);
    let later = life.now + Span::from_hours(3);
    report(
        &mut life,
        OutcomeStatus::Deferred,
        Reason::ProviderDown,
        Some(later),
    );
    assert_eq!(
        life.customer.journeys[0].hold.map(|hold| hold.until),
        Some(later)
    );
    life.now = later;
    on_its_way(&mut life);
    let never = life.now + Span::from_days(400);
    report(
        &mut life,
        OutcomeStatus::Deferred,
        Reason::ProviderDown,
        Some(never),
    );
    let until = life.customer.journeys[0].hold.expect("it waits").until;
    assert!(until < life.now + Span::from_days(3), "{until}");
}

/// A store whose clock went back says "not yet" to what it granted itself: that must not go round as fast as it can.
#[test]
fn a_permission_that_is_gone_again_and_again_is_not_asked_for_without_end() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(added("c1"));
    life.now = life.now + Span::from_mins(20);
    let mut waits = Vec::new();
    for _ in 0..6 {
        on_its_way(&mut life);
        report(&mut life, OutcomeStatus::Deferred, None, None);
        let hold = life.customer.journeys[0].hold;
        let until = hold.map_or(life.now, |hold| hold.until);
        waits.push(until.since(life.now).as_millis() / 1_000);
        life.now = until;
    }
    assert_eq!(waits, [0, 0, 4, 8, 16, 32]);
}
