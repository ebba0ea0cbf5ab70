//! The version of a record, read before its body: a later one may mean something else by the same words (ADR 0011).
//! Absent: what becomes of a record that is newer; whoever reads it leaves it to a release that knows it.

use serde::Deserialize;

/// A record with a version of its own in `v`.
pub trait Versioned: serde::de::DeserializeOwned {
    /// The newest version that this release reads.
    const KNOWN: u8;

    /// The version that it was written in.
    fn version(&self) -> u8;
}

macro_rules! versioned {
    ($($record:ty, $known:ident);+ $(;)?) => { $(
        impl Versioned for $record {
            const KNOWN: u8 = Self::$known;

            fn version(&self) -> u8 {
                self.v
            }
        }
    )+ };
}
versioned!(
    crate::EventRecord, ADDRESS;
    crate::Decision, VERSION;
    crate::Outcome, VERSION;
    crate::Trigger, VERSION;
    crate::Message, VERSION;
);

/// Why a record is not read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unread {
    /// A newer release wrote it in this version: it is left where it is.
    Newer(u64),
    /// It is none of this topic; where, without its content.
    Malformed(String),
}

#[derive(Deserialize)]
struct Head {
    v: u64,
}

/// Reads a record of a version that is known.
///
/// # Errors
/// [`Unread`], with the place in the text and nothing of its content.
pub fn read<T: Versioned>(payload: &[u8]) -> Result<T, Unread> {
    let error = match serde_json::from_slice::<T>(payload) {
        Ok(record) if record.version() > T::KNOWN => {
            return Err(Unread::Newer(u64::from(record.version())));
        }
        Ok(record) => return Ok(record),
        Err(error) => error,
    };
    // The version alone is asked for only where the rest can't be read: nearly all can.
    match serde_json::from_slice(payload) {
        Ok(Head { v }) if v > u64::from(T::KNOWN) => Err(Unread::Newer(v)),
        _ => Err(Unread::Malformed(format!(
            "not a record of this topic at line {} column {}",
            error.line(),
            error.column()
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Channel, CustomerId, MessageId, Outcome, OutcomeStatus, Timestamp};

    fn outcome() -> Outcome {
        Outcome {
            v: 1,
            message: MessageId([1; 16]),
            customer: CustomerId([2; 16]),
            channel: Channel::Sms,
            attempt: 1,
            status: OutcomeStatus::Sent,
            reason: None,
            provider_id: None,
            bot: false,
            rehearsed: false,
            retry_at: None,
            at: Timestamp::default(),
        }
    }

    #[test]
    fn the_version_goes_before_the_body() {
        let newer = br#"{ "v": 2, "body_of_the_next_release": [] }"#;
        assert_eq!(read::<Outcome>(newer), Err(Unread::Newer(2)));
        // A body that this release could read may mean something else in a later one.
        let mut readable = serde_json::to_value(outcome()).unwrap();
        readable["v"] = 2.into();
        let payload = serde_json::to_vec(&readable).unwrap();
        assert_eq!(read::<Outcome>(&payload), Err(Unread::Newer(2)));
        readable["v"] = 1.into();
        let payload = serde_json::to_vec(&readable).unwrap();
        assert_eq!(read::<Outcome>(&payload), Ok(outcome()));
        let known = br#"{ "v": 1, "body_of_the_next_release": [] }"#;
        assert!(matches!(read::<Outcome>(known), Err(Unread::Malformed(_))));
        for text in ["", "[]", "{}", "{\"v\":\"x\"}", "\u{1}"] {
            let answer = read::<Outcome>(text.as_bytes());
            assert!(matches!(answer, Err(Unread::Malformed(_))), "{text}");
        }
    }
}
