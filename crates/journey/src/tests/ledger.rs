//! Orders as shops tell them: twice, edited, refunded in parts, cancelled before and after, opened again; and carts that
//! are told once more after they were bought.

use winback_contract::{Body, Currency, Event, Money, SourceKind, Span};

use super::world::{CART, LOST, Life, added, known, ordered, product};

const MORNING: &str = "2026-01-05T10:00:00Z";

fn euro(minor: i64) -> Option<Money> {
    Currency::parse("EUR")
        .ok()
        .map(|currency| Money { minor, currency })
}

fn order(id: &str, cents: i64) -> Event {
    Event {
        total: euro(cents),
        ..ordered(id)
    }
}

fn later(name: &str, id: &str, cents: Option<i64>, status: Option<&str>) -> Event {
    let mut event = Event {
        name: name.into(),
        identities: known(),
        order_id: Some(id.into()),
        total: cents.and_then(euro),
        ..Event::default()
    };
    if let Some(status) = status {
        event.properties.insert("status".into(), status.into());
    }
    event
}

fn ledger(life: &Life) -> (u32, i64) {
    let orders = &life.customer.orders;
    (orders.count, orders.total_minor)
}

#[test]
fn what_was_taken_back_was_not_spent() {
    let mut life = Life::new(MORNING, &[CART]);
    let says = |life: &mut Life, event: Event| {
        life.event(event);
        life.wait(Span::from_mins(1));
        ledger(life)
    };
    assert_eq!(says(&mut life, order("o1", 10_000)), (1, 10_000));
    assert_eq!(
        says(&mut life, order("o1", 10_000)),
        (1, 10_000),
        "told again"
    );
    assert_eq!(says(&mut life, order("o2", 5_000)), (2, 15_000));
    assert_eq!(
        says(&mut life, later("Order Refunded", "o1", Some(2_000), None)),
        (2, 13_000)
    );
    assert_eq!(
        says(&mut life, later("Order Refunded", "o1", Some(3_000), None)),
        (2, 10_000)
    );
    assert_eq!(
        says(&mut life, later("Order Refunded", "o1", None, None)),
        (2, 5_000),
        "the rest"
    );
    assert_eq!(
        says(&mut life, later("Order Refunded", "o1", Some(9_000), None)),
        (2, 5_000)
    );
    assert_eq!(
        says(&mut life, later("Order Updated", "o2", Some(6_000), None)),
        (2, 6_000)
    );
    assert_eq!(
        says(
            &mut life,
            later("Order Updated", "o2", None, Some("canceled"))
        ),
        (1, 0)
    );
    assert_eq!(
        says(&mut life, later("Order Cancelled", "o2", None, None)),
        (1, 0)
    );
    assert_eq!(
        says(&mut life, later("Order Updated", "o2", None, Some("paid"))),
        (2, 6_000),
        "opened again"
    );
    assert_eq!(
        says(&mut life, later("Order Cancelled", "o3", None, None)),
        (2, 6_000)
    );
    assert_eq!(
        says(&mut life, order("o3", 1_000)),
        (2, 6_000),
        "it was cancelled before it was told"
    );
}

#[test]
fn an_order_that_was_cancelled_begins_no_silence() {
    let mut life = Life::new(MORNING, &[LOST]);
    life.event(order("o1", 10_000));
    life.wait(Span::from_mins(30));
    life.event(later("Order Cancelled", "o1", None, None));
    life.wait(Span::from_days(120));
    assert_eq!(life.sent.len(), 0, "{:?}", life.steps());
    // One before it that stands is the newest again.
    let mut life = Life::new(MORNING, &[LOST]);
    life.event(order("o1", 10_000));
    life.wait(Span::from_days(10));
    life.event(order("o2", 10_000));
    life.event(later("Order Cancelled", "o2", None, None));
    assert_eq!(life.customer.orders.last_id.as_deref(), Some("o1"));
    life.wait(Span::from_days(85));
    assert_eq!(life.steps(), ["miss"]);
}

const THANKS: &str = "apiVersion: winback/v1
kind: Campaign
metadata: { name: thanks, group: silence, priority: 40 }
spec:
  enter: { on: Order Completed, after: 1m, key: event.order_id, reentry: 0s }
  cascade: [ { step: thanks, send: [email] } ]
";

#[test]
fn an_order_told_again_begins_nothing_again() {
    let mut life = Life::new(MORNING, &[THANKS]);
    for pause in [Span::from_secs(40), Span::from_days(3), Span::from_days(30)] {
        life.event(order("o1", 10_000));
        life.wait(pause);
    }
    assert_eq!(life.steps(), ["thanks"]);
}

fn told(cart: &str, name: &str, goods: &[i64]) -> Event {
    let line = |(number, cents): (usize, &i64)| winback_contract::Product {
        product_id: format!("p{number}"),
        ..product(*cents)
    };
    Event {
        name: name.into(),
        identities: known(),
        cart_id: Some(cart.into()),
        products: goods.iter().enumerate().map(line).collect(),
        ..Event::default()
    }
}

