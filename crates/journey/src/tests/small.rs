//! A hostile customer stays within 64 KiB (INV-12), and what must not be forgotten is not.

use winback_contract::{Channel, ConsentChange, ConsentStatus, Event, Product, Span};

use super::world::{CART, Life, added, known, ordered, product, viewed};
use crate::bound::{MOST, encode_within};
use crate::codec::decode;
use crate::effects::Counts;

/// A text as long as ingest lets one through.
fn text(of: &str) -> String {
    format!("{of}{}", "x".repeat(256 - of.len()))
}

fn big(of: &str) -> Product {
    Product {
        product_id: text(of)[..128].to_owned(),
        name: Some(text("name")),
        category: Some(text("category")),
        url: Some(format!("https://shop.example/{}", "u".repeat(480))),
        image_url: Some(format!("https://shop.example/{}", "i".repeat(480))),
        ..product(100)
    }
}

#[test]
fn a_hostile_customer_stays_within_its_bytes() {
    let mut life = Life::new("2026-01-05T10:00:00Z", &[CART]);
    for order in 0..8 {
        life.event(Event {
            products: (0..12).map(|n| big(&format!("o{order}{n}"))).collect(),
            ..ordered(&text(&format!("o{order}")))
        });
        life.now = life.now + Span::from_secs(1);
    }
    for topic in 0..32 {
        life.event(Event {
            name: "Consent Updated".into(),
            identities: known(),
            consent: Some(ConsentChange {
                channel: Channel::Sms,
                topic: Some(text(&format!("t{topic}"))),
                status: ConsentStatus::Denied,
                every: false,
            }),
            ..Event::default()
        });
    }
    for view in 0..24 {
        for name in ["Product Viewed", "Product Added to Wishlist"] {
            life.event(Event {
                name: name.into(),
                products: vec![big(&format!("v{view}"))],
                ..viewed()
            });
        }
    }
    for cart in 0..24 {
        life.event(Event {
            products: vec![big("c")],
            ..added(&text(&format!("c{cart}")))
        });
    }
    let mut customer = life.customer.clone();
    let before = crate::encode(&customer).len();
    let blob = encode_within(
        &mut customer,
        winback_contract::Format::NEWEST,
        &mut Counts::default(),
    );
    assert!(blob.len() <= MOST, "{} bytes of {before}", blob.len());
    let kept = decode(&blob).unwrap();
    assert!(kept == customer);
    let denied = |of: &crate::Customer| {
        let no = of
            .consents
            .iter()
            .filter(|consent| consent.status == ConsentStatus::Denied);
        no.count()
    };
    assert!(denied(&kept) > 0 && denied(&kept) == denied(&life.customer));
    assert_eq!(kept.journeys.len(), life.customer.journeys.len());
    assert_eq!(kept.orders.recent, life.customer.orders.recent);
}
