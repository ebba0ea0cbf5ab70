//! The silent customers of CDNOW in waves by their win-back score, with a holdout: counts and uplift equal an oracle's.
//! Two folders over the same events differ where they differ, and the page holds what the tables say.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use winback_contract::identity::{Identity, IdentityKind};
use winback_testkit::files::Folder;
use winback_tests::cdnow::{python, transactions};
use winback_tests::{binary, run};

fn campaigns() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("waves")
}

fn backtest(campaigns: &Path, events: &Path, out: &Path, more: &[&str]) -> String {
    let mut command = Command::new(binary().unwrap());
    command
        .arg("backtest")
        .arg(campaigns)
        .arg("--events")
        .arg(events);
    command.arg("--out").arg(out).args(more);
    let (code, summary, errors) = run(&mut command).unwrap();
    assert_eq!(code, 0, "{errors}");
    summary
}

/// The product's id of every customer.
fn people(transactions: &Path) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(transactions).unwrap();
    let numbers: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|number| number.chars().all(|c| c.is_ascii_digit()))
        .collect();
    numbers
        .into_iter()
        .map(|number| {
            let user = Identity::new(IdentityKind::User, &format!("c{number}")).unwrap();
            (user.customer("shop").to_string(), number.to_owned())
        })
        .collect()
}

#[test]
fn waves_by_score_and_their_uplift_equal_the_oracle() {
    let folder = Folder::new("waves").unwrap();
    let transactions = transactions(&folder);
    let source = transactions.to_str().unwrap();
    let events = folder.path().join("events.jsonl");
    std::fs::write(&events, python("cdnow_convert.py", &[source])).unwrap();
    let out = folder.path().join("out");
    let summary = backtest(&campaigns(), &events, &out, &[]);

    let map = folder.path().join("people.json");
    std::fs::write(&map, serde_json::to_vec(&people(&transactions)).unwrap()).unwrap();
    let journeys = out.join("journeys.jsonl");
    let arguments = [source, map.to_str().unwrap(), journeys.to_str().unwrap()];
    let expected: Value = serde_json::from_slice(&python("cdnow_waves.py", &arguments)).unwrap();

    // Sent, or skipped for the holdout alone: both are a wave that came.
    let mut waves: BTreeMap<String, u64> = BTreeMap::new();
    for line in std::fs::read_to_string(&journeys).unwrap().lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let transition = &record["transition"];
        let held_out = transition["skipped"]["reason"] == "holdout";
        let step = if held_out {
            &transition["skipped"]["step"]
        } else {
            &transition["sent"]["step"]
        };
        if let Some(step) = step.as_str() {
            *waves.entry(step.to_owned()).or_default() += 1;
        }
    }
    assert_eq!(
        serde_json::to_value(&waves).unwrap(),
        expected["waves"],
        "{summary}"
    );
    assert_eq!(waves.len(), 3);

    let csv = std::fs::read_to_string(out.join("uplift.csv")).unwrap();
    let (head, row) = csv.split_once('\n').unwrap();
    let cells: BTreeMap<&str, &str> = head.split(',').zip(row.trim().split(',')).collect();
    let number = |name: &str| cells[name].parse::<f64>().unwrap();
    for (group, people, bought) in [
        ("written", "written", "written_bought"),
        ("held_out", "held_out", "held_out_bought"),
    ] {
        let wanted: Vec<f64> = serde_json::from_value(expected[group].clone()).unwrap();
        assert_eq!(vec![number(people), number(bought)], wanted, "{csv}");
    }
    let near = |name: &str, error: f64| {
        let wanted = expected[name].as_f64().unwrap();
        assert!(
            (number(name) - wanted).abs() < error,
            "{name}: {csv} {wanted}"
        );
    };
    near("difference", 1e-6);
    near("won", 1e-3);
    // A fifth is held out, as drawn by hash.
    let share = number("held_out") / (number("held_out") + number("written"));
    assert!((0.18..0.22).contains(&share), "{share}");

    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(
        page.contains("<svg") && page.contains("Uplift by holdout"),
        "the page has its parts"
    );
    assert!(page.contains(&format!(
        "{} of {}",
        cells["written_bought"], cells["written"]
    )));
}

#[test]
fn two_folders_over_the_same_events_are_compared() {
    let folder = Folder::new("against").unwrap();
    let other = folder.path().join("other");
    for file in [
        "policy.yaml",
        "waves/campaign.yaml",
        "waves/templates/first-wave.email.en.mjml",
        "waves/templates/second-wave.email.en.mjml",
        "waves/templates/third-wave.email.en.mjml",
    ] {
        let text = std::fs::read_to_string(campaigns().join(file)).unwrap();
        // The other shop waits twice as long, and holds nobody out.
        let text = text
            .replace("silence: 90d", "silence: 180d")
            .replace("  holdout: 20%\n", "");
        folder.write(&format!("other/{file}"), &text).unwrap();
    }
    let order = |user: usize, day: &str| {
        format!(
            "{{\"type\":\"track\",\"event\":\"Order Completed\",\"userId\":\"u{user}\",\"timestamp\":\"{day}T12:00:00Z\",\"properties\":{{\
             \"order_id\":\"o{user}-{day}\",\"total\":200,\"currency\":\"USD\",\"email\":\"u{user}@example.com\",\"products\":[]}}}}\n"
        )
    };
    // Forty people order once; half of them again after 120 days, which is too late for the one and early for the other.
    let mut lines: Vec<String> = (0..40).map(|user| order(user, "2026-01-10")).collect();
    lines.extend((0..20).map(|user| order(user, "2026-05-10")));
    let events = folder.write("events.jsonl", &lines.concat()).unwrap();
    let against = other.to_str().unwrap().to_owned();
    let out = folder.path().join("out");
    backtest(
        &campaigns(),
        &events,
        &out,
        &["--against", &against, "--until", "2026-08-01T00:00:00Z"],
    );
    let csv = std::fs::read_to_string(out.join("difference.csv")).unwrap();
    let row = |measure: &str| {
        let start = format!("waves,{measure},");
        let found = csv
            .lines()
            .find_map(|line| line.strip_prefix(&start))
            .unwrap();
        let (here, there) = found.split_once(',').unwrap();
        (here.parse::<u64>().unwrap(), there.parse::<u64>().unwrap())
    };
    // Here: 90 days after each order of everybody, unless the next came first; there: only the twenty who stayed away.
    assert_eq!(row("entered"), (40, 20), "{csv}");
    let (here, there) = row("messages");
    assert_eq!(there, 20, "{csv}");
    assert!(here < 40, "a fifth is held out: {csv}");
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("Against the other folder"));
}
