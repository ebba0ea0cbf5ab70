//! `winback backtest`: the same loops on a clock driven by the events of a file. No network, no mail.
//!
//! Input is in order of time to within 72 hours, else it is refused with the line. The same input gives the same
//! bytes (INV-10). What it found goes to the terminal, to JSON lines, to CSV and to a page with charts.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use winback_bus::{Log, Record, Stamp, TopicPartition, between};
use winback_campaign::{Bundle, Files};
use winback_contract::{Offset, Partition, SourceKind, Span, Timestamp, Topic, TopicNames};
use winback_ingest::SourceConfig;
use winback_ingest::customs::Customs;

use super::check;
use super::import::lines;
use super::shape::{self, Reader};
use crate::config::Config;
use crate::error::Error;
use crate::output::{self, Progress};
use crate::run::findings::Findings;
use crate::run::machine::Setup;
use crate::run::quiet::Quiet;
use crate::run::unread::{Unread, unread};
use crate::run::{Machine, compare, page, report};

/// How far out of order the input may be.
const DISORDER: Span = Span::from_hours(72);

/// Arguments of backtest.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The folder with policy.yaml and a folder per campaign
    campaigns: PathBuf,
    /// A file with one raw record (JSON) a line, in order of time; `-` is stdin; `kafka:TOPIC` reads what a raw topic
    /// still holds
    #[arg(long)]
    events: PathBuf,
    #[command(flatten)]
    shape: shape::Arguments,
    /// Horizon: a time in RFC 3339; without it the last event
    #[arg(long)]
    until: Option<String>,
    /// Folder for decisions.jsonl, journeys.jsonl, CSV files and report.html
    #[arg(long)]
    out: Option<PathBuf>,
    /// Another folder of campaigns over the same events: what would be different
    #[arg(long)]
    against: Option<PathBuf>,
}

impl Arguments {
    /// Whether the events come from Kafka.
    pub(crate) fn needs_config(&self) -> bool {
        self.topic().is_some()
    }

    fn topic(&self) -> Option<&str> {
        self.events.to_str()?.strip_prefix("kafka:")
    }
}

pub(super) struct Line {
    at: Timestamp,
    number: usize,
    partition: Partition,
    key: String,
    pub(super) text: Vec<u8>,
    headers: Vec<(String, Vec<u8>)>,
}

impl Line {
    /// The record of a topic that it was, with its number.
    pub(super) fn into_record(self, topic: &str) -> (usize, Record) {
        let record = Record {
            topic: Arc::from(topic),
            partition: self.partition,
            offset: Offset(i64::try_from(self.number).unwrap_or(i64::MAX)),
            time: self.at,
            stamp: Stamp::Broker,
            key: self.key.into_bytes(),
            value: Some(self.text),
            headers: self.headers,
        };
        (self.number, record)
    }
}

/// Runs it.
pub(crate) async fn run(arguments: Arguments, config: Option<&Config>) -> Result<(), Error> {
    let horizon = match &arguments.until {
        None => None,
        Some(text) => Some(
            Timestamp::parse(text).map_err(|error| Error::Usage(format!("--until: {error}")))?,
        ),
    };
    let checked =
        |folder: &Path| check::compiled(folder, "the campaigns have errors; nothing was run");
    let (campaigns, bundle, _) = checked(&arguments.campaigns)?;
    let other = arguments.against.as_deref().map(checked).transpose()?;
    let topic = arguments.topic();
    let mut source = config.unwrap_or(&Config::embedded()?).source_of(topic);
    arguments.shape.apply(&mut source);
    let events = match (topic, config) {
        (Some(topic), Some(config)) => retained(&super::connect::kafka(config)?, topic).await?,
        _ => {
            let reader = Reader {
                shape: source.shape().map_err(Error::Usage)?,
                customs: Customs::of(&bundle.policy),
                max_bytes: Config::embedded()?.ingest.max_bytes,
            };
            read(&arguments.events, &reader)?
        }
    };
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
    let (machine, names) = play(&campaigns, &bundle, &events, &source, (first, until)).await?;
    let found = Findings::of(&machine.log, &names, &bundle, until);
    output::print(&by_day(&found.sums));
    output::print(&found.text());
    let refused = tell(&unread(&machine.log, &names), &events);
    let mut difference = None;
    if let Some((files, bundle, _)) = &other {
        output::note("the other folder over the same events");
        let (machine, names) = play(files, bundle, &events, &source, (first, until)).await?;
        let theirs = Findings::of(&machine.log, &names, bundle, until);
        let rows = compare::rows(&found, &theirs);
        output::print(&compare::text(&rows));
        difference = Some(rows);
    }
    if let Some(out) = &arguments.out {
        write(&machine, &names, out)?;
        for (name, text) in found.csv() {
            std::fs::write(out.join(name), text)?;
        }
        if let Some(rows) = &difference {
            std::fs::write(out.join("difference.csv"), compare::csv(rows))?;
        }
        let page = page::html(&found, difference.as_deref(), (first, until));
        std::fs::write(out.join("report.html"), page)?;
        output::note(&format!(
            "report.html, CSV and JSON lines are in {}",
            out.display()
        ));
    }
    if refused == 0 {
        Ok(())
    } else {
        Err(Error::Findings(format!(
            "{refused} of {} records could not be used",
            events.len()
        )))
    }
}

