//! One truth of currency, zone, locale and country: `simulate` and `backtest` decide alike on one file, by the Policy alone.

use std::path::{Path, PathBuf};

use winback_campaign::Bundle;
use winback_contract::{Span, Timestamp, Transition};
use winback_ingest::customs::Customs;

use super::backtest;
use super::shape::Reader;
use crate::config::Config;
use crate::folder;
use crate::run::case::{Case, USER};
use crate::run::report;

/// Times without a zone, sums without a currency and by the locale, a national telephone number.
const EVENTS: &str = r#"{"type":"identify","userId":"u1","timestamp":"2026-03-02 08:00:00","traits":{"email":"ann@example.com","phone":"030 901820"}}
{"type":"track","event":"Consent Updated","userId":"u1","timestamp":"2026-03-02 08:00:00","properties":{"channel":"sms","status":"ja"}}
{"type":"track","event":"Product Added","userId":"u1","timestamp":"2026-03-02 09:00:00","properties":{"cart_id":"c1","product_id":"p1","price":"1.250"}}
{"type":"track","event":"Product Added","userId":"u1","timestamp":1773327600,"properties":{"cart_id":"c2","product_id":"p2","price":"9,50","currency":"USD"}}
{"type":"track","event":"order_completed","userId":"u1","timestamp":"2026-03-20T21:00:00","properties":{"order_id":"o1","cart_id":"c2","total":"2.500,00"}}
"#;

#[tokio::test]
async fn simulate_and_backtest_decide_alike() {
    assert!(
        EVENTS.contains(&format!("\"userId\":\"{USER}\"")),
        "all lines are of {USER}"
    );
    let campaigns = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../campaigns");
    let mut files = folder::read(&campaigns).unwrap();
    let wanted = ["policy.yaml", "shared/", "cart-left/", "thanks/"];
    files
        .0
        .retain(|path, _| wanted.iter().any(|wanted| path.starts_with(wanted)));
    let policy = files.0.get_mut("policy.yaml").unwrap();
    let shop = "zone: Europe/Kyiv, locale: en, currency: EUR";
    assert!(policy.contains(shop));
    *policy = policy
        .replace(
            shop,
            "zone: Europe/Berlin, locale: de, currency: UAH, country: DE",
        )
        .replace("cart_min: 10 ", "cart_min: 500 ");
    let (bundle, _) = Bundle::compile(&files).unwrap();
    let customs = Customs::of(&bundle.policy);
    let reader = Reader {
        shape: winback_ingest::formats::Shape::default(),
        customs,
        max_bytes: 100_000,
    };

    // As `simulate` does.
    let mut told: Vec<(Timestamp, serde_json::Value)> = Vec::new();
    for line in EVENTS.lines() {
        for call in reader.calls(line).unwrap() {
            let (call, envelope) = call.unwrap();
            told.push((envelope.timestamp.unwrap(), call.body.into()));
        }
    }
    let (first, last) = (told[0].0, told[told.len() - 1].0 + Span::from_days(20));
    let mut case = Case::new(&files, &bundle, USER, first).await.unwrap();
    for (at, body) in &told {
        case.until(*at).await.unwrap();
        case.raw(body).await.unwrap();
    }
    case.until(last).await.unwrap();
    let of = |records: Vec<winback_contract::JourneyRecord>| -> Vec<String> {
        let records = records.into_iter().filter(|record| {
            // Told by `simulate` alone.
            !matches!(
                record.transition,
                Transition::NotBegun { .. } | Transition::Booked { .. } | Transition::Sent { .. }
            )
        });
        let mut lines: Vec<String> = records
            .map(|record| format!("{} {} {:?}", record.at, record.campaign, record.transition))
            .collect();
        lines.sort();
        lines
    };
    let simulated = of(case.records());

    // As `backtest` does.
    let file: PathBuf =
        std::env::temp_dir().join(format!("winback-agree-{}.jsonl", std::process::id()));
    std::fs::write(&file, EVENTS).unwrap();
    let events = backtest::read(&file, &reader).unwrap();
    std::fs::remove_file(&file).unwrap();
    let source = Config::embedded().unwrap().source_of(None);
    let (machine, names) = backtest::play(&files, &bundle, &events, &source, (first, last))
        .await
        .unwrap();
    let tested = of(report::journeys(&machine.log, &names));
    assert_eq!(simulated, tested);
    // And it is about something: a cart of 1,250 UAH is reminded, one of 9.50 USD is not compared with it.
    assert!(
        tested.iter().any(|line| line.contains("cart-left Entered")),
        "{tested:#?}"
    );
    assert!(
        tested.iter().any(|line| line.contains("OtherCurrency")),
        "{tested:#?}"
    );
}

/// A batch arrives when the newest of it has happened: nothing in it is of the future then.
#[test]
fn a_batch_of_a_file_arrives_with_the_newest_of_it() {
    let view = |at: &str| serde_json::json!({ "type": "track", "event": "Product Viewed", "userId": "u1", "timestamp": at });
    let batch = serde_json::json!({ "batch": [view("2026-03-02T08:00:00Z"), view("2026-03-02T20:00:00Z")] });
    let file: PathBuf =
        std::env::temp_dir().join(format!("winback-batch-{}.jsonl", std::process::id()));
    std::fs::write(&file, batch.to_string()).unwrap();
    let currency = winback_contract::Currency::parse("EUR").unwrap();
    let reader = Reader {
        shape: winback_ingest::formats::Shape::default(),
        customs: Customs::new(currency),
        max_bytes: 100_000,
    };
    let events = backtest::read(&file, &reader).unwrap();
    std::fs::remove_file(&file).unwrap();
    let (_, record) = events.into_iter().next().unwrap().into_record("raw");
    assert_eq!(
        record.time,
        Timestamp::parse("2026-03-02T20:00:00Z").unwrap()
    );
}
