//! What a shop adds of its own keeps its type: in events, in traits, in lines of orders; through the state and into texts.

use serde_json::{Value, json};
use winback_contract::{Event, Format, Product, Span, Traits};

use super::world::{Life, known, ordered, product};
use crate::codec::{decode, encode, encode_in};
use crate::customer::Line;

const MORNING: &str = "2026-01-05T10:00:00Z";

/// Sends where this holds: asked of the event as it begins, or of the customer as the message is decided.
fn campaign(condition: &str, show: &str) -> String {
    let (when, audience) = match condition.contains("event.") {
        true => (condition, "true"),
        false => ("true", condition),
    };
    format!(
        "apiVersion: winback/v1
kind: Campaign
metadata: {{ name: own, group: after }}
spec:
  enter: {{ on: Order Completed, idle: 20m, when: \"{when}\" }}
  audience: \"{audience}\"
  cascade: [ {{ step: come, send: [email]{show} }} ]
"
    )
}

/// One who said so much of themselves, and ordered.
fn life(when: &str, show: &str) -> Life {
    let policy = super::world::POLICY.replace("groups: {", "groups: { after: {},");
    let mut life = Life::with_policy(MORNING, &policy, &[&campaign(when, show)]);
    let typed: [(&str, Value); 4] = [
        ("age", json!(34)),
        ("vip", json!(true)),
        ("pets", json!(["dog", "cat"])),
        ("sizes", json!({ "shoe": 42 })),
    ];
    life.event(Event {
        name: "Identified".into(),
        identities: known(),
        traits: Some(Traits {
            custom: [
                ("club".to_owned(), "gold".to_owned()),
                ("age".to_owned(), "34".to_owned()),
            ]
            .into(),
            typed: typed.map(|(name, value)| (name.to_owned(), value)).into(),
            ..Traits::default()
        }),
        ..Event::default()
    });
    let mut order = ordered("o1");
    order.products = vec![Product {
        name: Some("Mug".into()),
        brand: Some("Lavo".into()),
        quantity: 2,
        fields: [("tags".to_owned(), json!(["new"]))].into(),
        ..product(700)
    }];
    order
        .properties
        .insert("labels".into(), json!(["gift", "fast"]));
    life.event(order);
    life.wait(Span::from_mins(30));
    life
}

#[test]
fn lists_maps_numbers_and_flags_are_what_they_were() {
    for (when, holds) in [
        ("'gift' in event.properties.labels", true),
        ("'slow' in event.properties.labels", false),
        ("customer.traits.age > 30", true),
        ("customer.traits.age == 34", true),
        ("customer.traits.vip", true),
        ("customer.traits.club == 'gold'", true),
        ("'dog' in customer.traits.pets", true),
        ("'bird' in customer.traits.pets", false),
        ("customer.traits.sizes.shoe == 42", true),
        (
            "order.lines[0].brand == 'Lavo' && order.lines[0].quantity == 2",
            true,
        ),
        ("'new' in order.lines[0].fields.tags", true),
        (
            "order.lines.exists(l, l.name == 'Mug' && l.price == 7.0)",
            true,
        ),
    ] {
        assert_eq!(life(when, "").sent.len(), usize::from(holds), "{when}");
    }
}

#[test]
fn texts_show_the_lines_of_an_order_and_traits_in_their_type() {
    let life = life("true", ", show: order.lines");
    let facts = &life.sent[0].1.facts;
    let item = &facts.items[0];
    assert_eq!(
        (item.name.as_deref(), item.brand.as_deref()),
        (Some("Mug"), Some("Lavo"))
    );
    assert_eq!(item.price.map(|price| price.minor), Some(700));
    assert_eq!(facts.customer.typed["pets"], json!(["dog", "cat"]));
    assert_eq!(
        facts.customer.traits["age"], "34",
        "the release before reads texts alone"
    );
}

#[test]
fn they_survive_the_state_and_leave_the_format_of_before() {
    let customer = life("'gift' in event.properties.labels", "").customer;
    let blob = encode(&customer);
    assert_eq!(blob[0], 6);
    assert!(decode(&blob).unwrap() == customer);
    let before = decode(&encode_in(&customer, Format::One)).unwrap();
    assert_eq!(encode(&before)[0], 3);
    assert!(before.profile.typed.is_empty());
    assert_eq!(before.profile.custom.len(), 2, "texts stay");
}

/// What a shop adds is charged as large as it is: a cart of ten lines with small lists keeps them all.
#[test]
fn small_lists_cost_a_cart_no_lines() {
    let fields = ["tags", "images", "options", "collections"]
        .map(|name| (name.to_owned(), json!(["a", "b"])));
    let product = |number: usize| Product {
        fields: fields.clone().into(),
        ..Product::of(&format!("p{number}"))
    };
    let mut lines: Vec<Line> = (0..10)
        .map(product)
        .map(|product| Line::from(&product))
        .collect();
    assert_eq!((Line::fit(&mut lines), lines.len()), (0, 10));
}
