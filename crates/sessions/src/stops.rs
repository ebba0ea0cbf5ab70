//! Metrics of what stops messages: bundles that are not there, coupon pools that run dry, and what is paused.

use std::collections::BTreeMap;

use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec};
use winback_campaign::Bundles;
use winback_contract::BundleHash;
use winback_service::Metrics as Registry;
use winback_service::metrics::Changing;

/// See the module. Labels are bounded by pools of Policy, campaigns and channels.
#[derive(Debug, Clone)]
pub struct Stops {
    /// Counter: single-use codes by what became of them.
    pub coupons: IntCounterVec,
    /// Gauge: codes left, by pool, over the partitions owned here.
    pub left: Changing,
    /// Gauge: the number of codes under which a pool is to be filled, by pool.
    pub low: Changing,
    /// Gauge: 1 while a partition waits for a bundle.
    pub waits: IntGaugeVec,
    /// Gauge: 1 for a partition that can't go on: its next input or its state is of a newer release, or damaged.
    pub stand: Changing,
    /// Counter: activations of bundles that this release can't use, passed over.
    pub bundles_refused: IntCounterVec,
    /// Gauge: campaigns of the active bundle that this release can't use.
    pub aside: IntGaugeVec,
    /// Gauge: the share of its memory that the store has taken.
    pub store_memory: GaugeVec,
    /// Gauge: the format that the shop is on.
    pub format: IntGaugeVec,
    /// Gauge: 1 for what is paused by hand or by a fuse.
    pub paused: Changing,
}

impl Stops {
    /// Registers all.
    pub fn register(registry: &Registry) -> Self {
        Self {
            waits: registry.gauge(
                "partition_waits_for_bundle",
                "1 while a partition waits for a bundle",
                &["partition"],
            ),
            stand: Changing::new(registry.gauge(
                "partition_stands",
                "1 for a partition that can't go on while the others do",
                &["partition"],
            )),
            bundles_refused: registry.counter(
                "bundles_refused_total",
                "activations of bundles that this release can't use, passed over",
                &["partition"],
            ),
            aside: registry.gauge(
                "campaigns_set_aside",
                "campaigns of the active bundle that this release can't use: what runs of them waits",
                &[],
            ),
            store_memory: registry.float_gauge(
                "store_memory_ratio",
                "the share of the memory it may take that Redis has taken; 0 where maxmemory is not set",
                &[],
            ),
            format: registry.gauge(
                "format",
                "the format in which states and records are written; `winback upgrade finalize` goes to the newest",
                &[],
            ),
            coupons: registry.counter(
                "coupons_total",
                "single-use codes by what became of them",
                &["result"],
            ),
            left: Changing::new(registry.gauge(
                "coupons_left",
                "codes left in the partitions owned here",
                &["pool"],
            )),
            low: Changing::new(registry.gauge(
                "coupons_low",
                "codes under which a pool is to be filled",
                &["pool"],
            )),
            paused: Changing::new(registry.gauge(
                "paused",
                "1 for what is paused by hand or by a fuse",
                &["scope"],
            )),
        }
    }

    /// Sets the gauges: codes left by pool and partition, and what the active bundle and the switches say.
    pub fn show<'a>(
        &self,
        pools: impl Iterator<Item = (&'a str, u64)>,
        active: Option<BundleHash>,
        bundles: &Bundles,
    ) {
        let mut left: BTreeMap<&str, u64> = BTreeMap::new();
        for (pool, count) in pools {
            *left.entry(pool).or_default() += count;
        }
        let left = left.into_iter();
        self.left.show(left.map(|(pool, count)| {
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            (vec![pool.to_owned()], count)
        }));
        let active = active.and_then(|hash| bundles.get(hash));
        let aside = active.map_or(0, |bundle| bundle.aside.len());
        let aside = i64::try_from(aside).unwrap_or(i64::MAX);
        self.aside.with_label_values::<&str>(&[]).set(aside);
        let format = i64::from(bundles.format().number());
        self.format.with_label_values::<&str>(&[]).set(format);
        let pools = active.iter().flat_map(|bundle| &bundle.policy.coupons);
        let pools = pools.filter(|(_, coupon)| coupon.code.is_none());
        self.low
            .show(pools.map(|(pool, coupon)| (vec![pool.clone()], i64::from(coupon.low))));
        let paused = bundles.paused();
        self.paused
            .show(paused.map(|scope| (vec![scope.to_string()], 1)));
    }
}
