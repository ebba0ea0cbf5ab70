//! Cases found by trying it as a marketer: each failed before its fix.

use winback_contract::{Currency, JourneyRecord, Money, Reason, Span, Transition};

use super::world::{Life, POLICY, added, ordered};

const MORNING: &str = "2026-01-05T10:00:00Z";

fn endings(life: &Life) -> Vec<(&str, Reason)> {
    let ended = life
        .records
        .iter()
        .filter_map(|record| match record.transition {
            Transition::Ended { outcome, .. } => Some((record.campaign.as_str(), outcome)),
            _ => None,
        });
    ended.collect()
}

#[test]
fn a_journey_is_over_by_the_time_of_its_own_beginning() {
    let campaign = "apiVersion: winback/v1
kind: Campaign
metadata: { name: short, group: cart }
spec:
  enter: { on: Product Added, key: event.cart_id, after: 1d }
  exit: { at: journey.started_at + days(3) }
  cascade: [ { step: one, send: [email] }, { wait: 2d, unless: [] }, { step: two, send: [email] }, { wait: 2d, unless: [] }, { step: three, send: [email] } ]
";
    let mut life = Life::new(MORNING, &[campaign]);
    life.event(added("c1"));
    life.wait(Span::from_days(20));
    assert_eq!(life.steps(), ["one", "two"]);
    assert_eq!(endings(&life), [("short", Reason::Over)]);
}

#[test]
fn a_success_with_a_condition_counts_after_the_end() {
    let campaign = |goal: &str| {
        format!(
            "apiVersion: winback/v1
kind: Campaign
metadata: {{ name: again, group: after }}
spec:
  enter: {{ on: Product Added, key: event.cart_id, after: 1h }}
  {goal}
  goal: {{ within: 14d }}
  cascade: [ {{ step: one, send: [email] }} ]
"
        )
    };
    let policy = POLICY.replace("groups: {", "groups: { after: {},");
    for (exit, total, counts) in [
        ("exit: { converted: Order Completed }", 300, true),
        (
            "exit: { converted: { on: Order Completed, when: event.total > 5 } }",
            600,
            true,
        ),
        (
            "exit: { converted: { on: Order Completed, when: event.total > 5 } }",
            300,
            false,
        ),
        // What only the journey knew can't be asked any more: it does not count.
        (
            "exit: { converted: { on: Order Completed, when: event.order_id == entry.order_id } }",
            600,
            false,
        ),
    ] {
        let mut life = Life::with_policy(MORNING, &policy, &[&campaign(exit)]);
        life.event(added("c1"));
        life.wait(Span::from_days(1));
        assert_eq!(life.steps(), ["one"]);
        let mut order = ordered("o1");
        order.total = order.total.map(|money| Money {
            minor: total,
            ..money
        });
        life.event(order);
        let goal = |record: &&JourneyRecord| record.transition == Transition::Goal;
        assert_eq!(
            life.records.iter().filter(goal).count() == 1,
            counts,
            "{exit} {total}"
        );
    }
}

#[test]
fn whoever_goes_first_is_not_replaced_while_it_is_held() {
    let campaign = |name: &str, more: &str| {
        format!(
            "apiVersion: winback/v1
kind: Campaign
metadata: {{ name: {name}, group: cart }}
spec:
  {more}
  cascade: [ {{ step: {name}-mail, send: [email] }} ]
"
        )
    };
    let first = campaign(
        "first",
        "replaces: [second]\n  topic: open\n  enter: { on: Product Added, key: event.cart_id, idle: 20m }",
    );
    let second = campaign(
        "second",
        "enter: { on: Product Added, key: event.cart_id, idle: 30m }",
    );
    // The topic of the first is closed for an hour or two: it is held, and the second is due meanwhile.
    let policy = POLICY.replace(
        "topics: {",
        "topics: { open: { consent: not_denied, audience: \"orders.silent > days(30) || now > timestamp('2026-01-05T11:00:00Z')\" },",
    );
    let mut life = Life::with_policy(MORNING, &policy, &[&first, &second]);
    life.event(added("c1"));
    life.wait(Span::from_days(2));
    assert_eq!(life.steps(), ["first-mail"]);
    assert!(
        endings(&life).contains(&("second", Reason::Replaced)),
        "{:?}",
        endings(&life)
    );
}

#[test]
fn whoever_is_held_out_is_not_followed_as_one_who_did_not_react() {
    let first = "apiVersion: winback/v1
kind: Campaign
metadata: { name: first, group: cart }
spec:
  holdout: 100%
  enter: { on: Product Added, key: event.cart_id, idle: 20m }
  cascade: [ { step: one, send: [email] }, { wait: 1d, unless: [] }, { step: two, send: [email] } ]
";
    let follows = "apiVersion: winback/v1
kind: Campaign
metadata: { name: follows, group: cart }
spec:
  enter: { ended: first, when: event.outcome == 'finished', after: 1h }
  cascade: [ { step: more, send: [email] } ]
";
    for (campaign, ends, steps) in [
        (first.to_owned(), Reason::Holdout, vec![]),
        (
            first.replace("100%", "0%"),
            Reason::Finished,
            vec!["one", "two", "more"],
        ),
    ] {
        let mut life = Life::new(MORNING, &[&campaign, follows]);
        life.event(added("c1"));
        life.wait(Span::from_days(20));
        assert_eq!(life.steps(), steps);
        assert_eq!(endings(&life)[0], ("first", ends));
    }
}

