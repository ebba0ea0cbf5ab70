//! End to end on real Kafka, Redis and SMTP: 300 customers, exact mails, and the same under kill -9.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use winback_testkit::{Behaviour, Received, until};
use winback_tests::Shop;

const POLICY: &str = r#"apiVersion: winback/v1
kind: Policy
metadata: { name: shop }
spec:
  shop: { zone: Europe/Kyiv, locale: en, currency: EUR }
  topics: { marketing: { consent: not_denied } }
  groups: { cart: { ended_by: Order Completed } }
  senders: { email: { from: "Shop <hello@shop.example>", unsubscribe: ["https://shop.example/out?m={message}", "mailto:out@shop.example"] } }
"#;

/// The delays of the product's file, in seconds.
const IDLE: u64 = 8;
const WAIT: u64 = 20;

const CART: &str = "apiVersion: winback/v1
kind: Campaign
metadata: { name: cart, group: cart }
spec:
  enter: { on: [Product Added, Cart Updated], key: event.cart_id, idle: 8s }
  audience: cart.open
  exit: { converted: Order Completed, cancelled: Cart Emptied }
  cascade: [ { step: reminder, send: [email] }, { wait: 20s }, { step: offer, send: [email] } ]
";

fn mail(title: &str) -> String {
    format!(
        "<mjml><mj-head><mj-title>{title}</mj-title></mj-head><mj-body><mj-section><mj-column><mj-text>{{% if cart %}}{{% for item in \
         cart.items %}}{{{{ item.name | default(\"goods\") }}}} {{% endfor %}}{{% endif %}}</mj-text></mj-column></mj-section></mj-body></mjml>"
    )
}

fn open(settings: &[(&str, &str)]) -> Shop {
    let (reminder, offer) = (mail("reminder"), mail("offer"));
    let campaigns = [
        ("cart/campaign.yaml", CART),
        ("cart/templates/reminder.email.en.mjml", reminder.as_str()),
        ("cart/templates/offer.email.en.mjml", offer.as_str()),
    ];
    Shop::open(POLICY, &campaigns, settings).unwrap()
}

/// What the storefront does for one customer, in seconds after its start.
struct Plan {
    email: String,
    events: Vec<(f64, Value)>,
    expected: &'static [&'static str],
}

fn track(who: &Value, event: &str, properties: Value) -> Value {
    let mut body = who.clone();
    body["type"] = json!("track");
    body["event"] = json!(event);
    body["properties"] = properties;
    body
}

/// Seven kinds of customers; no order comes within three seconds of a due time.
#[allow(clippy::too_many_lines, reason = "a table, or a story told in order")]
fn plan(number: usize) -> Plan {
    let (user, device) = (
        json!({ "userId": format!("u{number}") }),
        json!({ "anonymousId": format!("d{number}") }),
    );
    let both = json!({ "userId": format!("u{number}"), "anonymousId": format!("d{number}") });
    let email = format!("c{number}@example.com");
    let identify = |who: &Value| {
        let mut body = who.clone();
        body["type"] = json!("identify");
        body["traits"] = json!({ "email": email, "firstName": "Ann" });
        body
    };
    let cart = format!("cart-{number}");
    let add = |who: &Value| {
        let line = json!({ "cart_id": cart, "product_id": "p1", "name": "Blue mug", "price": 12.5, "currency": "EUR" });
        track(who, "Product Added", line)
    };
    let order = |who: &Value| {
        track(
            who,
            "Order Completed",
            json!({ "order_id": format!("o{number}"), "total": 12.5, "products": [] }),
        )
    };
    let (idle, wait) = (IDLE as f64, WAIT as f64);
    let (events, expected): (Vec<(f64, Value)>, &[&str]) = match number % 7 {
        0 => (
            vec![(0.0, identify(&user)), (0.2, add(&user))],
            &["reminder", "offer"],
        ),
        1 => (
            vec![
                (0.0, identify(&user)),
                (0.2, add(&user)),
                (2.0, order(&user)),
            ],
            &[],
        ),
        2 => {
            let empty = track(
                &user,
                "Cart Updated",
                json!({ "cart_id": cart, "products": [] }),
            );
            (
                vec![(0.0, identify(&user)), (0.2, add(&user)), (2.0, empty)],
                &[],
            )
        }
        3 => (
            vec![
                (0.0, identify(&user)),
                (0.2, add(&user)),
                (idle + wait * 0.6, order(&user)),
            ],
            &["reminder"],
        ),
        4 => {
            let page =
                json!({ "type": "page", "userId": user["userId"], "properties": { "path": "/" } });
            (
                vec![
                    (0.0, identify(&user)),
                    (0.2, add(&user)),
                    (idle + wait * 0.6, page),
                ],
                &["reminder"],
            )
        }
        5 => (
            vec![(0.0, add(&device)), (1.0, identify(&both))],
            &["reminder", "offer"],
        ),
        _ => (
            vec![
                (0.0, add(&device)),
                (1.0, identify(&both)),
                (3.0, order(&user)),
            ],
            &[],
        ),
    };
    Plan {
        email,
        events,
        expected,
    }
}

