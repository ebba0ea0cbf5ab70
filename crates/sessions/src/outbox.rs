//! What a partition has committed and the log has not acknowledged. The store's list is trimmed from the front, so an entry
//! that was taken behind one that was not stays in the list, and is written once more after a crash.
//!
//! Invariant: INV-3. Absent: the list itself, which lies in the store.

use std::collections::BTreeSet;
use std::sync::Arc;

use winback_bus::{Lanes, Log};
use winback_contract::TopicNames;
use winback_store::Standing;

use crate::entry::Entry;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    lanes: Lanes,
    /// The number of the entry at the front of the store's list.
    front: u64,
    /// Acknowledged from the front on, and not trimmed yet.
    sent: u64,
    /// Acknowledged behind an entry that is not.
    ahead: BTreeSet<u64>,
    /// Since when something has been waiting, milliseconds.
    since: Option<i64>,
}

impl Outbox {
    /// Entries at the end of the list, as committed while the store stood there.
    pub(crate) fn put(
        &mut self,
        entries: impl IntoIterator<Item = Entry>,
        (names, standing): (&TopicNames, Standing),
        here: i64,
    ) {
        if self.lanes.is_empty() {
            self.since = Some(here);
        }
        for entry in entries {
            self.lanes.put(entry.outgoing(names, standing));
        }
    }

    /// Entries of the store's list, also those that are acknowledged behind one that is not: they are trimmed after it.
    pub(crate) fn held(&self) -> usize {
        usize::try_from(self.lanes.next_number() - self.front).unwrap_or(usize::MAX)
    }

    /// Whether nothing more may be taken (INV-12): the log takes nothing somewhere, and so many entries are held.
    pub(crate) fn is_full(&self, most: usize) -> bool {
        self.lanes.is_slow() && self.held() >= most
    }

    /// Whether all are acknowledged.
    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.is_empty()
    }

    /// Entries that the next commit may take off the list.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// A commit took so many off the list.
    pub(crate) fn trimmed(&mut self, count: u64) {
        self.front += count;
        self.sent = self.sent.saturating_sub(count);
    }

    /// Since when something has been waiting, milliseconds; `None` while nothing is.
    pub(crate) fn since(&self) -> Option<i64> {
        self.since.filter(|_| !self.is_empty())
    }

    /// Where the log takes nothing.
    pub(crate) fn slow(&self) -> Option<String> {
        self.lanes.slow()
    }

    /// Whether sending once more may help.
    pub(crate) fn can_go_on(&self) -> bool {
        !self.is_empty() && !self.lanes.is_slow()
    }

    /// Sends what is there; what a partition of the log does not take within a second is left for later.
    ///
    /// # Errors
    /// Those of the log: what could not be written goes first next time.
    pub(crate) async fn send(&mut self, log: &Arc<dyn Log>) -> Result<(), winback_bus::Error> {
        if self.is_empty() {
            return Ok(());
        }
        let (acknowledged, written) = self.lanes.send(log).await;
        self.ahead.extend(acknowledged);
        while self.ahead.remove(&(self.front + self.sent)) {
            self.sent += 1;
        }
        written
    }
}
