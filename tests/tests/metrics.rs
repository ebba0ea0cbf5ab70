//! What documents, dashboards and alerts speak of is what a process really tells: names and labels of a real `/metrics`.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use winback_testkit::{ports, until};
use winback_tests::shop::get;
use winback_tests::{Shop, carts};

const POOL: &str = "  coupons: { CODES: { low: 5 } }\n";

/// Families of metrics with the labels of their series.
fn told(text: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut families: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = line.rsplit_once(' ').unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        let name = ["_bucket", "_sum", "_count"]
            .iter()
            .fold(name, |name, end| name.strip_suffix(end).unwrap_or(name));
        let family = families.entry(name.to_owned()).or_default();
        // No label value of ours holds a quote followed by a comma.
        for label in labels.trim_end_matches('}').split("\",") {
            if let Some((label, _)) = label.split_once('=') {
                family.insert(label.to_owned());
            }
        }
    }
    families
}

/// The expressions of the alerts, by their names.
fn expressions(alerts: &str) -> Vec<(&str, String)> {
    alerts
        .split("- alert: ")
        .skip(1)
        .map(|rule| {
            let name = rule.lines().next().unwrap().trim();
            let expr = rule.split_once("expr:").unwrap().1;
            let end = ["\n        for:", "\n        labels:"]
                .iter()
                .filter_map(|word| expr.find(word))
                .min()
                .unwrap();
            (name, expr[..end].to_owned())
        })
        .collect()
}

/// Words of a text that begin like a metric of ours.
fn names(text: &str) -> BTreeSet<&str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c: char| !is_word(c))
        .filter(|word| {
            word.strip_prefix("winback_")
                .is_some_and(|rest| !rest.is_empty())
        })
        .collect()
}

/// Labels that an expression joins by, groups by, or selects by.
fn labels(expr: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for word in ["by (", "on (", "ignoring ("] {
        for part in expr.split(word).skip(1) {
            let list = part.split(')').next().unwrap();
            found.extend(list.split(',').map(|label| label.trim().to_owned()));
        }
    }
    for part in expr.split('{').skip(1) {
        let matchers = part.split('}').next().unwrap();
        let of = |matcher: &str| {
            matcher
                .split(['=', '!', '~'])
                .next()
                .unwrap()
                .trim()
                .to_owned()
        };
        found.extend(matchers.split(',').map(of));
    }
    found
}

/// A shop in which everything happened once.
fn scraped() -> String {
    let policy = format!("{}{POOL}", carts::POLICY);
    let cart = carts::campaign("2s");
    let campaigns = [
        ("cart/campaign.yaml", cart.as_str()),
        ("cart/templates/reminder.email.en.mjml", carts::MAIL),
    ];
    let address = format!("127.0.0.1:{}", ports::free().unwrap());
    let url = format!("http://{address}");
    let settings = [
        ("GATEWAY__URL", url.as_str()),
        ("GATEWAY__ADDRESS", address.as_str()),
        ("GATEWAY__KEY", "a key of more than sixteen bytes"),
    ];
    let shop = Shop::open(&policy, &campaigns, &settings).unwrap();
    let all = shop.serve("all").unwrap();
    let mut storefront = shop.storefront().unwrap();
    storefront.leave_cart("ann").unwrap();
    storefront.send_text("x", "no json").unwrap();
    let nearly = json!({ "type": "track", "event": "Page Vieweb", "userId": "ann" });
    let odd = json!({ "type": "track", "event": "Products Searched", "userId": "ann",
        "properties": { "results_count": "many" } });
    for body in [nearly, odd] {
        storefront.send("ann", &body).unwrap();
    }
    until(Duration::from_secs(30), "the mail", || {
        !shop.smtp.received().is_empty()
    })
    .unwrap();
    let order = json!({ "type": "track", "event": "Order Completed", "userId": "ann",
        "properties": { "order_id": "o1", "total": 5 } });
    storefront.send("ann", &order).unwrap();
    shop.folder.write("codes.txt", "A1\nA2\n").unwrap();
    let codes = shop.folder.path().join("codes.txt").display().to_string();
    shop.expect(&["coupons", "load", "CODES", &codes]).unwrap();
    shop.expect(&["pause", "--campaign", "cart"]).unwrap();
    let text = || get(all.http, "/metrics").unwrap_or_default();
    let is_told = |name: &str| text().contains(&format!("\nwinback_{name}"));
    for name in [
        "paused{",
        "coupons_left{",
        "events_invalid_total{",
        "journeys_exited_total{",
        "fields_ignored_total{",
        "events_nearly_known_total{",
    ] {
        until(Duration::from_secs(20), name, || is_told(name)).unwrap();
    }
    let answer = text();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[test]
fn documents_and_alerts_speak_of_what_a_process_tells() {
    let families = told(&scraped());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let mut wrong = Vec::new();
    let mut documents = vec![
        "README.md".to_owned(),
        "deploy/prometheus/alerts.yml".into(),
    ];
    for folder in ["docs", "docs/operate", "docs/campaigns", "docs/storefront"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            // The reference of metrics lists what each process could tell; its own test compares it with the code.
            if name.ends_with(".md") && name != "metrics.md" {
                documents.push(format!("{folder}/{name}"));
            }
        }
    }
    for document in documents {
        let text = read(&document);
        for name in names(&text) {
            let base = ["_bucket", "_sum", "_count"]
                .iter()
                .fold(name, |name, end| name.strip_suffix(end).unwrap_or(name));
            if !families.contains_key(base) {
                wrong.push(format!("{document} speaks of {name}, which nobody tells"));
            }
        }
    }
    // What Prometheus itself puts on every series.
    let scraper = ["instance", "job", "le", "namespace", "pod"].map(str::to_owned);
    let alerts = read("deploy/prometheus/alerts.yml");
    let rules = expressions(&alerts);
    assert!(rules.len() > 15, "the rules were not read");
    for (rule, expr) in rules {
        let known: BTreeSet<&String> = names(&expr)
            .iter()
            .filter_map(|name| families.get(*name))
            .flatten()
            .chain(&scraper)
            .collect();
        for label in labels(&expr) {
            if !known.contains(&label) {
                wrong.push(format!(
                    "{rule} asks for the label {label}, which its metrics lack"
                ));
            }
        }
    }
    // Two shops on one Prometheus are told apart.
    for (name, labels) in &families {
        if !labels.contains("shop") {
            wrong.push(format!("{name} does not say of which shop it is"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
