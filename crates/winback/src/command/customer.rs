//! `winback customer show|export|erase PROFILE`: what is kept of one person, for whoever is allowed to see it or must
//! hand it out, and the way to forget it.

use serde_json::json;
use winback_bus::Log as _;
use winback_contract::{Body, EventId, EventRecord, Offset, SourceKind, SourcePosition};
use winback_journey::codec;
use winback_store::Store;

use super::connect;
use super::why::Found;
use crate::config::Config;
use crate::error::Error;
use crate::output;
use crate::publish::into_events;

/// Customer commands.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Arguments {
    /// Everything that is kept of one person, as JSON
    Show {
        /// user:42, email:ann@example.com, phone:+380…, anonymous:…, or 32 hex digits
        profile: String,
    },
    /// What is kept of one person and what the topics still hold about them, as JSON to hand out
    Export {
        /// As for `show`
        profile: String,
    },
    /// Forget one person: state, timers and permissions at once, topics by their retention
    Erase {
        /// As for `show`
        profile: String,
        /// It can't be undone
        #[arg(long)]
        yes: bool,
    },
}

/// Runs it.
pub(crate) async fn run(arguments: Arguments, config: &Config) -> Result<(), Error> {
    let store = connect::redis_now(config).await?;
    match arguments {
        Arguments::Show { profile } => {
            let found = super::why::owner(&store, &profile, config).await?;
            let mut shown = kept(&found);
            shown["profile"] = json!(found.id);
            shown["partition"] = json!(found.partition);
            shown["bytes"] = json!(found.bytes);
            output::print(&serde_json::to_string_pretty(&shown)?);
        }
        Arguments::Export { profile } => {
            let found = super::why::owner(&store, &profile, config).await?;
            let (log, names) = (connect::kafka(config)?, config.names());
            let profiles = found.everybody();
            let count = config.kafka.partitions;
            let lines = super::past::of(&log, &names, count, &profiles, None).await?;
            let past: Vec<_> = lines
                .into_iter()
                .map(|(at, what)| json!({ "at": at.to_string(), "what": what }))
                .collect();
            let mut shown = kept(&found);
            shown["profiles"] = json!(profiles);
            shown["journeys_and_decisions"] = json!(past);
            output::print(&serde_json::to_string_pretty(&shown)?);
        }
        Arguments::Erase { profile, yes } => erase(&profile, yes, config, &store).await?,
    }
    Ok(())
}

/// The state, with what its own form as JSON leaves out.
fn kept(found: &Found) -> serde_json::Value {
    let customer = &found.customer;
    json!({
        "state": customer,
        "typed_traits": codec::typed_traits(customer),
        "lines_of_orders": codec::order_lines_of(customer),
        "details_of_lines": codec::details_of(customer),
    })
}

/// Writes the word to `events`: the partition's owner applies it in order with everything else.
async fn erase(profile: &str, yes: bool, config: &Config, store: &dyn Store) -> Result<(), Error> {
    let id = super::why::profile(profile, &config.shop.id)?;
    if !yes {
        return Err(Error::Usage(
            "nothing was erased: it can't be undone; say --yes, and `winback customer export` first if the person is to have it"
                .into(),
        ));
    }
    let log = connect::kafka(config)?;
    // The store's clock, which all others go by: one that is a day ahead here would drop what the person says tomorrow.
    let now = store.time().await?;
    let partition = config.kafka.partitions.of(id);
    let record = EventRecord {
        v: EventRecord::ERASED,
        to: id,
        id: EventId(id.0),
        source: SourcePosition {
            stream: "erase".into(),
            partition,
            offset: Offset(now.as_millis()),
            index: 0,
        },
        kind: SourceKind::Live,
        arrival: now,
        at: now,
        body: Body::Erased,
    };
    let record = into_events(&config.names(), &record)?;
    log.produce(vec![record]).await?;
    output::print(&format!(
        "profile {id}, and what was joined with it, is erased as soon as sessions has read it; topics forget it by their retention: \
         see `winback topics plan`"
    ));
    Ok(())
}
