//! From files as written to a compiled bundle, gathering every problem on the way instead of the first.

mod cascade;
mod lint;
mod policy;
mod pools;
mod relations;
mod rules;
mod schedule;
mod scopes;
mod start;
mod step;

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub(crate) use relations::conditions;
pub(crate) use scopes::{JUDGED, ON_ARRIVAL, ON_DELAY, ON_EXIT};

use crate::bundle::Files;
use crate::condition::{Condition, Wanted};
use crate::diagnostic::{Position, Report, did_you_mean};
use crate::duration;
use crate::model::{Campaign, Delay, Exit, InFlight, Mode, Pattern, SpanRange};
use crate::names::Kind;
use crate::policy::{Policy, Setting};
use crate::template::Templates;
use crate::yaml::{self, CampaignFile, PolicyFile, Spanned, position, values::percent};

use winback_contract::{Span, spec};

/// Everything a folder compiles to.
pub(crate) type Parts = (Policy, BTreeMap<String, Campaign>, Templates);

/// Compiles all files; problems go to the report.
pub(crate) fn files(files: &Files, report: &mut Report) -> Option<Parts> {
    let mut policies = Vec::new();
    let mut campaigns = Vec::new();
    for (path, text) in &files.0 {
        if !is_compiled(path) {
            continue;
        }
        lint::empty_values(path, text, report);
        match kind(path, text, report).as_deref() {
            Some("Policy") => policies.push(path),
            Some("Campaign") => campaigns.push(path),
            _ => {}
        }
    }
    let policy = match policies.as_slice() {
        [path] => read::<PolicyFile>(path, &files.0[*path], report)
            .and_then(|file| policy::compile(path, file, report)),
        [] => {
            report.error("policy.yaml", None, "there is no Policy", help("a shop needs one file of `kind: Policy`: sender, zone, quiet hours, consent, caps"));
            None
        }
        [_, second, ..] => {
            report.error(
                second,
                None,
                "there is a second Policy",
                help("a shop has one; join them"),
            );
            None
        }
    };
    let templates = Templates::compile(files, report);
    let mut compiled = BTreeMap::new();
    let mut read_files = Vec::new();
    // A campaign may speak of any other: all names come first, also those of files that can't be read.
    let mut names = BTreeSet::new();
    let mut unread: BTreeSet<&String> = files.0.keys().collect();
    for path in campaigns {
        if let Some(file) = read::<CampaignFile>(path, &files.0[path], report) {
            names.insert(file.metadata.name.value.clone());
            unread.remove(path);
            read_files.push((path, file));
        }
    }
    let folders = unread
        .iter()
        .filter_map(|path| path.strip_suffix("/campaign.yaml"));
    names.extend(folders.map(|folder| folder.rsplit('/').next().unwrap_or(folder).to_owned()));
    let mut places = BTreeMap::new();
    for (path, file) in read_files {
        let Some(policy) = &policy else { continue };
        places.insert(file.metadata.name.value.clone(), path.clone());
        let mut scope = Scope {
            path,
            policy,
            templates: &templates,
            names: &names,
            kinds: policy::kinds(policy),
            report,
        };
        let at = position(&file.metadata.name);
        if let Some(campaign) = scope.campaign(file) {
            lint::folder(path, &campaign.name, at, report);
            if compiled.contains_key(&campaign.name) {
                report.error(
                    path,
                    at,
                    format!("there is another campaign named `{}`", campaign.name),
                    help("names are unique"),
                );
            } else {
                compiled.insert(campaign.name.clone(), campaign);
            }
        }
    }
    relations::check(&compiled, &places, report);
    if let Some(policy) = &policy {
        templates.check_language(&policy.locale, report);
    }
    policy.map(|policy| (policy, compiled, templates))
}

/// Whether a file says something of campaigns or the Policy.
fn is_compiled(path: &str) -> bool {
    (path.ends_with(".yaml") || path.ends_with(".yml")) && !path.ends_with("tests.yaml")
}

pub(crate) use pools::single_use_pools;
pub(crate) use relations::newcomer;

/// The folder of a campaign that a file belongs to: its own, or the one above its templates.
pub(crate) fn folder_of(path: &str) -> &str {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    folder
        .split_once("/templates")
        .map_or(folder, |(folder, _)| folder)
}

