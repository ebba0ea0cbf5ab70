//! Single-use codes: one for a journey, back when it reached nobody, and a stated way when there is none left.

use winback_contract::{CustomerId, OutcomeStatus, Reason, Span, Transition};

use super::review::report;
use super::world::{Life, POLICY, added, ordered};
use crate::state::What;
use crate::tick::{self, GrantState};
use crate::{book, decide};

const MORNING: &str = "2026-01-05T10:00:00Z";

fn campaign(otherwise: &str) -> String {
    format!(
        "apiVersion: winback/v1
kind: Campaign
metadata: {{ name: cart, group: cart }}
spec:
  enter: {{ on: Product Added, key: event.cart_id, idle: 20m }}
  exit: {{ converted: Order Completed }}
  cascade:
    - {{ step: offer, send: [email], offer: {{ coupon: TEN, valid: 4d{otherwise} }} }}
    - {{ wait: 20h }}
    - {{ step: again, send: [email] }}
"
    )
}

fn life(otherwise: &str, codes: &[&str]) -> Life {
    let policy = POLICY.replace("coupons: {", "coupons: { TEN: { worth: 10% },");
    let mut life = Life::with_policy(MORNING, &policy, &[&campaign(otherwise)]);
    let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
    let left = codes.len() as u64;
    life.coupons.learn("TEN", codes, left);
    life
}

fn codes(life: &Life) -> Vec<Option<&str>> {
    let offers = life
        .sent
        .iter()
        .map(|(_, message)| message.facts.offer.as_ref());
    offers
        .map(|offer| offer.and_then(|offer| offer.code.as_deref()))
        .collect()
}

fn left(life: &Life) -> u64 {
    life.coupons.left().map(|(_, left)| left).sum()
}

#[test]
fn a_journey_has_one_code_for_all_its_steps() {
    let mut life = life("", &["A", "B"]);
    life.event(added("c1"));
    life.wait(Span::from_days(2));
    assert_eq!(codes(&life), [Some("A"), Some("A")]);
    assert_eq!(left(&life), 1);
    life.wait(Span::from_days(90));
    life.event(added("c2"));
    life.wait(Span::from_days(2));
    assert_eq!(
        codes(&life)[2..],
        [Some("B"), Some("B")],
        "a code that was shown never comes back"
    );
}

#[test]
fn a_code_that_reached_nobody_goes_back() {
    let mut life = life("", &["A"]);
    life.trouble = vec![OutcomeStatus::Refused];
    life.why = Some(Reason::TemplateError);
    life.event(added("c1"));
    life.wait(Span::from_hours(1));
    assert_eq!(codes(&life), [], "the offer could not be made into a mail");
    assert_eq!(left(&life), 1);
    assert!(
        life.customer.behaviour.offers.is_empty(),
        "the guard counts what was seen"
    );
}

#[test]
fn a_code_of_a_journey_that_is_bought_away_goes_back() {
    let mut life = life("", &["A"]);
    // The provider can't now, and before it can she buys.
    life.trouble = vec![OutcomeStatus::Deferred; 40];
    life.why = Some(Reason::ProviderDown);
    life.event(added("c1"));
    life.wait(Span::from_mins(21));
    life.event(ordered("o1"));
    life.wait(Span::from_days(1));
    assert_eq!(codes(&life), []);
    assert_eq!(left(&life), 1);
}

#[test]
fn a_lost_answer_keeps_the_code() {
    let mut life = life("", &["A"]);
    life.trouble = vec![OutcomeStatus::Unknown];
    life.event(added("c1"));
    life.wait(Span::from_mins(30));
    life.event(ordered("o1"));
    life.wait(Span::from_days(1));
    assert_eq!(left(&life), 0, "it may be in her hands");
}

#[test]
fn a_code_whose_mail_went_out_after_all_does_not_come_back() {
    let mut life = life("", &["A"]);
    life.rehearsed = true;
    life.event(added("c1"));
    life.wait(Span::from_hours(1));
    // Its second mail goes to the person, and is first thought not to have gone.
    life.rehearsed = false;
    book(&mut life, Span::from_hours(20));
    let message = life.customer.messages[0].message;
    report(&mut life, OutcomeStatus::Deferred, message, 2);
    report(&mut life, OutcomeStatus::Sent, message, 2);
    life.event(ordered("o1"));
    assert!(life.customer.journeys.is_empty());
    assert_eq!(left(&life), 0, "it is in her hands");
}

#[test]
fn mail_that_goes_to_files_uses_up_no_code() {
    let mut life = life("", &["A", "B"]);
    life.rehearsed = true;
    life.event(added("c1"));
    life.wait(Span::from_days(2));
    assert_eq!(codes(&life), [Some("A"), Some("A")], "the journey keeps it");
    life.event(ordered("o1"));
    life.wait(Span::from_days(90));
    assert_eq!(left(&life), 2, "nobody has seen it");

    // The same journey, and its last mail goes to the person.
    life.event(added("c2"));
    life.wait(Span::from_hours(1));
    life.rehearsed = false;
    life.wait(Span::from_days(90));
    assert_eq!(left(&life), 1);
}

