//! Names that a text asks for, against those there are: a misspelt one inside an `if` is no error to the renderer.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::LazyLock;

use crate::diagnostic::{Report, did_you_mean};

/// Whose fields are whatever the shop sends.
const FREE: &[&str] = &["entry", "answer"];
/// What is there beside the samples.
const MORE: &[&str] = &["stay_until", "recommend"];

/// Reports names that are nowhere: `customer.fist_name`, or `custmer`.
pub(super) fn check(path: &str, names: HashSet<String>, report: &mut Report) {
    // The samples are the same for every text.
    static KNOWN: LazyLock<BTreeMap<String, BTreeSet<String>>> = LazyLock::new(known);
    let known = &*KNOWN;
    let names: BTreeSet<String> = names.into_iter().collect();
    for name in names {
        let mut parts = name.split('.');
        let (Some(first), second) = (parts.next(), parts.next()) else {
            continue;
        };
        let Some(fields) = known.get(first) else {
            if !MORE.contains(&first) {
                let help = did_you_mean(first, known.keys().map(String::as_str));
                report.error(path, None, format!("texts know no `{first}`"), help);
            }
            continue;
        };
        let Some(second) = second.filter(|_| !FREE.contains(&first) && !fields.is_empty()) else {
            continue;
        };
        if !fields.contains(second) {
            let help = did_you_mean(second, fields.iter().map(String::as_str));
            report.error(path, None, format!("`{first}` has no `{second}`"), help);
        }
    }
}

/// Names and their fields, as the samples have them.
fn known() -> BTreeMap<String, BTreeSet<String>> {
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for sample in super::samples::values() {
        for (name, value) in sample.as_object().into_iter().flatten() {
            let fields = known.entry(name.clone()).or_default();
            fields.extend(
                value
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(field, _)| field.clone()),
            );
        }
    }
    known
}