/// Plays the plans, each a little later than the one before, and calls `at` with the seconds that have passed.
fn play(shop: &Shop, plans: &[Plan], spread: f64, mut at: impl FnMut(f64)) {
    let mut script: Vec<(f64, String, &Value)> = Vec::new();
    for (index, plan) in plans.iter().enumerate() {
        let start = spread * index as f64 / plans.len() as f64;
        script.extend(
            plan.events
                .iter()
                .map(|(after, body)| (start + after, plan.email.clone(), body)),
        );
    }
    script.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut storefront = shop.storefront().unwrap();
    #[allow(
        clippy::disallowed_methods,
        reason = "the storefront lives in real time"
    )]
    let start = Instant::now();
    for (when, key, body) in script {
        until(Duration::from_secs(120), "the next event", || {
            at(start.elapsed().as_secs_f64());
            start.elapsed().as_secs_f64() >= when
        })
        .unwrap();
        storefront.send(&key, body).unwrap();
    }
    storefront.close().unwrap();
}

/// Subjects by address.
fn mails(received: &[Received]) -> BTreeMap<String, Vec<String>> {
    let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for mail in received {
        all.entry(mail.to.clone())
            .or_default()
            .push(mail.header("Subject").unwrap_or_default().to_owned());
    }
    all
}

fn expected(plans: &[Plan]) -> BTreeMap<String, Vec<String>> {
    let wanted = plans.iter().filter(|plan| !plan.expected.is_empty());
    wanted
        .map(|plan| {
            (
                plan.email.clone(),
                plan.expected
                    .iter()
                    .map(|step| (*step).to_owned())
                    .collect(),
            )
        })
        .collect()
}

/// Waits for the last expected mail. The last customer goes through the whole cascade after everybody else's due
/// times, so what has not come when its last mail comes never will.
fn finish(shop: &Shop, plans: &[Plan]) {
    let wanted: usize = plans.iter().map(|plan| plan.expected.len()).sum();
    let limit = Duration::from_secs(IDLE + WAIT + 60);
    let came = until(limit, "all mails", || shop.smtp.received().len() >= wanted);
    let got = mails(&shop.smtp.received());
    let want = expected(plans);
    for (email, steps) in &want {
        let log = tail(&shop.text("sessions"));
        assert_eq!(
            got.get(email),
            Some(steps),
            "{email}; {came:?}; log of sessions:\n{log}"
        );
    }
    assert_eq!(got, want);
}

fn tail(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(20)..].join("\n")
}

