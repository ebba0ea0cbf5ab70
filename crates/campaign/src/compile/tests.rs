//! What a marketer is told: each broken file, its place, and a way out.

use crate::bundle::{Bundle, Files};

const POLICY: &str = r#"apiVersion: winback/v1
kind: Policy
metadata: { name: shop }
spec:
  shop: { zone: Europe/Kyiv, locale: en, currency: UAH }
  settings: { lost_after: 60d to 90d, cart_min: 300 }
  topics: { marketing: { consent: { email: not_denied, default: granted } } }
  groups: { cart: { ended_by: Order Completed }, silence: { ended_by: Order Completed } }
  quiet: [ { from: "22:00", to: "07:00" } ]
  caps: [ { channels: [email], at_most: 1, per: 16h } ]
  coupons: { CART10: { code: CART10, worth: 10% } }
  senders: { email: { from: "Shop <hello@shop.example>", unsubscribe: "mailto:out@shop.example" } }
"#;

const CAMPAIGN: &str = "apiVersion: winback/v1
kind: Campaign
metadata: { name: cart, group: cart, priority: 80 }
spec:
  enter: { on: [Product Added, Cart Updated], key: event.cart_id, idle: 20m }
  audience: cart.open && cart.total >= settings.cart_min
  exit: { converted: Order Completed, cancelled: Cart Emptied }
  cascade:
    - { step: reminder, send: [email] }
    - wait: 24h
      unless: [clicked, visited]
    - { step: offer, send: [email], offer: { coupon: CART10, valid: 4d }, expires: 2d }
";

const MAIL: &str = "<mjml><mj-head><mj-title>hi</mj-title></mj-head><mj-body></mj-body></mjml>";

fn files(campaign: &str, policy: &str) -> Files {
    Files(
        [
            ("policy.yaml", policy),
            ("cart/campaign.yaml", campaign),
            ("cart/templates/reminder.email.en.mjml", MAIL),
            ("cart/templates/offer.email.en.mjml", MAIL),
        ]
        .into_iter()
        .map(|(path, text)| (path.to_owned(), text.to_owned()))
        .collect(),
    )
}

/// One finding of the report contains `expect`.
fn check(campaign: &str, policy: &str, expect: &str) {
    match Bundle::compile(&files(campaign, policy)) {
        Ok((_, report)) if expect.is_empty() => assert!(report.findings.is_empty(), "{report}"),
        Ok((_, report)) => assert!(
            report.to_string().contains(expect),
            "`{expect}` is not in: {report}"
        ),
        Err(report) => {
            assert!(
                !expect.is_empty() && report.to_string().contains(expect),
                "`{expect}` is not in: {report}"
            );
        }
    }
}

#[test]
fn a_good_folder_compiles() {
    check(CAMPAIGN, POLICY, "");
    let (bundle, _) = Bundle::compile(&files(CAMPAIGN, POLICY)).unwrap();
    let cart = &bundle.campaigns["cart"];
    assert_eq!(cart.entries.len(), 3);
    assert_eq!(cart.exits.len(), 2);
    assert_eq!(bundle.hash, files(CAMPAIGN, POLICY).hash());
}

#[test]
fn every_mistake_has_its_place() {
    for (from, to, expect) in [
        ("audience:", "audiense:", "cart/campaign.yaml:6:"),
        ("audience:", "audiense:", "did you mean `audience`?"),
        (
            "idle: 20m",
            "idle: 20",
            "cart/campaign.yaml:5:73: `20` is not a duration",
        ),
        (
            "cart.total",
            "cart.totl",
            "`cart` has no `totl` (did you mean `total`?)",
        ),
        (
            "Product Added",
            "Produkt Added",
            "did you mean `Product Added`?",
        ),
        (
            "group: cart",
            "group: carts",
            "unknown group `carts` (did you mean `cart`?)",
        ),
        (
            "coupon: CART10",
            "coupon: CART11",
            "unknown coupon `CART11`",
        ),
        (
            "send: [email], offer",
            "send: [emial], offer",
            "unknown channel `emial` (did you mean `email`?)",
        ),
        (
            "unless: [clicked",
            "unless: [klicked",
            "unknown reaction `klicked`",
        ),
        (
            "step: offer",
            "step: reminder",
            "two steps named `reminder`",
        ),
        (
            "step: offer",
            "step: bonus",
            "there is no template for step `bonus`",
        ),
        ("name: cart,", "name: Cart Left,", "is not a name"),
        (
            "settings.cart_min",
            "setings.cart_min",
            "unknown value `setings`",
        ),
        ("idle: 20m", "idle: 0s", "longer than nothing"),
        ("- wait: 24h", "- wait: 24h\n      step: x", "not both"),
        ("priority: 80", "priority: 101", "0 to 100"),
        ("priority: 80", "priority: high", "cart/campaign.yaml:3:"),
        (
            "kind: Campaign",
            "kind: Kampaign",
            "did you mean `Campaign`?",
        ),
        ("winback/v1", "winback/v9", "does not begin with"),
        ("spec:", "spec: [", "cart/campaign.yaml:"),
    ] {
        check(&CAMPAIGN.replacen(from, to, 1), POLICY, expect);
    }
}

