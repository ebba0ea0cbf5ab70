//! Addresses: what was said of one, and who holds it.
//!
//! Invariants: INV-11 (a denial, a bounce or a complaint belongs to the address as well as to the person, and never gives
//! way to a full list), INV-12. The profile of an address is its desk: it knows everybody who holds the address, and
//! tells them. Absent: addresses without a profile of their own (push tokens): what is said of them stays with the person.

pub(crate) mod desk;
pub(crate) mod numbers;
pub(crate) mod person;
pub(crate) mod words;

use serde::{Deserialize, Serialize};
use winback_contract::{
    AddressId, Channel, CustomerId, Identity, IdentityKind, Standing, Timestamp,
};

use crate::customer::Profile;

/// Limits of what is kept about addresses.
pub(crate) mod limit {
    /// Words about addresses. An address has few: a channel or two, some topics.
    pub(crate) const WORDS: usize = 32;
    /// Addresses of before with messages that may still come back.
    pub(crate) const FORMER: usize = 4;
    /// Those who are told of an address that they hold.
    pub(crate) const HOLDERS: usize = 16;
}

/// What a profile knows of addresses. Since version 4.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Addresses {
    /// What was said of addresses that the person holds or held; at a desk, of its own.
    pub words: Vec<Word>,
    /// Addresses of before, the oldest first.
    pub former: Vec<Former>,
    /// At a desk: who holds its address, the newest last.
    pub holders: Vec<CustomerId>,
    /// Arrival of the newest order of somebody else who left this person's number.
    pub number_ordered: Option<Timestamp>,
}

/// One thing said of an address.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Word {
    /// Which.
    pub address: AddressId,
    /// On which channel.
    pub channel: Channel,
    /// For which topic; all if absent.
    pub topic: Option<String>,
    /// How it stands.
    pub standing: Standing,
    /// Since when, on the careful side of both clocks.
    pub at: Timestamp,
}

/// An address that the person had before, with what went there: a bounce that comes late is about it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Former {
    /// Which.
    pub address: AddressId,
    /// Its profile, if it has one.
    pub desk: Option<CustomerId>,
    /// The messages, shortened.
    pub messages: Vec<u64>,
}

/// An address as far as it is needed to speak of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Destination {
    pub(crate) address: AddressId,
    pub(crate) desk: Option<CustomerId>,
}

impl Destination {
    /// Where a channel reaches the person now.
    pub(crate) fn of(profile: &Profile, channel: Channel, shop: &str) -> Option<Self> {
        Self::named(profile, profile.address(channel)?, shop)
    }

    /// Of one of a person's addresses.
    pub(crate) fn named(profile: &Profile, text: &str, shop: &str) -> Option<Self> {
        // Which of its names the channel took says of which kind it is.
        let kind = [
            (IdentityKind::Email, profile.email.as_deref()),
            (IdentityKind::Phone, profile.phone.as_deref()),
        ]
        .into_iter()
        .find_map(|(kind, known)| (known == Some(text)).then_some(kind));
        let desk = kind
            .and_then(|kind| Identity::new(kind, text))
            .map(|identity| identity.customer(shop));
        Some(Self {
            address: AddressId::of(text),
            desk,
        })
    }
}

/// The kind of the identifier by which a channel reaches people; none where it has addresses of its own.
pub(crate) fn kind_of(channel: Channel) -> Option<IdentityKind> {
    match channel {
        Channel::Email => Some(IdentityKind::Email),
        Channel::Sms | Channel::Whatsapp | Channel::Viber | Channel::Call => {
            Some(IdentityKind::Phone)
        }
        // By number unless a token is known; by mail unless there is none: the person's own profile decides.
        Channel::Telegram | Channel::Ads => None,
        Channel::Push | Channel::Webhook | Channel::Task => None,
    }
}
