//! `winback events FILE|kafka:TOPIC`: what a shop's stream looks like to winback, as a text for the storefront's developers.
//! The first command a new shop runs; nothing is changed, and no value of a customer is shown.

mod survey;

use std::path::{Path, PathBuf};

use winback_contract::Currency;
use winback_ingest::customs::Customs;
use winback_ingest::service::nobody;

use super::import::lines;
use super::shape;
use crate::config::Config;
use crate::error::Error;
use crate::folder;
use crate::output;
use survey::Survey;

/// Of which events.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// A file of JSON lines, or kafka:TOPIC for what a topic still holds
    from: String,
    /// The folder of campaigns, for currency, zone, locale and topics of its Policy
    #[arg(long)]
    folder: Option<PathBuf>,
    #[command(flatten)]
    shape: shape::Arguments,
}

impl Arguments {
    /// Whether Kafka is asked.
    pub(crate) fn needs_config(&self) -> bool {
        self.from.starts_with("kafka:")
    }
}

/// Runs it.
pub(crate) async fn run(arguments: Arguments, config: Option<&Config>) -> Result<(), Error> {
    let embedded = Config::embedded()?;
    let settings = config.unwrap_or(&embedded);
    let customs = customs(arguments.folder.as_deref(), settings.shop.currency)?;
    let customs = customs.without(&nobody(&settings.ingest.nobody));
    let topic = arguments.from.strip_prefix("kafka:");
    let shape = arguments.shape.shape(settings, topic)?;
    let mut survey = Survey::new(customs, shape, settings.ingest.max_bytes);
    match (topic, config) {
        (Some(topic), Some(config)) => {
            let log = super::connect::kafka(config)?;
            for line in super::backtest::retained(&log, topic).await? {
                let (number, record) = line.into_record(topic);
                survey.take(number, &record, Some(record.time));
            }
        }
        _ => {
            for (index, line) in lines(Path::new(&arguments.from))?.enumerate() {
                let text = line?;
                if !text.trim().is_empty() {
                    survey.take(index + 1, &shape::record(&text), None);
                }
            }
        }
    }
    output::print(&survey.text());
    if survey.refused() == 0 {
        Ok(())
    } else {
        Err(Error::Findings(format!(
            "{} records would be refused",
            survey.refused()
        )))
    }
}

/// How the shop writes, as its Policy says; without a folder by the config alone.
pub(super) fn customs(folder: Option<&Path>, currency: Currency) -> Result<Customs, Error> {
    let Some(folder) = folder else {
        return Ok(Customs::new(currency));
    };
    match folder::compile(folder)?.1 {
        Ok((bundle, _)) => Ok(Customs::of(&bundle.policy)),
        Err(report) => Err(Error::Findings(report.to_string())),
    }
}