#[test]
fn a_journey_that_does_not_begin_says_why_where_it_is_asked_for() {
    let campaign = "apiVersion: winback/v1
kind: Campaign
metadata: { name: once, group: cart }
spec:
  enter: { on: Product Added, key: event.cart_id, idle: 20m, reentry: 7d }
  cascade: [ { step: one, send: [email] } ]
";
    for explain in [true, false] {
        let mut life = Life::new(MORNING, &[campaign]);
        life.limits.explain = explain;
        life.event(added("c1"));
        life.wait(Span::from_days(1));
        life.event(added("c2"));
        let refused = Transition::NotBegun {
            because: None,
            reason: Reason::Reentry,
        };
        let told = life
            .records
            .iter()
            .filter(|record| record.transition == refused);
        assert_eq!(told.count(), usize::from(explain));
    }
}

#[test]
fn a_cart_in_another_currency_is_not_compared_and_that_is_said() {
    let sum = |code: &str| Money {
        minor: 40_000,
        currency: Currency::parse(code).unwrap(),
    };
    let mut cart = added("c1");
    cart.products[0].price = Some(sum("USD"));
    let mut life = Life::new(MORNING, &[super::world::CART]);
    life.event(cart.clone());
    life.wait(Span::from_mins(30));
    assert_eq!(life.steps(), Vec::<&str>::new());
    assert_eq!(endings(&life), [("cart", Reason::OtherCurrency)]);
    // The release before does not know the word: it must not read it as damaged.
    assert_eq!(crate::encode(&life.customer)[0], 4);

    // Where no sum is compared, it is reminded as every other.
    let open = super::world::CART.replace(" && cart.total >= 10", "");
    let mut life = Life::new(MORNING, &[&open]);
    life.event(cart);
    life.wait(Span::from_mins(30));
    assert_eq!(life.steps(), ["reminder"]);

    // A cart that is too small is just that.
    let mut cart = added("c1");
    cart.products[0].price = Some(Money {
        minor: 100,
        ..sum("EUR")
    });
    let mut life = Life::new(MORNING, &[super::world::CART]);
    life.event(cart);
    life.wait(Span::from_mins(30));
    assert_eq!(endings(&life), [("cart", Reason::Audience)]);
}

/// "No" and "can't be judged" are told apart, and the part that decided is named with its values.
#[test]
fn a_condition_that_does_not_hold_says_which_part_decided() {
    let skipped = |life: &Life| {
        let all = life
            .records
            .iter()
            .filter_map(|record| match &record.transition {
                Transition::Skipped { because, .. } => because.clone(),
                _ => None,
            });
        all.collect::<Vec<String>>()
    };
    for (audience, expected) in [
        (
            "orders.count == 0 && cart.total >= 1500",
            "cart.total 15 >= 1500",
        ),
        (
            "points.balance > 5",
            "could not be judged: points.balance (absent) > 5",
        ),
    ] {
        let campaign = format!(
            "apiVersion: winback/v1
kind: Campaign
metadata: {{ name: cart, group: cart }}
spec:
  audience: {audience}
  enter: {{ on: Product Added, key: event.cart_id, idle: 20m }}
  cascade: [ {{ step: one, send: [email] }} ]
"
        );
        let mut life = Life::new(MORNING, &[&campaign]);
        life.event(added("c1"));
        life.wait(Span::from_hours(1));
        assert_eq!(skipped(&life), [expected]);
    }
}

#[test]
fn a_start_whose_condition_does_not_hold_says_so_where_it_is_asked_for() {
    let campaign = "apiVersion: winback/v1
kind: Campaign
metadata: { name: once, group: cart }
spec:
  enter: { on: Product Added, when: event.price > 900, key: event.cart_id, idle: 20m }
  cascade: [ { step: one, send: [email] } ]
";
    for explain in [true, false] {
        let mut life = Life::new(MORNING, &[campaign]);
        life.limits.explain = explain;
        life.event(added("c1"));
        let told = life
            .records
            .iter()
            .filter_map(|record| match &record.transition {
                Transition::NotBegun {
                    reason: Reason::Condition,
                    because,
                } => because.clone(),
                _ => None,
            });
        let told: Vec<String> = told.collect();
        let expected = ["event.price 15 > 900"];
        assert_eq!(told, expected[..usize::from(explain)]);
    }
}

/// Of several starts it is enough that one fits.
#[test]
fn a_campaign_that_begins_is_not_said_not_to() {
    let campaign = "apiVersion: winback/v1
kind: Campaign
metadata: { name: once, group: cart }
spec:
  enter:
    - { on: Product Added, when: event.price > 900, key: event.cart_id, idle: 20m }
    - { on: Product Added, when: event.price < 900, key: event.cart_id, idle: 20m }
  cascade: [ { step: one, send: [email] } ]
";
    let mut life = Life::new(MORNING, &[campaign]);
    life.limits.explain = true;
    life.event(added("c1"));
    life.wait(Span::from_hours(1));
    assert_eq!(life.steps(), ["one"]);
    let is_refused =
        |record: &&JourneyRecord| matches!(record.transition, Transition::NotBegun { .. });
    assert_eq!(life.records.iter().filter(is_refused).count(), 0);
}
