//! Lists of watchers in a commit: a list is tidied now and then only.
//!
//! Tidying cuts a list to its newest and puts off the day it is forgotten. Most events of a shop show interest in some
//! product, so doing it with each would cost more than the list itself.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redis::Cmd;
use winback_contract::{Partition, Span, Timestamp};

use super::keys::Keys;
use crate::commit::{WATCHED_FOR, Watch};

/// A list is tidied when somebody is added and it was not for so long.
const TIDIED: Span = Span::from_hours(1);
/// Lists of which this process remembers when it tidied them (INV-12); then it forgets all and tidies anew.
const REMEMBERED: usize = 100_000;

/// When lists were tidied, by key.
#[derive(Debug, Default)]
pub(super) struct Tidied(Mutex<HashMap<String, Timestamp>>);

/// The new watchers of one product.
pub(super) struct List<'w> {
    key: String,
    watch: &'w Watch,
    newest: Option<Timestamp>,
    tidies: bool,
}

impl Tidied {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The lists of a commit.
    pub(super) fn lists<'w>(
        &self,
        keys: &Keys,
        partition: Partition,
        watches: &'w [Watch],
    ) -> Vec<List<'w>> {
        let known = self.lock();
        let list = |watch: &'w Watch| {
            let key = keys.watchers(partition, &watch.product);
            let newest = watch.by.iter().map(|(since, _)| *since).max();
            let is_due = |newest: Timestamp| {
                let tidied = known.get(&key);
                tidied.is_none_or(|at| newest.since(*at) >= TIDIED)
            };
            List {
                tidies: newest.is_some_and(is_due),
                key,
                watch,
                newest,
            }
        };
        watches.iter().map(list).collect()
    }

    /// The commit with these lists is durable.
    pub(super) fn done(&self, lists: Vec<List<'_>>) {
        let mut known = self.lock();
        for list in lists.into_iter().filter(|list| list.tidies) {
            if known.len() >= REMEMBERED {
                known.clear();
            }
            known.extend(list.newest.map(|newest| (list.key, newest)));
        }
    }
}

impl List<'_> {
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn arguments(&self, command: &mut Cmd) {
        command.arg(self.watch.by.len()).arg(self.watch.gone.len());
        match self.newest.filter(|_| self.tidies) {
            Some(newest) => command.arg((newest + WATCHED_FOR).as_millis()),
            None => command.arg(""),
        };
        for (since, who) in &self.watch.by {
            command.arg(since.as_millis()).arg(who.as_bytes());
        }
        for who in &self.watch.gone {
            command.arg(who.as_bytes());
        }
    }
}
