//! `winback test DIR`: the cases of `tests.yaml` beside each campaign, run by the loops of production in virtual time.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value};
use winback_campaign::{Bundle, Files, Report};
use winback_contract::{Channel, OutcomeStatus, Span, Timestamp, Transition};

use crate::error::Error;
use crate::output;
use crate::run::case::{Case, USER, words};

/// Arguments of test.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The folder with policy.yaml and a folder per campaign
    folder: PathBuf,
    /// Only this campaign
    campaign: Option<String>,
    /// Print what happened in every case
    #[arg(short, long)]
    verbose: bool,
}

/// `tests.yaml`.
#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Cases {
    /// Other campaigns that run beside this one.
    #[serde(default)]
    with: Vec<String>,
    cases: Vec<Given>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Given {
    name: String,
    /// Local time of the shop, such as `2026-03-02 10:00`.
    #[serde(default = "monday")]
    start: String,
    /// Id of the person: halves and shares are drawn by it.
    #[serde(default = "somebody")]
    person: String,
    /// Traits of the person; an address is there unless it is taken away.
    #[serde(default)]
    customer: Map<String, Value>,
    /// Channels agreed to, beside what Policy allows.
    #[serde(default)]
    consents: Vec<Channel>,
    /// What happens, in order of time.
    when: Vec<Happens>,
    /// How long to look on after the last of it.
    #[serde(default = "ten_days")]
    until: String,
    /// What goes out: all of it, in order.
    then: Vec<Expected>,
    /// How the campaign's last journey ends.
    #[serde(default)]
    ends: Option<String>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Happens {
    /// Since the start, such as `1d 2h`; a leading minus is before it.
    at: String,
    /// A storefront event.
    #[serde(default)]
    event: Option<String>,
    /// Its properties.
    #[serde(default, rename = "with")]
    properties: Map<String, Value>,
    /// A reaction to the newest message.
    #[serde(default)]
    react: Option<OutcomeStatus>,
}

#[derive(Deserialize, Debug)]
#[serde(deny_unknown_fields)]
struct Expected {
    step: String,
    #[serde(default)]
    channel: Option<Channel>,
    /// Since the start.
    #[serde(default)]
    at: Option<String>,
    /// Local time of the shop, such as `2026-03-09 10:00`.
    #[serde(default)]
    on: Option<String>,
}

fn somebody() -> String {
    USER.into()
}

fn monday() -> String {
    "2026-03-02 10:00".into()
}

fn ten_days() -> String {
    "10d".into()
}

/// Runs it.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Error> {
    let (files, whole, _) = super::check::compiled(
        &arguments.folder,
        "the campaigns have errors; nothing was run",
    )?;
    super::check::has(&whole, &arguments.folder, arguments.campaign.as_deref())?;
    let (mut passed, mut failed) = (0, 0);
    for name in whole.campaigns.keys() {
        if arguments.campaign.as_ref().is_some_and(|only| only != name) {
            continue;
        }
        let Some(path) = tests_of(&files, name) else {
            continue;
        };
        let cases: Cases = read(&files, &path)?;
        let part = part_of(&files, &whole, name, &cases.with)?;
        for case in &cases.cases {
            match check(&part, name, case).await {
                Ok(told) => {
                    passed += 1;
                    output::print(&format!("ok      {name}: {}", case.name));
                    if arguments.verbose {
                        output::print(&told);
                    }
                }
                Err(problem) => {
                    failed += 1;
                    output::print(&format!("failed  {name}: {}\n{problem}", case.name));
                }
            }
        }
    }
    if failed > 0 {
        return Err(Error::Findings(format!(
            "{failed} of {} cases failed",
            passed + failed
        )));
    }
    if passed == 0 {
        return Err(Error::Findings(
            "no case was found: write tests.yaml beside campaign.yaml, see docs/campaigns.md"
                .into(),
        ));
    }
    output::print(&format!("{passed} cases passed"));
    Ok(())
}

/// The cases beside the file that defines a campaign.
fn tests_of(files: &Files, campaign: &str) -> Option<String> {
    let path = format!("{campaign}/tests.yaml");
    let nested = format!("/{path}");
    files
        .0
        .keys()
        .find(|known| **known == path || known.ends_with(&nested))
        .cloned()
}

/// Reports files of cases that can't be read, beside a campaign or not.
pub(crate) fn look(files: &Files, report: &mut Report) {
    for (path, text) in &files.0 {
        let Some(folder) = path.strip_suffix("tests.yaml") else {
            continue;
        };
        if let Err((place, message)) = winback_campaign::yaml::read::<Cases>(text) {
            let help = "docs/campaigns.md shows a case".to_owned();
            report.error(path, place, message, Some(help));
        } else if !files.0.contains_key(&format!("{folder}campaign.yaml")) {
            let help = "cases lie beside the campaign.yaml they are about".to_owned();
            report.warning(
                path,
                None,
                "there is no campaign beside these cases",
                Some(help),
            );
        }
    }
}

fn read(files: &Files, path: &str) -> Result<Cases, Error> {
    winback_campaign::yaml::read(&files.0[path]).map_err(|(place, message)| {
        let line = place
            .map(|place| format!(":{}:{}", place.line, place.column))
            .unwrap_or_default();
        Error::Findings(format!("{path}{line}: {message}"))
    })
}

