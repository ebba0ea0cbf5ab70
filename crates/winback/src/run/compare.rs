//! Two runs over the same events: what the one campaign folder does that the other does not.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use winback_contract::Reason;

use super::findings::Findings;

/// One campaign under both folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) campaign: String,
    /// Entered, messages, stopped by purchase, held by caps: here and there.
    pub(crate) entered: (u64, u64),
    pub(crate) messages: (u64, u64),
    pub(crate) bought: (u64, u64),
    pub(crate) capped: (u64, u64),
    /// Customers who hear from it only here, and only there.
    pub(crate) only: (u64, u64),
}

/// Rows of all campaigns that either knows.
pub(crate) fn rows(here: &Findings, there: &Findings) -> Vec<Row> {
    let names: BTreeSet<&String> = here.sums.keys().chain(there.sums.keys()).collect();
    let row = |name: &String| {
        let both = |count: &dyn Fn(&Findings) -> u64| (count(here), count(there));
        let of = |map: fn(&super::report::Sums) -> u64| {
            both(&move |found: &Findings| found.sums.get(name).map_or(0, map))
        };
        let (none_here, none_there) = (BTreeSet::new(), BTreeSet::new());
        let mine = here.people.get(name).unwrap_or(&none_here);
        let theirs = there.people.get(name).unwrap_or(&none_there);
        Row {
            campaign: name.clone(),
            entered: of(|sums| sums.entered),
            messages: of(|sums| sums.sent.values().sum()),
            bought: of(|sums| sums.ended.get(&Reason::Converted).copied().unwrap_or(0)),
            capped: of(|sums| sums.held.get(&Reason::Capped).copied().unwrap_or(0)),
            only: (
                mine.difference(theirs).count() as u64,
                theirs.difference(mine).count() as u64,
            ),
        }
    };
    names.into_iter().map(row).collect()
}

/// For people.
pub(crate) fn text(rows: &[Row]) -> String {
    let mut out = format!(
        "{:<28} {:>19} {:>19} {:>19} {:>19} {:>19}\n",
        "this, against the other",
        "entered",
        "messages",
        "stopped by purchase",
        "held by a cap",
        "people only here/there"
    );
    for row in rows {
        let pair = |(here, there): (u64, u64)| format!("{here} / {there}");
        // Writing to a String can't fail.
        let _done = writeln!(
            out,
            "{:<28} {:>19} {:>19} {:>19} {:>19} {:>19}",
            row.campaign,
            pair(row.entered),
            pair(row.messages),
            pair(row.bought),
            pair(row.capped),
            pair(row.only)
        );
    }
    out
}

/// For tables.
pub(crate) fn csv(rows: &[Row]) -> String {
    let mut out = String::from("campaign,measure,here,there\n");
    for row in rows {
        for (measure, (here, there)) in [
            ("entered", row.entered),
            ("messages", row.messages),
            ("stopped_by_purchase", row.bought),
            ("held_by_a_cap", row.capped),
            ("people_of_one_only", row.only),
        ] {
            let _done = writeln!(out, "{},{measure},{here},{there}", row.campaign);
        }
    }
    out
}
