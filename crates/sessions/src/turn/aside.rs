//! A panic in the fold costs the input that caused it, not the process: everything folded is thrown away, the partition
//! goes on one input at a time, and the one that panics again goes to `failed` (INV-8). Absent: what caused it.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use winback_contract::{FailedReason, MessageId, Timestamp, Topic};
use winback_journey::{Coupons, GrantState};
use winback_store::Commit;

use super::{Inputs, Shared};
use crate::batch::Folded;
use crate::cache::Cache;
use crate::entry::Entry;
use crate::error::Error;
use crate::partition::OwnedPartition;

impl OwnedPartition {
    /// Folds, or puts the one input aside whose fold panics.
    pub(super) fn fold_or_aside(
        &mut self,
        shared: &Shared,
        taken: Inputs,
        grants: &HashMap<MessageId, GrantState>,
        frontier: Timestamp,
    ) -> Result<(Commit, Vec<Entry>, Folded), Error> {
        let spare = (self.careful > 0).then(|| taken.clone());
        // What was half done lies in the cache and the batch alone, and both are thrown away.
        let folded = catch_unwind(AssertUnwindSafe(|| {
            self.fold(shared, taken, grants, frontier)
        }));
        match (folded, spare) {
            (Ok(folded), _) => {
                self.careful = self.careful.saturating_sub(1);
                Ok(folded)
            }
            (Err(_), None) => Err(Error::Panicked(self.partition)),
            (Err(_), Some(taken)) => {
                tracing::error!(
                    partition = self.partition.0,
                    "an input is put aside: applying it panics"
                );
                self.cache = Cache::default();
                self.coupons = Coupons::default();
                self.careful = 0;
                Ok(self.put_aside(shared, &taken, frontier))
            }
        }
    }

    fn put_aside(
        &mut self,
        shared: &Shared,
        taken: &Inputs,
        frontier: Timestamp,
    ) -> (Commit, Vec<Entry>, Folded) {
        let sent = self.outbox.sent();
        let mut batch = self.batch(shared, frontier);
        for (record, _) in &taken.decisions {
            batch.aside(Topic::Decisions, record, FailedReason::Panicked);
        }
        for (record, _) in &taken.outcomes {
            batch.aside(Topic::Outcomes, record, FailedReason::Panicked);
        }
        for (record, _) in &taken.events {
            batch.aside(Topic::Events, record, FailedReason::Panicked);
        }
        for (id, _) in &taken.due {
            batch.put_off(*id);
        }
        if let Some((job, next)) = &taken.sweep {
            // What those need who are passed over is not known.
            batch.got_on(job, next.clone(), true);
        }
        batch.reached(&taken.last());
        batch.finish(sent)
    }
}
