//! What campaigns say of each other, and what of an entry is worth keeping.

use std::collections::{BTreeMap, BTreeSet};

use crate::condition::Condition;
use crate::diagnostic::{Position, Report, did_you_mean};
use crate::model::{Campaign, Delay, Entry};
use crate::policy::Policy;

/// Cycles of `ended` and of `replaces`, and steps that conditions speak of.
pub(super) fn check(
    campaigns: &BTreeMap<String, Campaign>,
    places: &BTreeMap<String, String>,
    report: &mut Report,
) {
    for (relation, next) in [
        ("ended", after as fn(&Campaign) -> Vec<String>),
        ("replaces", replaced),
    ] {
        for name in campaigns.keys() {
            let reached = reach(name, campaigns, next);
            if reached.contains(name) {
                let file = places.get(name).map_or("", String::as_str);
                let message = format!("`{name}` leads back to itself through `{relation}`");
                report.error(
                    file,
                    None,
                    message,
                    Some(
                        "a journey would begin the next one without end: break the circle"
                            .to_owned(),
                    ),
                );
            }
        }
    }
    for campaign in campaigns.values() {
        let file = places.get(&campaign.name).map_or("", String::as_str);
        for condition in conditions(campaign) {
            for step in condition.literals("sent") {
                if campaign.step(&step).is_none() {
                    let known: Vec<&str> =
                        campaign.steps().map(|step| step.name.as_str()).collect();
                    let message = format!("`journey.sent('{step}')` names no step of the campaign");
                    report.error(
                        file,
                        None,
                        message,
                        Some(format!("its steps are: {}", known.join(", "))),
                    );
                }
            }
        }
    }
}

/// What is asked of a bundle that is published, and not of one that is active already: there it would set everything aside.
pub(crate) fn newcomer(files: &crate::bundle::Files, parts: &super::Parts, report: &mut Report) {
    let (policy, campaigns, _) = parts;
    let names: BTreeSet<String> = campaigns.keys().cloned().collect();
    let yaml = files
        .0
        .iter()
        .filter(|(path, _)| path.ends_with(".yaml") || path.ends_with(".yml"));
    let mut of_policy =
        yaml.filter(|(_, text)| text.lines().any(|line| line.trim() == "kind: Policy"));
    let (path, text) = of_policy
        .next()
        .map_or(("policy.yaml", ""), |(path, text)| (path, text));
    check_policy(policy, (path, text), &names, report);
}

/// Segments and campaigns that conditions of the Policy speak of, by the texts of its file.
fn check_policy(
    policy: &Policy,
    (path, text): (&str, &str),
    names: &BTreeSet<String>,
    report: &mut Report,
) {
    let segments: BTreeSet<String> = policy.segments.keys().cloned().collect();
    let topics = policy.topics.values();
    let of_topics = topics.filter_map(|topic| topic.audience.as_ref());
    for condition in policy.segments.values().chain(of_topics) {
        for (function, known) in [("segment", &segments), ("campaign", names)] {
            for name in condition.literals(function) {
                if known.contains(&name) {
                    continue;
                }
                let at = text.lines().enumerate().find_map(|(number, line)| {
                    Some((number, line.find(&format!("{function}('{name}'"))?))
                });
                let at = at.map(|(number, column)| Position {
                    line: number + 1,
                    column: column + 1,
                });
                let help = did_you_mean(&name, known.iter().map(String::as_str));
                report.error(path, at, format!("unknown {function} `{name}`"), help);
            }
        }
    }
}

/// Names reached from a campaign over one relation.
fn reach(
    from: &str,
    campaigns: &BTreeMap<String, Campaign>,
    next: fn(&Campaign) -> Vec<String>,
) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    let mut open = vec![from.to_owned()];
    while let Some(name) = open.pop() {
        for other in campaigns.get(&name).map(next).unwrap_or_default() {
            if reached.insert(other.clone()) {
                open.push(other);
            }
        }
    }
    reached
}

fn after(campaign: &Campaign) -> Vec<String> {
    campaign
        .starts
        .iter()
        .flat_map(|start| start.kind.answers().campaigns.iter().cloned())
        .collect()
}

fn replaced(campaign: &Campaign) -> Vec<String> {
    campaign.replaces.clone()
}

/// Fields of `entry` that any condition or text of the campaign asks for.
pub(super) fn entry_fields(
    campaign: &Campaign,
    of_templates: &BTreeSet<String>,
) -> BTreeSet<String> {
    let mut fields = of_templates.clone();
    for condition in conditions(campaign) {
        for variable in ["entry", "answer"] {
            if let Some(asked) = condition.asks(variable) {
                fields.extend(asked.unwrap_or_default());
            }
        }
    }
    fields
}

/// All conditions and expressions of a campaign.
pub(crate) fn conditions(campaign: &Campaign) -> Vec<&Condition> {
    let mut found: Vec<&Condition> = Vec::new();
    found.extend(&campaign.audience);
    found.extend(&campaign.over_at);
    for start in &campaign.starts {
        found.extend(&start.when);
        found.extend(&start.key);
        found.extend(&start.each);
        found.extend(start.kind.answers().delay.and_then(computed));
        found.extend(start.kind.answers().moment);
    }
    for pattern in campaign
        .exits
        .iter()
        .map(|exit| &exit.pattern)
        .chain(&campaign.goals)
    {
        found.extend(&pattern.when);
    }
    for entry in &campaign.entries {
        match entry {
            Entry::Step(step) => found.extend(&step.show),
            Entry::Wait { delay, unless, .. } => {
                found.extend(computed(delay));
                found.extend(
                    unless
                        .patterns
                        .iter()
                        .filter_map(|pattern| pattern.when.as_ref()),
                );
            }
            Entry::Await {
                patterns, within, ..
            } => {
                found.extend(computed(within));
                found.extend(patterns.iter().filter_map(|pattern| pattern.when.as_ref()));
            }
            Entry::If { when, .. } => found.push(when),
            Entry::Split { .. } | Entry::Jump(_) | Entry::End(_) => {}
        }
    }
    found
}

fn computed(delay: &Delay) -> Option<&Condition> {
    match delay {
        Delay::Computed(condition) => Some(condition),
        Delay::Fixed(_) => None,
    }
}
