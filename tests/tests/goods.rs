//! A price falls and a product comes back, on real Kafka, Redis and SMTP: those hear of it who wanted to, once, with
//! what is true when the mail is made (playbook C33, C34, P66).

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use winback_testkit::until;
use winback_tests::Shop;
use winback_tests::shop::{Storefront, get, values};

const POLICY: &str = r#"apiVersion: winback/v1
kind: Policy
metadata: { name: shop }
spec:
  shop: { zone: Europe/Kyiv, locale: en, currency: EUR }
  topics: { marketing: { consent: not_denied } }
  groups: { browse: { ended_by: Order Completed } }
  senders: { email: { from: "Shop <hello@shop.example>", unsubscribe: "mailto:out@shop.example" } }
"#;

const FELL: &str = r#"apiVersion: winback/v1
kind: Campaign
metadata: { name: fell, group: browse }
spec:
  enter: { product: price_drop, by: 10%, seen: [viewed], after: 10s, reentry: 0s }
  exit: { converted: Order Completed, cancelled: { on: Price Raised, when: event.product_id == item.product_id } }
  cascade: [ { step: fell, send: [email], show: "[item]" } ]
"#;

const BACK: &str = r#"apiVersion: winback/v1
kind: Campaign
metadata: { name: back, group: browse }
spec:
  enter: { product: back_in_stock, seen: [asked], reentry: 0s }
  exit: { converted: Order Completed }
  cascade: [ { step: back, send: [email], show: "[item]" } ]
"#;

fn mail(word: &str) -> String {
    format!(
        "<mjml><mj-head><mj-title>{word}</mj-title></mj-head><mj-body><mj-section><mj-column><mj-text>\
{word} {{% for item in items %}}{{{{ item.product_id }}}} for {{% if item.price %}}{{{{ item.price | money }}}}{{% endif %}}{{% endfor %}}.</mj-text></mj-column></mj-section></mj-body></mjml>"
    )
}

fn wait(what: &str, is_so: impl FnMut() -> bool) {
    until(Duration::from_secs(120), what, is_so).unwrap();
}

/// The shop's side.
struct Front(Storefront, u32);

impl Front {
    fn known(&mut self, user: &str) {
        let email = format!("{user}@example.com");
        self.send(
            user,
            json!({ "type": "identify", "traits": { "email": email } }),
        );
    }

    fn track(&mut self, user: &str, event: &str, properties: Value) {
        self.send(
            user,
            json!({ "type": "track", "event": event, "properties": properties }),
        );
    }

    fn send(&mut self, user: &str, mut body: Value) {
        // The same words twice are two events.
        self.1 += 1;
        body["messageId"] = json!(format!("m{}", self.1));
        body["userId"] = json!(user);
        self.0.send(user, &body).unwrap();
    }

    /// The shop's word about a product; its feed is nobody in particular.
    fn product(&mut self, properties: Value) {
        self.track("feed", "Product Updated", properties);
    }
}

/// How often each address got which word.
fn mails(shop: &Shop) -> BTreeMap<(String, String), usize> {
    let mut found = BTreeMap::new();
    for mail in shop.smtp.received() {
        let text = mail
            .content
            .replace("=\r\n", "")
            .replace("=E2=82=AC", "EUR")
            .replace("=C2=A0", " ");
        let said = ["FELL ", "BACK "].iter().find_map(|word| {
            // Whole units are enough.
            let (_, rest) = text
                .split_once(word)
                .filter(|(_, rest)| rest.starts_with('p'))?;
            let (whole, _) = rest.split_once('.')?;
            Some(format!("{word}{whole}"))
        });
        *found
            .entry((mail.to.clone(), said.unwrap_or_default()))
            .or_insert(0) += 1;
    }
    found
}

