//! `winback map FILE --events EVENTS`: what the file of a mapping makes of records, so that it is right before a source has it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use winback_campaign::Report;
use winback_ingest::decode::Envelope;
use winback_ingest::formats::mapping::Mapping;
use winback_ingest::formats::{Call, Format, Shape};
use winback_ingest::normalise::normalise;
use winback_ingest::notes::Notes;

use super::shape::Reader;
use crate::config::Config;
use crate::error::Error;
use crate::output;

/// Arguments of map.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The file of the mapping, `kind: Map`
    file: PathBuf,
    /// A file with one record (JSON) a line
    #[arg(long)]
    events: PathBuf,
    /// The records are changes of a table as Debezium tells them, around what the mapping reads
    #[arg(long)]
    debezium: bool,
    /// The folder of campaigns, for currency, zone and locale of its Policy
    #[arg(long)]
    folder: Option<PathBuf>,
}

/// A mapping that must be good; else its findings are the error.
pub(crate) fn mapping(file: &Path) -> Result<(Mapping, Report), Error> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| Error::Usage(format!("{}: {error}", file.display())))?;
    Mapping::read(&file.display().to_string(), &text)
        .map_err(|report| Error::Findings(report.to_string()))
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Error> {
    let config = Config::embedded()?;
    let (mapping, warnings) = mapping(&arguments.file)?;
    for warning in &warnings.findings {
        output::note(&warning.to_string());
    }
    let mapping = Arc::new(mapping);
    let (format, rows) = if arguments.debezium {
        (Format::Debezium, Format::Map)
    } else {
        (Format::Map, Format::Segment)
    };
    let reader = Reader {
        shape: Shape {
            format,
            rows,
            mapping: Some(mapping),
        },
        customs: super::events::customs(arguments.folder.as_deref(), config.shop.currency)?,
        max_bytes: config.ingest.max_bytes,
    };
    let mut refused = 0;
    for (index, line) in super::import::lines(&arguments.events)?.enumerate() {
        let (line, number) = (line?, index + 1);
        if line.trim().is_empty() {
            continue;
        }
        let calls = match reader.calls(&line) {
            Ok(calls) => calls,
            Err(refusal) => vec![Err(refusal)],
        };
        if calls.is_empty() {
            output::print(&format!("line {number}: no event: no `when` holds"));
        }
        for call in calls {
            let told = call.and_then(|(call, envelope)| told(&reader, call, envelope));
            match told {
                Ok(text) => output::print(&format!("line {number}: {text}")),
                Err(refusal) => {
                    refused += 1;
                    let (reason, detail) = (refusal.reason, refusal.detail);
                    output::print(&format!("line {number}: refused: {reason}: {detail}"));
                }
            }
        }
    }
    if refused == 0 {
        Ok(())
    } else {
        Err(Error::Findings(format!(
            "{refused} events would be refused"
        )))
    }
}

/// The event as the rest of winback gets it, and what of it could not be read.
fn told(
    reader: &Reader,
    call: Call,
    envelope: Envelope,
) -> Result<String, winback_ingest::fields::Refusal> {
    let notes = Notes::default();
    let at = envelope.timestamp;
    let event = normalise(envelope, &reader.customs, &notes)?.event;
    let name = event.name.clone();
    let json = serde_json::to_value(&event).unwrap_or(Value::Null);
    let at = at.map_or_else(|| "at its arrival".to_owned(), |at| at.to_string());
    let mut text = format!("{name}, {at}\n  {json}");
    let fields = call.faults.into_iter().map(|field| (field, "unreadable"));
    let notes = notes.take().into_iter();
    for (field, why) in fields.chain(notes.map(|note| (note.field, note.why.as_str()))) {
        text.push_str(&format!(
            "\n  left out: `{field}` {}",
            why.replace('_', " ")
        ));
    }
    Ok(text)
}
