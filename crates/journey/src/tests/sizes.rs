//! Sizes and colours of one product: lines of their own in carts, conditions and texts.

use serde_json::json;
use winback_contract::{Event, Product, Span};

use super::world::{CART, Life, added, product};

const MORNING: &str = "2026-01-05T10:00:00Z";

fn of(variant: Option<&str>, cents: i64, name: &str) -> Event {
    let product = Product {
        variant: variant.map(str::to_owned),
        brand: Some("Lavo".into()),
        fields: [("colour".to_owned(), json!("blue"))].into(),
        ..product(cents)
    };
    Event {
        name: name.into(),
        products: vec![product],
        ..added("c1")
    }
}

fn lines(life: &Life) -> Vec<(Option<&str>, u32)> {
    let lines = life.customer.carts.iter().flat_map(|cart| &cart.lines);
    lines.map(|line| (line.variant(), line.quantity)).collect()
}

#[test]
fn two_sizes_are_two_lines() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(of(Some("M"), 2_000, "Product Added"));
    life.event(of(Some("L"), 3_000, "Product Added"));
    life.event(of(Some("M"), 2_000, "Product Added"));
    assert_eq!(lines(&life), [(Some("M"), 2), (Some("L"), 1)]);
    assert_eq!(life.customer.carts[0].sum().unwrap().minor, 7_000);
    life.event(of(Some("M"), 2_000, "Product Removed"));
    assert_eq!(lines(&life), [(Some("M"), 1), (Some("L"), 1)]);
    life.event(of(Some("L"), 3_000, "Product Removed"));
    assert_eq!(lines(&life), [(Some("M"), 1)]);
    // Whoever does not say which size means the only one; a size that is not there takes nothing out.
    life.event(of(Some("XL"), 1, "Product Removed"));
    assert_eq!(lines(&life), [(Some("M"), 1)]);
    life.event(of(None, 2_000, "Product Removed"));
    assert_eq!(lines(&life), []);
}

/// A removal takes as many as it says, of whatever sizes there are, and a line of no size is of any.
#[test]
fn a_cart_that_was_emptied_is_not_mailed() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(of(Some("M"), 2_000, "Product Added"));
    life.event(of(Some("L"), 3_000, "Product Added"));
    let mut both = of(None, 2_000, "Product Removed");
    both.products[0].quantity = 2;
    life.event(both);
    assert_eq!(lines(&life), []);
    life.event(of(None, 2_000, "Product Added"));
    life.event(of(Some("M"), 2_000, "Product Removed"));
    assert_eq!(lines(&life), []);
    life.wait(Span::from_days(3));
    assert_eq!(life.steps(), [""; 0]);
    // A size that is told is that of the line that had none.
    life.event(of(None, 2_000, "Product Added"));
    life.event(of(Some("M"), 2_000, "Product Added"));
    assert_eq!(lines(&life), [(Some("M"), 2)]);
}

/// Units tell apart what has no words for its size.
#[test]
fn two_units_are_two_lines() {
    let mut life = Life::new(MORNING, &[CART]);
    for sku in ["s1", "s2", "s1"] {
        let mut event = of(None, 2_000, "Product Added");
        event.products[0].sku = Some(sku.into());
        life.event(event);
    }
    assert_eq!(lines(&life), [(None, 2), (None, 1)]);
}

#[test]
fn an_offer_says_which_event_earns_it() {
    let campaign = CART.replace(
        "{ step: reminder, send: [email] }, { wait: 24h }, { step: offer, send: [email], offer: { coupon: CART10 } }",
        "{ if: cart.total > 1000, then: [ { step: big, send: [email], offer: { points: 100, upon: Signed Up, outside_guard: true } } ], \
         else: [ { step: small, send: [email], offer: { points: 300, upon: product_reviewed, outside_guard: true } } ] }",
    );
    assert_ne!(campaign, CART);
    let mut life = Life::new(MORNING, &[&campaign]);
    life.event(added("c1"));
    life.wait(Span::from_days(2));
    let upon: Vec<_> = life
        .sent
        .iter()
        .map(|(_, message)| {
            message
                .facts
                .offer
                .as_ref()
                .and_then(|offer| offer.upon.clone())
        })
        .collect();
    assert_eq!(upon, [Some("Product Reviewed".to_owned())]);
}

#[test]
fn messages_and_conditions_know_the_size_and_the_shop_s_own_words() {
    let campaign = CART
        .replace(
            "audience: cart.open && cart.total >= 10",
            "audience: cart.items.exists(line, line.variant == 'L' && line.brand == 'Lavo' && line.fields.colour == 'blue')",
        )
        .replace(
            "{ step: reminder, send: [email] }",
            "{ step: reminder, send: [email], show: cart.items }",
        );
    for (variant, steps) in [("L", vec!["reminder"]), ("S", vec![])] {
        let mut life = Life::new(MORNING, &[&campaign]);
        life.event(of(Some("M"), 2_000, "Product Added"));
        life.event(of(Some(variant), 3_000, "Product Added"));
        life.wait(Span::from_mins(30));
        assert_eq!(life.steps(), steps);
        let Some((_, message)) = life.sent.first() else {
            continue;
        };
        let items = &message.facts.items;
        let told: Vec<_> = items
            .iter()
            .map(|item| (item.variant.as_deref(), item.price.map(|price| price.minor)))
            .collect();
        assert_eq!(told, [(Some("M"), Some(2_000)), (Some("L"), Some(3_000))]);
        assert_eq!(items[0].brand.as_deref(), Some("Lavo"));
        assert_eq!(items[0].fields["colour"], json!("blue"));
    }
}

/// An order need not name the size for its cart to be bought.
#[test]
fn an_echo_of_a_cart_with_sizes_is_an_echo() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(of(Some("M"), 2_000, "Product Added"));
    life.event(of(Some("L"), 3_000, "Product Added"));
    life.wait(Span::from_secs(5));
    life.event(Event {
        order_id: Some("o1".into()),
        ..of(None, 2_000, "Order Completed")
    });
    life.wait(Span::from_secs(10));
    let mut goods = of(None, 2_000, "Cart Updated");
    goods.products[0].quantity = 2;
    life.event(goods);
    life.wait(Span::from_days(2));
    assert_eq!(life.steps(), [""; 0]);
}
