//! A storefront event on its way through the core, with both of its times.

use winback_contract::{Event, Timestamp};

/// A storefront event with its times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IncomingEvent<'a> {
    pub(crate) event: &'a Event,
    /// What it goes by: its own name, or that of what is derived from it.
    pub(crate) name: &'a str,
    pub(crate) at: Timestamp,
    pub(crate) arrival: Timestamp,
    /// Whether the shop is being watched, not its past told.
    pub(crate) live: bool,
    /// Identity of the event, for journey ids.
    pub(crate) id: winback_contract::EventId,
    /// Whether it may arm anything that is due in the past.
    pub(crate) fresh: bool,
}

impl<'a> IncomingEvent<'a> {
    /// The same under the name of what is derived from it.
    pub(crate) fn named(self, name: &'a str) -> Self {
        Self { name, ..self }
    }
}
