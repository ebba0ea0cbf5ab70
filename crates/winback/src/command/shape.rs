//! What records look like, on the command line, and the calls in the lines of a file: every tool reads them as ingest does.

use std::path::PathBuf;
use std::sync::Arc;

use winback_bus::{Record, Stamp};
use winback_contract::{FailedReason, Offset, Partition, Timestamp};
use winback_ingest::SourceConfig;
use winback_ingest::calls::calls;
use winback_ingest::customs::Customs;
use winback_ingest::decode::{Envelope, decode};
use winback_ingest::fields::Refusal;
use winback_ingest::formats::{Call, Format, Shape};
use winback_ingest::notes::Notes;

use crate::config::Config;
use crate::error::Error;

/// The shape of records.
#[derive(clap::Args, Debug, Clone)]
#[group(id = "shape")]
pub(crate) struct Arguments {
    /// What the records look like: segment, cloudevents, ga4, shopify, woocommerce, debezium or map; without it as the
    /// config says of the topic, else segment
    #[arg(long)]
    format: Option<Format>,
    /// What the rows look like, with `--format debezium`
    #[arg(long)]
    rows: Option<Format>,
    /// The file that says what records mean, with `--format map`
    #[arg(long)]
    map: Option<PathBuf>,
}

impl Arguments {
    /// Says it of a source. What is not given stays as the source has it.
    pub(crate) fn apply(&self, source: &mut SourceConfig) {
        if let Some(format) = self.format {
            source.format = format;
            source.rows = Format::Segment;
            source.map = None;
        }
        if let Some(rows) = self.rows {
            source.rows = rows;
        }
        if let Some(map) = &self.map {
            if self.format.is_none() && source.format != Format::Debezium {
                source.format = Format::Map;
            }
            source.map = Some(map.clone());
        }
    }

    /// The shape, of a topic's records or of those of a file.
    pub(crate) fn shape(&self, config: &Config, topic: Option<&str>) -> Result<Shape, Error> {
        let mut source = config.source_of(topic);
        self.apply(&mut source);
        source.shape().map_err(Error::Usage)
    }
}

/// A line of a file as a record of Kafka. A file tells no arrival: nothing in it is of the future.
pub(crate) fn record(text: &str) -> Record {
    Record {
        topic: Arc::from("file"),
        partition: Partition(0),
        offset: Offset(0),
        time: Timestamp::NEVER,
        stamp: Stamp::Broker,
        key: Vec::new(),
        value: Some(text.as_bytes().to_vec()),
        headers: Vec::new(),
    }
}

/// How the lines of a file are read.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) shape: Shape,
    pub(crate) customs: Customs,
    pub(crate) max_bytes: usize,
}

/// A call of a line: as it goes to ingest, and as ingest reads it.
pub(crate) type Read = Result<(Call, Envelope), Refusal>;

impl Reader {
    /// The calls of a line.
    ///
    /// # Errors
    /// About the whole line.
    pub(crate) fn calls(&self, text: &str) -> Result<Vec<Read>, Refusal> {
        let record = record(text);
        let read = |call: Call| {
            let notes = Notes::default();
            let format = self.shape.format;
            let envelope = decode(&record, call.clone(), format, &self.customs, &notes)?;
            Ok((call, envelope))
        };
        let calls = calls(&record, self.max_bytes, &self.shape)?;
        Ok(calls.into_iter().map(|call| read(call?)).collect())
    }

    /// Whether a refusal is about something that a platform tells besides: it means nothing to ingest either.
    pub(crate) fn is_beside(&self, refusal: &Refusal) -> bool {
        self.shape.format != Format::Segment && refusal.reason == FailedReason::UnsupportedCall
    }
}
