//! What an operator does while it runs, on real Kafka, Redis and SMTP: codes are loaded, a fuse blows, everything is
//! paused, a bundle is published and taken back.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use winback_testkit::until;
use winback_tests::Shop;
use winback_tests::shop::{Storefront, run};

const POLICY: &str = r#"apiVersion: winback/v1
kind: Policy
metadata: { name: shop }
spec:
  shop: { zone: Europe/Kyiv, locale: en, currency: EUR }
  topics: { marketing: { consent: not_denied } }
  groups: { cart: { ended_by: Order Completed } }
  coupons: { TEN: { worth: 10%, low: 20 } }
  senders: { email: { from: "Shop <hello@shop.example>", unsubscribe: "mailto:out@shop.example" } }
"#;

const CART: &str = "apiVersion: winback/v1
kind: Campaign
metadata: { name: cart, group: cart }
spec:
  enter: { on: Product Added, key: event.cart_id, idle: 1s }
  exit: { converted: Order Completed }
  cascade: [ { step: offer, send: [email], offer: { coupon: TEN, otherwise: skip } } ]
";

const MAIL: &str = "<mjml><mj-head><mj-title>For you</mj-title></mj-head><mj-body><mj-section><mj-column>\
<mj-text>{% if offer and offer.code %}Your code: {{ offer.code }}!{% endif %}</mj-text></mj-column></mj-section></mj-body></mjml>";

/// Messages an hour that the fuse lets through.
const FUSE: usize = 3;

fn leave_cart(storefront: &mut Storefront, number: usize) {
    let user = format!("u{number}");
    let send = |storefront: &mut Storefront, body: Value| {
        let mut body = body;
        body["userId"] = json!(user);
        storefront.send(&user, &body).unwrap();
    };
    send(
        storefront,
        json!({ "type": "identify", "traits": { "email": format!("c{number}@example.com") } }),
    );
    let line = json!({ "cart_id": format!("cart-{number}"), "product_id": "p1", "price": 12.5, "currency": "EUR" });
    send(
        storefront,
        json!({ "type": "track", "event": "Product Added", "properties": line }),
    );
}

fn wait(what: &str, is_so: impl FnMut() -> bool) {
    until(Duration::from_secs(120), what, is_so).unwrap();
}

fn codes(shop: &Shop) -> Vec<String> {
    let mails = shop.smtp.received();
    let code = |text: &str| {
        let (_, rest) = text.split_once("Your code: ")?;
        rest.split_once('!').map(|(code, _)| code.to_owned())
    };
    mails
        .iter()
        .filter_map(|mail| code(&mail.content.replace("=\r\n", "")))
        .collect()
}

#[test]
fn codes_fuses_pauses_and_the_way_back() {
    let campaigns = [
        ("cart/campaign.yaml", CART),
        ("cart/templates/offer.email.en.mjml", MAIL),
    ];
    let fuse = FUSE.to_string();
    let shop = Shop::open(POLICY, &campaigns, &[("DISPATCH__FUSE", &fuse)]).unwrap();
    let folder = shop.folder.path().join("campaigns").display().to_string();
    let running = shop.serve("all").unwrap();
    let metric = |name: &str| {
        let (series, wanted) = name.rsplit_once(' ').unwrap();
        running.sum(series) == wanted.parse().ok()
    };

    let file = shop.folder.path().join("codes.txt");
    let fresh: Vec<String> = (0..32).map(|number| format!("CODE-{number}")).collect();
    std::fs::write(&file, fresh.join("\n")).unwrap();
    let file = file.display().to_string();
    let wrong = run(&mut shop.command(&["coupons", "load", "NINE", &file]).unwrap()).unwrap();
    assert_eq!(wrong.0, 2, "{wrong:?}");
    assert!(wrong.2.contains("there is TEN"), "{wrong:?}");
    for _twice in 0..2 {
        shop.expect(&["coupons", "load", "TEN", &file]).unwrap();
    }
    wait("32 codes are there, each once", || {
        metric("winback_coupons_left{pool=\"TEN\"} 32")
    });
    let list = shop.expect(&["coupons", "list"]).unwrap();
    assert!(list.contains("32 left, alert below 20"), "{list}");

    // Two more than the fuse lets through.
    let mut storefront = shop.storefront().unwrap();
    for number in 0..FUSE + 2 {
        leave_cart(&mut storefront, number);
    }
    wait("the fuse blows", || {
        metric("winback_fuses_blown_total{channel=\"email\"} 1")
    });
    wait("the others are held", || {
        metric("winback_steps_held{reason=\"paused\"} 2")
    });
    wait("those before it went out", || codes(&shop).len() >= FUSE);
    assert_eq!(codes(&shop).len(), FUSE);
    let paused = shop.expect(&["pause"]).unwrap();
    assert!(
        paused.contains("channel:email") && paused.contains("by its fuse"),
        "{paused}"
    );
    wait("sessions has heard of it", || {
        metric("winback_paused{scope=\"channel:email\"} 1")
    });
    shop.expect(&["resume", "--channel", "email"]).unwrap();
    wait("the others go out", || codes(&shop).len() == FUSE + 2);
    let given: BTreeSet<String> = codes(&shop).into_iter().collect();
    assert_eq!(given.len(), FUSE + 2, "each a code of its own");
    assert!(given.iter().all(|code| fresh.contains(code)), "{given:?}");
    wait("what was given is gone", || {
        metric("winback_coupons_left{pool=\"TEN\"} 27")
    });

    // Everything is paused; whoever leaves a cart now waits.
    shop.expect(&["pause", "--campaign", "cart"]).unwrap();
    shop.expect(&["pause", "--all"]).unwrap();
    leave_cart(&mut storefront, 99);
    wait("it is held", || {
        metric("winback_steps_held{reason=\"paused\"} 1")
    });
    assert_eq!(codes(&shop).len(), FUSE + 2);
    let why = shop.expect(&["why", "user:u99"]).unwrap();
    assert!(why.contains("paused"), "{why}");
    let all = shop.expect(&["why", "user:u0", "--all"]).unwrap();
    for part in [
        "entered",
        "send by email",
        "with its offer",
        "sent as",
        ", input ",
    ] {
        assert!(all.contains(part), "`{part}` is not in: {all}");
    }

    publications(&shop, &folder);
}

