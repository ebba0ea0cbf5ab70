//! `winback backtest`: the same loops on a clock driven by the events of a file. No network, no mail.
//!
//! Input is in order of time to within 72 hours, else it is refused with the line. The same input gives the same
//! bytes (INV-10).

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use winback_contract::{SourceKind, Span, Timestamp, Topic, TopicNames};

use super::import::lines;
use crate::config::Config;
use crate::error::Error;
use crate::run::machine::Setup;
use crate::run::quiet::Quiet;
use crate::run::{Machine, report};
use crate::{folder, output};

/// How far out of order the input may be.
const DISORDER: Span = Span::from_hours(72);

/// Arguments of backtest.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The folder with policy.yaml and a folder per campaign
    campaigns: PathBuf,
    /// A file with one raw record (JSON) a line, in order of time; `-` is stdin
    #[arg(long)]
    events: PathBuf,
    /// Horizon: a time in RFC 3339; without it the last event
    #[arg(long)]
    until: Option<String>,
    /// Folder for decisions.jsonl and journeys.jsonl
    #[arg(long)]
    out: Option<PathBuf>,
}

struct Line {
    at: Timestamp,
    number: usize,
    key: String,
    text: String,
}

/// Runs it.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Error> {
    let (files, compiled) = folder::compile(&arguments.campaigns)?;
    let channels = match compiled {
        Ok((bundle, _)) => bundle.channels(),
        Err(report) => {
            output::print(&super::check::text(&report, &files));
            return Err(Error::Findings(
                "the campaigns have errors; nothing was run".into(),
            ));
        }
    };
    let horizon = match &arguments.until {
        None => None,
        Some(text) => Some(
            Timestamp::parse(text).map_err(|error| Error::Usage(format!("--until: {error}")))?,
        ),
    };
    let events = read(&arguments.events)?;
    let (Some(first), Some(last)) = (
        events.first().map(|line| line.at),
        events.last().map(|line| line.at),
    ) else {
        return Err(Error::Usage(format!(
            "{} holds no events",
            arguments.events.display()
        )));
    };
    let until = horizon.unwrap_or(last).max(last);
    let setup = Setup {
        config: Config::embedded()?,
        start: first,
        partitions: 4,
        provider: Arc::new(Quiet),
        channels,
        faults: None,
    };
    let names = setup.config.names();
    let mut machine = Machine::new(setup).await?;
    machine.publish(&files).await?;
    let total = events.len();
    let mut shown = 0;
    let mut index = 0;
    while index < total {
        let at = events[index].at;
        machine.run_until(at).await?;
        while let Some(line) = events.get(index).filter(|line| line.at == at) {
            machine.arrive(
                SourceKind::Live,
                &line.key,
                line.text.clone().into_bytes(),
                at,
            )?;
            index += 1;
        }
        let tenth = index * 10 / total;
        if tenth > shown {
            shown = tenth;
            output::note(&format!(
                "{:>3} %  {}  {index} of {total} events",
                tenth * 10,
                report::day(at)
            ));
        }
    }
    machine.run_until(until).await?;
    let records = report::journeys(&machine.log, &names);
    let sums = report::sums(&records);
    output::print(&by_day(&sums));
    output::print(&report::text(&sums));
    let failed = machine.log.dump(&names.name(Topic::Failed)).len();
    if failed > 0 {
        output::note(&format!("{failed} of {total} records could not be used"));
    }
    if let Some(out) = &arguments.out {
        write(&machine, &names, out)?;
    }
    Ok(())
}

/// Reads, checks the order, and sorts what is out of order within the limit (equal times keep their order).
fn read(file: &Path) -> Result<Vec<Line>, Error> {
    let mut events: Vec<Line> = Vec::new();
    let mut newest = Timestamp::from_millis(i64::MIN);
    for (index, line) in lines(file)?.enumerate() {
        let (text, number) = (line?, index + 1);
        if text.trim().is_empty() {
            continue;
        }
        let wrong =
            |what: String| Error::Usage(format!("{}, line {number}: {what}", file.display()));
        let value: serde_json::Value = serde_json::from_str(&text)
            .map_err(|error| wrong(format!("not JSON at column {}", error.column())))?;
        let time = value.get("timestamp").and_then(serde_json::Value::as_str);
        let time = time.ok_or_else(|| {
            wrong("no `timestamp`: a backtest needs the time of every event".into())
        })?;
        let at = Timestamp::parse(time).map_err(|error| wrong(error.to_string()))?;
        if at + DISORDER < newest {
            return Err(wrong(format!(
                "{at} comes more than 72 hours after {newest}: sort the file by time"
            )));
        }
        newest = newest.max(at);
        let key = ["userId", "anonymousId"]
            .iter()
            .find_map(|name| value.get(*name)?.as_str())
            .unwrap_or_default()
            .to_owned();
        events.push(Line {
            at,
            number,
            key,
            text,
        });
    }
    events.sort_by_key(|line| (line.at, line.number));
    Ok(events)
}

/// Sends per day and campaign.
fn by_day(sums: &BTreeMap<String, report::Sums>) -> String {
    let mut days: BTreeMap<&String, BTreeMap<&String, u64>> = BTreeMap::new();
    for (campaign, sums) in sums {
        for (day, count) in &sums.by_day {
            *days.entry(day).or_default().entry(campaign).or_default() += count;
        }
    }
    let mut out = String::from("day         sends by campaign\n");
    for (day, campaigns) in days {
        let parts: Vec<String> = campaigns
            .iter()
            .map(|(name, count)| format!("{name} {count}"))
            .collect();
        out.push_str(&format!("{day}  {}\n", parts.join("  ")));
    }
    out
}

/// Decisions and journeys as they are on their topics, in order of time and place.
fn write(machine: &Machine, names: &TopicNames, folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder)?;
    for (topic, file) in [
        (Topic::Decisions, "decisions.jsonl"),
        (Topic::Journeys, "journeys.jsonl"),
    ] {
        let mut out = std::io::BufWriter::new(std::fs::File::create(folder.join(file))?);
        for record in machine.log.dump(&names.name(topic)) {
            out.write_all(record.value.as_deref().unwrap_or_default())?;
            out.write_all(b"\n")?;
        }
        out.flush()?;
    }
    output::note(&format!(
        "decisions and journeys are in {}",
        folder.display()
    ));
    Ok(())
}