/// Policy, the campaign, those it speaks of, and those the cases ask for: nothing else is in its way.
fn part_of(
    files: &Files,
    whole: &Bundle,
    name: &str,
    with: &[String],
) -> Result<(Files, Bundle), Error> {
    let mut wanted: BTreeSet<String> = with.iter().cloned().collect();
    let mut open = vec![name.to_owned()];
    open.extend(with.iter().cloned());
    while let Some(next) = open.pop() {
        if let Some(campaign) = whole.campaign(&next) {
            for other in campaign.speaks_of() {
                if wanted.insert(other.clone()) {
                    open.push(other);
                }
            }
        }
        wanted.insert(next);
    }
    let is_wanted = |path: &str| {
        let folder = path.split("templates/").next().unwrap_or(path);
        let folder = folder
            .trim_end_matches('/')
            .rsplit('/')
            .next()
            .unwrap_or_default();
        let parent = path.rsplit('/').nth(1).unwrap_or_default();
        !path.contains('/')
            || path.starts_with("shared/")
            || wanted.contains(folder)
            || wanted.contains(parent)
    };
    let part = Files(
        files
            .0
            .iter()
            .filter(|(path, _)| is_wanted(path))
            .map(|(path, text)| (path.clone(), text.clone()))
            .collect(),
    );
    match Bundle::compile(&part) {
        Ok((bundle, _)) => Ok((part, bundle)),
        Err(report) => Err(Error::Findings(format!(
            "{name} can't be run alone:\n{report}"
        ))),
    }
}

fn offset(text: &str) -> Result<Span, String> {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let span: Duration = humantime::parse_duration(text)
        .map_err(|error| format!("`{text}` is not a duration such as 1d 2h: {error}"))?;
    let millis = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    Ok(Span::from_millis(sign * millis))
}

fn local(text: &str, bundle: &Bundle) -> Result<Timestamp, String> {
    let time: jiff::civil::DateTime = text
        .replace(' ', "T")
        .parse()
        .map_err(|_| format!("`{text}` is not a time such as 2026-03-02 10:00"))?;
    let at = bundle
        .policy
        .zone
        .to_timestamp(time)
        .map_err(|error| error.to_string())?;
    Ok(Timestamp::from_millis(at.as_millisecond()))
}

async fn check(part: &(Files, Bundle), name: &str, given: &Given) -> Result<String, String> {
    let (files, bundle) = part;
    let start = local(&given.start, bundle)?;
    let mut last = start;
    let mut first = start;
    for happens in &given.when {
        let at = start + offset(&happens.at)?;
        first = first.min(at);
        last = last.max(at);
    }
    let error = |error: Error| error.to_string();
    let mut case = Case::new(files, bundle, &given.person, first)
        .await
        .map_err(error)?;
    let mut traits = given.customer.clone();
    traits
        .entry("email")
        .or_insert_with(|| "ann@example.com".into());
    traits.retain(|_, value| !value.is_null());
    case.person(&traits, &given.consents).await.map_err(error)?;
    for happens in &given.when {
        case.until(start + offset(&happens.at)?)
            .await
            .map_err(error)?;
        match (&happens.event, happens.react) {
            (Some(event), None) => case
                .event(event, Value::Object(happens.properties.clone()))
                .await
                .map_err(error)?,
            (None, Some(status)) => {
                if !case.react(status).await.map_err(error)? {
                    return Err("nothing was sent that one could react to".into());
                }
            }
            _ => return Err("a happening is an `event` or a `react`".into()),
        }
    }
    case.until(last + offset(&given.until)?)
        .await
        .map_err(error)?;
    let told = case
        .records()
        .iter()
        .filter_map(|record| words(record).map(|words| format!("          {}  {words}", record.at)))
        .collect::<Vec<_>>()
        .join("\n");
    compare(&case, name, given, start, bundle)
        .map_err(|problem| format!("        {problem}\n{told}"))?;
    Ok(told)
}

fn compare(
    case: &Case,
    name: &str,
    given: &Given,
    start: Timestamp,
    bundle: &Bundle,
) -> Result<(), String> {
    if let Some(unread) = case.unread().first() {
        return Err(format!("an event could not be read: {}", unread.text));
    }
    let sent: Vec<_> = case
        .sent()
        .into_iter()
        .filter(|message| message.campaign == name)
        .collect();
    let steps: Vec<&str> = sent.iter().map(|message| message.step.as_str()).collect();
    let wanted: Vec<&str> = given
        .then
        .iter()
        .map(|expected| expected.step.as_str())
        .collect();
    if steps != wanted {
        return Err(format!("sent {steps:?}, expected {wanted:?}"));
    }
    for (message, expected) in sent.iter().zip(&given.then) {
        if expected
            .channel
            .is_some_and(|channel| channel != message.channel)
        {
            return Err(format!("`{}` went by {}", message.step, message.channel));
        }
        let wanted = match (&expected.at, &expected.on) {
            (Some(text), _) => Some(start + offset(text)?),
            (None, Some(text)) => Some(local(text, bundle)?),
            (None, None) => None,
        };
        // Within the minute: a frontier passes a moment after the time it stands for.
        if let Some(wanted) =
            wanted.filter(|wanted| message.at.since(*wanted).as_millis().abs() >= 60_000)
        {
            return Err(format!(
                "`{}` went at {}, expected {wanted}",
                message.step, message.at
            ));
        }
    }
    if let Some(wanted) = &given.ends {
        let records = case.records();
        let ended = records
            .iter()
            .rev()
            .find_map(|record| match &record.transition {
                Transition::Ended {
                    outcome, name: own, ..
                } if record.campaign == name => {
                    Some(own.clone().unwrap_or_else(|| outcome.as_str().to_owned()))
                }
                _ => None,
            });
        if ended.as_ref() != Some(wanted) {
            return Err(format!(
                "it ended as {}, expected {wanted}",
                ended.as_deref().unwrap_or("nothing yet")
            ));
        }
    }
    Ok(())
}
