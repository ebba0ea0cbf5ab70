//! A partition that is owned: its meta, its inputs, its cache, and what Kafka has not acknowledged yet.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use winback_bus::{Mark, Record, TopicPartition};
use winback_campaign::Bundles;
use winback_contract::{Announcement, CustomerId, Offset, Partition, Timestamp, Topic, TopicNames};
use winback_journey::{Coupons, Sellers};
use winback_store::{PartitionMeta, Standing};

use crate::cache::Cache;
use crate::outbox::Outbox;
use crate::sweep;

/// See the module. The service owns it; nobody else has a handle.
#[derive(Debug)]
pub(crate) struct OwnedPartition {
    /// Which.
    pub partition: Partition,
    /// As of the last durable commit.
    pub meta: PartitionMeta,
    /// Read and not applied.
    pub events: VecDeque<Record>,
    /// Read and not applied.
    pub decisions: VecDeque<Record>,
    /// Read and not applied.
    pub outcomes: VecDeque<Record>,
    /// Decoded customers.
    pub cache: Cache,
    /// Committed, not acknowledged.
    pub outbox: Outbox,
    /// The earliest due time that is known.
    pub earliest: Option<Timestamp>,
    /// Whether `earliest` must be read anew.
    pub earliest_is_stale: bool,
    /// The shop's announcements.
    pub news: Vec<Announcement>,
    /// What sells.
    pub sellers: Arc<Sellers>,
    /// Codes of coupon pools.
    pub coupons: Coupons,
    /// When the next day of the shop's calendar has to be called out.
    pub next_call: Option<Timestamp>,
    /// Up to when its input was vouched for.
    pub vouched: Option<Timestamp>,
    /// When it was acquired.
    pub acquired: Timestamp,
    /// Topics of which nothing more is read because too much waits.
    pub held: BTreeSet<Topic>,
    /// When the sweep went on last, and how long it pauses then, in milliseconds.
    pub swept: (i64, i64),
    /// What the next inputs of its topics wait for.
    pub waits: BTreeMap<Topic, Waits>,
    /// Customers of this batch whose state can't be read.
    pub damaged: BTreeSet<CustomerId>,
    /// A panic came before: so many inputs go one by one.
    pub careful: u32,
}

/// The mark of a position; none where it is another position's.
pub(crate) fn mark_at(position: Offset, kept: &str) -> Option<Mark> {
    let (of, mark) = kept.split_once(':')?;
    let of = of.parse::<i64>().ok()?;
    Mark::parse(mark).filter(|_| of == position.0)
}

/// What the next input of a partition waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Waits {
    /// A bundle that has not come.
    Bundle,
    /// A release that reads this version of its topic's records.
    Newer(u64),
}

impl OwnedPartition {
    /// Just acquired.
    pub(crate) fn new(
        partition: Partition,
        meta: PartitionMeta,
        earliest: Option<Timestamp>,
    ) -> Self {
        let news = sweep::news(&meta);
        let sellers = Arc::new(serde_json::from_str(&meta.sellers).unwrap_or_default());
        Self {
            partition,
            meta,
            events: VecDeque::new(),
            decisions: VecDeque::new(),
            outcomes: VecDeque::new(),
            cache: Cache::default(),
            outbox: Outbox::default(),
            earliest,
            earliest_is_stale: false,
            news,
            sellers,
            coupons: Coupons::default(),
            next_call: None,
            vouched: None,
            acquired: Timestamp::default(),
            held: BTreeSet::new(),
            swept: (0, 0),
            waits: BTreeMap::new(),
            damaged: BTreeSet::new(),
            careful: 0,
        }
    }

    /// Where it stands: its last durable commit.
    pub(crate) fn standing(&self) -> Standing {
        Standing {
            epoch: self.meta.epoch,
            sequence: self.meta.sequence,
        }
    }

    /// The three partitions it reads, with the next offsets and the marks of the records before them.
    pub(crate) fn topic_partitions(
        &self,
        names: &TopicNames,
    ) -> [(TopicPartition, Offset, Option<Mark>); 3] {
        self.meta.inputs().map(|(topic, offset, mark)| {
            let topic_partition = TopicPartition::new(&names.name(topic), self.partition);
            (topic_partition, offset, mark_at(offset, mark))
        })
    }

    /// Whether the bundle that decides here is loaded: without it nothing is taken, unless it is gone for good (a store went
    /// back to before another was made active, and that word comes again).
    pub(crate) fn can_go_on(&self, bundles: &Bundles) -> bool {
        self.meta
            .bundle
            .is_none_or(|hash| bundles.get(hash).is_some() || bundles.is_gone(hash))
    }

    /// Whether it can't go on, or not past a switch, because a bundle has not come.
    pub(crate) fn waits_for_bundle(&self, bundles: &Bundles) -> bool {
        self.waits.get(&Topic::Events) == Some(&Waits::Bundle) || !self.can_go_on(bundles)
    }

    /// Whether there is something to do that need not be waited for.
    pub(crate) fn has_work(&self, bundles: &Bundles, most: usize) -> bool {
        let has_room = !self.outbox.is_full(most);
        self.outbox.can_go_on()
            || has_room && (self.outbox.sent() > 0 || self.can_go_on(bundles) && self.has_input())
    }

    /// Whether an input waits that could be applied now.
    pub(crate) fn has_input(&self) -> bool {
        let goes =
            |topic, queue: &VecDeque<Record>| !queue.is_empty() && !self.waits.contains_key(&topic);
        goes(Topic::Events, &self.events)
            || goes(Topic::Decisions, &self.decisions)
            || goes(Topic::Outcomes, &self.outcomes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A release that knows no marks moves the position and leaves the mark: that is another position's.
    #[test]
    fn a_mark_is_of_its_position() {
        let mark = Mark::parse("0123456789abcdef");
        assert!(mark.is_some());
        assert_eq!(mark_at(Offset(7), "7:0123456789abcdef"), mark);
        for (position, kept) in [
            (8, "7:0123456789abcdef"),
            (7, ""),
            (7, "0123456789abcdef"),
            (7, "7:"),
            (7, "x:0123456789abcdef"),
        ] {
            assert_eq!(mark_at(Offset(position), kept), None, "{position}, {kept}");
        }
    }
}