/// Most lines about what could not be read.
const TOLD: usize = 20;

/// Says what could not be read, and on which line; how many records were refused.
fn tell(found: &[Unread], events: &[Line]) -> usize {
    for one in found.iter().take(TOLD) {
        let line = one
            .place
            .and_then(|topic_partition| events.get(topic_partition));
        let topic_partition = line.map_or_else(
            || "a record".to_owned(),
            |line| format!("line {}", line.number),
        );
        output::note(&format!("{topic_partition}: {}", one.text));
    }
    if found.len() > TOLD {
        output::note(&format!("and {} more", found.len() - TOLD));
    }
    found.iter().filter(|one| !one.applied).count()
}

/// Plays the events on a machine of their own.
pub(super) async fn play(
    files: &Files,
    bundle: &Bundle,
    events: &[Line],
    shape: &SourceConfig,
    (start, until): (Timestamp, Timestamp),
) -> Result<(Machine, TopicNames), Error> {
    let mut config = Config::embedded()?;
    for source in &mut config.sources {
        source.format = shape.format;
        source.rows = shape.rows;
        source.map.clone_from(&shape.map);
    }
    let setup = Setup {
        config,
        start,
        partitions: 4,
        provider: Arc::new(Quiet),
        channels: bundle.channels(),
        faults: None,
        explain: false,
    };
    let names = setup.config.names();
    let mut machine = Machine::new(setup).await?;
    machine.publish(files).await?;
    let mut progress = Progress::new(events.len());
    let mut index = 0;
    while index < events.len() {
        let at = events[index].at;
        machine.run_until(at).await?;
        while let Some(line) = events.get(index).filter(|line| line.at == at) {
            let (value, headers) = (line.text.clone(), line.headers.clone());
            machine.arrive_with(SourceKind::Live, &line.key, value, headers, at)?;
            index += 1;
        }
        progress.show(index, &report::day(at));
    }
    machine.run_until(until).await?;
    Ok((machine, names))
}

/// What a raw topic still holds, in the order of its arrival.
pub(super) async fn retained(log: &dyn Log, topic: &str) -> Result<Vec<Line>, Error> {
    if log.partitions(topic).await?.is_none() {
        return Err(Error::Usage(format!("there is no topic {topic}")));
    }
    let starts = log.starts(topic).await?.into_iter();
    let span = starts.zip(log.ends(topic).await?);
    let mut events = Vec::new();
    for (partition, span) in (0..).map(Partition).zip(span) {
        let topic_partition = TopicPartition::new(topic, partition);
        between(log, "backtest", &topic_partition, span, |record| {
            let key = String::from_utf8_lossy(&record.key);
            events.push(Line {
                at: record.time,
                number: usize::try_from(record.offset.0).unwrap_or(0),
                partition,
                key: key.into_owned(),
                text: record.value.unwrap_or_default(),
                headers: record.headers,
            });
        })
        .await?;
    }
    events.sort_by_key(|line| (line.at, line.partition, line.number));
    Ok(events)
}

/// Reads, checks the order, and sorts what is out of order within the limit (equal times keep their order).
pub(super) fn read(file: &Path, reader: &Reader) -> Result<Vec<Line>, Error> {
    let mut events: Vec<Line> = Vec::new();
    let mut newest = Timestamp::from_millis(i64::MIN);
    for (index, line) in lines(file)?.enumerate() {
        let (text, number) = (line?, index + 1);
        if text.trim().is_empty() {
            continue;
        }
        let wrong =
            |what: String| Error::Usage(format!("{}, line {number}: {what}", file.display()));
        let calls = reader
            .calls(&text)
            .map_err(|refusal| wrong(refusal.detail))?;
        let (mut newest_of, mut key, mut is_timeless) = (None, None, false);
        for call in calls {
            match call {
                Ok((_, envelope)) => {
                    is_timeless |= envelope.timestamp.is_none();
                    // A batch arrives with the newest of it.
                    newest_of = newest_of.into_iter().chain(envelope.timestamp).max();
                    key = key.or(envelope.user_id).or(envelope.anonymous_id);
                }
                // What comes first has no time of another to stand at.
                Err(refusal) if reader.is_beside(&refusal) || events.is_empty() => {
                    output::note(&format!("line {number}: {}", refusal.detail));
                }
                // The run itself says it, among all that it could not use.
                Err(_) => newest_of = newest_of.or(Some(newest)),
            }
        }
        if newest_of.is_none() && is_timeless {
            return Err(wrong(
                "no `timestamp` that can be read: a backtest needs the time of every event".into(),
            ));
        }
        let Some(at) = newest_of else { continue };
        if at + DISORDER < newest {
            return Err(wrong(format!(
                "{at} comes more than 72 hours after {newest}: sort the file by time"
            )));
        }
        newest = newest.max(at);
        events.push(Line {
            at,
            number,
            partition: Partition(0),
            key: key.unwrap_or_default(),
            text: text.into_bytes(),
            headers: Vec::new(),
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
    Ok(())
}
