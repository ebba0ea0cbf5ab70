//! What room the store's memory has, and who is given up where it gets short (INV-12). Absent: how full the store is.

use std::sync::atomic::{AtomicU8, Ordering};

use winback_contract::{Body, spec};

/// The room that is left.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(crate) enum Headroom {
    /// Everybody is remembered.
    #[default]
    Enough,
    /// Nobody new of whom no address is known.
    Short,
    /// Half of what was left is gone as well, which invented user ids and addresses can do: nobody new who did not order or
    /// say a word on consent.
    Last,
}

impl Headroom {
    /// At a share of the memory that is taken, where it is short from `short` on.
    pub(crate) fn at(share: f64, short: f64) -> Self {
        if share >= f64::midpoint(short, 1.0) {
            Self::Last
        } else if share >= short {
            Self::Short
        } else {
            Self::Enough
        }
    }

    /// Whether somebody who is not known yet is not remembered for this. Orders, a word on consent, and whatever joins, moves
    /// or erases people is never given up.
    pub(crate) fn gives_up(self, body: &Body) -> bool {
        let Body::Storefront(event) = body else {
            return false;
        };
        if event.consent.is_some() || event.name == spec::ORDER_COMPLETED {
            return false;
        }
        let known = &event.identities;
        let is_known = known.user.is_some() || known.email.is_some() || known.phone.is_some();
        match self {
            Self::Enough => false,
            Self::Short => !is_known,
            Self::Last => true,
        }
    }
}

/// The room as it was found last, for all partitions of a process.
#[derive(Debug, Default)]
pub(crate) struct Found(AtomicU8);

impl Found {
    const ALL: [Headroom; 3] = [Headroom::Enough, Headroom::Short, Headroom::Last];

    /// As it was found.
    pub(crate) fn get(&self) -> Headroom {
        let index = usize::from(self.0.load(Ordering::Relaxed));
        Self::ALL.get(index).copied().unwrap_or_default()
    }

    /// It is found so; what it was before.
    pub(crate) fn replace(&self, now: Headroom) -> Headroom {
        let index = self.0.swap(now as u8, Ordering::Relaxed);
        Self::ALL
            .get(usize::from(index))
            .copied()
            .unwrap_or_default()
    }
}
