//! What is said of an address, and to whom it belongs: denials, bounces and complaints reach everybody who holds it.
//!
//! Invariant: INV-11. The address itself never stands here: its hash does. Absent: who holds it, which the profile of
//! the address knows.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::channel::Channel;
use crate::ids::{CustomerId, digest};

/// An address, a number or a token where it may not be read: a hash of its normal form, the same in every shop.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema,
)]
pub struct AddressId(pub u64);

impl AddressId {
    /// Of the normal form: lower-case mail, E.164, a token as it is.
    pub fn of(address: &str) -> Self {
        let hash = digest("address", &[address.as_bytes()]);
        let mut first = [0_u8; 8];
        first.copy_from_slice(&hash[..8]);
        Self(u64::from_be_bytes(first))
    }
}

/// How an address stands on a channel.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Whoever reads there said yes.
    Granted,
    /// Whoever reads there said no.
    Denied,
    /// Whoever reads there called it spam: a "no" to the whole channel.
    Complained,
    /// Nothing can be delivered there.
    Unreachable,
}

/// One thing said of an address, for its profile or for whoever holds it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AddressNews {
    /// The profile of the address, which tells everybody who holds it.
    pub desk: CustomerId,
    /// Which address.
    pub address: AddressId,
    /// On which channel.
    pub channel: Channel,
    /// For which topic; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// How it stands from now on.
    pub standing: Standing,
}