#[test]
fn three_hundred_customers_while_services_are_killed() {
    let shop = open(&[]);
    let mut ingest = Some(shop.serve("ingest").unwrap());
    let mut evaluator = Some(shop.serve("evaluator").unwrap());
    let _dispatch = shop.serve("dispatch").unwrap();
    let mut sessions = Some(shop.serve("sessions").unwrap());
    let mut plans: Vec<Plan> = (0..300).map(plan).collect();
    let mut last = plan(301);
    last.events.iter_mut().for_each(|(after, _)| *after += 6.0);
    plans.push(last);
    let mut kills = vec![
        (5.0, "ingest"),
        (12.0, "sessions"),
        (17.0, "evaluator"),
        (22.0, "sessions"),
        (26.0, "ingest"),
    ];
    kills.reverse();
    play(&shop, &plans, 12.0, |now| {
        while kills.last().is_some_and(|(when, _)| *when <= now) {
            let (_, name) = kills.pop().unwrap();
            let slot = match name {
                "ingest" => &mut ingest,
                "evaluator" => &mut evaluator,
                _ => &mut sessions,
            };
            slot.take().unwrap().child.kill();
            *slot = Some(shop.start(name).unwrap());
        }
    });
    assert!(kills.is_empty(), "every planned kill happened");
    finish(&shop, &plans);
    let ids: Vec<String> = shop
        .smtp
        .received()
        .iter()
        .map(|mail| mail.header("Message-ID").unwrap_or_default().to_owned())
        .collect();
    let unique: std::collections::BTreeSet<&String> = ids.iter().collect();
    assert_eq!(
        unique.len(),
        ids.len(),
        "each message has an id of its own, once"
    );
    let sample = &shop.smtp.received()[0];
    assert!(
        sample
            .content
            .contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"),
        "{}",
        sample.content
    );
    assert!(sample.content.contains("Blue mug"), "{}", sample.content);
    // SIGTERM: stop taking, finish, commit, leave in under ten seconds.
    let mut sessions = sessions.unwrap();
    assert_eq!(
        sessions.child.terminate(Duration::from_secs(10)),
        Ok(Some(0))
    );
}

#[test]
fn what_is_published_while_everything_is_down_still_stops_the_mail() {
    let shop = open(&[]);
    let mut all = shop.serve("all").unwrap();
    let plans: Vec<Plan> = (0..40).map(|number| plan(number * 7)).collect();
    play(&shop, &plans, 1.0, |_| {});
    // Everything must have read the carts before it goes down.
    until(Duration::from_secs(20), "the carts are folded", || {
        all.sum("winback_inputs_total{result=\"applied\"}") >= Some(80)
    })
    .unwrap();
    all.child.kill();
    // Half of them order, known by nothing but their address.
    let orders: Vec<Plan> = plans
        .iter()
        .step_by(2)
        .map(|plan| {
            let properties = json!({ "order_id": format!("o-{}", plan.email), "total": 5, "email": plan.email, "products": [] });
            let who = json!({ "anonymousId": format!("other-{}", plan.email) });
            Plan { email: plan.email.clone(), events: vec![(0.0, track(&who, "Order Completed", properties))], expected: &[] }
        })
        .collect();
    play(&shop, &orders, 0.1, |_| {});
    #[allow(
        clippy::disallowed_methods,
        reason = "the outage lasts past the due times"
    )]
    let down = Instant::now();
    until(Duration::from_secs(60), "the due times pass", || {
        down.elapsed() > Duration::from_secs(IDLE + 2)
    })
    .unwrap();
    assert!(
        shop.smtp.received().is_empty(),
        "nothing was due before the outage"
    );
    let all = shop.serve("all").unwrap();
    let quiet: Vec<&Plan> = plans.iter().skip(1).step_by(2).collect();
    until(Duration::from_secs(60), "all mails", || {
        shop.smtp.received().len() >= quiet.len() * 2
    })
    .unwrap();
    let got = mails(&shop.smtp.received());
    let want: Vec<&String> = quiet.iter().map(|plan| &plan.email).collect();
    assert_eq!(got.keys().collect::<Vec<_>>().len(), want.len(), "{got:?}");
    assert!(want.iter().all(|email| got.contains_key(*email)));
    drop(all);
}

