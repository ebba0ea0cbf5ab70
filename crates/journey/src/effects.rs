//! What a step wants done: values that the sessions service commits and performs.

use winback_contract::{
    Body, CustomerId, EventId, JourneyRecord, Message, MessageId, Reason, SourceKind, Timestamp,
    Trigger,
};

use crate::behaviour::Touch;

/// A change of a grant, in the same commit as the state (INV-2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum GrantChange {
    /// Dispatch may claim this message.
    Grant {
        /// Which.
        message: MessageId,
        /// Which attempt.
        attempt: u32,
        /// Not before.
        not_before: Timestamp,
        /// Not after.
        not_after: Timestamp,
    },
    /// It is settled: the grant is forgotten, claimed or not.
    Remove(MessageId),
    /// Nobody may claim it any more (INV-5). A claim that came first stays until its answer: a copy read again must not
    /// take it for unsent.
    Withdraw(MessageId),
    /// The journey went to another profile: a claim answers `moved`.
    Move(MessageId),
}

/// A single-use code changes hands, in the same commit as the state (INV-2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CouponMove {
    /// It was given to somebody: pool and code.
    Taken(String, String),
    /// It reached nobody.
    Returned(String, String),
}

/// A record for another profile.
#[derive(Clone, PartialEq, Debug)]
pub struct Forward {
    /// To whom.
    pub to: CustomerId,
    /// Identity of the event.
    pub id: EventId,
    /// Live or history.
    pub kind: SourceKind,
    /// Arrival of the original.
    pub arrival: Timestamp,
    /// Event time of the original.
    pub at: Timestamp,
    /// What it says.
    pub body: Body,
}

/// Declares the enum and the list of all of it together: a count that is in one and not in the other can't be written.
macro_rules! counts {
    ($( $(#[$doc:meta])* $name:ident, )+) => {
        /// Things worth counting; the service turns them into metrics.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Count {
            $( $(#[$doc])* $name, )+
        }

        impl Count {
            /// All of them, in the order of their declaration.
            pub const ALL: [Self; [$( stringify!($name) ),+].len()] = [$( Self::$name ),+];
        }
    };
}

counts! {
    /// An event that was applied.
    Applied,
    /// A repeat by message id.
    Duplicate,
    /// A live event too late to trigger.
    Late,
    /// A decision or outcome nobody waits for.
    Stale,
    /// A list was full.
    Truncated,
    /// A condition could not be judged.
    ConditionFailed,
    /// A journey was not armed because of `reentry`.
    Reentry,
    /// A record was passed on to the owner.
    Forwarded,
    /// A trigger was emitted again.
    Reemitted,
    /// A message whose answer was lost.
    Unknown,
    /// A message was sent again although it may have gone out.
    Resent,
    /// A step was due while too many triggers were open: it waits.
    PutOff,
    /// A code was set aside for somebody.
    CouponReserved,
    /// A message with it went out.
    CouponAttached,
    /// An order named it.
    CouponRedeemed,
    /// It reached nobody and went back.
    CouponReturned,
    /// There was none left.
    CouponMissing,
    /// An address has more holders than are told of what is said of it: its oldest holder is forgotten.
    Unheld,
    /// What was said of an address is not passed on: the shop is on a format that can't say it.
    LaterFormat,
    /// Somebody who looks around is not remembered: the store is nearly full.
    NoMemory,
}

/// How often each thing happened. It costs no allocation: every event counts something.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts([u32; Count::ALL.len()]);

impl Counts {
    /// One more.
    pub fn add(&mut self, what: Count) {
        let count = &mut self.0[what as usize];
        *count = count.saturating_add(1);
    }

    /// Adds those of another input.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = mine.saturating_add(theirs);
        }
    }

    /// How often.
    pub fn of(&self, what: Count) -> u32 {
        self.0[what as usize]
    }
}

/// Everything one input caused.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Effects {
    /// For auditors.
    pub journeys: Vec<JourneyRecord>,
    /// Permissions.
    pub grants: Vec<GrantChange>,
    /// For dispatch.
    pub messages: Vec<Message>,
    /// For the evaluator.
    pub triggers: Vec<Trigger>,
    /// For other profiles.
    pub forwards: Vec<Forward>,
    /// Products of which the customer wants news, and since when.
    pub watches: Vec<(String, Timestamp)>,
    /// Products of which the customer wants no news any more.
    pub unwatched: Vec<String>,
    /// Orders that counted, with their arrival: what sells is learned from them.
    pub sold: Vec<(Vec<Touch>, Timestamp)>,
    /// Codes of coupon pools.
    pub coupons: Vec<CouponMove>,
    /// For metrics.
    pub counts: Counts,
    /// The profile is to be forgotten.
    pub delete: bool,
}

impl Effects {
    /// Whether it changed the customer only: nothing leaves, and nothing but counts is worth telling.
    pub fn is_quiet(&self) -> bool {
        self.journeys.is_empty()
            && self.grants.is_empty()
            && self.messages.is_empty()
            && self.triggers.is_empty()
            && self.forwards.is_empty()
            && self.watches.is_empty()
            && self.unwatched.is_empty()
            && self.sold.is_empty()
            && self.coupons.is_empty()
            && !self.delete
    }

    /// Counts one thing.
    pub fn count(&mut self, what: Count) {
        self.counts.add(what);
    }
}

/// Why something is not done: the reason, and the part of a condition that decided.
pub(crate) struct Why {
    pub(crate) reason: Reason,
    pub(crate) because: Option<String>,
}

impl From<Reason> for Why {
    fn from(reason: Reason) -> Self {
        Self {
            reason,
            because: None,
        }
    }
}
