//! `winback simulate DIR --events FILE`: one person's line of time for given events, with every "why not".

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;
use winback_contract::{Span, Timestamp};
use winback_ingest::formats::{Format, translate};

use crate::error::Error;
use crate::output;
use crate::run::case::{Case, USER, words};
use crate::run::unread;

/// Arguments of simulate.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The folder with policy.yaml and a folder per campaign
    folder: PathBuf,
    /// JSON lines as a storefront sends them, in order of `timestamp`; all of one person
    #[arg(long)]
    events: PathBuf,
    /// What the lines look like: segment, shopify or woocommerce
    #[arg(long, default_value = "segment")]
    format: Format,
    /// Only what this campaign does
    #[arg(long)]
    campaign: Option<String>,
    /// How many days to look on after the last event
    #[arg(long, default_value_t = 30)]
    days: i64,
}

/// Why a line is no call.
pub(super) enum NoCall {
    NoJson(String),
    /// Ingest refuses it as well.
    Refused(String),
}

/// A line as a call of Segment.
pub(super) fn as_call(format: Format, line: &str) -> Result<Value, NoCall> {
    let body: Value = serde_json::from_str(line)
        .map_err(|error| NoCall::NoJson(format!("not JSON at column {}", error.column())))?;
    match body {
        Value::Object(body) => translate(format, |_| None, body)
            .map(Value::Object)
            .map_err(|refusal| NoCall::Refused(refusal.detail)),
        other => Ok(other),
    }
}

/// The events with their times and the numbers of their lines.
fn read(arguments: &Arguments) -> Result<Vec<(Timestamp, usize, Value)>, Error> {
    let text = std::fs::read_to_string(&arguments.events)
        .map_err(|error| Error::Usage(format!("{}: {error}", arguments.events.display())))?;
    let mut events = Vec::new();
    for (number, line) in text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
    {
        let place = || format!("{}:{}", arguments.events.display(), number + 1);
        let mut body = match as_call(arguments.format, line) {
            Ok(body) => body,
            Err(NoCall::Refused(detail)) => {
                output::note(&format!("{}: {detail}", place()));
                continue;
            }
            Err(NoCall::NoJson(problem)) => {
                return Err(Error::Usage(format!("{}: {problem}", place())));
            }
        };
        let at = body["timestamp"]
            .as_str()
            .and_then(|text| Timestamp::parse(text).ok())
            .ok_or_else(|| {
                Error::Usage(format!(
                    "{}: `timestamp` is missing or no time in RFC 3339",
                    place()
                ))
            })?;
        // All lines are of the one person of the simulation.
        body["userId"] = USER.into();
        events.push((at, number + 1, body));
    }
    Ok(events)
}

/// Runs it.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Error> {
    let (files, bundle, _) = super::check::compiled(
        &arguments.folder,
        "the campaigns have errors; nothing was run",
    )?;
    super::check::has(&bundle, &arguments.folder, arguments.campaign.as_deref())?;
    let events = read(&arguments)?;
    let Some((first, ..)) = events.first() else {
        return Err(Error::Usage(format!(
            "{} holds no events",
            arguments.events.display()
        )));
    };
    if !events.is_sorted_by_key(|(at, ..)| *at) {
        return Err(Error::Usage(
            "the events are not in order of `timestamp`".into(),
        ));
    }
    let last = events.last().map_or(*first, |(at, ..)| *at);
    let mut case = Case::new(&files, &bundle, USER, *first).await?;
    let mut lines: Vec<(Timestamp, u8, String)> = Vec::new();
    for (at, _, body) in &events {
        case.until(*at).await?;
        case.raw(body).await?;
        let name = body["event"]
            .as_str()
            .or_else(|| body["type"].as_str())
            .unwrap_or("?");
        lines.push((*at, 0, format!("  {name}")));
    }
    case.until(last + Span::from_days(arguments.days.clamp(0, 3_650)))
        .await?;
    for record in case.records() {
        if arguments
            .campaign
            .as_ref()
            .is_some_and(|only| *only != record.campaign)
        {
            continue;
        }
        if let Some(words) = words(&record) {
            lines.push((record.at, 1, format!("> {words}")));
        }
    }
    lines.sort_by_key(|(at, rank, _)| (*at, *rank));
    for (at, _, line) in lines {
        output::print(&format!("{at}  {line}"));
    }
    let file = arguments.events.display();
    let mut told = BTreeSet::new();
    for (_, number, body) in &events {
        let name = body["event"].as_str().filter(|_| body["type"] == "track");
        if let Some(text) = name
            .and_then(unread::of_name)
            .filter(|text| told.insert(text.clone()))
        {
            output::print(&format!("{file}:{number}: {text}"));
        }
    }
    let mut refused = 0;
    for one in case.unread() {
        refused += u32::from(!one.applied);
        // The one that came; the simulation gives an id to those that have none.
        let payload: Value = serde_json::from_slice(&one.payload).unwrap_or_default();
        let same = |body: &Value, payload: &mut Value| {
            if body["messageId"].is_null()
                && let Some(payload) = payload.as_object_mut()
            {
                payload.remove("messageId");
            }
            body == payload
        };
        let line = events
            .iter()
            .find(|(_, _, body)| same(body, &mut payload.clone()));
        let place = line.map_or_else(
            || file.to_string(),
            |(_, number, _)| format!("{file}:{number}"),
        );
        output::print(&format!("{place}: {}", one.text));
    }
    if refused == 0 {
        Ok(())
    } else {
        Err(Error::Findings(format!(
            "{refused} records could not be applied"
        )))
    }
}
