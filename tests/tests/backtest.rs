//! Backtest over real history: all CDNOW orders, counts equal an oracle's, twice the same bytes; and the demo.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::path::{Path, PathBuf};
use std::process::Command;

use winback_testkit::files::Folder;
use winback_tests::cdnow::{python, transactions};
use winback_tests::{binary, run};

/// The number behind a line of the summary.
fn count(summary: &str, line: &str) -> u64 {
    let found = summary.lines().find(|text| text.trim().starts_with(line));
    found
        .and_then(|text| text.split_whitespace().last()?.parse().ok())
        .unwrap_or(0)
}

/// A campaign of two mails after ninety days of silence, small enough for an oracle.
fn lost_customer(folder: &Folder) -> PathBuf {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("campaigns");
    for file in [
        "policy.yaml",
        "lost-customer/campaign.yaml",
        "lost-customer/templates/we-miss-you.email.en.mjml",
        "lost-customer/templates/second-letter.email.en.mjml",
    ] {
        folder
            .write(
                &format!("campaigns/{file}"),
                &std::fs::read_to_string(shipped.join(file)).unwrap(),
            )
            .unwrap();
    }
    folder.path().join("campaigns")
}

#[test]
fn cdnow_equals_the_oracle_and_repeats_to_the_byte() {
    let folder = Folder::new("cdnow").unwrap();
    let transactions = transactions(&folder);
    let events = folder.path().join("events.jsonl");
    std::fs::write(
        &events,
        python("cdnow_convert.py", &[transactions.to_str().unwrap()]),
    )
    .unwrap();
    assert_eq!(
        std::fs::read_to_string(&events).unwrap().lines().count(),
        69_659
    );
    let expected = python(
        "cdnow_lost.py",
        &[transactions.to_str().unwrap(), "90", "Europe/Kyiv"],
    );
    let expected: serde_json::Value = serde_json::from_slice(&expected).unwrap();
    let campaigns = lost_customer(&folder);
    let mut outputs = Vec::new();
    for round in 0..2 {
        let out = folder.path().join(format!("out-{round}"));
        let mut command = Command::new(binary().unwrap());
        command
            .arg("backtest")
            .arg(&campaigns)
            .arg("--events")
            .arg(&events)
            .arg("--out")
            .arg(&out);
        let (code, summary, errors) = run(&mut command).unwrap();
        assert_eq!(code, 0, "{errors}");
        assert_eq!(
            count(&summary, "sent: we-miss-you"),
            expected["first"].as_u64().unwrap(),
            "{summary}"
        );
        assert_eq!(
            count(&summary, "sent: second-letter"),
            expected["second"].as_u64().unwrap(),
            "{summary}"
        );
        assert_eq!(
            count(&summary, "ended: stopped by purchase"),
            expected["stopped"].as_u64().unwrap(),
            "{summary}"
        );
        let bytes = |name: &str| std::fs::read(out.join(name)).unwrap();
        outputs.push((summary, bytes("decisions.jsonl"), bytes("journeys.jsonl")));
    }
    assert!(
        outputs[0] == outputs[1],
        "the same input gives the same bytes"
    );
}

#[test]
fn disorder_is_refused_with_the_line() {
    let folder = Folder::new("disorder").unwrap();
    let campaigns = lost_customer(&folder);
    let line = |day: &str| {
        format!(
            "{{\"type\":\"page\",\"userId\":\"u\",\"timestamp\":\"2026-01-{day}T00:00:00Z\",\"properties\":{{}}}}\n"
        )
    };
    let events = folder
        .write(
            "events.jsonl",
            &[line("10"), line("08"), line("01")].concat(),
        )
        .unwrap();
    let mut command = Command::new(binary().unwrap());
    command
        .arg("backtest")
        .arg(&campaigns)
        .arg("--events")
        .arg(&events);
    let (code, _, errors) = run(&mut command).unwrap();
    assert_eq!(code, 2);
    assert!(
        errors.contains("line 3") && errors.contains("72 hours"),
        "{errors}"
    );
}

/// The demo's summary; the path of its mails is cut out.
fn demo(arguments: &[&str], folder: &Folder, name: &str) -> String {
    let out = folder.path().join(name);
    let mut command = Command::new(binary().unwrap());
    command
        .args(["demo", "--fast", "--people", "150", "--out"])
        .arg(&out)
        .args(arguments);
    let (code, summary, errors) = run(&mut command).unwrap();
    assert_eq!(code, 0, "{errors}");
    assert!(
        out.join("cart-left/reminder").read_dir().unwrap().count() > 50,
        "mails lie there to open"
    );
    summary.replace(&out.display().to_string(), "OUT")
}

#[test]
fn the_demo_is_deterministic_and_faults_change_nothing() {
    let folder = Folder::new("demo").unwrap();
    let first = demo(&["--seed", "5"], &folder, "a");
    assert!(
        first.contains("stopped by purchase") && first.contains("one customer's story"),
        "{first}"
    );
    assert_eq!(first, demo(&["--seed", "5"], &folder, "b"));
    assert_ne!(first, demo(&["--seed", "6"], &folder, "c"));
    for seed in ["1", "2", "3"] {
        assert_eq!(
            first,
            demo(
                &["--seed", "5", "--faults", seed],
                &folder,
                &format!("f{seed}")
            ),
            "faults of seed {seed}"
        );
    }
}
