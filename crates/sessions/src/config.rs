//! Config of sessions: sizes and times of the step. Rules live in campaigns, not here.

use std::time::Duration;

use winback_bus::frontier::Source;
use winback_contract::{PartitionCount, TopicNames};
use winback_journey::Limits;

/// How the step works.
#[derive(Clone, Debug)]
pub struct Config {
    /// Names of topics.
    pub names: TopicNames,
    /// The shop, as it goes into the keys of profiles.
    pub shop: String,
    /// Prefix of groups.
    pub groups: String,
    /// How many partitions there are.
    pub partitions: PartitionCount,
    /// Live sources that timers wait for.
    pub sources: Vec<Source>,
    /// Most inputs of a partition in one commit.
    pub batch: usize,
    /// Most timers fired in one commit.
    pub due_batch: usize,
    /// Most customers a sweep touches in one commit.
    pub sweep_batch: usize,
    /// Most customers a sweep looks at in a second, of a partition.
    pub sweep_rate: u32,
    /// Most triggers without a decision, and most messages without an outcome of each channel, of a partition (INV-12).
    pub most_open: u64,
    /// From this share of the store's memory on nobody new is remembered who only looks around (INV-12).
    pub nearly_full: f64,
    /// Most customers kept decoded, over all partitions.
    pub cache: usize,
    /// Least time between two probes of the frontier.
    pub probe_every: Duration,
    /// Coupon pools never run dry, with codes made up: for backtests and cases.
    pub sample_coupons: bool,
    /// Numbers of the core.
    pub limits: Limits,
}

impl Config {
    /// The consumer group that owns partitions.
    pub fn group(&self) -> String {
        format!("{}sessions", self.groups)
    }
}
