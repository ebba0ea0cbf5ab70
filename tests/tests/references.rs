//! Documents that are made of the types say what the types say, and every alert has a heading where somebody woken by it
//! looks. `make generate` writes the former.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use winback_tests::{binary, run};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_default()
}

#[test]
fn references_are_what_the_binary_says() {
    for (what, document) in [
        ("metrics", "docs/operate/metrics.md"),
        ("topics", "docs/operate/topics.md"),
        ("config", "docs/operate/config.md"),
        ("campaigns", "docs/campaigns/reference.md"),
    ] {
        let (code, text, errors) =
            run(Command::new(binary().unwrap()).args(["reference", what])).unwrap();
        assert_eq!(code, 0, "{errors}");
        if std::env::var("WINBACK_GENERATE").is_ok() {
            std::fs::write(path(document), &text).unwrap();
        }
        assert!(
            read(document) == text,
            "{document} differs from the code: run `make generate` and review"
        );
    }
}

#[test]
fn every_alert_has_a_heading_and_every_heading_an_alert() {
    let rules = read("deploy/prometheus/alerts.yml");
    let alerts = rules
        .lines()
        .filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("alert: "));
    let alerts: BTreeSet<&str> = alerts.collect();
    let document = read("docs/operate/alerts.md");
    let headings = document.lines().filter_map(|line| line.strip_prefix("## "));
    let headings: BTreeSet<&str> = headings.collect();
    assert!(!alerts.is_empty());
    assert_eq!(alerts, headings);
}

/// What an ADR decided is cited by its number; a comment that points out of the tree helps nobody.
#[test]
fn citations_lead_to_a_record_of_the_tree() {
    let records = std::fs::read_dir(path("docs/adr")).unwrap();
    let records: BTreeSet<String> = records
        .map(|entry| entry.unwrap().file_name().to_string_lossy()[..4].to_owned())
        .collect();
    let listed = Command::new("git")
        .args(["ls-files", "crates", "bench", "tests"])
        .current_dir(path("."))
        .output()
        .unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let mut wrong = Vec::new();
    for file in listed.lines().filter(|file| file.ends_with(".rs")) {
        let text = read(file);
        for (number, line) in text.lines().enumerate() {
            let cited = line.split("ADR ").skip(1).filter_map(|rest| rest.get(..4));
            for cited in cited.filter(|cited| cited.bytes().all(|byte| byte.is_ascii_digit())) {
                if !records.contains(cited) {
                    wrong.push(format!("{file}:{}: there is no ADR {cited}", number + 1));
                }
            }
            let outside = ["design §", "grammar §", "grammar, rule", "reliability H"];
            if line.trim_start().starts_with("//")
                && outside.iter().any(|words| line.contains(words))
            {
                wrong.push(format!("{file}:{}: it points out of the tree", number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
