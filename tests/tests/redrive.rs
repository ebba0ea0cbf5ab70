//! What failed goes back once its cause is mended, as what it was: of its first day, and once (INV-8).

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::time::Duration;

use serde_json::json;
use winback_testkit::until;
use winback_tests::{carts, run};

const LIMIT: &str = "INGEST__MAX_BYTES";

#[test]
fn an_order_that_failed_goes_back_and_is_counted_once() {
    let mut shop = carts::open("8s", &[(LIMIT, "600")]).unwrap();
    let mut all = shop.serve("all").unwrap();
    let mut storefront = shop.storefront().unwrap();
    let order = |id: &str, padding: usize| {
        json!({ "type": "track", "event": "Order Completed", "userId": "ann", "messageId": id,
            "properties": { "order_id": id, "total": 5, "note": "x".repeat(padding) } })
    };
    storefront.send("ann", &order("small", 1)).unwrap();
    storefront.send("ann", &order("large", 1_000)).unwrap();
    storefront.send("ann", &order("cut", 70_000)).unwrap();
    storefront.close().unwrap();
    let orders = |count: u32| {
        let known = shop.expect(&["why", "user:ann"]).unwrap_or_default();
        known.contains(&format!("orders: {count},"))
    };
    let failed = || {
        let list = shop.expect(&["failed", "list"]).unwrap();
        list.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let wait = Duration::from_secs(20);
    until(wait, "one is counted and two failed", || {
        orders(1) && failed().len() == 2
    })
    .unwrap();
    assert_eq!(all.child.terminate(Duration::from_secs(10)), Ok(Some(0)));
    let first_arrival = failed()[0].split_whitespace().nth(1).unwrap().to_owned();

    // Not mended: it fails again, and is as old as it was.
    let redrive = |arguments: &[&str]| {
        let all: Vec<&str> = ["failed", "redrive"]
            .iter()
            .chain(arguments)
            .copied()
            .collect();
        run(&mut shop.command(&all).unwrap()).unwrap()
    };
    let (code, out, _) = redrive(&["--dry-run"]);
    assert_eq!(code, 1, "{out}");
    assert!(
        out.contains("1 would go back, 1 can't") && out.contains("cut at 64 KiB"),
        "{out}"
    );
    let (code, out, _) = redrive(&["--reason", "wrong_type"]);
    assert!(code == 0 && out.contains("0 went back"), "{out}");
    let (code, _, err) = redrive(&["--reason", "no_such_reason"]);
    assert!(code == 2 && err.contains("too_large"), "{err}");
    let mut all = shop.serve("all").unwrap();
    let (code, out, _) = redrive(&["--to", "0"]);
    assert!(code == 0 && out.contains("1 went back"), "{out}");
    until(wait, "it fails again", || failed().len() == 3).unwrap();
    assert!(failed()[2].contains(&first_arrival), "{:?}", failed());
    assert_eq!(all.child.terminate(Duration::from_secs(10)), Ok(Some(0)));

    // Mended, and said twice.
    shop.set(LIMIT, "262144");
    let _all = shop.serve("all").unwrap();
    for _ in 0..2 {
        let back = run(&mut shop.command(&["failed", "redrive", "--to", "0"]).unwrap()).unwrap();
        assert_eq!(back.0, 0, "{back:?}");
    }
    let mut storefront = shop.storefront().unwrap();
    storefront.send("ann", &order("after", 1)).unwrap();
    storefront.close().unwrap();
    let known = || shop.expect(&["why", "user:ann"]).unwrap_or_default();
    // The raw topic of the test has one partition: what went back twice lies before this order.
    until(wait, "the one behind it is counted", || {
        known().contains("orders: 3,")
    })
    .unwrap();
    assert_eq!(shop.expect(&["failed", "list"]).unwrap().lines().count(), 3);
}
