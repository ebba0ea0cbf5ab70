//! The campaign language, one life per word: each is the shortest campaign that needs it.

use serde_json::json;
use winback_contract::{
    Announcement, Channel, Event, EventId, Outcome, OutcomeStatus, Reason, Span, Transition,
};

use super::world::{CART, LOST, Life, POLICY, added, at, known, ordered, product, viewed};
use crate::doors;
use crate::outcome;

const MORNING: &str = "2026-01-05T10:00:00Z";

fn told(name: &str, properties: serde_json::Value) -> Event {
    let map = properties.as_object().cloned().unwrap_or_default();
    Event {
        name: name.into(),
        identities: known(),
        order_id: map
            .get("order_id")
            .and_then(|id| id.as_str())
            .map(str::to_owned),
        properties: map.into_iter().collect(),
        ..Event::default()
    }
}

fn campaign(name: &str, group: &str, spec: &str) -> String {
    format!(
        "apiVersion: winback/v1\nkind: Campaign\nmetadata: {{ name: {name}, group: {group} }}\nspec:\n{spec}"
    )
}

fn policy(more: &str) -> String {
    let policy = POLICY.replace("  groups: {", "  groups: { after: {}, care: {},");
    format!("{policy}{more}")
}

fn live(campaigns: &[&str], more: &str) -> Life {
    Life::with_policy(MORNING, &policy(more), campaigns)
}

fn endings(life: &Life) -> Vec<(String, Reason, Option<String>)> {
    life.records
        .iter()
        .filter_map(|record| match &record.transition {
            Transition::Ended {
                outcome,
                name,
                entered: true,
            } => Some((record.campaign.clone(), *outcome, name.clone())),
            _ => None,
        })
        .collect()
}