/// A new bundle is told of beforehand, goes live everywhere, and is taken back.
fn publications(shop: &Shop, folder: &str) {
    let before = shop.expect(&["publish", "--status"]).unwrap();
    // A new shop begins on the newest format: there is nothing to go back to.
    for (word, says) in [
        ("status", "on format 2, the newest"),
        ("finalize", "on format 2, the newest"),
        ("hold", "held on format 1"),
        ("status", "held on format 1"),
        ("finalize", "from format 1 to 2"),
        ("status", "on format 2, the newest"),
    ] {
        let told = shop.expect(&["upgrade", word]).unwrap();
        assert!(told.contains(says), "{word}: {told}");
    }
    let hash = |text: &str| {
        let mut hashes = text.lines().filter(|line| line.starts_with("partition "));
        let first = hashes
            .next()
            .unwrap()
            .split_whitespace()
            .last()
            .unwrap()
            .to_owned();
        assert!(hashes.all(|line| line.ends_with(&first)), "{text}");
        first
    };
    let old = hash(&before);
    shop.folder
        .write(
            "campaigns/cart/campaign.yaml",
            &CART.replace("idle: 1s", "idle: 2s"),
        )
        .unwrap();
    let told = shop.expect(&["publish", folder, "--dry-run"]).unwrap();
    assert!(told.contains("6 customers are known"), "{told}");
    let line = told.lines().find(|line| line.starts_with("cart ")).unwrap();
    assert_eq!(
        line.split_whitespace().nth(1),
        Some("1"),
        "one journey runs: {line}"
    );
    assert_eq!(
        hash(&shop.expect(&["publish", "--status"]).unwrap()),
        old,
        "nothing was published"
    );
    let new = hash(&shop.expect(&["publish", folder]).unwrap());
    assert_ne!(new, old);
    let back = shop.expect(&["publish", "--back"]).unwrap();
    assert_eq!(hash(&back), old, "{back}");
    // What was taken back is not what one goes back to.
    let again = run(&mut shop.command(&["publish", "--back"]).unwrap()).unwrap();
    assert_eq!(again.0, 1, "{again:?}");
    assert!(again.2.contains("nothing was active before"), "{again:?}");

    // A shop stays in its country: numbers of another would be keys of other people.
    let at_home = POLICY.replace("currency: EUR", "currency: EUR, country: UA");
    shop.folder
        .write("campaigns/policy.yaml", &at_home)
        .unwrap();
    shop.expect(&["publish", folder]).unwrap();
    for other in ["currency: EUR, country: DE", "currency: EUR"] {
        let moved = POLICY.replace("currency: EUR", other);
        shop.folder.write("campaigns/policy.yaml", &moved).unwrap();
        let refused = run(&mut shop.command(&["publish", folder]).unwrap()).unwrap();
        assert_eq!(refused.0, 1, "{refused:?}");
        assert!(refused.2.contains("`shop.country` is UA"), "{refused:?}");
    }
    let back = run(&mut shop.command(&["publish", "--back"]).unwrap()).unwrap();
    assert!(back.2.contains("`shop.country` is UA"), "{back:?}");
}
