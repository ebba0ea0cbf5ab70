//! The wire contract of winback: every record that crosses a topic, every id, and the topic table.
//!
//! Invariants: INV-3 (ids come from inputs only: see [`ids`]), INV-9 (one closed list of reasons: see
//! [`Reason`]). Absent on purpose: IO, clocks, chance, and any rule about what to do with a record.

mod activations;
mod address;
mod blob;
mod channel;
mod decision;
mod event;
pub mod failed;
mod failed_reason;
mod format;
mod goods;
pub mod identity;
pub mod ids;
mod journey;
mod link;
pub mod message;
mod money;
mod outcome;
mod partition;
mod pause;
pub mod raw;
mod reason;
mod record;
pub mod schema;
pub mod spec;
mod text;
mod time;
mod topics;
mod trigger;
pub mod version;
mod words;

pub use activations::Activations;
pub use address::{AddressId, AddressNews, Standing};
pub use blob::Blob;
pub use channel::Channel;
pub use decision::{Decision, StepDecision, Verdict};
pub use event::{Announcement, ConsentChange, ConsentStatus, Event, Product, Traits};
pub use failed::{Failed, FailedStage};
pub use failed_reason::FailedReason;
pub use format::{Format, FormatRecord};
pub use goods::{Before, CatalogueEntry, GoodsNews};
pub use identity::{Identities, Identity, IdentityKind};
pub use ids::{BundleHash, CustomerId, EventId, JourneyId, MessageId, TriggerId};
pub use journey::{JourneyRecord, Transition};
pub use link::{BadLink, Link, LinkKeys, LinkKind};
pub use message::{Message, OfferText};
pub use money::{Currency, MalformedCurrency, Money};
pub use outcome::{Outcome, OutcomeStatus};
pub use partition::{Offset, Partition, PartitionCount};
pub use pause::{Pause, PauseRecord, PausedBy, Scope, is_paused};
pub use reason::Reason;
pub use record::{Body, EventRecord, SourceKind, SourcePosition};
pub use time::{MalformedTime, Span, Timestamp};
pub use topics::{Topic, TopicNames};
pub use trigger::{DueStep, Trigger};
