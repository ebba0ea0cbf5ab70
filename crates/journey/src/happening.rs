//! A storefront event on its way through the core, with both of its times.

use winback_contract::{Event, Timestamp};

/// A storefront event with its times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Happening<'a> {
    pub(crate) event: &'a Event,
    pub(crate) at: Timestamp,
    pub(crate) arrival: Timestamp,
    /// Whether the shop is being watched, not its past told.
    pub(crate) live: bool,
    /// Identity of the event, for journey ids.
    pub(crate) id: winback_contract::EventId,
    /// Whether it may arm anything that is due in the past.
    pub(crate) fresh: bool,
}