fn help(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn kind(path: &str, text: &str, report: &mut Report) -> Option<String> {
    let head: yaml::Head = read(path, text, report)?;
    if head.api_version.as_ref().map(|v| v.value.as_str()) != Some("winback/v1") {
        let at = head.api_version.as_ref().and_then(position);
        report.error(
            path,
            at,
            "the file does not begin with `apiVersion: winback/v1`",
            None,
        );
        return None;
    }
    let Some(kind) = head.kind else {
        report.error(
            path,
            None,
            "the file has no `kind`",
            help("write `kind: Campaign` or `kind: Policy`"),
        );
        return None;
    };
    if !["Campaign", "Policy"].contains(&kind.value.as_str()) {
        let hint = did_you_mean(&kind.value, ["Campaign", "Policy"])
            .or_else(|| help("it is Campaign or Policy"));
        report.error(
            path,
            position(&kind),
            format!("unknown kind `{}`", kind.value),
            hint,
        );
    }
    Some(kind.value)
}

fn read<T: serde::de::DeserializeOwned>(path: &str, text: &str, report: &mut Report) -> Option<T> {
    match yaml::read(text) {
        Ok(file) => Some(file),
        Err((at, message)) => {
            let hint = unknown_field(&message);
            report.error(path, at, message, hint);
            None
        }
    }
}

/// From `unknown field "x", expected one of a, b` to a suggestion, if one of them is near.
fn unknown_field(message: &str) -> Option<String> {
    let (wrong, expected) = message
        .strip_prefix("unknown field")?
        .split_once("expected")?;
    let word = wrong.trim_matches(|c: char| !c.is_alphanumeric());
    let known = expected
        .trim()
        .trim_start_matches("one of")
        .split([',', ' '])
        .map(|name| name.trim_matches('`'));
    did_you_mean(word, known.filter(|name| !name.is_empty()))
}

/// The name of an event: a known one in its own spelling; an unknown one is the shop's own, and worth a warning.
fn event_name(name: &str, (path, at): (&str, Option<Position>), report: &mut Report) -> String {
    if let Some(known) = spec::lookup(name) {
        return known.name.to_owned();
    }
    if !spec::DERIVED.contains(&name) {
        let known = spec::events().map(|event| event.name);
        let hint = did_you_mean(name, known)
            .or_else(|| help("it is taken as an event of the shop's own, by its exact name"));
        let message = format!("`{name}` is not an event of the contract");
        report.warning(path, at, message, hint);
    }
    name.to_owned()
}

/// One file being compiled.
pub(crate) struct Scope<'a> {
    pub(crate) path: &'a str,
    pub(crate) policy: &'a Policy,
    pub(crate) templates: &'a Templates,
    /// Names of all campaigns of the bundle.
    pub(crate) names: &'a BTreeSet<String>,
    /// Types of Policy's settings.
    pub(crate) kinds: HashMap<String, Kind>,
    pub(crate) report: &'a mut Report,
}

