//! A person is forgotten on the real thing: by an event of the shop, and by a person's command (INV-5).

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::time::Duration;

use serde_json::json;
use winback_testkit::until;
use winback_tests::{carts, run};

#[test]
fn whoever_is_erased_is_not_written_to_and_nothing_is_kept() {
    let shop = carts::open("8s", &[]).unwrap();
    let _all = shop.serve("all").unwrap();
    let mut storefront = shop.storefront().unwrap();
    for user in ["by-event", "by-command", "stays"] {
        storefront.leave_cart(user).unwrap();
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
            &json!({ "type": "track", "event": "Customer Erased", "userId": "by-event", "anonymousId": "d-by-event" }),
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
