//! What shops really send, and what must come of it: every file of `tests/cases` is a kind of fault that was met, with its
//! events and every line of what happened that the core must tell, to the second. The binary runs them, as a marketer would.
//!
//! Absent: texts of mails, and what ingest refuses; their tests lie beside dispatch and ingest.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;
use serde_json::Value;
use winback_testkit::files::Folder;
use winback_tests::shop::{binary, run};

/// A file of `tests/cases`.
#[derive(Deserialize)]
struct Case {
    case: String,
    /// What must come out, in words.
    says: String,
    /// What it takes of the shop that all share.
    parts: Vec<String>,
    /// What it has of its own: path to text.
    files: BTreeMap<String, String>,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    label: String,
    /// Days that are simulated of one person.
    days: Option<u32>,
    /// Where a backtest of several persons ends.
    until: Option<String>,
    events: Vec<String>,
    exit: i32,
    expect: Vec<String>,
}

/// Copies files and folders.
fn copy(from: &Path, to: &Path) {
    if from.is_dir() {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(from).unwrap() {
            let entry = entry.unwrap();
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        std::fs::copy(from, to).unwrap();
    }
}

/// `> cart-left: sends `offer`` of a simulation, without explanations.
fn simulated(text: &str) -> Vec<String> {
    let line = |line: &str| {
        let (at, told) = line.split_once("  > ")?;
        let told = match told.split_once(']') {
            Some((told, _)) if told.contains('[') => format!("{told}]"),
            _ => told.to_owned(),
        };
        Some(format!("{} {told}", at.get(..19)?))
    };
    text.lines().filter_map(line).collect()
}

fn transition(told: &Value) -> Option<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if told.is_string() {
        return Some(text(told));
    }
    let (kind, of) = told.as_object()?.iter().next()?;
    let reason = match &of["reason"] {
        Value::Null => String::new(),
        reason => format!(" [{}]", text(reason)),
    };
    match kind.as_str() {
        // Its sending is told.
        "booked" => None,
        "sent" | "held" | "skipped" => Some(format!("{kind} {}{reason}", text(&of["step"]))),
        "ended" => {
            let named = of.get("name").filter(|name| !name.is_null());
            let end = named.unwrap_or_else(|| &of["outcome"]);
            let before = of["entered"] != Value::Bool(true);
            let before = if before { " before it began" } else { "" };
            Some(format!("ended {}{before}", text(end)))
        }
        _ => Some(format!("{kind} {of}")),
    }
}

/// The journeys of a backtest, in order.
fn backtested(out: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(out.join("journeys.jsonl")).unwrap_or_default();
    let line = |line: &str| {
        let record: Value = serde_json::from_str(line).unwrap();
        let of = |name: &str| record[name].as_str().unwrap_or_default().to_owned();
        let told = transition(&record["transition"])?;
        let (at, customer) = (of("at"), of("customer"));
        Some(format!(
            "{} {} {}: {told}",
            &at[..19],
            &customer[..6],
            of("campaign")
        ))
    };
    let mut lines: Vec<String> = text.lines().filter_map(line).collect();
    lines.sort();
    lines
}

/// What comes out otherwise than it must.
fn wrong(case: &Case, shop: &Path) -> Vec<String> {
    let folder = Folder::new("case").unwrap();
    let campaigns = folder.path().join("campaigns");
    std::fs::create_dir_all(&campaigns).unwrap();
    for part in case.parts.iter().filter(|part| shop.join(part).exists()) {
        copy(&shop.join(part), &campaigns.join(part));
    }
    for (path, text) in &case.files {
        folder.write(&format!("campaigns/{path}"), text).unwrap();
    }
    let mut wrong = Vec::new();
    for one in &case.runs {
        let events = folder
            .write("events.jsonl", &(one.events.join("\n") + "\n"))
            .unwrap();
        let out = folder.path().join("out");
        let mut command = Command::new(binary().unwrap());
        let verb = if one.days.is_some() {
            "simulate"
        } else {
            "backtest"
        };
        command
            .arg(verb)
            .arg(&campaigns)
            .arg("--events")
            .arg(events);
        if let Some(days) = one.days {
            command.args(["--days", &days.to_string()]);
        }
        if let Some(until) = &one.until {
            command.args(["--until", until]).arg("--out").arg(&out);
        }
        let (exit, stdout, _) = run(&mut command).unwrap();
        let got = if one.days.is_some() {
            simulated(&stdout)
        } else {
            backtested(&out)
        };
        if got != one.expect || exit != one.exit {
            let (must, is) = (one.expect.join("\n    "), got.join("\n    "));
            wrong.push(format!(
                "{} ({}): {}\n  must be, exit {}:\n    {must}\n  is, exit {exit}:\n    {is}",
                case.case, one.label, case.says, one.exit
            ));
        }
    }
    wrong
}

#[test]
fn every_case_of_a_shop_comes_out_right() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let files = std::fs::read_dir(&cases).unwrap();
    let mut files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    files.sort();
    let mut found = Vec::new();
    for file in &files {
        let text = std::fs::read_to_string(file).unwrap();
        let case: Case = serde_json::from_str(&text).unwrap();
        assert!(!case.runs.is_empty(), "{}", case.case);
        found.extend(wrong(&case, &cases.join("shop")));
    }
    assert!(files.len() > 50, "{} cases", files.len());
    assert!(found.is_empty(), "{}", found.join("\n\n"));
}
