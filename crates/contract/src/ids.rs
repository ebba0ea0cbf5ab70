//! Ids that are made from inputs only, so that a replay makes the same ones (INV-3).
//!
//! Every id is the first 16 bytes of BLAKE3 over length-prefixed parts; on the wire it is 32 hex digits.
//! Nothing here reads a clock, an offset or a random source.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A text that is not 32 hex digits where an id was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an id is 32 hex digits")]
pub struct MalformedId;

/// Hashes length-prefixed parts to 16 bytes: `ab`+`c` and `a`+`bc` differ.
pub fn digest(domain: &str, parts: &[&[u8]]) -> [u8; 16] {
    let parts = || std::iter::once(domain.as_bytes()).chain(parts.iter().copied());
    let length: usize = parts().map(|part| 8 + part.len()).sum();
    let mut short = [0_u8; 256];
    // Nearly every id is made of a few short parts: one call over them costs half of what a stream does.
    let hash = if length <= short.len() {
        let mut at = 0;
        for part in parts() {
            short[at..at + 8].copy_from_slice(&(part.len() as u64).to_be_bytes());
            short[at + 8..at + 8 + part.len()].copy_from_slice(part);
            at += 8 + part.len();
        }
        blake3::hash(&short[..length])
    } else {
        let mut hasher = blake3::Hasher::new();
        for part in parts() {
            hasher.update(&(part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        hasher.finalize()
    };
    let mut out = [0_u8; 16];
    out.copy_from_slice(&hash.as_bytes()[..16]);
    out
}

/// A uniform number in `0..buckets`, fixed for life by its parts: holdouts, spreads, splits.
pub fn bucket(domain: &str, parts: &[&[u8]], buckets: u64) -> u64 {
    let bytes = digest(domain, parts);
    let mut first = [0_u8; 8];
    first.copy_from_slice(&bytes[..8]);
    u64::from_be_bytes(first) % buckets.max(1)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 16]);

        impl $name {
            /// The 16 raw bytes.
            pub fn as_bytes(&self) -> &[u8; 16] { &self.0 }

            /// Reads 32 hex digits.
            ///
            /// # Errors
            /// [`MalformedId`] when the text is anything else.
            pub fn parse(text: &str) -> Result<Self, MalformedId> {
                let mut out = [0_u8; 16];
                hex::decode_to_slice(text, &mut out).map_err(|_| MalformedId)?;
                Ok(Self(out))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(&hex::encode(self.0)) }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { write!(f, "{self}") }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    let mut digits = [0_u8; 32];
                    hex::encode_to_slice(self.0, &mut digits).map_err(serde::ser::Error::custom)?;
                    serializer.serialize_str(std::str::from_utf8(&digits).map_err(serde::ser::Error::custom)?)
                } else {
                    self.0.serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    crate::text::parsed(deserializer, Self::parse)
                } else {
                    <[u8; 16]>::deserialize(deserializer).map(Self)
                }
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> { stringify!($name).into() }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": "^[0-9a-f]{32}$" })
            }
        }
    };
}

id!(/** A profile: the hash of shop, identifier kind and normalised identifier (ADR 0005). */ CustomerId);
id!(/** One message to one person: a step of a journey. A channel is an attempt of it, never a second id. */ MessageId);
id!(/** One run of a campaign for one customer: campaign, profile at arming, arming event, key. */ JourneyId);
id!(/** One request for decisions about one customer. */ TriggerId);
id!(/** One event of the storefront: its message id, or the hash of its payload. */ EventId);
id!(/** A checked bundle of campaign and policy files: the hash of their paths and bytes. */ BundleHash);

impl BundleHash {
    /// The bundle whose record of `campaigns` has this key; none where it is a record of something else.
    pub fn of_key(key: &[u8]) -> Option<Self> {
        Self::parse(std::str::from_utf8(key).ok()?).ok()
    }
}

impl EventId {
    /// From the storefront's own `messageId`.
    pub fn of_message_id(message_id: &str) -> Self {
        Self(digest("event", &[message_id.as_bytes()]))
    }

    /// Where the storefront gave none: the payload itself is the identity.
    pub fn of_payload(payload: &[u8]) -> Self {
        Self(digest("payload", &[payload]))
    }

    /// Eight bytes are enough for the short ring of recent repeats kept in the customer.
    pub fn short(&self) -> u64 {
        let mut first = [0_u8; 8];
        first.copy_from_slice(&self.0[..8]);
        u64::from_be_bytes(first)
    }
}

impl JourneyId {
    /// Fixed at arming; it travels along when profiles merge.
    pub fn of(campaign: &str, profile: CustomerId, arming: &[u8], key: &str) -> Self {
        Self(digest(
            "journey",
            &[
                campaign.as_bytes(),
                profile.as_bytes(),
                arming,
                key.as_bytes(),
            ],
        ))
    }
}

impl MessageId {
    /// One effect per step (INV-4): neither channel nor attempt is part of the id.
    pub fn of(journey: JourneyId, step: &str) -> Self {
        Self(digest("message", &[journey.as_bytes(), step.as_bytes()]))
    }
}

impl TriggerId {
    /// `ordinal` counts the triggers of this customer and is part of its state.
    pub fn of(customer: CustomerId, ordinal: u64) -> Self {
        Self(digest(
            "trigger",
            &[customer.as_bytes(), &ordinal.to_be_bytes()],
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_parts_are_hashed_alike() {
        for length in [0, 1, 200, 235, 236, 237, 300, 2_000] {
            let part = vec![7_u8; length];
            let mut stream = blake3::Hasher::new();
            for bytes in [b"long".as_slice(), &part] {
                stream.update(&(bytes.len() as u64).to_be_bytes());
                stream.update(bytes);
            }
            let expected = stream.finalize();
            assert_eq!(
                digest("long", &[&part]),
                expected.as_bytes()[..16],
                "{length}"
            );
        }
    }

    #[test]
    fn parts_are_length_prefixed() {
        assert_ne!(digest("d", &[b"ab", b"c"]), digest("d", &[b"a", b"bc"]));
        assert_ne!(digest("d", &[b"ab"]), digest("da", &[b"b"]));
    }

    #[test]
    fn hex_round_trip_and_refusal() {
        let id = MessageId(digest("x", &[b"1"]));
        assert_eq!(MessageId::parse(&id.to_string()), Ok(id));
        assert_eq!(MessageId::parse("zz"), Err(MalformedId));
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(serde_json::from_str::<MessageId>(&json).unwrap(), id);
    }

    #[test]
    fn a_bucket_is_stable_and_in_range() {
        assert!((0..200_u64).all(|n| bucket("h", &[&n.to_be_bytes()], 100) < 100));
        assert_eq!(bucket("h", &[b"a"], 100), bucket("h", &[b"a"], 100));
    }
}