#[test]
fn an_empty_pool_has_a_stated_way() {
    for (otherwise, sent, skipped) in [
        ("", 2, None),
        (", otherwise: skip", 1, Some("offer")),
        (", otherwise: end", 0, Some("offer")),
    ] {
        let mut life = life(otherwise, &[]);
        life.event(added("c1"));
        life.wait(Span::from_days(3));
        assert_eq!(codes(&life), vec![None; sent], "{otherwise}");
        let skip = life
            .records
            .iter()
            .find_map(|record| match &record.transition {
                Transition::Skipped {
                    step,
                    reason: Reason::NoCoupon,
                    ..
                } => Some(step.as_str()),
                _ => None,
            });
        assert_eq!(skip, skipped, "{otherwise}");
        let told = life
            .customer
            .decisions
            .iter()
            .any(|kept| kept.what == What::Without(Reason::NoCoupon));
        assert_eq!(told, otherwise.is_empty(), "what is left out is told");
    }
}

/// Everything up to the booking; the message is on its way and nobody has answered.
fn book(life: &mut Life, span: Span) {
    life.now = life.now + span;
    let now = life.now;
    let ask = |_| GrantState::NotAsked;
    let effects =
        life.with(|customer, world| tick::tick(customer, now, &ask, &crate::Room::plenty(), world));
    life.take(effects);
    for trigger in std::mem::take(&mut life.triggers) {
        let decision = decide(&life.bundles, &trigger).unwrap();
        let effects = life.with(|customer, world| book::apply(customer, &decision, world));
        life.take(effects);
    }
}

#[test]
fn a_merged_journey_keeps_its_code_while_its_mail_is_on_its_way() {
    let (mut device, mut user) = (life("", &["D"]), life("", &["U"]));
    (device.me, user.me) = (CustomerId([1; 16]), CustomerId([2; 16]));
    for one in [&mut device, &mut user] {
        one.event(added("c1"));
        book(one, Span::from_mins(20));
        assert_eq!(left(one), 0);
    }
    device.link_to(&mut user);
    assert_eq!(user.customer.messages.len(), 2, "both are on their way");
    assert_eq!(left(&user), 0, "neither code may go to somebody else");
}

#[test]
fn a_purchase_takes_the_permission_back_and_leaves_a_claim() {
    let mut life = life("", &["A"]);
    life.event(added("c1"));
    book(&mut life, Span::from_mins(20));
    let message = life.customer.messages[0].message;
    life.event(ordered("o1"));
    assert_eq!(
        life.withdrawn,
        [message],
        "a copy read again must not take it for unsent"
    );
    assert_eq!(left(&life), 0, "its mail may be on its way");
}

#[test]
fn a_rehearsal_takes_nobody_s_code() {
    let policy = POLICY.replace("coupons: {", "coupons: { TEN: { worth: 10% },");
    let shadow = campaign("").replace("spec:", "spec:\n  mode: shadow");
    let mut life = Life::with_policy(MORNING, &policy, &[&shadow]);
    life.coupons.learn("TEN", vec!["A".into()], 1);
    life.event(added("c1"));
    life.wait(Span::from_days(2));
    assert_eq!(codes(&life), [Some("TEN-SHADOW"), Some("TEN-SHADOW")]);
    assert_eq!(left(&life), 1);
}

#[test]
fn two_of_one_decision_get_two_codes_and_the_third_none() {
    // The pool runs dry between the question and the booking.
    let mut life = life("", &["A"]);
    life.event(added("c1"));
    life.event(added("c2"));
    life.wait(Span::from_days(3));
    let given: Vec<_> = codes(&life).into_iter().flatten().collect();
    assert!(given.iter().all(|code| *code == "A"), "{given:?}");
    assert_eq!(left(&life), 0);
}

#[test]
fn a_long_pause_asks_less_and_less() {
    let mut life = life("", &["A"]);
    let record = r#"{"switch":{"v":1,"scope":"all","paused":true,"by":"person","at":0}}"#;
    life.bundles.offer(record.as_bytes());
    life.event(added("c1"));
    life.wait(Span::from_days(1));
    let asked = life.customer.triggers_opened;
    assert!(
        (10..150).contains(&asked),
        "{asked} in a day, not one every minute"
    );
}

#[test]
fn what_is_paused_waits_and_goes_on() {
    let mut life = life("", &["A"]);
    let throw = |life: &mut Life, scope: &str, paused: bool| {
        let at = life.now.as_millis();
        let record = format!(
            r#"{{"switch":{{"v":1,"scope":"{scope}","paused":{paused},"by":"person","at":{at}}}}}"#
        );
        assert!(matches!(
            life.bundles.offer(record.as_bytes()),
            winback_campaign::Offered::Switched(_)
        ));
    };
    for scope in ["all", "campaign:cart", "channel:email"] {
        throw(&mut life, scope, true);
    }
    throw(&mut life, "channel:sms", true);
    life.event(added("c1"));
    life.wait(Span::from_hours(1));
    for scope in ["all", "campaign:cart", "channel:email"] {
        assert!(life.sent.is_empty(), "{scope}");
        throw(&mut life, scope, false);
        let held = life.records.iter().filter(|record| {
            matches!(
                record.transition,
                Transition::Held {
                    reason: Reason::Paused,
                    ..
                }
            )
        });
        assert_eq!(held.count(), 1, "a pause is told once");
        if scope != "channel:email" {
            life.wait(Span::from_mins(5));
        }
    }
    // What has waited for long is looked at less often.
    life.wait(Span::from_mins(16));
    assert_eq!(life.steps(), ["offer"]);
}
