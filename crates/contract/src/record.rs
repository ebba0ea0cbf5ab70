//! The record of the `events` topic: one input of one customer, with the position it came from.
//!
//! Invariant: INV-3 and INV-8. `source` lets the reader drop what it has already applied, in order.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address::AddressNews;
use crate::blob::Blob;
use crate::event::Event;
use crate::format::Format;
use crate::goods::GoodsNews;
use crate::identity::IdentityKind;
use crate::ids::{BundleHash, CustomerId, EventId};
use crate::outcome::Outcome;
use crate::partition::{Offset, Partition};
use crate::time::{Timestamp, millis};

/// Where an internal record came from. Within one `stream` it only grows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SourcePosition {
    /// `raw:<source name>` for ingest, `sessions` for handovers and forwards, `publish` for activations.
    pub stream: String,
    /// Partition of that stream.
    pub partition: Partition,
    /// Offset there, or the commit sequence of the sending partition.
    pub offset: Offset,
    /// Index within that record or commit.
    pub index: u32,
}

/// Whether the shop is being watched or its past is being told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// May trigger.
    #[default]
    Live,
    /// Updates state; what is already past waits for a sweep.
    History,
}

/// One record of `events`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct EventRecord {
    /// Version of this shape.
    pub v: u8,
    /// The customer it is for; the record's partition is this customer's.
    pub to: CustomerId,
    /// Identity of the storefront's event; repeats carry the same.
    pub id: EventId,
    /// Where it came from.
    pub source: SourcePosition,
    /// Live or history.
    #[serde(default)]
    pub kind: SourceKind,
    /// Broker's time of the raw record, milliseconds since the epoch.
    #[serde(with = "millis")]
    #[schemars(with = "i64")]
    pub arrival: Timestamp,
    /// Storefront's time, clamped to arrival, milliseconds since the epoch.
    #[serde(with = "millis")]
    #[schemars(with = "i64")]
    pub at: Timestamp,
    /// What happened.
    pub body: Body,
}

/// What an `events` record says.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// Something a person did, for its own profile.
    Storefront(Box<Event>),
    /// The same conversion, for the profile of a weaker identifier the order carried.
    Copy(Box<Event>),
    /// `to` and a stronger profile are one person.
    Link {
        /// The stronger profile.
        owner: CustomerId,
        /// Its kind.
        owner_kind: IdentityKind,
        /// Kind of the identifier behind `to`.
        kind: IdentityKind,
    },
    /// A weaker profile gives its state to `to`.
    Handover {
        /// Whose state it was.
        from: CustomerId,
        /// Kind of its identifier.
        from_kind: IdentityKind,
        /// The encoded customer.
        state: Blob,
    },
    /// A forwarding mark now points to another owner: hops stay at one.
    Repoint {
        /// The new owner.
        owner: CustomerId,
        /// Its kind.
        owner_kind: IdentityKind,
    },
    /// Everything that is kept of `to` goes.
    Erased,
    /// What is said of an address, for its profile or for somebody who holds it.
    Address(Box<AddressNews>),
    /// Somebody who held the address `to` was erased: what was said of it is forgotten, unless others hold it.
    AddressForgotten {
        /// Who held it.
        holder: CustomerId,
    },
    /// A conversion or a consent that names an address which `to` holds.
    AtAddress(Box<Event>),
    /// An outcome for a message that moved to `to` with its journey.
    Outcome(Box<Outcome>),
    /// The shop has something to tell: a copy for every partition.
    Announcement(Box<Event>),
    /// Price or stock of a product changed: a copy for every partition.
    Goods(Box<GoodsNews>),
    /// New single-use codes of a coupon pool, for this partition.
    Coupons {
        /// Name of the pool in Policy.
        pool: String,
        /// The codes.
        codes: Vec<String>,
    },
    /// From here on this bundle decides, in this partition.
    Activation {
        /// Its hash.
        bundle: BundleHash,
    },
}

impl EventRecord {
    /// Version written now.
    pub const VERSION: u8 = 1;
    /// Version of a record that a release before erasure can't read: it leaves it where it is.
    pub const ERASED: u8 = 2;
    /// Version of a record that a release before addresses of their own can't read.
    pub const ADDRESS: u8 = 3;

    /// The newest version that is written in a format.
    pub fn newest_in(format: Format) -> u8 {
        match format {
            Format::One => Self::ERASED,
            Format::Two => Self::ADDRESS,
        }
    }

    /// The version in which a body is written: the oldest that can say it.
    pub fn version_of(body: &Body) -> u8 {
        match body {
            Body::Address(_) | Body::AddressForgotten { .. } | Body::AtAddress(_) => Self::ADDRESS,
            // A state of version 4, which a release that reads records of version 1 does not.
            Body::Handover { state, .. }
                if state.0.first().is_some_and(|version| *version >= 4) =>
            {
                Self::ADDRESS
            }
            Body::Erased => Self::ERASED,
            _ => Self::VERSION,
        }
    }
}