#[test]
fn mistakes_of_a_policy() {
    for (from, to, expect) in [
        (
            "Europe/Kyiv",
            "Europe/Kiyv",
            "unknown time zone `Europe/Kiyv`",
        ),
        (
            "from: \"22:00\", to: \"07:00\"",
            "days: [monday, tuesday, wednesday, thursday, friday, saturday, sunday]",
            "always quiet",
        ),
        ("per: 16h", "per: 16", "is not a duration"),
        ("currency: UAH", "currency: HRYVNIA", "three letters"),
        (
            "consent: { email: not_denied",
            "consent: { email: perhaps",
            "consent can't be `perhaps`",
        ),
        ("mailto:out", "http:out", "not an unsubscribe address"),
        ("60d to 90d", "90d to 60d", "ends before it begins"),
    ] {
        check(CAMPAIGN, &POLICY.replacen(from, to, 1), expect);
    }
    check(CAMPAIGN, "", "policy.yaml");
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table, or a story told in order")]
fn what_yaml_would_pass_over_is_said() {
    for (from, to, expect) in [
        (
            "audience: cart.open && cart.total >= settings.cart_min",
            "audience: !cart.open",
            "put the condition in quotes",
        ),
        (
            "audience: cart.open && cart.total >= settings.cart_min",
            "audience:",
            "`audience` is empty",
        ),
        ("name: cart,", "name: carts,", "its folder is not"),
        (
            "cart.total >= settings.cart_min",
            "orders.silent > 60",
            "days(60)",
        ),
        (
            "cart.total >= settings.cart_min",
            "customer.city == Kyiv",
            "text goes in quotes: 'Kyiv'",
        ),
        (
            "cart.total >= settings.cart_min",
            "journey.sent('nostep')",
            "its steps are: reminder, offer",
        ),
        (
            "cart.open && cart.total >= settings.cart_min",
            "cart.total = 3",
            "write `==` to compare",
        ),
        (
            "    - wait: 24h",
            "    - until: cart.open",
            "has the wrong type",
        ),
        (
            "    - wait: 24h\n      unless: [clicked, visited]",
            "    - end: gone",
            "never reached",
        ),
        (
            "    - wait: 24h\n      unless: [clicked, visited]",
            "    - await: Order Delivered",
            "needs `for`",
        ),
        (
            "    - wait: 24h\n      unless: [clicked, visited]",
            "    - { split: s, into: { a: { share: 70% }, b: { share: 50% } } }",
            "more than 100%",
        ),
        (
            "offer: { coupon: CART10, valid: 4d }",
            "offer: { coupon: CART10, points: 3 }",
            "exactly one thing",
        ),
        (
            "on: [Product Added, Cart Updated], key: event.cart_id, idle: 20m",
            "ended: carts",
            "unknown campaign `carts`",
        ),
        (
            "on: [Product Added, Cart Updated], key: event.cart_id, idle: 20m",
            "ended: cart",
            "leads back to itself",
        ),
        (
            "on: [Product Added, Cart Updated], key: event.cart_id, idle: 20m",
            "schedule: { every: week, days: [mondy] }",
            "is no day of a week",
        ),
        (
            "on: [Product Added, Cart Updated], key: event.cart_id, idle: 20m",
            "date: orders.count",
            "has the wrong type",
        ),
        (
            "on: [Product Added, Cart Updated], key: event.cart_id, idle: 20m",
            "on: News Published, idle: 20m",
            "does not go with an announcement",
        ),
    ] {
        assert!(CAMPAIGN.contains(from), "{from}");
        check(&CAMPAIGN.replace(from, to), POLICY, expect);
    }
    let policy = POLICY.replace("code: CART10, worth", "worth");
    check(CAMPAIGN, &policy, "");
    let nameless = POLICY.replace(
        "coupons: { CART10:",
        "coupons: { \"A B\": { worth: 5% }, CART10:",
    );
    check(CAMPAIGN, &nameless, "has no proper name");
    let segments = format!("{POLICY}  segments: {{ top: segment('x') }}\n");
    check(CAMPAIGN, &segments, "can't ask for a segment");
}

/// What the Policy itself speaks of: names of campaigns, of segments, of events.
#[test]
fn names_in_a_policy_are_looked_up() {
    let speaks = |segment: &str| format!("{POLICY}  segments: {{ top: {segment} }}\n");
    check(
        CAMPAIGN,
        &speaks("campaign('cat').active"),
        "policy.yaml:13:20: unknown campaign `cat` (did you mean `cart`?)",
    );
    check(CAMPAIGN, &speaks("campaign('cart').active"), "");
    let topic = "marketing: { consent: { email: not_denied, default: granted } }";
    let held = topic.replace(" } }", " }, audience: \"!segment('tap')\" }");
    let held = speaks("orders.count > 9").replace(topic, &held);
    check(
        CAMPAIGN,
        &held,
        "unknown segment `tap` (did you mean `top`?)",
    );
    let typo = POLICY.replace(
        "silence: { ended_by: Order Completed",
        "silence: { ended_by: Order Complted",
    );
    check(
        CAMPAIGN,
        &typo,
        "`Order Complted` is not an event of the contract (did you mean `Order Completed`?)",
    );
    let other = POLICY.replace("Order Completed }, silence", "order_completed }, silence");
    check(CAMPAIGN, &other, "");
    let german = POLICY.replace("locale: en", "locale: de-AT");
    check(
        CAMPAIGN,
        &german,
        "2 texts of this campaign are not there in `de`",
    );
    let british = POLICY.replace("locale: en", "locale: en-GB");
    check(CAMPAIGN, &british, "");
    // Of what is active already nothing is set aside for it.
    let active = Bundle::lenient(&files(CAMPAIGN, &held)).unwrap();
    assert!(active.aside.is_empty());
    let country =
        |code: &str| POLICY.replace("currency: UAH", &format!("currency: UAH, country: {code}"));
    check(CAMPAIGN, &country("ua"), "");
    check(CAMPAIGN, &country("Ukraine"), "`Ukraine` is no country");
    check(CAMPAIGN, &country("ZZ"), "`ZZ` is no country");
}

#[test]
fn one_unreadable_campaign_is_one_mistake() {
    let follows = |name: &str| {
        let started = CAMPAIGN.replace(
            "on: [Product Added, Cart Updated], key: event.cart_id, idle: 20m",
            &format!("ended: {name}"),
        );
        assert_ne!(started, CAMPAIGN);
        let mut files = files(&started, POLICY);
        files.0.insert(
            "broken/campaign.yaml".into(),
            CAMPAIGN.replace("cascade:", "casacde:"),
        );
        Bundle::compile(&files).unwrap_err().to_string()
    };
    let report = follows("broken");
    assert!(report.contains("casacde"), "{report}");
    assert!(!report.contains("unknown campaign"), "{report}");
    assert!(follows("brokn").contains("unknown campaign `brokn`"));
}

/// What is active already goes on with all of it that can be used; a fault in what all share sets all aside.
#[test]
fn of_a_bundle_that_is_refused_the_sound_campaigns_are_used() {
    let two = |first: &str, second: &str, policy: &str| {
        let mut files = files(first, policy);
        files.0.insert(
            "second/campaign.yaml".into(),
            second.replace("name: cart", "name: second"),
        );
        for step in ["reminder", "offer"] {
            files.0.insert(
                format!("second/templates/{step}.email.en.mjml"),
                MAIL.into(),
            );
        }
        files
    };
    let used = |files: &Files| {
        let bundle = Bundle::lenient(files)?;
        let names: Vec<String> = bundle.campaigns.keys().cloned().collect();
        Some((names.join(" "), Vec::from_iter(bundle.aside).join(" ")))
    };
    let some = |used: &str, aside: &str| Some((used.to_owned(), aside.to_owned()));
    let broken = CAMPAIGN.replace("cart.total", "cart.totl");
    let unread = CAMPAIGN.replace("audience:", "of_another_release:");
    assert_eq!(
        used(&two(CAMPAIGN, CAMPAIGN, POLICY)),
        some("cart second", "")
    );
    assert_eq!(
        used(&two(&broken, CAMPAIGN, POLICY)),
        some("second", "cart")
    );
    assert_eq!(
        used(&two(CAMPAIGN, &unread, POLICY)),
        some("cart", "second")
    );
    let mut files = two(CAMPAIGN, CAMPAIGN, POLICY);
    files
        .0
        .insert("second/templates/offer.email.en.mjml".into(), "{{".into());
    assert_eq!(
        used(&files),
        some("cart", "second"),
        "a text is part of its campaign"
    );
    let odd = POLICY.replace("22:00", "25:00");
    assert_eq!(
        used(&two(CAMPAIGN, CAMPAIGN, &odd)),
        some("", "cart second")
    );
    assert_eq!(used(&two(CAMPAIGN, CAMPAIGN, "kind: Policy")), None);
}
