//! Bad input on real Kafka (INV-8): each record ends as applied or in `failed`; nothing panics, blocks or vanishes.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::time::Duration;

use serde_json::json;
use winback_testkit::until;
use winback_tests::carts::POLICY;
use winback_tests::shop::get;
use winback_tests::{Running, Shop};

const CART: &str = "apiVersion: winback/v1
kind: Campaign
metadata: { name: cart, group: cart }
spec:
  enter: { on: Product Added, key: event.cart_id, idle: 2s }
  exit: { converted: Order Completed, cancelled: Cart Emptied }
  cascade: [ { step: reminder, send: [email] } ]
";

const MAIL: &str =
    "<mjml><mj-head><mj-title>reminder</mj-title></mj-head><mj-body></mj-body></mjml>";

#[test]
fn every_bad_record_is_explained_and_the_good_one_behind_it_works() {
    let campaigns = [
        ("cart/campaign.yaml", CART),
        ("cart/templates/reminder.email.en.mjml", MAIL),
    ];
    let shop = Shop::open(POLICY, &campaigns, &[]).unwrap();
    // A shop whose topic takes what winback does not.
    let larger = "max.message.bytes=12582912";
    let alter = [
        "--alter",
        "--entity-type",
        "topics",
        "--entity-name",
        "winback.raw",
        "--add-config",
        larger,
    ];
    shop.kafka
        .tool("kafka.admin.ConfigCommand", &alter)
        .unwrap();
    let _all = shop.serve("all").unwrap();
    let mut storefront = shop.storefront().unwrap();
    let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
    let huge = format!(
        "{{\"type\":\"track\",\"event\":\"X\",\"userId\":\"u\",\"properties\":{{\"x\":\"{}\"}}}}",
        "y".repeat(10 << 20)
    );
    let lines: Vec<(String, Option<&str>)> = vec![
        ("garbage{".into(), Some("malformed_json")),
        ("[1,2]".into(), Some("malformed_json")),
        (deep, Some("malformed_json")),
        (huge, Some("too_large")),
        (r#"{"type":"track","event":"X","userId":"\ud800"}"#.into(), Some("malformed_json")),
        (r#"{"type":"track","event":"X","userId":"a\u0000b"}"#.into(), None),
        (r#"{"type":"track","event":"X"}"#.into(), Some("missing_identity")),
        (r#"{"type":"track","userId":"u"}"#.into(), Some("missing_field")),
        (r#"{"type":"group","userId":"u"}"#.into(), Some("unsupported_call")),
        (r#"{"type":"track","event":"Cart Emptied","userId":"u"}"#.into(), Some("derived_event")),
        (r#"{"type":"track","event":"Product Added","userId":"u","properties":{"product_id":"p"}}"#.into(), None),
        (r#"{"type":"track","event":"Product Added","userId":"u","properties":{"cart_id":"c","product_id":"p","price":"a lot"}}"#.into(), Some("field_ignored")),
        (r#"{"type":"track","event":"Order Completed","userId":"u","properties":{"order_id":"o","total":1e400}}"#.into(), Some("malformed_json")),
        (r#"{"type":"track","event":"X","userId":"u","timestamp":"yesterday"}"#.into(), Some("field_ignored")),
        (r#"{"type":"track","event":"X","userId":"u","timestamp":"2999-01-01T00:00:00Z"}"#.into(), None),
        (r#"{"type":"track","event":"X","userId":"u","timestamp":"1970-01-01T00:00:00Z"}"#.into(), None),
        (r#"{"type":"track","event":"Consent Updated","userId":"u","properties":{"channel":"pigeon","status":"granted"}}"#.into(), Some("field_ignored")),
    ];
    for (line, _) in &lines {
        storefront.send_text("k", line).unwrap();
    }
    let email = "canary.person@example.com";
    storefront
        .send(
            "k",
            &json!({ "type": "identify", "userId": "good", "traits": { "email": email } }),
        )
        .unwrap();
    let cart = json!({ "cart_id": "c", "product_id": "p", "price": 5 });
    storefront.send("k", &json!({ "type": "track", "event": "Product Added", "userId": "good", "properties": cart })).unwrap();
    storefront.close().unwrap();
    until(
        Duration::from_secs(30),
        "the mail behind the garbage",
        || !shop.smtp.received().is_empty(),
    )
    .unwrap();
    let mut wanted: Vec<&str> = lines.iter().filter_map(|(_, reason)| *reason).collect();
    let list = shop.expect(&["failed", "list"]).unwrap();
    let mut got: Vec<&str> = list
        .lines()
        .filter_map(|line| line.split_whitespace().nth(3))
        .collect();
    wanted.sort_unstable();
    got.sort_unstable();
    assert_eq!(got, wanted, "{list}");
    let shown = shop.expect(&["failed", "show", "0"]).unwrap();
    assert!(!shown.is_empty());
    // No personal datum in logs or metrics.
    let log = shop.text("all");
    assert!(
        !log.contains("canary") && !log.contains("panicked"),
        "{log}"
    );
}

#[test]
fn a_broken_folder_never_replaces_a_working_one() {
    let campaigns = [
        ("cart/campaign.yaml", CART),
        ("cart/templates/reminder.email.en.mjml", MAIL),
    ];
    let shop = Shop::open(POLICY, &campaigns, &[]).unwrap();
    let all = shop.serve("all").unwrap();
    shop.folder
        .write(
            "campaigns/cart/campaign.yaml",
            &CART.replace("exit:", "exti:"),
        )
        .unwrap();
    let folder = shop.folder.path().join("campaigns").display().to_string();
    let (code, out, _) =
        winback_tests::run(&mut shop.command(&["publish", &folder]).unwrap()).unwrap();
    assert_eq!(code, 1);
    assert!(
        out.contains("cart/campaign.yaml:6") && out.contains("did you mean `exit`?"),
        "{out}"
    );
    winback_testkit::process::signal(all.child.id(), "HUP").unwrap();
    until(Duration::from_secs(60), "the report", || {
        shop.text("all").contains("what ran before goes on")
    })
    .unwrap_or_else(|error| panic!("{error}\n{}", shop.text("all")));
    let (code, _, err) = winback_tests::run(
        shop.command(&["serve", "all"])
            .unwrap()
            .env("WINBACK__HTTP__ADDRESS", "127.0.0.1:0"),
    )
    .unwrap();
    assert_eq!(code, 1, "{err}");
}

#[test]
fn what_is_not_as_it_must_be_is_refused_with_the_way_out() {
    let mut shop = Shop::open(
        POLICY,
        &[
            ("cart/campaign.yaml", CART),
            ("cart/templates/reminder.email.en.mjml", MAIL),
        ],
        &[],
    )
    .unwrap();
    let refuses = |shop: &Shop, what: &[&str], key: &str, value: &str, expect: &str| {
        let mut command = shop.command(what).unwrap();
        command
            .env("WINBACK__HTTP__ADDRESS", "127.0.0.1:0")
            .env(key, value);
        let (code, _, err) = winback_tests::run(&mut command).unwrap();
        assert!(code == 3 && err.contains(expect), "{code}: {err}");
    };
    let refused = |shop: &Shop, key: &str, value: &str, expect: &str| {
        refuses(shop, &["serve", "sessions"], key, value, expect);
    };
    refused(&shop, "WINBACK__KAFKA__PARTITIONS", "16", "fixed for life");
    refused(
        &shop,
        "WINBACK__KAFKA__PREFIX",
        "nowhere.",
        "winback topics apply",
    );
    refused(&shop, "WINBACK__SHOP__NAME", "x", "unknown field");
    let mut evicting =
        winback_testkit::Redis::with(&["--appendonly", "yes", "--maxmemory-policy", "allkeys-lru"])
            .unwrap();
    refused(&shop, "WINBACK__STORE__URL", evicting.url(), "noeviction");
    evicting.kill();
    for what in [["serve", "all"], ["config", "check"]] {
        let (key, brief) = (
            "WINBACK__SESSIONS__CLAIM_TIMEOUT",
            "raise sessions.claim_timeout",
        );
        refuses(&shop, &what, key, "2s", brief);
    }
    // Work until commits are echoed, then lose Redis' data.
    let mut sessions = shop.serve("all").unwrap();
    let mut storefront = shop.storefront().unwrap();
    storefront
        .send(
            "k",
            &json!({ "type": "page", "userId": "u", "properties": { "path": "/" } }),
        )
        .unwrap();
    storefront.close().unwrap();
    until(Duration::from_secs(20), "the visit is known", || {
        shop.expect(&["why", "user:u"]).is_ok()
    })
    .unwrap();
    assert_eq!(
        sessions.child.terminate(Duration::from_secs(10)),
        Ok(Some(0))
    );
    shop.redis = winback_testkit::Redis::start().unwrap();
    let url = shop.redis.url().to_owned();
    refused(&shop, "WINBACK__STORE__URL", &url, "Redis is empty");
}

/// Whoever is idle asks Redis for nothing else: the state is gone, and it is seen all the same (INV-1).
#[test]
fn a_redis_that_is_emptied_while_nothing_happens_is_seen() {
    let campaigns = [
        ("cart/campaign.yaml", CART),
        ("cart/templates/reminder.email.en.mjml", MAIL),
    ];
    let shop = Shop::open(POLICY, &campaigns, &[]).unwrap();
    let mut all = shop.serve("all").unwrap();
    let mut storefront = shop.storefront().unwrap();
    let page = json!({ "type": "page", "userId": "one", "properties": { "path": "/" } });
    storefront.send("k", &page).unwrap();
    storefront.close().unwrap();
    let known = || shop.expect(&["why", "user:one"]).is_ok();
    until(Duration::from_secs(20), "the visit is known", known).unwrap();
    assert_eq!(shop.redis.ask("FLUSHDB"), Ok("+OK".to_owned()));
    let left = until(Duration::from_secs(30), "it stops", || !all.child.runs());
    let told = shop.text("all");
    assert!(left.is_ok() && told.contains("Redis is empty"), "{told}");
}

#[test]
fn redis_and_kafka_may_go_away_and_come_back() {
    let campaigns = [
        ("cart/campaign.yaml", CART),
        ("cart/templates/reminder.email.en.mjml", MAIL),
    ];
    let mut shop = Shop::open(POLICY, &campaigns, &[]).unwrap();
    let mut all = shop.serve("all").unwrap();
    let cart = |shop: &Shop, user: &str| {
        let mut storefront = shop.storefront().unwrap();
        let traits = json!({ "email": format!("{user}@example.com") });
        storefront
            .send(
                "k",
                &json!({ "type": "identify", "userId": user, "traits": traits }),
            )
            .unwrap();
        let line = json!({ "cart_id": user, "product_id": "p", "price": 5 });
        storefront.send("k", &json!({ "type": "track", "event": "Product Added", "userId": user, "properties": line })).unwrap();
        storefront.close().unwrap();
    };
    let mails = |shop: &Shop, count: usize| {
        let came = until(Duration::from_secs(60), "the mails", || {
            shop.smtp.received().len() >= count
        });
        assert!(came.is_ok(), "{came:?}\n{}", shop.text("all"));
        assert_eq!(shop.smtp.received().len(), count);
    };
    cart(&shop, "one");
    mails(&shop, 1);
    shop.redis.kill();
    cart(&shop, "two");
    until(Duration::from_secs(20), "it says that it waits", || {
        shop.text("all").contains("store is not available")
    })
    .unwrap();
    not_ready(&all);
    shop.redis.restart().unwrap();
    mails(&shop, 2);
    shop.kafka.kill();
    until(Duration::from_secs(30), "it says that it waits", || {
        shop.text("all").contains("log is not available")
    })
    .unwrap();
    not_ready(&all);
    shop.kafka.restart().unwrap();
    cart(&shop, "three");
    mails(&shop, 3);
    assert!(all.child.runs());
    // With both away it still leaves when it is told to.
    let said = shop.text("all").len();
    shop.redis.kill();
    shop.kafka.kill();
    cut_off(&shop, said);
    let left = all.child.terminate(Duration::from_secs(10));
    assert_eq!(left, Ok(Some(0)), "{}", shop.text("all"));
}

/// An outage shows on `/readyz`, also where a service waits inside a round.
fn not_ready(all: &Running) {
    until(Duration::from_secs(20), "it is not ready", || {
        get(all.http, "/readyz").is_some_and(|answer| answer.contains("503"))
    })
    .unwrap();
}

/// Waits until some services have met the outage, from `said` on: not each of them asks in the meantime.
fn cut_off(shop: &Shop, said: usize) {
    let met = || {
        let text = shop.text("all");
        let news = text.get(said..).unwrap_or_default();
        news.matches(" waits error=the log is not available")
            .count()
            > 2
    };
    let some = until(Duration::from_secs(30), "they wait", met);
    assert!(some.is_ok(), "{some:?}\n{}", shop.text("all"));
}
