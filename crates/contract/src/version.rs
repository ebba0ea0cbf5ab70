//! The version of a record, read before its body: a later one may mean something else by the same words (design §3).
//! Absent: what becomes of a record that is newer; whoever reads it leaves it to a release that knows it.

use serde::Deserialize;

/// A record with a version of its own in `v`.
pub trait Versioned: serde::de::DeserializeOwned {
    /// The newest version that this release reads.
    const KNOWN: u8;
}

macro_rules! versioned {
    ($($record:ty),+) => { $(impl Versioned for $record { const KNOWN: u8 = Self::VERSION; })+ };
}
impl Versioned for crate::EventRecord {
    const KNOWN: u8 = Self::ERASED;
}
versioned!(
    crate::Decision,
    crate::Outcome,
    crate::Trigger,
    crate::Message
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
    if let Ok(Head { v }) = serde_json::from_slice(payload)
        && v > u64::from(T::KNOWN)
    {
        return Err(Unread::Newer(v));
    }
    serde_json::from_slice(payload).map_err(|error| {
        Unread::Malformed(format!(
            "not a record of this topic at line {} column {}",
            error.line(),
            error.column()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Outcome;

    #[test]
    fn the_version_goes_before_the_body() {
        let newer = br#"{ "v": 2, "body_of_the_next_release": [] }"#;
        assert_eq!(read::<Outcome>(newer), Err(Unread::Newer(2)));
        let known = br#"{ "v": 1, "body_of_the_next_release": [] }"#;
        assert!(matches!(read::<Outcome>(known), Err(Unread::Malformed(_))));
        for text in ["", "[]", "{}", "{\"v\":\"x\"}", "\u{1}"] {
            let answer = read::<Outcome>(text.as_bytes());
            assert!(matches!(answer, Err(Unread::Malformed(_))), "{text}");
        }
    }
}