fn click(life: &mut Life, index: usize) {
    let message = life.sent[index].1.clone();
    let outcome = Outcome {
        v: 1,
        message: message.id,
        customer: life.me,
        channel: message.channel,
        attempt: 0,
        status: OutcomeStatus::Clicked,
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

/// What a wait's `unless` can't judge excuses from the rest: an error never sends.
#[test]
fn an_unless_that_can_not_be_judged_sends_nothing_more() {
    let nudge = campaign(
        "nudge",
        "care",
        "  enter: { on: Signed In, reentry: 0s }
  cascade:
    - { step: one, send: [email] }
    - { wait: 2d, unless: { on: Wishlist Product Added, when: event.properties.stars > 5 } }
    - { step: two, send: [email] }
",
    );
    for (stars, steps, reason) in [
        (Some(1), &["one", "two"][..], Reason::Finished),
        (Some(9), &["one"], Reason::Reacted),
        (None, &["one"], Reason::Reacted),
    ] {
        let mut life = live(&[&nudge], "");
        life.event(told("Signed In", json!({})));
        life.wait(Span::from_hours(1));
        life.event(told("Wishlist Product Added", json!({ "stars": stars })));
        life.wait(Span::from_days(10));
        assert_eq!(life.steps(), steps, "{stars:?}");
        assert_eq!(endings(&life), [("nudge".into(), reason, None)]);
    }
}

#[test]
fn until_counts_down_to_a_date_and_exit_at_ends_it() {
    let points = campaign(
        "burn",
        "care",
        "  enter: { date: points.expires_at, before: 14d }
  audience: points.expiring > 0
  exit: { converted: Points Spent, at: entry.date }
  cascade:
    - { step: early, send: [email] }
    - { until: entry.date - days(7), unless: [] }
    - { step: week, send: [email] }
    - { until: entry.date - days(2), unless: [] }
    - { step: last, send: [email] }
",
    );
    let credited = |expires: &str| {
        told(
            "Points Credited",
            json!({ "balance": 300, "expiring": 300, "expires_at": expires }),
        )
    };
    let mut life = live(&[&points], "");
    life.event(credited("2026-02-05T00:00:00Z"));
    life.wait(Span::from_days(40));
    let days: Vec<String> = life
        .sent
        .iter()
        .map(|(at, _)| at.to_string()[..10].to_owned())
        .collect();
    assert_eq!(life.steps(), ["early", "week", "last"]);
    assert_eq!(days, ["2026-01-22", "2026-01-29", "2026-02-03"]);
    assert_eq!(endings(&life), [("burn".into(), Reason::Finished, None)]);
    // A shorter time to live: what is past does not wait, and what was due too long ago is not sent.
    let mut life = live(&[&points], "");
    life.event(credited("2026-01-08T00:00:00Z"));
    life.wait(Span::from_days(10));
    assert_eq!(life.steps(), ["early", "last"]);
    let over = campaign(
        "short",
        "care",
        "  enter: { on: Signed In, reentry: 0s }
  exit: { at: entry.at + days(2) }
  cascade: [ { step: one, send: [email] }, { wait: 5d }, { step: two, send: [email] } ]
",
    );
    let mut life = live(&[&over], "");
    life.event(told("Signed In", json!({})));
    life.wait(Span::from_days(10));
    assert_eq!(life.steps(), ["one"]);
    assert_eq!(endings(&life), [("short".into(), Reason::Over, None)]);
    // The date moves with the value, and spending ends it.
    let mut life = live(&[&points], "");
    life.event(credited("2026-02-05T00:00:00Z"));
    life.wait(Span::from_days(2));
    life.event(credited("2026-03-05T00:00:00Z"));
    life.wait(Span::from_days(20));
    assert!(life.sent.is_empty(), "{:?}", life.steps());
    life.event(told("Points Spent", json!({ "balance": 0 })));
    life.wait(Span::from_days(60));
    assert!(life.sent.is_empty());
}

#[test]
fn await_goes_on_with_its_answer_or_otherwise() {
    let apology = campaign(
        "apology",
        "care",
        "  topic: marketing
  enter: { on: Complaint Opened, key: event.complaint_id, reentry: 0s }
  cascade:
    - await: { on: Complaint Settled, when: event.complaint_id == journey.key }
      for: 2d
      otherwise: [ { step: late, send: [email] }, { end: unsettled } ]
    - wait: 1d
    - if: answer.remedy == 'discount'
      then: [ { step: discount, send: [email] } ]
      else: [ { step: sorry, send: [email] } ]
",
    );
    let opened = || told("Complaint Opened", json!({ "complaint_id": "c1" }));
    let settled = |id: &str, remedy: &str| {
        told(
            "Complaint Settled",
            json!({ "complaint_id": id, "remedy": remedy }),
        )
    };
    let mut life = live(&[&apology], "");
    life.event(opened());
    life.wait(Span::from_hours(3));
    life.event(settled("another", "discount"));
    life.wait(Span::from_hours(3));
    life.event(settled("c1", "discount"));
    life.wait(Span::from_days(5));
    assert_eq!(life.steps(), ["discount"]);
    let mut life = live(&[&apology], "");
    life.event(opened());
    life.event(settled("c1", "exchange"));
    life.wait(Span::from_days(5));
    assert_eq!(life.steps(), ["sorry"], "it had come before it was awaited");
    let mut life = live(&[&apology], "");
    life.event(opened());
    life.wait(Span::from_days(5));
    assert_eq!(life.steps(), ["late"]);
    assert_eq!(
        endings(&life),
        [("apology".into(), Reason::Finished, Some("unsettled".into()))]
    );
}

#[test]
fn a_split_is_drawn_once_per_person_and_keeps_its_shares() {
    let split = campaign(
        "halves",
        "care",
        "  enter: { on: Signed Up }
  cascade:
    - split: tone
      into:
        warm: { share: 50%, then: [ { step: warm, send: [email] } ] }
        cool: { share: 30%, then: [ { step: cool, send: [email] } ] }
    - wait: 1d
    - if: has(journey.variant.tone) && journey.variant.tone == 'warm'
      then: [ { step: again, send: [email] } ]
",
    );
    let mut counts = std::collections::BTreeMap::new();
    for person in 0..200_u8 {
        let mut life = live(&[&split], "");
        life.me = winback_contract::CustomerId([person; 16]);
        life.event(told("Signed Up", json!({})));
        life.wait(Span::from_days(3));
        let steps = life.steps().join(" ");
        assert!(
            ["warm again", "cool", ""].contains(&steps.as_str()),
            "{steps}"
        );
        *counts.entry(steps).or_insert(0) += 1;
    }
    assert!((70..=130).contains(&counts["warm again"]), "{counts:?}");
    assert!((35..=85).contains(&counts["cool"]), "{counts:?}");
}

#[test]
fn the_end_of_one_campaign_begins_another_with_its_outcome() {
    let lost = LOST.replace("name: lost", "name: lost-customer");
    let welcome = campaign(
        "welcome-back",
        "after",
        "  enter: { ended: lost-customer, when: event.outcome == 'converted', after: 7d, reentry: 180d }
  exit: { converted: Order Completed, cancelled: { on: Order Cancelled, when: event.order_id == entry.order_id } }
  cascade: [ { step: gift, send: [email] } ]
",
    );
    let call = campaign(
        "call",
        "after",
        "  enter: { ended: lost-customer, when: event.outcome == 'finished', after: 3d }
  cascade: [ { step: ring, send: [email] } ]
",
    );
    let campaigns = [lost.as_str(), welcome.as_str(), call.as_str()];
    let run = |after: &dyn Fn(&mut Life)| {
        let mut life = live(&campaigns, "");
        life.event(ordered("o1"));
        life.wait(Span::from_days(92));
        assert_eq!(life.steps(), ["miss"]);
        after(&mut life);
        life.wait(Span::from_days(20));
        life.steps()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    // The order that ends the one begins the other, and does not end it.
    assert_eq!(run(&|life| life.event(ordered("o2"))), ["miss", "gift"]);
    // A second order is what it is for; a cancelled first one takes it back.
    let second = run(&|life| {
        life.event(ordered("o2"));
        life.wait(Span::from_days(2));
        life.event(ordered("o3"));
    });
    assert_eq!(second, ["miss"]);
    let cancelled = run(&|life| {
        life.event(ordered("o2"));
        life.wait(Span::from_days(2));
        life.event(told("Order Cancelled", json!({ "order_id": "o2" })));
    });
    assert_eq!(cancelled, ["miss"]);
    assert_eq!(run(&|_| {}), ["miss", "second", "ring"]);
}

#[test]
fn of_those_that_replace_each_other_one_runs_per_cart() {
    let points = CART
        .replace("name: cart,", "name: cart-points,")
        .replace("priority: 80", "priority: 85")
        .replace("  enter:", "  replaces: [cart]\n  enter:")
        .replace("cart.total >= 10", "points.balance > 0")
        .replace("reminder", "with-points")
        .replace("offer, send", "pay, send");
    let campaigns = [CART, points.as_str()];
    let mut life = live(&campaigns, "");
    life.event(added("c1"));
    life.wait(Span::from_days(3));
    assert_eq!(
        life.steps(),
        ["reminder", "offer"],
        "without points the other one runs"
    );
    let mut life = live(&campaigns, "");
    life.event(told("Points Credited", json!({ "balance": 50 })));
    life.event(added("c1"));
    life.wait(Span::from_days(3));
    assert_eq!(life.steps(), ["with-points", "pay"]);
    assert!(
        endings(&life).contains(&("cart".into(), Reason::Replaced, None)),
        "{:?}",
        endings(&life)
    );
}

#[test]
fn a_birthday_comes_every_year_at_the_hour_of_the_shop() {
    let birthday = campaign(
        "birthday",
        "care",
        "  enter: { date: customer.birthday, every: year }
  cascade: [ { step: wishes, send: [email] } ]
",
    );
    let mut life = live(&[&birthday], "");
    let mut event = told("Identified", json!({}));
    event.traits = Some(winback_contract::Traits {
        birthday: Some("1992-02-29".into()),
        ..winback_contract::Traits::default()
    });
    life.event(event);
    life.wait(Span::from_days(900));
    let days: Vec<String> = life.sent.iter().map(|(at, _)| at.to_string()).collect();
    assert_eq!(
        days,
        [
            "2026-02-28T08:00:00.000Z",
            "2027-02-28T08:00:00.000Z",
            "2028-02-29T08:00:00.000Z"
        ]
    );
}

#[test]
fn days_of_the_shop_and_announcements_reach_those_who_fit() {
    let holiday = campaign(
        "holiday",
        "care",
        "  enter: { schedule: { calendar: spring } }
  audience: orders.count > 0
  cascade: [ { step: greeting, send: [email] } ]
",
    );
    let news = campaign(
        "news",
        "care",
        "  enter: { on: News Published, spread: 3d }
  audience: orders.silent >= days(60)
  exit: { converted: Session Started }
  cascade: [ { step: news, send: [email] }, { wait: 2d }, { step: again, send: [email] } ]
",
    );
    let mut life = live(&[&holiday, &news], "  calendar: { spring: [\"03-08\"] }\n");
    life.event(ordered("o1"));
    life.wait(Span::from_days(61));
    let bundle = life.active.clone();
    let day = "2026-03-08".parse().unwrap();
    let now = life.now;
    let call = |life: &mut Life| {
        life.with(|customer, world| {
            let campaign = &bundle.campaigns["holiday"];
            doors::call_out(customer, (campaign, 0), day, now, world)
        })
    };
    let effects = call(&mut life);
    life.take(effects);
    let again = call(&mut life);
    life.take(again);
    life.wait(Span::from_days(3));
    assert_eq!(
        life.steps(),
        ["greeting"],
        "once, however often the sweep comes by"
    );
    assert_eq!(life.sent[0].0, at("2026-03-08T08:00:00Z"));
    let published = Announcement {
        id: EventId([9; 16]),
        at: life.now,
        event: told("News Published", json!({ "title": "Now by drone" })),
    };
    life.news = vec![published.clone()];
    let effects = life.with(|customer, world| {
        doors::announce_for(customer, (&bundle.campaigns["news"], 0), &published, world)
    });
    life.take(effects);
    life.wait(Span::from_days(4));
    assert_eq!(life.steps(), ["greeting", "news"]);
    assert_eq!(
        life.sent[1]
            .1
            .facts
            .news
            .as_ref()
            .map(|news| news.title.as_str()),
        Some("Now by drone")
    );
    life.event(viewed());
    life.wait(Span::from_days(4));
    assert_eq!(
        endings(&life).last(),
        Some(&("news".into(), Reason::Converted, None))
    );
}

#[test]
fn the_third_visit_counts_and_an_order_counts_anew() {
    let barrier = campaign(
        "barrier",
        "care",
        "  enter: { on: Page Viewed, times: 3, within: 14d, without: Order Completed, after: 1h }
  cascade: [ { step: barrier, send: [email] } ]
",
    );
    let visit = |life: &mut Life, days: i64| {
        life.event(viewed());
        life.wait(Span::from_days(days));
    };
    let mut life = live(&[&barrier], "");
    visit(&mut life, 3);
    visit(&mut life, 3);
    assert!(life.sent.is_empty());
    visit(&mut life, 1);
    assert_eq!(life.steps(), ["barrier"]);
    let mut life = live(&[&barrier], "");
    visit(&mut life, 3);
    visit(&mut life, 3);
    life.event(ordered("o1"));
    visit(&mut life, 3);
    visit(&mut life, 1);
    assert!(life.sent.is_empty(), "the order began the count anew");
    let mut life = live(&[&barrier], "");
    for _ in 0..6 {
        visit(&mut life, 8);
    }
    assert!(life.sent.is_empty(), "never three in a fortnight");
}

#[test]
fn each_line_of_an_order_has_its_own_journey_in_the_customers_rhythm() {
    let again = campaign(
        "again",
        "after",
        "  enter: { on: Order Completed, each: event.products, after: usual(item.product_id) - days(3), reentry: 0s }
  cascade: [ { step: refill, send: [email] } ]
",
    );
    let order = |id: &str, products: &[&str]| {
        let mut event = ordered(id);
        event.products = products
            .iter()
            .map(|name| winback_contract::Product {
                product_id: (*name).into(),
                ..product(900)
            })
            .collect();
        event
    };
    let mut life = live(&[&again], "");
    life.event(order("o1", &["coffee", "cup"]));
    life.wait(Span::from_days(30));
    assert!(life.sent.is_empty(), "nobody knows a rhythm yet");
    life.event(order("o2", &["coffee"]));
    life.wait(Span::from_days(26));
    assert!(life.sent.is_empty());
    life.wait(Span::from_days(2));
    assert_eq!(life.steps(), ["refill"]);
    assert_eq!(life.sent[0].1.facts.entry["item"]["product_id"], "coffee");
}

#[test]
fn the_guard_gives_one_offer_and_whoever_waits_gets_none() {
    let offers = CART.replace(
        "offer: { coupon: CART10 }",
        "offer: { coupon: CART10, otherwise: end }",
    );
    let mut life = live(&[&offers], "");
    let leave = |life: &mut Life, cart: &str| {
        life.event(added(cart));
        life.wait(Span::from_days(9));
    };
    leave(&mut life, "c1");
    assert_eq!(life.steps(), ["reminder", "offer"]);
    assert!(life.sent[1].1.facts.offer.is_some());
    leave(&mut life, "c2");
    assert_eq!(
        life.steps(),
        ["reminder", "offer", "reminder"],
        "sixty days are not over"
    );
    assert!(endings(&life).contains(&("cart".into(), Reason::OfferGuard, None)));
    // Three orders in a row on an offer: no more offers, whatever time has passed.
    let mut life = live(&[&offers], "");
    for number in 0..3 {
        leave(&mut life, &format!("w{number}"));
        life.event(ordered(&format!("o{number}")));
        life.wait(Span::from_days(61));
    }
    let before = life.steps().len();
    leave(&mut life, "w9");
    assert_eq!(life.steps()[before..], ["reminder"]);
}

#[test]
fn an_open_complaint_holds_marketing_until_it_is_settled() {
    let policy = policy("").replace(
        "consent: { email: not_denied, default: granted } }",
        "consent: { email: not_denied, default: granted }, audience: \"!customer.complaint_open\" }",
    );
    let mut life = Life::with_policy(MORNING, &policy, &[CART]);
    life.event(told("Complaint Opened", json!({ "complaint_id": "c7" })));
    life.event(added("c1"));
    life.wait(Span::from_hours(3));
    assert!(life.sent.is_empty());
    life.event(told("Complaint Settled", json!({ "complaint_id": "c7" })));
    life.wait(Span::from_hours(2));
    assert_eq!(life.steps(), ["reminder"]);
}

#[test]
fn the_channel_that_draws_reactions_comes_first() {
    let asks = campaign(
        "asks",
        "care",
        "  enter: { on: Signed In, reentry: 0s }
  cascade: [ { step: ask, send: [preferred, email] } ]
",
    );
    let mut life = live(&[&asks], "");
    life.event(told("Signed In", json!({})));
    life.wait(Span::from_hours(1));
    assert_eq!(life.sent.len(), 1);
    assert_eq!(life.customer.behaviour.unanswered, 1);
    click(&mut life, 0);
    assert_eq!(life.customer.preferred_channel(), Some(Channel::Email));
    assert_eq!(life.customer.behaviour.unanswered, 0);
}

#[test]
fn a_goal_of_its_own_is_recorded_without_ending_anything() {
    let call = campaign(
        "call",
        "care",
        "  enter: { on: Signed In, reentry: 0s }
  goal: { on: [Churn Reason Recorded], within: 30d }
  cascade: [ { step: ask, send: [email] }, { wait: 2d }, { step: thanks, send: [email] } ]
",
    );
    let mut life = live(&[&call], "");
    life.event(told("Signed In", json!({})));
    life.wait(Span::from_hours(1));
    life.event(told("Churn Reason Recorded", json!({ "reason": "price" })));
    let goals = life
        .records
        .iter()
        .filter(|record| record.transition == Transition::Goal);
    assert_eq!(goals.count(), 1);
    assert_eq!(
        life.customer.behaviour.churn_reason.as_deref(),
        Some("price")
    );
}

#[test]
fn the_beginning_of_a_session_begins_a_journey() {
    let barrier = campaign(
        "barrier",
        "care",
        "  enter: { on: Session Started, times: 3, within: 14d, without: Order Completed, after: 1h }
  cascade: [ { step: barrier, send: [email] } ]
",
    );
    let mut life = live(&[&barrier], "");
    for _ in 0..3 {
        life.event(viewed());
        life.event(viewed());
        life.wait(Span::from_days(2));
    }
    assert_eq!(life.steps(), ["barrier"]);
}