#[test]
#[allow(clippy::too_many_lines, reason = "a table, or a story told in order")]
fn news_of_goods_reaches_those_who_wait_for_it() {
    let (fell, back) = (mail("FELL"), mail("BACK"));
    let campaigns = [
        ("fell/campaign.yaml", FELL),
        ("fell/templates/fell.email.en.mjml", fell.as_str()),
        ("back/campaign.yaml", BACK),
        ("back/templates/back.email.en.mjml", back.as_str()),
    ];
    let shop = Shop::open(POLICY, &campaigns, &[]).unwrap();
    let running = shop.serve("all").unwrap();
    let metric = |name: &str| -> f64 {
        let text = get(running.http, "/metrics").unwrap_or_default();
        values(&text, name).sum()
    };
    let applied = || metric("winback_inputs_total{result=\"applied\"}");

    let mut front = Front(shop.storefront().unwrap(), 0);
    let price = |product: &str, price: f64| json!({ "product_id": product, "price": price, "currency": "EUR" });
    front.product(price("p1", 100.0));
    front.product(json!({ "product_id": "p2", "price": 30.0, "currency": "EUR", "available": 0 }));
    front.product(json!({ "product_id": "p3", "price": 40.0, "currency": "EUR", "available": 0 }));
    for user in ["viewer", "second", "buyer", "other", "asker"] {
        front.known(user);
    }
    for user in ["viewer", "second", "buyer"] {
        front.track(user, "Product Viewed", price("p1", 100.0));
    }
    front.track("other", "Product Viewed", price("p9", 100.0));
    front.track(
        "asker",
        "Stock Alert Requested",
        json!({ "product_id": "p2" }),
    );
    front.track(
        "buyer",
        "Order Completed",
        json!({ "order_id": "o1", "products": [price("p1", 100.0)] }),
    );
    let before = 5.0 + 3.0 + 1.0 + 1.0 + 1.0;
    wait("all are known", || applied() >= before);

    // Too little, then enough; and the other comes back.
    front.product(price("p1", 95.0));
    front.product(price("p1", 80.0));
    front.product(json!({ "product_id": "p2", "price": 30.0, "currency": "EUR", "available": 4 }));
    wait("three mails", || shop.smtp.received().len() >= 3);

    let ended = |reason: &str| {
        metric(&format!(
            "winback_journeys_exited_total{{campaign=\"fell\",reason=\"{reason}\"}}"
        ))
    };
    wait("their journeys are over", || ended("finished") >= 2.0);

    // What is dearer again before its mail was due is told to nobody.
    front.product(price("p1", 60.0));
    for user in ["viewer", "second"] {
        wait("the new price begins a journey", || {
            let shown = shop.expect(&["customer", "show", &format!("user:{user}")]);
            let shown: Value = serde_json::from_str(&shown.unwrap()).unwrap();
            shown["state"]["journeys"].as_array().unwrap().len() == 1
        });
    }
    front.product(price("p1", 100.0));
    wait("it is taken back", || ended("cancelled") >= 2.0);
    // Whoever waited once may wait again. It is another product: one that is gone and back before anybody was told of the
    // first is no news, and how fast that is told is the machine's.
    front.track(
        "asker",
        "Stock Alert Requested",
        json!({ "product_id": "p3" }),
    );
    wait("the asker asks again", || {
        let shown = shop.expect(&["customer", "show", "user:asker"]).unwrap();
        let shown: Value = serde_json::from_str(&shown).unwrap();
        let wanted = shown["state"]["behaviour"]["wanted"].as_array().cloned();
        wanted.is_some_and(|wanted| wanted.iter().any(|one| one["product_id"] == "p3"))
    });
    front.product(json!({ "product_id": "p3", "available": 2 }));
    wait("the fourth mail", || shop.smtp.received().len() >= 4);
    // It is told that the mail went out, whatever became of its journey meanwhile.
    wait("the viewer's mail is told", || {
        let why = shop.expect(&["why", "user:viewer", "--all"]).unwrap();
        why.matches("sent as").count() == 1
    });
    let folder = shop.folder.path().join("campaigns").display().to_string();
    let reach = shop.expect(&["publish", &folder, "--dry-run"]).unwrap();
    let line = |name: &str| {
        let mut lines = reach.lines().filter(|line| line.starts_with(name));
        lines.next().unwrap_or_default().to_owned()
    };
    // The buyer has bought it; the other looked at something else, which may fall too.
    assert!(line("fell").contains("3 wait for news"), "{reach}");
    assert!(line("back").contains("1 wait for news"), "{reach}");
    let told = |address: &str, said: &str| (format!("{address}@example.com"), said.to_owned());
    let expected = BTreeMap::from([
        (told("viewer", "FELL p1 for 80"), 1),
        (told("second", "FELL p1 for 80"), 1),
        (told("asker", "BACK p2 for 30"), 1),
        (told("asker", "BACK p3 for 40"), 1),
    ]);
    assert_eq!(mails(&shop), expected);
}
