//! `winback import FILE`: existing customers, as raw records on the history source. It updates state and triggers
//! nothing at once.

use std::io::BufRead as _;
use std::path::PathBuf;
use std::sync::Arc;

use winback_bus::{Log as _, Outgoing};
use winback_contract::SourceKind;

use super::connect;
use crate::config::Config;
use crate::error::Error;
use crate::output;

/// Records written at once.
const BATCH: usize = 5_000;

/// Arguments of import.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// A file with one raw record (JSON) a line, in order of time; `-` is stdin
    file: PathBuf,
}

/// Runs it.
pub(crate) async fn run(arguments: Arguments, config: &Config) -> Result<(), Error> {
    let source = config
        .sources
        .iter()
        .find(|source| source.kind == SourceKind::History)
        .ok_or_else(|| Error::Usage("the config has no source of kind history".into()))?;
    let log = connect::kafka(config)?;
    let topic: Arc<str> = Arc::from(source.topic.as_str());
    let mut batch = Vec::new();
    let mut total = 0_u64;
    for (number, line) in lines(&arguments.file)?.enumerate() {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let value: serde_json::Value = serde_json::from_str(&line).map_err(|error| {
            Error::Usage(format!(
                "line {}: not JSON at column {}",
                number + 1,
                error.column()
            ))
        })?;
        let key = ["userId", "anonymousId"]
            .iter()
            .find_map(|name| value.get(*name)?.as_str())
            .unwrap_or_default();
        batch.push(Outgoing {
            topic: topic.clone(),
            partition: None,
            key: key.as_bytes().to_vec(),
            value: line.into_bytes(),
            headers: Vec::new(),
        });
        total += 1;
        if batch.len() == BATCH {
            log.produce(std::mem::take(&mut batch)).await?;
            output::note(&format!("{total} records"));
        }
    }
    log.produce(batch).await?;
    output::print(&format!(
        "{total} records are on {topic}; `winback serve ingest` takes them in"
    ));
    Ok(())
}

/// Lines of a file or of stdin.
pub(crate) fn lines(
    file: &std::path::Path,
) -> Result<Box<dyn Iterator<Item = std::io::Result<String>>>, Error> {
    if file.as_os_str() == "-" {
        return Ok(Box::new(std::io::stdin().lines()));
    }
    let open = std::fs::File::open(file)
        .map_err(|error| Error::Usage(format!("{}: {error}", file.display())))?;
    Ok(Box::new(std::io::BufReader::new(open).lines()))
}
