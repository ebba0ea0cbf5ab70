//! Pools of single-use codes, as far as one partition holds them: a code is taken with the booking of the step that
//! offers it, and comes back if it reached nobody (playbook P55; INV-2: in the same commit).
//!
//! What is not here: how codes come in and where they lie; see the store.

use std::collections::{BTreeMap, VecDeque};

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Coupons {
    pools: BTreeMap<String, Pool>,
    endless: bool,
}

#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Pool {
    /// The codes that go next; not all of them.
    front: VecDeque<String>,
    /// How many there are in all.
    left: u64,
}

impl Coupons {
    /// Pools that never run dry, with codes made up: for backtests and cases, where no shop has loaded any.
    pub fn endless() -> Self {
        Self {
            endless: true,
            ..Self::default()
        }
    }

    /// Whether the store should be asked for the front of a pool before up to `most` codes are taken.
    pub fn lacks(&self, pool: &str, most: usize) -> bool {
        let short = |pool: &Pool| pool.front.len() < most && (pool.front.len() as u64) < pool.left;
        !self.endless && self.pools.get(pool).is_none_or(short)
    }

    /// What the store says of a pool.
    pub fn learn(&mut self, pool: &str, front: Vec<String>, left: u64) {
        let front = front.into();
        self.pools.insert(pool.to_owned(), Pool { front, left });
    }

    /// The pool has changed in a way that only the store knows.
    pub fn forget(&mut self, pool: &str) {
        self.pools.remove(pool);
    }

    /// The code that goes next behind `taken` others that are about to be taken; `made_up` is what an endless pool gives.
    pub fn next(&self, pool: &str, taken: usize, made_up: &str) -> Option<String> {
        if self.endless {
            return Some(made_up.to_owned());
        }
        self.pools.get(pool)?.front.get(taken).cloned()
    }

    /// A code is given to somebody.
    pub fn take(&mut self, pool: &str, code: &str) {
        let Some(pool) = self.pools.get_mut(pool) else {
            return;
        };
        if let Some(index) = pool.front.iter().position(|free| free == code) {
            pool.front.remove(index);
            pool.left = pool.left.saturating_sub(1);
        }
    }

    /// A code reached nobody: it goes to the end.
    pub fn put_back(&mut self, pool: &str, code: &str) {
        let Some(pool) = self.pools.get_mut(pool) else {
            return;
        };
        if pool.front.len() as u64 == pool.left {
            pool.front.push_back(code.to_owned());
        }
        pool.left += 1;
    }

    /// Pools without a code.
    pub fn dry(&self) -> Vec<String> {
        let dry = self.pools.iter().filter(|(_, pool)| pool.left == 0);
        dry.map(|(name, _)| name.clone()).collect()
    }

    /// How many codes each known pool has.
    pub fn left(&self) -> impl Iterator<Item = (&str, u64)> {
        let pools = self.pools.iter();
        pools.map(|(name, pool)| (name.as_str(), pool.left))
    }
}

#[cfg(test)]
mod tests {
    use super::Coupons;

    #[test]
    fn a_code_goes_once_and_comes_back_to_the_end() {
        let mut coupons = Coupons::default();
        assert!(coupons.lacks("TEN", 2));
        coupons.learn("TEN", vec!["A".into(), "B".into()], 3);
        assert!(!coupons.lacks("TEN", 2), "two are enough for two");
        assert!(coupons.lacks("TEN", 3), "there is a third");
        assert_eq!(coupons.next("TEN", 1, ""), Some("B".into()));
        coupons.take("TEN", "A");
        coupons.take("TEN", "A");
        coupons.put_back("TEN", "A");
        coupons.take("TEN", "B");
        assert_eq!(coupons.left().collect::<Vec<_>>(), [("TEN", 2)]);
        assert_eq!(
            coupons.next("TEN", 0, ""),
            None,
            "what lies behind the front must be read first"
        );
        coupons.learn("TEN", Vec::new(), 0);
        assert_eq!(coupons.dry(), ["TEN"]);
        assert_eq!(Coupons::endless().next("TEN", 9, "X"), Some("X".into()));
    }
}
