//! The owner vouches for its partitions, and sees on the way where they stand in the store.
//!
//! Invariants: INV-5 (a claim needs a lease that is fresh), INV-1 (only the epoch's owner renews it). Absent: who claims,
//! and how old a lease may be; dispatch's config says so.

use winback_contract::Timestamp;
use winback_store::{Lease, Standing};

use super::Service;
use crate::error::Error;
use crate::partition::Owned;
use crate::turn::rollback;

impl Service {
    /// Renews the leases of the partitions, under which messages may be claimed, and sees on the way whether the store
    /// still is where it was: also while nothing else is asked of it (INV-1, INV-5).
    pub(super) async fn vouch(&mut self) -> Result<(), Error> {
        let here = self.shared.clock.now_millis();
        let vouched = |owned: &Owned| {
            let frontier = self.frontier.of(owned.partition);
            (frontier > Timestamp::from_millis(i64::MIN)).then_some(frontier)
        };
        let news = self
            .owned
            .values()
            .any(|owned| vouched(owned) > owned.vouched);
        if self.owned.is_empty() || !news && here - self.vouched < 1_000 {
            return Ok(());
        }
        let leases: Vec<Lease> = self
            .owned
            .values()
            .map(|owned| Lease {
                partition: owned.partition,
                epoch: owned.meta.epoch,
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
            let (epoch, sequence) = (owned.meta.epoch, owned.meta.sequence);
            if standing < (Standing { epoch, sequence }) {
                // Kafka keeps what was acknowledged: a restart must find the rollback again.
                self.echo_all().await;
                return Err(Error::Fatal(rollback(
                    lease.partition,
                    sequence,
                    standing.sequence,
                )));
            }
        }
        Ok(())
    }
}
