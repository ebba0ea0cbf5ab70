//! Whether a message may go to its person: addresses that are allowed, and the fuse of the channel.
//!
//! What is not here: pauses by hand, which every decision has already asked for.

use std::sync::{MutexGuard, PoisonError};

use winback_bus::Error;
use winback_contract::{Pause, PauseRecord, PausedBy, Scope, Timestamp, Topic};

use super::Service;
use super::sender::Sender;
use crate::send_limit::SendLimit;

/// Whether one more message of the channel may go.
pub(super) enum Room {
    Free,
    None,
    /// The store can't say.
    Unknown,
}

impl Sender {
    pub(super) fn scope(&self) -> Scope {
        Scope::Channel(self.config.channel)
    }

    pub(super) fn send_limit(&self) -> MutexGuard<'_, SendLimit> {
        self.send_limit
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_allowed(&self, address: &str) -> bool {
        let domain = address
            .rsplit('@')
            .next()
            .map(|domain| format!("@{domain}"))
            .unwrap_or_default();
        let only = &self.config.only_to;
        only.is_empty() || only.contains(address) || only.contains(&domain)
    }

    /// Counts one more message of the channel, where its fuse lets it through.
    pub(super) async fn room(&self) -> Result<Room, Error> {
        if self.send_limit().is_tripped() {
            return Ok(Room::None);
        }
        let Some((name, most)) = self.send_limit().counts(self.config.channel) else {
            return Ok(Room::Free);
        };
        match self.store.count(&name, most).await {
            Ok(true) => Ok(Room::Free),
            Ok(false) => {
                self.send_limit().trip();
                Ok(Room::None)
            }
            // What can't be counted does not go: its step is judged again.
            Err(winback_store::Error::Unavailable(reason)) => {
                tracing::warn!(reason, "a message waits for the store to count it");
                Ok(Room::Unknown)
            }
            Err(winback_store::Error::Fatal(reason)) => Err(Error::Fatal(reason)),
        }
    }

    /// What was counted did not go out.
    pub(super) async fn make_room(&self) {
        let counted = self.send_limit().counts(self.config.channel);
        let Some((name, _)) = counted else { return };
        if let Err(error) = self.store.uncount(&name).await {
            // Then the fuse is one message more careful for an hour.
            tracing::warn!(%error, "a message that did not go out stays counted");
        }
    }
}

impl Service {
    /// A fuse that has blown stops the channel everywhere, as a person would.
    pub(super) fn tell_of_fuse(&mut self) -> Result<(), Error> {
        if !self.sender.send_limit().has_just_tripped() {
            return Ok(());
        }
        let channel = self.sender.config.channel;
        self.sender
            .metrics
            .fuses
            .with_label_values(&[channel.as_str()])
            .inc();
        tracing::error!(
            %channel,
            most = self.sender.config.send_limit,
            "more messages in an hour than dispatch allows: the channel is paused until `winback resume --channel {channel}`"
        );
        let switch = Pause {
            v: Pause::VERSION,
            scope: self.sender.scope(),
            paused: true,
            by: PausedBy::Fuse,
            at: Timestamp::from_millis(self.sender.clock.now_millis()),
        };
        let topic = self.sender.config.names.name(Topic::Campaigns);
        let key = switch.key();
        let value = serde_json::to_vec(&PauseRecord { switch });
        self.put(&topic, None, key, value)
    }
}