/// Sends, kills dispatch while claims are open, and returns the plans and what came.
fn kill_dispatch(policy: &str) -> (Shop, Vec<Plan>) {
    let shop = open(&[
        ("DISPATCH__ON_AMBIGUOUS", policy),
        ("DISPATCH__PARALLEL", "4"),
    ]);
    let _ingest = shop.serve("ingest").unwrap();
    let _evaluator = shop.serve("evaluator").unwrap();
    let _sessions = shop.serve("sessions").unwrap();
    let mut dispatch = shop.serve("dispatch").unwrap();
    shop.smtp
        .behave(Behaviour::Slow(Duration::from_millis(400)));
    let plans: Vec<Plan> = (0..40).map(|number| plan(number * 7)).collect();
    play(&shop, &plans, 1.0, |_| {});
    until(Duration::from_secs(60), "some mails are out", || {
        shop.smtp.received().len() >= 10
    })
    .unwrap();
    dispatch.child.kill();
    shop.smtp.behave(Behaviour::Accept);
    let _dispatch = shop.serve("dispatch").unwrap();
    let offers = |shop: &Shop| {
        shop.smtp
            .received()
            .iter()
            .filter(|m| m.header("Subject") == Some("offer"))
            .count()
    };
    until(Duration::from_secs(90), "all offers", || {
        offers(&shop) >= plans.len()
    })
    .unwrap();
    (shop, plans)
}

/// `winback_messages_unknown_total` is kept by sessions; the decisions of each customer tell the same.
fn unknown(shop: &Shop, plans: &[Plan]) -> usize {
    let says = |plan: &Plan| {
        shop.expect(&["why", &format!("email:{}", plan.email)])
            .unwrap()
            .contains("[unknown]")
    };
    plans.iter().filter(|plan| says(plan)).count()
}

#[test]
fn a_killed_dispatch_loses_only_what_it_had_claimed_and_says_so() {
    let (shop, plans) = kill_dispatch("drop");
    let received = shop.smtp.received();
    let reminders = |email: &str| {
        received
            .iter()
            .filter(|m| m.to == email && m.header("Subject") == Some("reminder"))
            .count()
    };
    let counts: Vec<usize> = plans.iter().map(|plan| reminders(&plan.email)).collect();
    assert!(
        counts.iter().all(|count| *count <= 1),
        "none is doubled: {counts:?}"
    );
    let missing = counts.iter().filter(|count| **count == 0).count();
    let unknown = unknown(&shop, &plans);
    assert!(
        missing <= unknown && unknown <= 4,
        "missing {missing}, unknown {unknown}"
    );
    assert!(unknown > 0, "the kill met an open claim");
}

#[test]
fn a_storefront_with_transactions_is_not_waited_for() {
    let shop = open(&[]);
    let _all = shop.serve("all").unwrap();
    let mut storefront = shop.storefront_with(&["checkout"]).unwrap();
    for number in [0, 7, 14] {
        // Left carts: each is one of the first kind.
        for (_, event) in plan(number).events {
            storefront.send(&format!("k{number}"), &event).unwrap();
        }
    }
    storefront.close().unwrap();
    // The topic's partitions end with marks of transactions and with records of an aborted one.
    until(Duration::from_secs(60), "three reminders", || {
        shop.smtp.received().len() >= 3
    })
    .unwrap();
    let failed = shop.expect(&["failed", "list"]).unwrap();
    assert!(!failed.contains("duplicate"), "{failed}");
    // What the topic still holds is read to its end, past the marks.
    let folder = shop.folder.path().join("campaigns").display().to_string();
    let until = "2100-01-01T00:00:00Z";
    let told = shop
        .expect(&[
            "backtest",
            &folder,
            "--events",
            "kafka:winback.raw",
            "--until",
            until,
        ])
        .unwrap();
    assert!(told.contains("sent: reminder"), "{told}");
    let sent = told.lines().find(|line| line.contains("sent: reminder"));
    assert_eq!(sent.unwrap().split_whitespace().last(), Some("3"), "{told}");
}

#[test]
fn with_resend_none_is_missing() {
    let (shop, plans) = kill_dispatch("resend");
    let received = shop.smtp.received();
    for plan in &plans {
        let count = received
            .iter()
            .filter(|m| m.to == plan.email && m.header("Subject") == Some("reminder"))
            .count();
        assert!((1..=2).contains(&count), "{}: {count}", plan.email);
    }
}
