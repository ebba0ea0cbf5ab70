//! What the pure functions may know beside the customer: bundles, the active one, limits.

use std::collections::BTreeMap;

use winback_campaign::Bundle;
use winback_contract::{Announcement, BundleHash, Channel, CustomerId, Partition, Span, Timestamp};

use crate::coupons::Coupons;
use crate::customer::Customer;
use crate::facts::Facts;
use crate::sellers::Sellers;
use winback_campaign::Bundles;

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
