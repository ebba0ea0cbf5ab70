//! Thousands of people whose orders are damaged on their way: whoever ordered gets no mail, and whoever did not gets hers.
//!
//! The oracle is the script itself: it knows who ordered. `WINBACK_FUZZ` is how many records there are in all
//! (`make fuzz`): one person in fifty of them, 20,000 people without it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use winback_contract::{
    CustomerId, Identity, IdentityKind, SourceKind, Span, Timestamp, Transition,
};
use winback_scenario::Random;
use winback_scenario::damage::damage;

use super::*;
use crate::folder;
use crate::run::report;

fn people() -> u64 {
    let records = std::env::var("WINBACK_FUZZ").ok();
    records.map_or(20_000, |records| records.parse::<u64>().unwrap() / 50)
}

/// An order as shops write it, in many ways.
fn order(number: u64, random: &mut Random) -> Value {
    let names = [
        "Order Completed",
        "order_completed",
        "Placed Order",
        "purchase",
        "Completed Order",
    ];
    let name = *random.pick(&names).unwrap();
    let lines = json!([{ "product_id": "p1", "name": "Cup", "price": "1 250,00 €", "quantity": 1, "category": "food" },
        { "product_id": "p2", "price": 12.5, "quantity": "2" }]);
    json!({ "type": "track", "event": name, "userId": format!("u{number}"), "messageId": format!("order-{number}"),
        "timestamp": "2026-03-02T10:10:00Z", "context": { "locale": "uk-UA", "active": true },
        "properties": { "order_id": format!("o{number}"), "cart_id": format!("c{number}"), "total": "1,250.00", "currency": "EUR",
            "products": lines, "email": format!("c{number}@example.com"), "coupon": null, "tax": 0, "gift": false } })
}

#[tokio::test]
async fn no_order_is_ignored_whatever_is_wrong_with_it() {
    let start = Timestamp::parse("2026-03-02T10:00:00Z").unwrap();
    let mut machine = tests::machine_at(start, None).await;
    let campaigns = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../campaigns");
    let mut files = folder::read(&campaigns).unwrap();
    let wanted = ["policy.yaml", "shared/", "cart-left/"];
    files
        .0
        .retain(|path, _| wanted.iter().any(|wanted| path.starts_with(wanted)));
    machine.publish(&files).await.unwrap();
    let config = Config::embedded().unwrap();
    let who = |number: u64| -> CustomerId {
        let user = Identity::new(IdentityKind::User, &format!("u{number}")).unwrap();
        user.customer(&config.shop.id)
    };
    let put = |machine: &mut Machine, number: u64, call: &Value, at: Timestamp| {
        let key = format!("u{number}");
        let bytes = call.to_string().into_bytes();
        machine.arrive(SourceKind::Live, &key, bytes, at).unwrap();
    };
    // Who ordered, and with what.
    let mut ordered: BTreeMap<CustomerId, Value> = BTreeMap::new();
    for number in 0..people() {
        let user = format!("u{number}");
        put(
            &mut machine,
            number,
            &json!({ "type": "identify", "userId": user, "timestamp": "2026-03-02T10:00:00Z",
            "traits": { "email": format!("c{number}@example.com") } }),
            start,
        );
        put(
            &mut machine,
            number,
            &json!({ "type": "track", "event": "Product Added", "userId": user,
            "timestamp": "2026-03-02T10:00:00Z",
            "properties": { "cart_id": format!("c{number}"), "product_id": "p1", "price": 50, "quantity": 1 } }),
            start,
        );
    }
    machine.settle().await.unwrap();
    let then = start + Span::from_mins(10);
    machine.run_until(then).await.unwrap();
    for number in (0..people()).filter(|number| number % 4 != 0) {
        let mut random = Random::new(number);
        let mut call = order(number, &mut random);
        for _ in 0..=random.below(6) {
            damage(&mut call, &mut random, &["event", "userId", "type"]);
        }
        put(&mut machine, number, &call, then);
        ordered.insert(who(number), call);
    }
    machine.settle().await.unwrap();
    machine
        .run_until(start + Span::from_hours(2))
        .await
        .unwrap();
    let mut mailed: BTreeMap<CustomerId, usize> = BTreeMap::new();
    for record in report::journeys(&machine.log, &config.names()) {
        if let Transition::Sent { step, .. } = &record.transition
            && record.campaign == "cart-left"
        {
            assert!(
                !ordered.contains_key(&record.customer),
                "`{step}` after {}",
                ordered[&record.customer]
            );
            *mailed.entry(record.customer).or_default() += 1;
        }
    }
    for number in (0..people()).filter(|number| number % 4 == 0) {
        assert_eq!(mailed.get(&who(number)), Some(&1), "person {number}");
    }
}
