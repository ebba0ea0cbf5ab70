//! Prices and stock at the moment of sending, and what is recommended from a shelf of five products.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use winback_contract::message::CartFacts;
use winback_contract::{Before, Currency, Offset, Partition, SourcePosition, Timestamp};

use super::*;

fn money(minor: i64) -> Money {
    Money {
        minor,
        currency: Currency::parse("EUR").unwrap(),
    }
}

fn product(id: &str, minor: i64) -> Product {
    Product {
        price: Some(money(minor)),
        category: Some(id[..1].to_owned()),
        ..Product::of(id)
    }
}

fn entry(id: &str, minor: i64, in_stock: Option<bool>, points: f64) -> CatalogueEntry {
    CatalogueEntry {
        v: 1,
        product: Product {
            in_stock,
            ..product(id, minor)
        },
        available: None,
        points: Some(points),
        removed: false,
        before: Before::default(),
        told: None,
        source: SourcePosition {
            stream: "raw:raw".into(),
            partition: Partition(0),
            offset: Offset(0),
            index: 0,
        },
        at: Timestamp::default(),
    }
}

fn shelf() -> Shelf {
    let mut shelf = Shelf::default();
    for entry in [
        entry("a1", 100, Some(true), 5.0),
        entry("a2", 200, None, 9.0),
        entry("a3", 300, Some(false), 50.0),
        entry("b1", 400, Some(true), 0.0),
    ] {
        shelf.put(entry);
    }
    shelf
}

#[test]
fn prices_are_those_of_now_and_what_is_gone_is_left_out() {
    let mut facts = Facts {
        items: vec![product("a1", 150), product("a3", 300), product("zz", 7)],
        cart: Some(CartFacts {
            items: vec![product("a1", 150), product("a3", 300)],
            more: 0,
            total: Some(money(450)),
            url: None,
        }),
        ..Facts::default()
    };
    shelf().refresh(&mut facts).unwrap();
    let prices: Vec<i64> = facts
        .items
        .iter()
        .map(|item| item.price.unwrap().minor)
        .collect();
    assert_eq!(
        prices,
        [100, 7],
        "what the catalogue does not know stays as it is"
    );
    assert_eq!(facts.cart.unwrap().total, Some(money(100)));
}

/// The catalogue knows a product; a size of it has a price of its own.
#[test]
fn a_size_keeps_its_price_unless_the_catalogue_names_it() {
    let sized = |variant: &str, minor| Product {
        variant: Some(variant.into()),
        ..product("a1", minor)
    };
    let mut facts = Facts {
        items: vec![sized("M", 150), sized("L", 170), product("a1", 160)],
        ..Facts::default()
    };
    let mut shelf = shelf();
    let mut whole = entry("a1", 100, Some(true), 5.0);
    whole.product.name = Some("Cup".into());
    shelf.put(whole);
    shelf.refresh(&mut facts).unwrap();
    assert_eq!(
        facts.items[0].name.as_deref(),
        Some("Cup"),
        "what the line does not say is filled in"
    );
    let prices = |facts: &Facts| -> Vec<i64> {
        let items = facts.items.iter();
        items.map(|item| item.price.unwrap().minor).collect()
    };
    assert_eq!(prices(&facts), [150, 170, 100]);
    let mut named = entry("a1", 90, Some(true), 5.0);
    named.product.variant = Some("L".into());
    shelf.put(named);
    shelf.refresh(&mut facts).unwrap();
    // Nobody chose that size of the third.
    assert_eq!(prices(&facts), [150, 90, 100]);
    assert_eq!(facts.items[2].variant, None);
}

#[test]
fn when_nothing_is_left_the_step_is_not_sent() {
    let mut facts = Facts {
        items: vec![product("a3", 300)],
        ..Facts::default()
    };
    assert_eq!(shelf().refresh(&mut facts), Err(NothingLeft));
    assert_eq!(
        shelf().refresh(&mut Facts::default()),
        Ok(()),
        "a step about nothing is sent"
    );
}

#[test]
fn what_can_be_bought_is_recommended() {
    let ids = |kind: &str, candidates: &[&str], not: &[&str]| {
        let texts = |list: &[&str]| {
            list.iter()
                .map(|text| (*text).to_owned())
                .collect::<Vec<_>>()
        };
        let wish = Wish {
            kind: kind.into(),
            count: 2,
            candidates: texts(candidates),
            categories: texts(&["a"]),
            not: texts(not),
        };
        let found = shelf().recommended(&wish);
        found
            .into_iter()
            .map(|product| product.product_id)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        ids("popular", &["a3", "b1", "zz", "a1", "a2"], &[]),
        ["b1", "a1"]
    );
    assert_eq!(ids("popular", &["b1", "a1"], &["b1"]), ["a1"]);
    assert_eq!(ids("from_viewed", &[], &["a1"]), ["a2"]);
    assert_eq!(ids("more_points", &[], &[]), ["a2", "a1"]);
}

#[test]
fn a_newer_word_replaces_the_older_one_everywhere() {
    let mut shelf = shelf();
    shelf.put(entry("a2", 200, Some(false), 9.0));
    let wish = |kind: &str| Wish {
        kind: kind.into(),
        count: 4,
        candidates: Vec::new(),
        categories: vec!["a".into()],
        not: Vec::new(),
    };
    for kind in ["from_viewed", "more_points"] {
        let found = shelf.recommended(&wish(kind));
        assert!(
            found.iter().all(|product| product.product_id == "a1"),
            "{kind}"
        );
    }
}
