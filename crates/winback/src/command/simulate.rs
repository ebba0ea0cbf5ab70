//! `winback simulate DIR --events FILE`: one person's line of time for given events, with every "why not".

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Map, Value, json};
use winback_campaign::Policy;
use winback_contract::{Span, Timestamp};
use winback_ingest::customs::Customs;

use super::shape::{self, Reader};
use crate::config::Config;
use crate::error::Error;
use crate::output;
use crate::run::case::{Case, USER, words};
use crate::run::unread;

/// Arguments of simulate.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The folder with policy.yaml and a folder per campaign
    folder: PathBuf,
    /// JSON lines as a storefront sends them, in order of time; all of one person
    #[arg(long)]
    events: PathBuf,
    #[command(flatten)]
    shape: shape::Arguments,
    /// Only what this campaign does
    #[arg(long)]
    campaign: Option<String>,
    /// How many days to look on after the last event
    #[arg(long, default_value_t = 30)]
    days: i64,
}

/// Calls that have no event's name.
const NAMELESS: &[&str] = &["identify", "page", "screen"];

/// An event with its time and the number of its line.
struct LineOfTime {
    at: Timestamp,
    number: usize,
    /// As it was written.
    name: String,
    body: Value,
    /// What is told of the person before it.
    beside: Option<Value>,
    /// What could not be computed.
    faults: Vec<String>,
}

/// The events. One whose time can't be read is of the moment of the one before it, as it would be for ingest.
fn read(arguments: &Arguments, policy: &Policy) -> Result<Vec<LineOfTime>, Error> {
    let text = std::fs::read_to_string(&arguments.events)
        .map_err(|error| Error::Usage(format!("{}: {error}", arguments.events.display())))?;
    let config = Config::embedded()?;
    let reader = Reader {
        shape: arguments.shape.shape(&config, None)?,
        customs: Customs::of(policy),
        max_bytes: config.ingest.max_bytes,
    };
    let mut events: Vec<LineOfTime> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        if line.trim().is_empty() {
            continue;
        }
        let place = format!("{}:{number}", arguments.events.display());
        let calls = reader
            .calls(line)
            .map_err(|refusal| Error::Usage(format!("{place}: {}", refusal.detail)))?;
        if calls.is_empty() {
            output::note(&format!("{place}: says nothing"));
        }
        for call in calls {
            let (call, envelope) = match call {
                Ok(read) => read,
                Err(refusal) => {
                    output::note(&format!("{place}: {}", refusal.detail));
                    continue;
                }
            };
            let before = events.last().map(|told| told.at);
            let at = envelope.timestamp.or(before).ok_or_else(|| {
                Error::Usage(format!(
                    "{place}: `timestamp` is missing or can't be read: the first event must have a time"
                ))
            })?;
            // An identify call has no name of its own.
            let kind = call.body.get("type").and_then(Value::as_str);
            let kind = kind.filter(|kind| NAMELESS.contains(kind));
            events.push(LineOfTime {
                at,
                number,
                name: kind.map_or(envelope.event, str::to_owned),
                beside: known_beside(&call.addresses),
                faults: call.faults,
                body: of_one_person(call.body),
            });
        }
    }
    Ok(events)
}

/// All lines are of the one person of the simulation.
fn of_one_person(body: Map<String, Value>) -> Value {
    let mut body = Value::Object(body);
    if body.get("specversion").is_some() {
        let data = body["data"].take();
        let data = match data {
            Value::String(text) => serde_json::from_str(&text).unwrap_or_default(),
            other => other,
        };
        body["data"] = if data.is_object() { data } else { json!({}) };
        body["data"]["userId"] = USER.into();
    } else {
        body["userId"] = USER.into();
    }
    body
}

/// What a map knows of the person beside an event: for ingest it is an identity, here it is the same person's.
fn known_beside(addresses: &Map<String, Value>) -> Option<Value> {
    (!addresses.is_empty()).then(|| {
        json!({ "type": "identify", "userId": USER, "traits": addresses, "context": { "active": false } })
    })
}

/// Runs it.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Error> {
    let (files, bundle, _) = super::check::compiled(
        &arguments.folder,
        "the campaigns have errors; nothing was run",
    )?;
    super::check::has(&bundle, &arguments.folder, arguments.campaign.as_deref())?;
    let events = read(&arguments, &bundle.policy)?;
    let Some(first) = events.first().map(|told| told.at) else {
        return Err(Error::Usage(format!(
            "{} holds no events",
            arguments.events.display()
        )));
    };
    if !events.is_sorted_by_key(|told| told.at) {
        return Err(Error::Usage("the events are not in order of time".into()));
    }
    let last = events.last().map_or(first, |told| told.at);
    let mut case = Case::new(&files, &bundle, USER, first).await?;
    let mut lines: Vec<(Timestamp, u8, String)> = Vec::new();
    // The line of each record that came.
    let mut arrivals: Vec<usize> = Vec::new();
    for told in &events {
        case.until(told.at).await?;
        if let Some(beside) = &told.beside {
            case.raw(beside).await?;
            arrivals.push(told.number);
        }
        arrivals.push(told.number);
        case.raw(&told.body).await?;
        lines.push((told.at, 0, format!("  {}", told.name)));
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
    for LineOfTime { number, name, .. } in &events {
        let text = unread::of_name(name).filter(|_| !NAMELESS.contains(&name.as_str()));
        if let Some(text) = text.filter(|text| told.insert(text.clone())) {
            output::print(&format!("{file}:{number}: {text}"));
        }
    }
    for LineOfTime { number, faults, .. } in &events {
        for field in faults {
            output::print(&format!("{file}:{number}: left out: `{field}` unreadable"));
        }
    }
    let mut refused = 0;
    for one in case.unread() {
        refused += u32::from(!one.applied);
        let line = one.place.and_then(|place| arrivals.get(place));
        let place = line.map_or_else(|| file.to_string(), |number| format!("{file}:{number}"));
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;

    #[test]
    fn whoever_a_line_names_it_is_the_one_person() {
        for (body, place) in [
            (json!({ "type": "track", "userId": "x" }), "/userId"),
            (
                json!({ "specversion": "1.0", "subject": "x" }),
                "/data/userId",
            ),
            (
                json!({ "specversion": "1.0", "data": "{\"userId\":\"x\",\"a\":1}" }),
                "/data/userId",
            ),
        ] {
            let Value::Object(body) = body else {
                unreachable!("a map")
            };
            let one = of_one_person(body);
            assert_eq!(one.pointer(place).unwrap(), USER, "{one}");
        }
        assert_eq!(known_beside(&Map::new()), None);
        let Value::Object(addresses) = json!({ "email": "ann@example.com" }) else {
            unreachable!("a map")
        };
        let told = known_beside(&addresses).unwrap();
        assert_eq!(told["traits"]["email"], "ann@example.com");
        assert_eq!(told["context"]["active"], false, "it is no visit");
    }
}
