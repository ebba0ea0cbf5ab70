//! `winback coupons`: single-use codes into a pool, and how many are left.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;
use winback_bus::{Log as _, Outgoing};
use winback_contract::{EventId, SourceKind, spec};
use winback_store::Store as _;

use super::{connect, import};
use crate::config::Config;
use crate::error::Error;
use crate::output;
use crate::publish::published;

/// Codes of one event.
const CHUNK: usize = 1_000;
/// Longest code, in bytes.
const LONGEST: usize = 64;

/// Coupon commands.
#[derive(clap::Subcommand, Debug)]
pub(crate) enum Arguments {
    /// Add single-use codes to a pool; a code that was ever added is passed over
    Load {
        /// Name of the pool in policy.yaml
        pool: String,
        /// A file with one code a line; `-` is stdin
        file: PathBuf,
    },
    /// How many codes each pool has left
    List,
}

/// Runs it.
pub(crate) async fn run(arguments: Arguments, config: &Config) -> Result<(), Error> {
    match arguments {
        Arguments::Load { pool, file } => load(&pool, &file, config).await,
        Arguments::List => list(config).await,
    }
}

async fn load(pool: &str, file: &std::path::Path, config: &Config) -> Result<(), Error> {
    let live = config
        .sources
        .iter()
        .find(|source| source.kind == SourceKind::Live);
    let source =
        live.ok_or_else(|| Error::Usage("the config has no source of kind live".into()))?;
    let log = connect::kafka(config)?;
    let found = published(&log, &config.names()).await?;
    let pools = found.bundles.pools();
    if !pools.contains(pool) {
        let known: Vec<&str> = pools.iter().map(String::as_str).collect();
        return Err(Error::Usage(format!(
            "no published policy has a pool `{pool}` of single-use codes; there is {}. Add `coupons: {{ {pool}: {{ worth: 10%, low: 100 }} }}` \
             to policy.yaml and publish it first",
            if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            }
        )));
    }
    let mut codes: BTreeSet<String> = BTreeSet::new();
    for (number, line) in import::lines(file)?.enumerate() {
        let line = line?;
        let code = line.trim();
        if code.is_empty() {
            continue;
        }
        if code.len() > LONGEST || code.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(Error::Usage(format!(
                "line {}: a code is one word of at most {LONGEST} bytes; nothing was loaded",
                number + 1
            )));
        }
        codes.insert(code.to_owned());
    }
    let all: Vec<String> = codes.into_iter().collect();
    let mut records = Vec::new();
    for chunk in all.chunks(CHUNK) {
        let id = EventId::of_message_id(&format!("{pool}\n{}", chunk.join("\n")));
        let record = json!({
            "type": "track",
            "event": spec::COUPONS_ADDED,
            "messageId": format!("coupons-{}", id.short()),
            "properties": { "pool": pool, "codes": chunk },
        });
        records.push(Outgoing {
            topic: Arc::from(source.topic.as_str()),
            partition: None,
            key: pool.as_bytes().to_vec(),
            value: serde_json::to_vec(&record)?,
            headers: Vec::new(),
        });
    }
    log.produce(records).await?;
    output::print(&format!(
        "{} codes for {pool} are on {}; `winback coupons list` shows them once ingest and sessions have taken them in",
        all.len(),
        source.topic
    ));
    Ok(())
}

async fn list(config: &Config) -> Result<(), Error> {
    let log = connect::kafka(config)?;
    let found = published(&log, &config.names()).await?;
    let store = connect::redis_now(config).await?;
    let newest = found.active();
    if found.bundles.pools().is_empty() {
        output::print("no published policy has a pool of single-use codes");
    }
    for pool in found.bundles.pools() {
        let (mut all, mut least) = (0, u64::MAX);
        for partition in config.kafka.partitions.all() {
            let (_, left) = store.coupons(partition, pool, 0).await?;
            all += left;
            least = least.min(left);
        }
        let low = newest.and_then(|bundle| bundle.policy.coupons.get(pool));
        let low = low.map_or(0, |coupon| coupon.low);
        let note = match all {
            0 => "  empty: `winback coupons load` fills it",
            _ if all < u64::from(low) => "  low: `winback coupons load` fills it",
            _ if least == 0 => "  a partition has none: its customers get none",
            _ => "",
        };
        output::print(&format!(
            "{pool:<24} {all:>8} left, alert below {low}{note}"
        ));
    }
    Ok(())
}
