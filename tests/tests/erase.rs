//! A person is forgotten on the real thing: by an event of the shop, and by a person's command (INV-5).

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::time::Duration;

use serde_json::json;
use winback_testkit::until;
use winback_tests::{Shop, run};

const POLICY: &str = "apiVersion: winback/v1
kind: Policy
metadata: { name: shop }
spec:
  shop: { zone: Europe/Kyiv, locale: en, currency: EUR }
  topics: { marketing: { consent: not_denied } }
  groups: { cart: { ended_by: Order Completed } }
  senders: { email: { from: \"Shop <hello@shop.example>\", unsubscribe: [\"mailto:out@shop.example\"] } }
";

const CART: &str = "apiVersion: winback/v1
kind: Campaign
metadata: { name: cart, group: cart }
spec:
  enter: { on: Product Added, key: event.cart_id, idle: 8s }
  exit: { converted: Order Completed }
  cascade: [ { step: reminder, send: [email] } ]
";

const MAIL: &str = "<mjml><mj-head><mj-title>Your cart</mj-title></mj-head><mj-body><mj-section><mj-column><mj-text>It waits.</mj-text></mj-column></mj-section></mj-body></mjml>";

fn track(user: &str, event: &str, properties: &serde_json::Value) -> serde_json::Value {
    json!({ "type": "track", "event": event, "userId": user, "anonymousId": format!("d-{user}"), "properties": properties })
}

#[test]
fn whoever_is_erased_is_not_written_to_and_nothing_is_kept() {
    let campaigns = [
        ("cart/campaign.yaml", CART),
        ("cart/templates/reminder.email.en.mjml", MAIL),
    ];
    let shop = Shop::open(POLICY, &campaigns, &[]).unwrap();
    let _all = shop.serve("all").unwrap();
    let mut storefront = shop.storefront().unwrap();
    for user in ["by-event", "by-command", "stays"] {
        let email = json!({ "email": format!("{user}@example.com") });
        let identify = json!({ "type": "identify", "userId": user, "anonymousId": format!("d-{user}"), "traits": email });
        storefront.send(user, &identify).unwrap();
        let line = json!({ "cart_id": user, "product_id": "p", "price": 5 });
        storefront
            .send(user, &track(user, "Product Added", &line))
            .unwrap();
    }
    let known = |user: &str| shop.expect(&["customer", "show", &format!("user:{user}")]);
    let has = |user: &str, what: &str| known(user).is_ok_and(|state| state.contains(what));
    until(Duration::from_secs(20), "all have a cart", || {
        ["by-event", "by-command", "stays"]
            .iter()
            .all(|user| has(user, "Armed"))
    })
    .unwrap();
    let export = shop.expect(&["customer", "export", "user:stays"]).unwrap();
    assert!(
        export.contains("stays@example.com") && export.contains("journeys_and_decisions"),
        "{export}"
    );
    storefront
        .send(
            "by-event",
            &track("by-event", "Customer Erased", &json!({})),
        )
        .unwrap();
    storefront.close().unwrap();
    let unsure = run(&mut shop
        .command(&["customer", "erase", "user:by-command"])
        .unwrap())
    .unwrap();
    assert!(
        unsure.0 == 2 && unsure.2.contains("nothing was erased"),
        "{unsure:?}"
    );
    shop.expect(&["customer", "erase", "user:by-command", "--yes"])
        .unwrap();
    until(Duration::from_secs(20), "both are forgotten", || {
        ["by-event", "by-command"].iter().all(|user| {
            known(user).is_ok_and(|state| {
                !state.contains("\"erased\": null") && !state.contains("example.com")
            })
        })
    })
    .unwrap();
    let came = until(Duration::from_secs(60), "the third gets mail", || {
        !shop.smtp.received().is_empty()
    });
    assert!(came.is_ok(), "{}", shop.text("all"));
    // Theirs were due before, or at the same time.
    let all = shop.smtp.received();
    let to: Vec<&str> = all.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!(to, ["stays@example.com"]);
    let device = shop
        .expect(&["customer", "show", "anonymous:d-by-event"])
        .unwrap();
    assert!(!device.contains("\"erased\": null"), "{device}");
}
