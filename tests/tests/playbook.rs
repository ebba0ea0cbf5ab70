//! The playbook is executable: every row names something that exists, every campaign passes its own cases, in three
//! languages, under the policies of a small and of a large shop.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use winback_testkit::files::Folder;
use winback_tests::{binary, run};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

fn campaigns() -> BTreeSet<String> {
    std::fs::read_dir(root().join("campaigns"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("campaign.yaml").exists())
        .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect()
}

fn winback(arguments: &[&str]) -> (i32, String, String) {
    run(Command::new(binary().unwrap())
        .args(arguments)
        .current_dir(root()))
    .unwrap()
}

#[test]
fn every_row_names_something_that_exists() {
    let table = read("docs/playbook.md");
    let known = campaigns();
    let alerts = read("deploy/prometheus/alerts.yml");
    for number in 1..=82 {
        let row = table
            .lines()
            .find(|line| line.starts_with(&format!("| P{number} |")));
        let row = row.unwrap_or_else(|| panic!("P{number} has no row"));
        let said = row.split('|').nth(2).unwrap().trim();
        assert!(!said.is_empty(), "P{number} is empty");
        let words: Vec<&str> = said.split('`').skip(1).step_by(2).collect();
        assert!(
            !words.is_empty() || said.starts_with("background figure"),
            "P{number} names nothing: {said}"
        );
        if said.starts_with("campaign") {
            assert!(
                words.iter().any(|word| known.contains(*word)),
                "P{number}: {said}"
            );
        }
        if let Some(alert) = said.strip_prefix("alert `") {
            let name = alert.split('`').next().unwrap();
            assert!(
                alerts.contains(&format!("alert: {name}")),
                "P{number}: {name}"
            );
        }
    }
    for number in 1..=34 {
        let row = table
            .lines()
            .find(|line| line.starts_with(&format!("| C{number} |")));
        assert!(row.is_some(), "C{number} has no row");
    }
}

#[test]
fn campaigns_cover_rows_that_exist_and_have_cases_and_three_languages() {
    for name in campaigns() {
        let file = read(&format!("campaigns/{name}/campaign.yaml"));
        let covers = file
            .split("covers: [")
            .nth(1)
            .unwrap_or_else(|| panic!("{name} has no `covers: [rows of docs/playbook.md]`"))
            .split(']')
            .next()
            .unwrap();
        for row in covers.split(',').map(str::trim) {
            let (kind, number) = row.split_at(1);
            let most = if kind == "C" { 34 } else { 82 };
            assert!(
                (1..=most).contains(&number.parse::<u32>().unwrap()),
                "{name} covers {row}"
            );
        }
        assert!(
            root().join(format!("campaigns/{name}/tests.yaml")).exists(),
            "{name} has no cases"
        );
        let folder = root().join(format!("campaigns/{name}/templates"));
        let Ok(entries) = std::fs::read_dir(&folder) else {
            continue;
        };
        let files: BTreeSet<String> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        for file in &files {
            let parts: Vec<&str> = file.split('.').collect();
            for locale in ["en", "ru", "uk"] {
                let other = format!("{}.{}.{locale}.{}", parts[0], parts[1], parts[3]);
                assert!(files.contains(&other), "{name} lacks {other}");
            }
        }
    }
}

#[test]
fn every_campaign_passes_its_own_cases() {
    let (code, out, err) = winback(&["test", "campaigns"]);
    assert_eq!(code, 0, "{out}\n{err}");
    for name in campaigns() {
        assert!(
            out.contains(&format!("ok      {name}: ")),
            "{name} was not tested"
        );
    }
}

#[test]
fn a_case_that_is_wrong_fails_and_says_what_happened() {
    let folder = Folder::new("wrong").unwrap();
    for file in [
        "policy.yaml",
        "shared/mail.mjml",
        "thanks/campaign.yaml",
        "thanks/templates/thanks.email.en.mjml",
    ] {
        folder
            .write(&format!("c/{file}"), &read(&format!("campaigns/{file}")))
            .unwrap();
    }
    let cases = "cases:\n  - name: too late\n    when: [ { at: 0s, event: Order Completed, with: { order_id: o1 } } ]\n    then: [ { step: thanks, at: 2h } ]\n";
    folder.write("c/thanks/tests.yaml", cases).unwrap();
    let path = folder.path().join("c").display().to_string();
    let (code, out, _) = winback(&["test", &path]);
    assert_eq!(code, 1, "{out}");
    assert!(
        out.contains("failed  thanks: too late") && out.contains("`thanks` went at"),
        "{out}"
    );
    assert!(out.contains("thanks: sends `thanks`"), "{out}");
}

#[test]
fn a_small_and_a_large_shop_can_run_them_all() {
    for profile in ["small-shop", "large-shop"] {
        let folder = Folder::new(profile).unwrap();
        copy(&root().join("campaigns"), &folder.path().join("c"));
        folder
            .write(
                "c/policy.yaml",
                &read(&format!("docs/profiles/{profile}.yaml")),
            )
            .unwrap();
        let path = folder.path().join("c").display().to_string();
        let (code, out, err) = winback(&["check", &path]);
        assert_eq!(code, 0, "{profile}: {out}{err}");
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            std::fs::copy(&path, &target).unwrap();
        }
    }
}

#[test]
fn campaigns_are_told_in_plain_sentences() {
    let (code, out, _) = winback(&["explain", "campaigns", "cart-left"]);
    assert_eq!(code, 0);
    for sentence in [
        "20m of inactivity after",
        "Sends `reminder` by email",
        "Whoever clicked or replied or visited meanwhile is left alone",
        "with a code of CART10 for 4d, if the offer guard allows it",
        "ends at once as converted at Order Completed",
    ] {
        assert!(out.contains(sentence), "{sentence}: {out}");
    }
    let (code, diagram, _) = winback(&["explain", "campaigns", "apology", "--mermaid"]);
    assert!(
        code == 0 && diagram.starts_with("flowchart TD"),
        "{diagram}"
    );
    let (code, texts, _) = winback(&["preview", "campaigns", "cart-left", "--locale", "uk"]);
    assert!(
        code == 0 && texts.contains("Subject: Ви залишили товари в кошику"),
        "{texts}"
    );
}

/// A recipe is copied: what stands in the page passes `check` and its own cases.
#[test]
fn recipes_pass_check_and_their_cases() {
    let page = read("docs/campaigns/recipes.md");
    let folder = Folder::new("recipes").unwrap();
    let mut names = BTreeSet::new();
    for part in page.split("<!-- file: ").skip(1) {
        let (name, rest) = part.split_once(" -->\n```").unwrap();
        let (_, rest) = rest.split_once('\n').unwrap();
        let (text, _) = rest.split_once("\n```").unwrap();
        folder.write(name, &format!("{text}\n")).unwrap();
        names.extend(name.split_once('/').map(|(recipe, _)| recipe));
    }
    assert!(names.len() >= 8, "{names:?}");
    let path = folder.path().display().to_string();
    for name in &names {
        assert!(
            folder.path().join(name).join("tests.yaml").exists(),
            "{name}"
        );
    }
    for command in ["check", "test"] {
        let (code, out, errors) = winback(&[command, &path]);
        assert_eq!(code, 0, "{command}: {out}{errors}");
    }
}