impl Scope<'_> {
    pub(crate) fn error(
        &mut self,
        at: Option<Position>,
        message: impl Into<String>,
        hint: Option<String>,
    ) {
        self.report.error(self.path, at, message, hint);
    }

    fn campaign(&mut self, file: CampaignFile) -> Option<Campaign> {
        let spec = file.spec.value;
        self.name(&file.metadata.name);
        let group = self.known(&file.metadata.group, "group", self.policy.groups.keys());
        let topic = self.topic(spec.topic.as_ref());
        let priority = self.priority(file.metadata.priority.as_ref());
        let mode = self.mode(spec.mode.as_ref());
        let (in_flight, existing) = self.rollout(spec.rollout.as_ref());
        let lag_expires = self.word(
            spec.on_input_lag.as_ref(),
            "on_input_lag",
            false,
            &[("wait", false), ("expire", true)],
        );
        let holdout = spec.holdout.as_ref().map_or(0, |text| self.share(text));
        let (goals, goal_within) = self.goal(spec.goal.as_ref());
        let starts: Vec<_> = spec
            .enter
            .value
            .0
            .iter()
            .filter_map(|part| self.start(part, position(&spec.enter)))
            .collect();
        let audience = spec
            .audience
            .as_ref()
            .and_then(|text| self.expression(text, JUDGED, Wanted::Answer));
        let (exits, over_at) = self.exits(spec.exit.as_ref());
        let replaces = spec
            .replaces
            .as_ref()
            .map(|words| self.campaigns(words))
            .unwrap_or_default();
        let hourless = starts.iter().any(|start| start.kind.answers().has_no_hour);
        let layout = cascade::Layout {
            campaign: &file.metadata.name.value,
            topic: &topic,
            entries: Vec::new(),
            steps: BTreeSet::new(),
        };
        let entries = self.cascade(&spec.cascade, layout);
        let mut campaign = Campaign {
            first_at: hourless.then_some(self.policy.hour),
            title: file
                .metadata
                .title
                .unwrap_or_else(|| file.metadata.name.value.clone()),
            name: file.metadata.name.value,
            covers: file.metadata.covers,
            group,
            priority,
            mode,
            topic,
            replaces,
            starts,
            audience,
            exits,
            over_at,
            goals,
            goal_within,
            entries,
            holdout,
            in_flight,
            existing,
            lag_expires,
            entry_fields: BTreeSet::new(),
        };
        campaign.entry_fields = relations::entry_fields(
            &campaign,
            &self
                .templates
                .entry_fields(step::campaign_folder(self.path)),
        );
        Some(campaign)
    }

    fn priority(&mut self, given: Option<&Spanned<u8>>) -> u8 {
        let priority = given.map_or(50, |priority| priority.value);
        if priority > 100 {
            let at = given.and_then(position);
            self.error(at, "a priority is a number from 0 to 100", None);
        }
        priority
    }

    fn mode(&mut self, given: Option<&Spanned<String>>) -> Mode {
        let words = [
            ("live", Mode::Live),
            ("shadow", Mode::Shadow),
            ("paused", Mode::Paused),
        ];
        self.word(given, "mode", Mode::Live, &words)
    }

    /// What becomes of journeys of the version before, and how long whoever is there already is taken in.
    fn rollout(&mut self, given: Option<&yaml::campaign::Rollout>) -> (InFlight, Option<Span>) {
        let in_flight = self.word(
            given.and_then(|rollout| rollout.in_flight.as_ref()),
            "in_flight",
            InFlight::Finish,
            &[("finish", InFlight::Finish), ("drop", InFlight::Drop)],
        );
        let existing = given
            .and_then(|rollout| rollout.existing.as_ref())
            .filter(|text| text.value != "skip")
            .map(|text| self.span(text).from);
        (in_flight, existing)
    }

    fn topic(&mut self, given: Option<&Spanned<String>>) -> String {
        if let Some(topic) = given {
            return self.known(topic, "topic", self.policy.topics.keys());
        }
        if !self.policy.topics.contains_key("marketing") {
            let message = "Policy has no topic `marketing`, and the campaign names no other";
            self.error(None, message, None);
        }
        "marketing".to_owned()
    }

    fn goal(&mut self, goal: Option<&yaml::campaign::Goal>) -> (Vec<Pattern>, Span) {
        let within = goal
            .and_then(|goal| goal.within.as_ref())
            .map_or(Span::from_days(3), |within| self.span(within).from);
        let patterns = goal
            .and_then(|goal| goal.on.as_ref())
            .map(|patterns| self.patterns(patterns, ON_EXIT))
            .unwrap_or_default();
        (patterns, within)
    }

    fn exits(&mut self, part: Option<&yaml::campaign::ExitPart>) -> (Vec<Exit>, Option<Condition>) {
        let Some(part) = part else {
            return (Vec::new(), None);
        };
        let mut exits = Vec::new();
        for (patterns, converted) in [(&part.converted, true), (&part.cancelled, false)] {
            exits.extend(
                patterns
                    .iter()
                    .flat_map(|patterns| self.patterns(patterns, ON_EXIT))
                    .map(|pattern| Exit { pattern, converted }),
            );
        }
        let over_at = part
            .at
            .as_ref()
            .and_then(|text| self.expression(text, JUDGED, Wanted::Moment));
        (exits, over_at)
    }

    fn name(&mut self, name: &Spanned<String>) {
        let kebab = !name.value.is_empty()
            && name.value.len() <= 64
            && name.value.split('-').all(|part| {
                !part.is_empty()
                    && part
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            });
        if !kebab {
            self.error(position(name), format!("`{}` is not a name", name.value), help("names are kebab-case: small letters, digits and single dashes, such as cart-left"));
        }
    }

    /// A name that must exist elsewhere.
    pub(crate) fn known<'k>(
        &mut self,
        name: &Spanned<String>,
        what: &str,
        known: impl Iterator<Item = &'k String> + Clone,
    ) -> String {
        self.known_at(position(name), &name.value, what, known)
    }

    pub(crate) fn known_at<'k>(
        &mut self,
        at: Option<Position>,
        name: &str,
        what: &str,
        known: impl Iterator<Item = &'k String> + Clone,
    ) -> String {
        if !known.clone().any(|k| *k == name) {
            let words: Vec<&str> = known.map(String::as_str).collect();
            let hint = did_you_mean(name, words.iter().copied())
                .unwrap_or_else(|| format!("there is: {}", words.join(", ")));
            self.error(at, format!("unknown {what} `{name}`"), Some(hint));
        }
        name.to_owned()
    }

    pub(crate) fn word<T: Copy>(
        &mut self,
        given: Option<&Spanned<String>>,
        what: &str,
        default: T,
        words: &[(&str, T)],
    ) -> T {
        let Some(given) = given else { return default };
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == given.value) {
            return *value;
        }
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        self.error(
            position(given),
            format!("`{what}` can't be `{}`", given.value),
            Some(format!("it is one of: {}", known.join(", "))),
        );
        default
    }

    fn share(&mut self, text: &Spanned<String>) -> u32 {
        percent(&text.value).unwrap_or_else(|message| {
            self.error(position(text), message, None);
            0
        })
    }

    /// A literal, a range, or `settings.name`.
    pub(crate) fn span(&mut self, text: &Spanned<String>) -> SpanRange {
        let zero = SpanRange {
            from: Span::ZERO,
            to: Span::ZERO,
        };
        if let Some(name) = text.value.trim().strip_prefix("settings.") {
            return match self.policy.settings.get(name) {
                Some(Setting::Span(range)) => *range,
                Some(_) => {
                    self.error(
                        position(text),
                        format!("setting `{name}` is not a duration"),
                        None,
                    );
                    zero
                }
                None => {
                    let hint = did_you_mean(name, self.policy.settings.keys().map(String::as_str));
                    self.error(
                        position(text),
                        format!("Policy has no setting `{name}`"),
                        hint,
                    );
                    zero
                }
            };
        }
        duration::parse_range(&text.value).unwrap_or_else(|message| {
            self.error(position(text), message, None);
            zero
        })
    }

    /// A literal that starts with a digit, `settings.name`, or CEL of a duration or a moment.
    pub(crate) fn delay(&mut self, text: &Spanned<String>, allowed: &[&str]) -> Delay {
        let trimmed = text.value.trim();
        let setting = trimmed
            .strip_prefix("settings.")
            .and_then(|name| self.policy.settings.get(name));
        if trimmed.starts_with(|c: char| c.is_ascii_digit())
            || matches!(setting, Some(Setting::Span(_)))
        {
            return Delay::Fixed(self.span(text));
        }
        self.expression(text, allowed, Wanted::Moment)
            .map_or(Delay::NONE, Delay::Computed)
    }

    /// A condition or expression whose names and types fit.
    pub(crate) fn expression(
        &mut self,
        text: &Spanned<String>,
        allowed: &[&str],
        wanted: Wanted,
    ) -> Option<Condition> {
        let at = position(text);
        let condition = match Condition::compile(&text.value, allowed) {
            Ok(condition) => condition,
            Err(problems) => {
                for problem in problems {
                    // Positions inside a plain scalar of one line add to the place of the scalar.
                    let place = match (at, problem.at) {
                        (Some(outer), Some(inner)) if inner.line <= 1 => Some(Position {
                            line: outer.line,
                            column: outer.column + inner.column.saturating_sub(1),
                        }),
                        (outer, _) => outer,
                    };
                    self.error(place, problem.message, problem.help);
                }
                return None;
            }
        };
        if let Some(why) = condition.mistyped(wanted, &self.kinds) {
            let hint = why
                .contains("Duration")
                .then(|| "durations are written as days(60), hours(2) or minutes(20)".to_owned());
            let message = format!("`{}` has the wrong type: {why}", text.value.trim());
            self.error(at, message, hint);
        }
        let policy = self.policy;
        for name in condition.literals("segment") {
            self.known_at(at, &name, "segment", policy.segments.keys());
        }
        let names = self.names;
        for name in condition.literals("campaign") {
            self.known_at(at, &name, "campaign", names.iter());
        }
        for name in condition.literals("can") {
            if winback_contract::Channel::parse(&name).is_none() {
                self.error(at, format!("unknown channel `{name}`"), None);
            }
        }
        for name in condition.asks("settings").flatten().unwrap_or_default() {
            self.known_at(at, &name, "setting", policy.settings.keys());
        }
        Some(condition)
    }

    pub(crate) fn patterns(
        &mut self,
        patterns: &Spanned<yaml::Patterns>,
        allowed: &[&str],
    ) -> Vec<Pattern> {
        if patterns.value.0.is_empty() {
            self.error(position(patterns), "the list of events is empty", None);
        }
        self.pattern_list(&patterns.value, position(patterns), allowed)
    }

    pub(crate) fn pattern_list(
        &mut self,
        patterns: &yaml::Patterns,
        at: Option<Position>,
        allowed: &[&str],
    ) -> Vec<Pattern> {
        patterns
            .0
            .iter()
            .map(|part| Pattern {
                on: self.events(&part.on.0, at),
                when: part
                    .when
                    .as_ref()
                    .and_then(|text| self.expression(text, allowed, Wanted::Answer)),
            })
            .collect()
    }

    /// Event names: known ones in canonical spelling; unknown ones are the shop's own, and worth a warning.
    pub(crate) fn events(&mut self, names: &[String], at: Option<Position>) -> Vec<String> {
        let mut seen = BTreeSet::new();
        if names.is_empty() {
            self.error(at, "the list of events is empty", None);
        }
        for name in names {
            seen.insert(event_name(name, (self.path, at), self.report));
        }
        seen.into_iter().collect()
    }
}

#[cfg(test)]
mod tests;
