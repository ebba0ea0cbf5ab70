//! The house rules: file sizes, module headers, the crate table of the design, lints, and documents that name only
//! what exists.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

/// Files git knows or would add.
fn files() -> Vec<String> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut all: Vec<String> = text
        .lines()
        .map(str::to_owned)
        .filter(|path| root().join(path).exists())
        .collect();
    all.sort();
    assert!(all.len() > 100, "git lists the files");
    all
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_default()
}

#[test]
fn no_file_is_longer_than_600_lines_and_each_says_what_it_is_for() {
    let mut wrong = Vec::new();
    for path in files().iter().filter(|path| path.ends_with(".rs")) {
        let text = read(path);
        let lines = text.lines().count();
        if lines > 600 {
            wrong.push(format!("{path} has {lines} lines"));
        }
        if !text.starts_with("//!") {
            wrong.push(format!("{path} does not begin with `//!`"));
        }
        for banned in ["#[ignore", "todo!(", "unimplemented!("] {
            if text.contains(banned) && !path.ends_with("tidy.rs") {
                wrong.push(format!("{path} has {banned}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The crate table of `docs/architecture.md`: what each may use in the workspace.
fn table() -> BTreeMap<&'static str, &'static [&'static str]> {
    let below: &[&str] = &[
        "contract", "campaign", "journey", "bus", "store", "service", "scenario",
    ];
    BTreeMap::from([
        ("contract", &[][..]),
        ("campaign", &["contract"]),
        ("journey", &["contract", "campaign"]),
        ("bus", &["contract", "service"]),
        ("store", &["contract", "service"]),
        ("service", &[]),
        ("scenario", &["contract"]),
        ("ingest", below),
        ("sessions", below),
        ("evaluator", below),
        // Sending knows bundles and grants, never a customer's state.
        (
            "dispatch",
            &["contract", "campaign", "bus", "store", "service"],
        ),
        // It writes outcomes, and reads nothing.
        ("gateway", &["contract", "bus", "service"]),
        ("testkit", below),
    ])
}

/// What a crate must never use outside the workspace.
const NEVER: &[(&str, &[&str])] = &[
    ("contract", &["tokio", "rdkafka", "redis"]),
    ("campaign", &["tokio", "rdkafka", "redis"]),
    ("journey", &["tokio", "rdkafka", "redis"]),
    ("bus", &["redis"]),
    ("store", &["rdkafka"]),
    ("service", &["rdkafka", "redis"]),
    ("scenario", &["tokio"]),
];

#[test]
fn crates_depend_as_the_table_says() {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"]
            .as_str()
            .unwrap()
            .trim_start_matches("winback-");
        seen.insert(name.to_owned());
        let uses: Vec<&str> = package["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|dependency| dependency["kind"].is_null())
            .map(|dependency| dependency["name"].as_str().unwrap())
            .collect();
        if let Some(allowed) = table().get(name) {
            for used in uses.iter().filter_map(|used| used.strip_prefix("winback-")) {
                if !allowed.contains(&used) {
                    wrong.push(format!("{name} may not use {used}"));
                }
            }
        }
        for (_, never) in NEVER.iter().filter(|(crate_name, _)| *crate_name == name) {
            wrong.extend(
                uses.iter()
                    .filter(|used| never.contains(used))
                    .map(|used| format!("{name} may never use {used}")),
            );
        }
        let manifest = std::fs::read_to_string(package["manifest_path"].as_str().unwrap()).unwrap();
        if !manifest.contains("[lints]\nworkspace = true") {
            wrong.push(format!("{name} does not take the workspace's lints"));
        }
    }
    assert!(table().keys().all(|name| seen.contains(*name)), "{seen:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the core does is done to a scene: nothing hands the effects on by themselves (`tests/shape.py` counts the rest).
#[test]
fn the_core_is_given_a_scene() {
    let handed_on: Vec<String> = files()
        .into_iter()
        .filter(|path| path.starts_with("crates/journey/src/") && !path.contains("/tests/"))
        .filter(|path| path.ends_with(".rs") && read(path).contains("out: &mut Effects"))
        .collect();
    assert_eq!(handed_on, [""; 0]);
}

/// Words in backticks that look like paths or metrics must exist.
#[test]
fn documents_name_only_what_exists() {
    let all = files();
    let sources: String = all
        .iter()
        .filter(|path| path.ends_with(".rs"))
        .map(|path| read(path))
        .collect();
    let mut wrong = Vec::new();
    let documents = all
        .iter()
        .filter(|path| path.ends_with(".md") || path.starts_with("deploy/"));
    for document in documents {
        let text = read(document);
        for word in text
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|word| !word.contains([' ', '\n', '<', '*', '{', '…']))
        {
            let looks_like_path =
                word.contains('/') && !word.starts_with(['/', '-', '.']) && !word.contains("://");
            let known_top = [
                "crates/",
                "campaigns/",
                "deploy/",
                "docs/",
                "schemas/",
                "tests/",
                "bench/",
            ];
            if looks_like_path
                && known_top.iter().any(|top| word.starts_with(top))
                && !root().join(word).exists()
            {
                wrong.push(format!("{document} names {word}, which does not exist"));
            }
        }
        for word in text
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .filter(|word| word.starts_with("winback_"))
        {
            let name = word.trim_start_matches("winback_");
            let base = ["_bucket", "_sum", "_count"]
                .iter()
                .fold(name, |name, end| name.strip_suffix(end).unwrap_or(name));
            if !name.is_empty()
                && !sources.contains(&format!("\"{base}\""))
                && !sources.contains(word)
            {
                wrong.push(format!(
                    "{document} names the metric {word}, which does not exist"
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_readme_and_the_invariants_are_whole() {
    let invariants = read("docs/invariants.md");
    for number in 1..=12 {
        assert!(
            invariants.contains(&format!("INV-{number}")),
            "docs/invariants.md lacks INV-{number}"
        );
    }
    let reasons = read("docs/reasons.md");
    for reason in winback_contract::Reason::ALL {
        let row = format!("| `{reason}` | {} |", reason.explanation().trim());
        assert!(reasons.contains(&row), "docs/reasons.md lacks: {row}");
    }
    let readme = read("README.md");
    assert!(readme.contains("make demo") && readme.contains("make test"));
}

/// Names that meant several things, or nothing to whoever knows the field, were given up; docs/glossary.md has those that
/// stand for them.
#[test]
fn words_that_were_given_up_stay_away() {
    let types = [
        "Happening",
        "Place",
        "Owned",
        "Ground",
        "Taken",
        "Finished",
        "Fuse",
        "Switch",
        "ThrownBy",
        "Mail",
        "Sent",
        "Station",
        "Told",
        "Weather",
        "Member",
        "Meta",
    ];
    let mut wrong = Vec::new();
    let sources = files()
        .into_iter()
        .filter(|path| path.starts_with("crates/"));
    for path in sources.filter(|path| path.ends_with(".rs")) {
        for (number, line) in read(&path).lines().enumerate() {
            let line = line.trim_start();
            let declared = ["struct ", "enum ", "trait ", "type "]
                .iter()
                .find_map(|kind| {
                    let rest = line.split_once(kind)?;
                    let is_item = rest.0.is_empty() || rest.0.starts_with("pub");
                    is_item.then_some(rest.1)
                });
            let name = declared.and_then(|rest| {
                rest.split(|sign: char| !sign.is_ascii_alphanumeric())
                    .next()
            });
            if name.is_some_and(|name| types.contains(&name)) {
                wrong.push(format!("{path}:{}: {line}", number + 1));
            }
            let of_index = ["crates/journey/", "crates/bus/", "crates/sessions/"];
            if of_index.iter().any(|home| path.starts_with(home)) && line.starts_with("let place ")
            {
                wrong.push(format!("{path}:{}: {line}", number + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
