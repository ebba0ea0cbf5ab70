//! The owner vouches for its partitions, and sees on the way where they stand in the store.
//!
//! Invariants: INV-5 (a claim needs a lease that is fresh), INV-1 (only the epoch's owner renews it). Absent: who claims,
//! and how old a lease may be; dispatch's config says so.

use winback_contract::{Partition, Timestamp};
use winback_store::Lease;

use super::{Service, lasts};
use crate::error::Error;
use crate::partition::OwnedPartition;

impl Service {
    /// Renews the leases of the partitions, under which messages may be claimed, and sees on the way whether the store
    /// still is where it was: also while nothing else is asked of it (INV-1, INV-5).
    pub(super) async fn vouch(&mut self) -> Result<(), Error> {
        let here = self.shared.clock.now_millis();
        let vouched = |owned: &OwnedPartition| {
            let frontier = self.frontier.of(owned.partition);
            (frontier > Timestamp::from_millis(i64::MIN)).then_some(frontier)
        };
        let news = self
            .owned
            .values()
            .any(|owned| vouched(owned) > owned.vouched);
        if self.owned.is_empty() || !news && lasts(self.vouched, here, 1_000) {
            return Ok(());
        }
        let leases: Vec<Lease> = self
            .owned
            .values()
            .map(|owned| Lease {
                partition: owned.partition,
                epoch: owned.meta.epoch,
                sequence: owned.meta.sequence,
                applied: vouched(owned),
            })
            .collect();
        let standings = self.shared.store.renew(&leases).await?;
        self.vouched = here;
        for (lease, standing) in leases.iter().zip(standings) {
            let Some(owned) = self.owned.get_mut(&lease.partition) else {
                continue;
            };
            owned.vouched = lease.applied;
            let known = owned.standing();
            if standing < known {
                let partition = lease.partition;
                let found = standing.sequence;
                let error = Error::WentBack {
                    partition,
                    known,
                    found,
                };
                self.give_back(partition, &error).await;
            }
        }
        Ok(())
    }

    /// Takes a partition anew after a failed step. What was taken and folded is not what is committed, and an answer may
    /// have been lost: it begins anew from what the store says. It costs a turn, never safety.
    pub(super) async fn give_back(&mut self, partition: Partition, error: &Error) {
        tracing::warn!(partition = partition.0, %error, "the partition is taken anew");
        if let Error::WentBack { known, .. } = error {
            // Kafka keeps what was acknowledged: also after a restart the step back must be found.
            self.echo_all().await;
            let newest = self.known.entry(partition).or_default();
            *newest = (*newest).max(*known);
            // What was vouched for in the lost time is not applied any more (INV-6).
            self.frontier.begin_anew(&self.shared.config);
        }
        match error {
            Error::Stopped { why, .. } => self.stand(partition, why.clone()),
            Error::Panicked(_) => {
                self.careful.insert(partition);
                self.wanted.push(partition);
            }
            _ => self.wanted.push(partition),
        }
        self.release(partition).await;
    }
}
