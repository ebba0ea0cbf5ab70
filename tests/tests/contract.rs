//! The published contract: schemas are what the types say, examples are what the services take.
//!
//! `make generate` writes the schemas; without it a difference fails.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::path::{Path, PathBuf};

use serde_json::Value;
use winback_contract::{Decision, FailedReason, JourneyRecord, Outcome, raw::RawMessage, schema};

fn folder(topic: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../schemas")
        .join(topic)
}

/// The schema of a topic or a kind of file is what is committed; written first, if that is asked for.
fn is_committed(name: &str, text: &str) {
    let path = folder(name).join("v1.json");
    if std::env::var("WINBACK_GENERATE").is_ok() {
        std::fs::create_dir_all(folder(name)).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "{} differs from the types: run `make generate` and review",
        path.display()
    );
}

#[test]
fn schemas_are_what_the_types_say() {
    for (topic, schema) in schema::public() {
        is_committed(
            topic,
            &format!("{}\n", serde_json::to_string_pretty(&schema).unwrap()),
        );
    }
}

#[test]
fn schemas_of_campaign_files_are_what_the_reader_takes() {
    for kind in ["campaign", "policy"] {
        let mut command = std::process::Command::new(winback_tests::binary().unwrap());
        command.args(["check", "--schema", kind]);
        let (code, text, errors) = winback_tests::run(&mut command).unwrap();
        assert_eq!(code, 0, "{errors}");
        is_committed(kind, &text);
    }
}

fn examples(topic: &str) -> Vec<(PathBuf, Value)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder(topic).join("examples")).unwrap() {
        let path = entry.unwrap().path();
        let value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap());
        all.push((
            path.clone(),
            value.unwrap_or_else(|error| panic!("{}: {error}", path.display())),
        ));
    }
    assert!(!all.is_empty(), "{topic} has examples");
    all
}

/// Reads an example as its type, writes it, and finds the same.
fn check<T: serde::de::DeserializeOwned + serde::Serialize>(topic: &str) {
    for (path, value) in examples(topic) {
        let typed: T = serde_json::from_value(value.clone())
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(
            serde_json::to_value(&typed).unwrap(),
            value,
            "{}",
            path.display()
        );
    }
}

#[test]
fn examples_are_what_the_types_read_and_write() {
    check::<RawMessage>("raw");
    check::<Decision>("decisions");
    check::<Outcome>("outcomes");
    check::<JourneyRecord>("journeys");
}

/// The table of reasons in the docs is what the code says; written first, if that is asked for.
#[test]
fn the_docs_list_every_reason_of_the_failed_topic() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/events.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- failed reasons -->\n", "<!-- end -->");
    let (head, rest) = text.split_once(begin).expect("the table has its place");
    let (_, tail) = rest.split_once(end).expect("the table has an end");
    let mut wanted = format!("{head}{begin}| reason | what it says |\n|---|---|\n");
    for reason in FailedReason::ALL {
        let line = format!("| `{reason}` | {} |\n", reason.explanation().trim());
        wanted.push_str(&line);
    }
    wanted.push_str(end);
    wanted.push_str(tail);
    if std::env::var("WINBACK_GENERATE").is_ok() {
        std::fs::write(&path, &wanted).unwrap();
        return;
    }
    assert!(
        text == wanted,
        "docs/events.md differs from the code: run `make generate` and review"
    );
}

/// The reference of events is what the table of the contract says; written first, if that is asked for.
#[test]
fn the_reference_of_events_is_what_the_contract_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/storefront/events.md");
    let wanted = winback_contract::spec::guide::reference();
    if std::env::var("WINBACK_GENERATE").is_ok() {
        std::fs::write(&path, &wanted).unwrap();
        return;
    }
    assert!(
        std::fs::read_to_string(&path).unwrap_or_default() == wanted,
        "docs/storefront/events.md differs from the code: run `make generate` and review"
    );
}
