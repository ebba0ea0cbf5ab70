//! What the pure functions may know beside the customer: bundles, the active one, limits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use winback_campaign::{Bundle, Campaign, Files};
use winback_contract::{
    Activations, Announcement, BundleHash, Channel, CustomerId, Partition, Scope, Span, Switch,
    SwitchRecord, Timestamp,
};

use crate::coupons::Coupons;
use crate::customer::Customer;
use crate::facts::Facts;
use crate::sellers::Sellers;

/// Bundles by hash: the active one and those that running journeys began with.
#[derive(Clone, Debug, Default)]
pub struct Bundles {
    all: BTreeMap<BundleHash, Arc<Bundle>>,
    /// Coupon pools of single-use codes, of all of them.
    pools: BTreeSet<String>,
    /// Bundles that this release would not make active.
    refused: BTreeSet<BundleHash>,
    /// The kill switches, by scope.
    switches: BTreeMap<Scope, Switch>,
}

/// What became of a published bundle.
#[derive(Debug)]
pub enum Offered {
    /// It is here now.
    Taken(BundleHash),
    /// It was here already.
    Known,
    /// It is no bundle but a switch.
    Switched(Switch),
    /// It is no bundle but the list of those that were active.
    Activated(Activations),
    /// It can't be used, and why.
    Refused(String),
}

impl Bundles {
    /// Takes a record of the `campaigns` topic: reads and compiles it.
    pub fn offer(&mut self, value: &[u8]) -> Offered {
        let Ok(files) = serde_json::from_slice::<Files>(value) else {
            if let Ok(SwitchRecord { switch }) = serde_json::from_slice(value) {
                self.switches.insert(switch.scope.clone(), switch.clone());
                return Offered::Switched(switch);
            }
            if let Ok(activations) = serde_json::from_slice(value) {
                return Offered::Activated(activations);
            }
            return Offered::Refused("a record of campaigns is no bundle".into());
        };
        let hash = files.hash();
        if self.all.contains_key(&hash) {
            return Offered::Known;
        }
        match Bundle::compile(&files) {
            Ok((bundle, _)) => {
                self.insert(Arc::new(bundle));
                Offered::Taken(hash)
            }
            Err(report) => {
                self.refused.insert(hash);
                // Where it is active already it stays so, with all of it that can be used.
                let lenient = Bundle::lenient(&files);
                let aside = match &lenient {
                    Some(bundle) => Vec::from_iter(bundle.aside.iter().cloned()).join(", "),
                    None => "all of it".to_owned(),
                };
                if let Some(bundle) = lenient {
                    self.insert(Arc::new(bundle));
                }
                Offered::Refused(format!(
                    "bundle {hash} is not for this release: it is not made active, and where it is already it goes on without {aside}: {report}"
                ))
            }
        }
    }

    /// Keeps a bundle.
    pub fn insert(&mut self, bundle: Arc<Bundle>) {
        let pools = bundle.policy.coupons.iter();
        let single_use = pools.filter(|(_, coupon)| coupon.code.is_none());
        self.pools.extend(single_use.map(|(name, _)| name.clone()));
        self.all.insert(bundle.hash, bundle);
    }

    /// Whether a bundle came and is not made active by this release: nobody waits for it.
    pub fn is_refused(&self, hash: BundleHash) -> bool {
        self.refused.contains(&hash)
    }

    /// The bundle of a hash.
    pub fn get(&self, hash: BundleHash) -> Option<&Arc<Bundle>> {
        self.all.get(&hash)
    }

    /// Scopes that are paused.
    pub fn paused(&self) -> impl Iterator<Item = &Scope> {
        let switches = self.switches.values().filter(|switch| switch.paused);
        switches.map(|switch| &switch.scope)
    }

    /// All switches that were ever thrown, in the order of scopes.
    pub fn switches(&self) -> impl Iterator<Item = &Switch> {
        self.switches.values()
    }

    /// All bundles.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Bundle>> {
        self.all.values()
    }

    /// Coupon pools of single-use codes, of all bundles.
    pub fn pools(&self) -> &BTreeSet<String> {
        &self.pools
    }

    /// A campaign of a bundle.
    pub fn campaign(&self, hash: BundleHash, name: &str) -> Option<&Campaign> {
        self.all.get(&hash)?.campaign(name)
    }
}

/// What to do about a message whose answer was lost (INV-4).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Ambiguous {
    /// It may have gone out: never again.
    #[default]
    Drop,
    /// Send it again: it may come twice, and is counted.
    Resend,
}

/// Numbers of the shell that the core needs.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Live events older than this update state and never trigger.
    pub late_after: Span,
    /// Dispatch has so long from claim to outcome.
    pub claim_timeout: Span,
    /// First re-emission of a trigger; doubles up to five minutes.
    pub trigger_retry: Span,
    /// Profiles without any address are forgotten after so long without activity.
    pub anonymous_retention: Span,
    /// All others.
    pub retention: Span,
    /// Policy for lost answers, by channel.
    pub ambiguous: BTreeMap<Channel, Ambiguous>,
    /// Whether it is told why journeys do not begin: offline alone.
    pub explain: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            late_after: Span::from_hours(72),
            claim_timeout: Span::from_secs(60),
            trigger_retry: Span::from_secs(10),
            anonymous_retention: Span::from_days(30),
            retention: Span::from_days(1_825),
            ambiguous: BTreeMap::new(),
            explain: false,
        }
    }
}

/// The surroundings of one customer at one step.
#[derive(Clone, Copy, Debug)]
pub struct World<'a> {
    /// Whose state it is.
    pub customer: CustomerId,
    /// Its partition.
    pub partition: Partition,
    /// All bundles that are loaded.
    pub bundles: &'a Bundles,
    /// The bundle that decides from here on; none before the first activation.
    pub active: Option<&'a Bundle>,
    /// Numbers of the shell.
    pub limits: &'a Limits,
    /// The shop's latest announcements.
    pub news: &'a [Announcement],
    /// What sells.
    pub sellers: &'a Sellers,
    /// Codes of coupon pools.
    pub coupons: &'a Coupons,
    /// The shop, as it goes into the keys of profiles.
    pub shop: &'a str,
}

impl<'a> World<'a> {
    /// The bundle of a hash: the active one, nearly always.
    pub fn bundle(&self, hash: BundleHash) -> Option<&'a Bundle> {
        match self.active {
            Some(active) if active.hash == hash => Some(active),
            _ => self.bundles.get(hash).map(AsRef::as_ref),
        }
    }

    /// What conditions may ask of a customer here.
    pub fn facts<'f>(
        &self,
        policy: &'f winback_campaign::Policy,
        customer: &'f Customer,
        now: Timestamp,
    ) -> Facts<'f>
    where
        'a: 'f,
    {
        Facts {
            news: self.news,
            ..Facts::of(policy, customer, self.customer, now)
        }
    }
}
