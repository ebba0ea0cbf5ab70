//! Goods: who hears of a fallen price and of what is back, who does not, and what is recommended.

use winback_contract::{
    Before, CustomerId, Event, EventId, GoodsNews, OutcomeStatus, Product, Reason, Span, Transition,
};

use super::world::{Life, POLICY, known, ordered, product};
use crate::doors;
use crate::start::product::{self, PendingProductChange};

const MORNING: &str = "2026-01-05T10:00:00Z";

const FELL: &str = "apiVersion: winback/v1
kind: Campaign
metadata: { name: fell, group: cart }
spec:
  enter: { product: price_drop, by: 10%, seen: [viewed, wished], within: 20d, after: 1h }
  exit: { converted: Order Completed, cancelled: { on: [Price Raised, Out Of Stock], when: event.product_id == product.product_id } }
  cascade: [ { step: news, send: [email], show: \"[item]\", recommend: { kind: also_bought, count: 2 } } ]
";
const BACK: &str = "apiVersion: winback/v1
kind: Campaign
metadata: { name: back, group: cart }
spec:
  enter: { product: back_in_stock }
  exit: { converted: Order Completed }
  cascade: [ { step: news, send: [email] } ]
";

fn seen(name: &str, cents: i64) -> Event {
    Event {
        name: name.into(),
        identities: known(),
        products: vec![product(cents)],
        ..Event::default()
    }
}

fn told(life: &Life, number: u8, was: i64, is: i64, sold: (bool, bool)) -> PendingProductChange {
    PendingProductChange {
        id: EventId([number; 16]),
        at: life.now,
        news: GoodsNews {
            product: product(is),
            sold: sold.1,
            available: None,
            before: Before {
                price: product(was).price,
                sold: Some(sold.0),
            },
        },
    }
}

fn hear(life: &mut Life, told: &PendingProductChange) {
    assert!(product::wants(
        &life.customer,
        &told.news.product.product_id
    ));
    let now = life.now;
    let effects = life.with(|customer, world| doors::hear(customer, told, now, world));
    life.take(effects);
}

const SOLD: (bool, bool) = (true, true);

#[test]
fn a_price_is_measured_by_what_this_customer_saw() {
    for (saw, is, hears) in [(1_500, 1_350, 1), (1_500, 1_351, 0), (1_400, 1_350, 0)] {
        let mut life = Life::new(MORNING, &[FELL]);
        life.event(seen("Product Viewed", saw));
        life.wait(Span::from_days(3));
        let news = told(&life, 1, 2_000, is, SOLD);
        hear(&mut life, &news);
        life.wait(Span::from_days(1));
        assert_eq!(life.sent.len(), hears, "saw {saw}, is {is}");
    }
}

#[test]
fn who_bought_it_or_looked_long_ago_is_left_alone() {
    let mut life = Life::new(MORNING, &[FELL]);
    life.event(seen("Product Viewed", 1_500));
    life.wait(Span::from_days(21));
    let news = told(&life, 1, 1_500, 900, SOLD);
    hear(&mut life, &news);
    life.wait(Span::from_days(1));
    assert!(life.sent.is_empty(), "twenty days are over");
    life.event(seen("Product Viewed", 1_500));
    let mut order = ordered("o1");
    order.products = vec![product(1_500)];
    life.event(order);
    assert!(
        !product::wants(&life.customer, "p1"),
        "what was bought is not waited for"
    );
}

#[test]
fn a_price_that_rose_again_ends_it() {
    let mut life = Life::new(MORNING, &[FELL]);
    life.event(seen("Product Added to Wishlist", 1_500));
    life.wait(Span::from_mins(5));
    let news = told(&life, 1, 1_500, 900, SOLD);
    hear(&mut life, &news);
    life.wait(Span::from_mins(30));
    let news = told(&life, 2, 900, 1_500, SOLD);
    hear(&mut life, &news);
    life.wait(Span::from_days(1));
    assert!(life.sent.is_empty());
    let ended = |transition: &Transition| {
        matches!(
            transition,
            Transition::Ended {
                outcome: Reason::Cancelled,
                ..
            }
        )
    };
    assert!(life.records.iter().any(|record| ended(&record.transition)));
}

#[test]
fn what_is_back_is_told_to_who_missed_it_and_not_to_who_saw_it_there() {
    for (name, in_stock, hears) in [
        ("Product Viewed", Some(false), 1),
        ("Product Viewed", Some(true), 0),
        ("Product Viewed", None, 0),
        ("Stock Alert Requested", None, 1),
        ("Product Added to Wishlist", Some(true), 1),
    ] {
        let mut life = Life::new(MORNING, &[BACK]);
        let mut event = seen(name, 1_500);
        event.products[0].in_stock = in_stock;
        life.event(event);
        life.wait(Span::from_days(1));
        let news = told(&life, 1, 1_500, 1_500, (false, true));
        hear(&mut life, &news);
        life.wait(Span::from_days(1));
        assert_eq!(life.sent.len(), hears, "{name} {in_stock:?}");
    }
}

#[test]
fn lists_of_watchers_are_asked_for_once_a_day_and_only_while_somebody_listens() {
    let mut life = Life::new(MORNING, &[BACK]);
    life.event(seen("Product Added", 1_500));
    assert!(
        life.watches.is_empty(),
        "no campaign waits for what was carted"
    );
    for _ in 0..5 {
        life.event(seen("Product Viewed", 1_500));
        life.wait(Span::from_mins(1));
    }
    assert_eq!(life.watches, ["p1"]);
    life.wait(Span::from_days(1));
    life.event(seen("Product Viewed", 1_500));
    assert_eq!(life.watches, ["p1", "p1"]);
}

/// What is kept of lists is bounded by what is kept of customers (F21).
#[test]
fn a_list_forgets_whoever_wants_no_news_any_more() {
    let viewed = |product: &str| {
        let mut event = seen("Product Viewed", 1_500);
        event.products[0].product_id = product.into();
        event
    };
    let begun = || {
        let mut life = Life::new(MORNING, &[BACK]);
        life.event(viewed("p1"));
        life.event(viewed("p2"));
        assert!(life.unwatched.is_empty());
        life
    };
    let mut full = begun();
    for number in 3..=25 {
        full.event(viewed(&format!("p{number}")));
    }
    assert_eq!(full.unwatched, ["p1"], "24 are kept");
    full.event(viewed("p25"));
    assert_eq!(full.unwatched, ["p1"], "seen again: nothing gives way");
    let mut buys = begun();
    let mut order = viewed("p2");
    (order.name, order.order_id) = ("Order Completed".into(), Some("o1".into()));
    buys.event(order);
    assert_eq!(buys.unwatched, ["p2"]);
    let mut erased = begun();
    erased.body(
        winback_contract::Body::Erased,
        erased.now,
        winback_contract::SourceKind::Live,
    );
    assert_eq!(erased.unwatched, ["p1", "p2"]);
    let mut forgotten = begun();
    forgotten.wait(Span::from_days(2_000));
    assert_eq!(forgotten.unwatched, ["p1", "p2"]);
}

#[test]
fn wants_go_along_when_a_device_turns_out_to_be_a_person() {
    let mut device = Life::new(MORNING, &[FELL]);
    device.me = CustomerId([1; 16]);
    let mut event = seen("Product Viewed", 1_500);
    event.identities = winback_contract::Identities {
        anonymous: Some("d1".into()),
        ..winback_contract::Identities::default()
    };
    device.event(event);
    let mut user = Life::new(MORNING, &[FELL]);
    user.me = CustomerId([2; 16]);
    device.link_to(&mut user);
    assert_eq!(user.watches, ["p1"]);
    assert_eq!(
        (device.unwatched.as_slice(), user.unwatched.len()),
        (["p1".to_owned()].as_slice(), 0)
    );
    assert!(product::wants(&user.customer, "p1") && !product::wants(&device.customer, "p1"));
}

#[test]
fn a_step_whose_goods_are_gone_is_skipped_and_no_other_channel_is_tried() {
    let policy = POLICY.replace("default: granted", "default: not_denied");
    let two = FELL.replace("send: [email]", "send: [email, task]");
    let mut files = std::collections::BTreeMap::new();
    files.insert("policy.yaml".to_owned(), policy);
    files.insert("fell/campaign.yaml".to_owned(), two);
    files.insert(
        "fell/templates/news.email.en.mjml".to_owned(),
        "<mjml><mj-head><mj-title>hi</mj-title></mj-head><mj-body></mj-body></mjml>".to_owned(),
    );
    files.insert(
        "fell/templates/news.task.en.txt".to_owned(),
        "do".to_owned(),
    );
    let (bundle, _) = winback_campaign::Bundle::compile(&winback_campaign::Files(files)).unwrap();
    let mut life = Life::on(MORNING, std::sync::Arc::new(bundle));
    life.event(seen("Product Viewed", 1_500));
    let news = told(&life, 1, 1_500, 900, SOLD);
    hear(&mut life, &news);
    life.trouble = vec![OutcomeStatus::Refused];
    life.why = Some(Reason::NoStock);
    life.wait(Span::from_days(2));
    let skipped: Vec<Reason> = life
        .records
        .iter()
        .filter_map(|record| match &record.transition {
            Transition::Skipped { reason, .. } => Some(*reason),
            _ => None,
        })
        .collect();
    assert_eq!((skipped, life.sent.len()), (vec![Reason::NoStock], 0));
}

#[test]
fn a_message_names_what_sells_beside_it() {
    let mut life = Life::new(MORNING, &[FELL]);
    let other = |id: &str| Product {
        product_id: id.into(),
        ..product(900)
    };
    for (number, with) in [("1", "p2"), ("2", "p2"), ("3", "p3")] {
        let mut order = ordered(number);
        order.products = vec![product(1_500), other(with)];
        life.event(order);
    }
    life.wait(Span::from_days(1));
    life.event(seen("Product Viewed", 1_500));
    let news = told(&life, 1, 1_500, 900, SOLD);
    hear(&mut life, &news);
    life.wait(Span::from_days(1));
    let wish = life.sent[0].1.facts.recommend.clone().unwrap();
    // The newest order's own products are no news.
    assert_eq!((wish.count, wish.candidates), (2, vec!["p2".to_owned()]));
}