#[test]
fn a_cart_that_was_bought_is_no_new_wish_until_it_changes() {
    for (name, goods, mails) in [
        ("Cart Updated", &[1_500, 500][..], 0),
        ("Checkout Started", &[1_500, 500][..], 0),
        ("Checkout Started", &[][..], 0),
        ("Cart Updated", &[1_500, 500, 700][..], 1),
        ("Product Added", &[1_500][..], 1),
    ] {
        let mut life = Life::new(MORNING, &[CART]);
        life.event(told("c1", "Cart Updated", &[1_500, 500]));
        life.wait(Span::from_mins(5));
        life.event(Event {
            cart_id: Some("c1".into()),
            ..order("o1", 2_000)
        });
        life.wait(Span::from_secs(10));
        life.event(told("c1", name, goods));
        life.wait(Span::from_hours(2));
        assert_eq!(life.sent.len(), mails, "{name} {goods:?}");
    }
    // After a while the same goods are wanted again.
    let mut life = Life::new(MORNING, &[CART]);
    life.event(told("c1", "Cart Updated", &[1_500]));
    life.event(Event {
        cart_id: Some("c1".into()),
        ..order("o1", 2_000)
    });
    life.wait(Span::from_days(10));
    life.event(told("c1", "Cart Updated", &[1_500]));
    life.wait(Span::from_hours(2));
    assert_eq!(life.sent.len(), 1);
}

#[test]
fn a_cart_without_an_id_is_the_persons_own() {
    let mut life = Life::new(MORNING, &[CART]);
    let nameless = |event: Event| Event {
        cart_id: None,
        ..event
    };
    life.event(nameless(added("x")));
    life.wait(Span::from_mins(5));
    life.event(nameless(told("x", "Checkout Started", &[])));
    assert_eq!(life.customer.carts.len(), 1, "one cart");
    life.wait(Span::from_hours(1));
    assert_eq!(life.steps(), ["reminder"]);
    // Where one with an id is open it is that.
    let mut life = Life::new(MORNING, &[CART]);
    life.event(added("c1"));
    life.event(nameless(told("x", "Checkout Started", &[])));
    assert_eq!(life.customer.carts.len(), 1);
    assert!(life.customer.carts[0].checkout_started);
}

#[test]
fn reentry_is_between_first_messages() {
    let campaign = CART.replace("idle: 20m", "idle: 20m, reentry: 7d");
    let mut life = Life::new(MORNING, &[&campaign]);
    life.event(added("c1"));
    life.wait(Span::from_mins(2));
    life.event(added("c2"));
    life.wait(Span::from_days(3));
    let reminders = life
        .steps()
        .iter()
        .filter(|step| **step == "reminder")
        .count();
    assert_eq!(reminders, 1, "{:?}", life.steps());
}

/// What a system tells is no visit: it excuses nobody from what follows.
#[test]
fn a_server_that_tells_of_a_person_is_no_visit() {
    for (passive, steps) in [(true, 2), (false, 1)] {
        let mut life = Life::new(MORNING, &[CART]);
        life.event(added("c1"));
        life.wait(Span::from_hours(2));
        life.event(Event {
            name: "Identified".into(),
            identities: known(),
            passive,
            ..Event::default()
        });
        life.wait(Span::from_days(2));
        assert_eq!(life.sent.len(), steps, "{passive}: {:?}", life.steps());
    }
}

/// The lines of an order are known once, however often the shop tells of it: rhythms are measured between orders.
#[test]
fn an_order_that_is_updated_is_bought_once() {
    let mut life = Life::new(MORNING, &[CART]);
    let with = |event: Event| Event {
        products: vec![product(1_000)],
        ..event
    };
    life.event(with(order("o1", 1_000)));
    for status in ["paid", "packed", "sent"] {
        life.wait(Span::from_mins(5));
        life.event(with(later("Order Updated", "o1", None, Some(status))));
    }
    assert_eq!(life.customer.behaviour.bought.len(), 1);
}

#[test]
fn an_order_told_again_ends_nothing_that_began_since() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(order("o1", 10_000));
    let placed = life.now;
    life.wait(Span::from_days(4));
    life.event(added("c2"));
    life.wait(Span::from_mins(5));
    // That it is paid, or shipped, with the time of then.
    let again = Body::Storefront(Box::new(order("o1", 10_000)));
    life.body(again, placed, SourceKind::Live);
    life.wait(Span::from_mins(30));
    assert_eq!(life.steps(), ["reminder"]);
    assert_eq!(ledger(&life), (1, 10_000));
    // Another order ends it.
    life.event(order("o2", 10_000));
    life.wait(Span::from_days(3));
    assert_eq!(life.steps(), ["reminder"]);
}

/// Ids are used anew: by shops that write the same for every order, and where one was made of a day, its goods and its sum.
#[test]
fn a_second_purchase_under_a_known_id_stops_what_is_open() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(order("o1", 10_000));
    life.wait(Span::from_hours(4));
    life.event(added("c2"));
    life.wait(Span::from_mins(5));
    life.event(order("o1", 10_000));
    life.wait(Span::from_days(3));
    assert_eq!(life.steps(), [""; 0]);
}

/// Also one that is no longer among those that are kept whole.
#[test]
fn an_old_order_told_again_ends_nothing_that_began_since() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(order("o1", 10_000));
    let placed = life.now;
    for number in 2..12 {
        life.wait(Span::from_hours(5));
        life.event(order(&format!("o{number}"), 10_000));
    }
    life.wait(Span::from_days(1));
    life.event(added("c2"));
    life.wait(Span::from_mins(5));
    let again = Body::Storefront(Box::new(order("o1", 10_000)));
    life.body(again, placed, SourceKind::Live);
    life.wait(Span::from_mins(30));
    assert_eq!(life.steps(), ["reminder"]);
}
