//! Links of a message that lead through the shop's gateway: which message and whom, and where to, in a text that nobody
//! without a key can make.
//!
//! A link holds no address and no name: ids that are hashes, a channel, and the address that it leads to. BLAKE3 in keyed
//! mode signs all of it, so nothing follows an address that a message of the shop did not hold. The newest key signs, all
//! of them verify: a key is changed by putting the new one before it. Absent: what becomes of a click; see the gateway.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::channel::Channel;
use crate::ids::{CustomerId, MessageId};
use crate::time::Timestamp;

/// The first byte of a link; another layout gets another one.
const LAYOUT: u8 = 1;
/// Bytes before the target: layout, kind, channel, seconds, message, customer.
const HEAD: usize = 3 + 4 + 16 + 16;
/// Bytes of the signature.
const SIGNATURE: usize = 16;
/// Longest address that is led to.
const LONGEST_TARGET: usize = 2_048;

/// What a link is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LinkKind {
    /// It leads to this address.
    Click(String),
    /// A picture that is loaded when the message is opened.
    Open,
    /// No more messages on this channel.
    Unsubscribe,
}

/// A link, before it is signed and after it was verified.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// What it is for.
    pub kind: LinkKind,
    /// The message that it stands in.
    pub message: MessageId,
    /// The profile that the message was sent to.
    pub customer: CustomerId,
    /// The channel of the message.
    pub channel: Channel,
    /// When it was made, to the second.
    pub made_at: Timestamp,
}

/// Why a text is no link of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadLink {
    /// It has not the shape of one.
    #[error("it is no link of a message")]
    Malformed,
    /// No key of this shop signed it.
    #[error("no key of this shop signed it")]
    Forged,
}

/// The keys that sign links. `Debug` shows none.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkKeys(Vec<[u8; 32]>);

impl std::fmt::Debug for LinkKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} keys", self.0.len())
    }
}

impl LinkKeys {
    /// From secrets, the newest first. `None` without one of at least 16 bytes: a short one can be guessed.
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Option<Self> {
        let secrets = secrets.into_iter().filter(|secret| !secret.is_empty());
        let keys: Option<Vec<_>> = secrets
            .map(|secret| {
                let key = blake3::derive_key("winback 2026 links of messages", secret.as_bytes());
                (secret.len() >= 16).then_some(key)
            })
            .collect();
        keys.filter(|keys| !keys.is_empty()).map(Self)
    }

    fn signature(key: &[u8; 32], bytes: &[u8]) -> [u8; SIGNATURE] {
        let mut short = [0; SIGNATURE];
        short.copy_from_slice(&blake3::keyed_hash(key, bytes).as_bytes()[..SIGNATURE]);
        short
    }

    /// The text of a link, for a path: letters, digits, `-` and `_`. `None` where the target is too long.
    pub fn sign(&self, link: &Link) -> Option<String> {
        let key = self.0.first()?;
        let (kind, target) = match &link.kind {
            LinkKind::Click(target) => (b'c', target.as_str()),
            LinkKind::Open => (b'o', ""),
            LinkKind::Unsubscribe => (b'u', ""),
        };
        if target.len() > LONGEST_TARGET {
            return None;
        }
        let channel = Channel::ALL.iter().position(|known| *known == link.channel);
        let seconds = u32::try_from(link.made_at.as_millis() / 1_000).unwrap_or(0);
        let mut bytes = vec![LAYOUT, kind, u8::try_from(channel?).ok()?];
        bytes.extend_from_slice(&seconds.to_be_bytes());
        bytes.extend_from_slice(link.message.as_bytes());
        bytes.extend_from_slice(link.customer.as_bytes());
        bytes.extend_from_slice(target.as_bytes());
        let signature = Self::signature(key, &bytes);
        bytes.extend_from_slice(&signature);
        Some(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The link that a text says, if one of the keys signed it.
    ///
    /// # Errors
    /// [`BadLink`]: malformed, or forged.
    pub fn verify(&self, text: &str) -> Result<Link, BadLink> {
        let longest = (HEAD + LONGEST_TARGET + SIGNATURE) * 4 / 3 + 4;
        if text.len() > longest {
            return Err(BadLink::Malformed);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text);
        let bytes = bytes.map_err(|_| BadLink::Malformed)?;
        if bytes.len() < HEAD + SIGNATURE || bytes[0] != LAYOUT {
            return Err(BadLink::Malformed);
        }
        let (said, signature) = bytes.split_at(bytes.len() - SIGNATURE);
        // BLAKE3's hashes compare in constant time.
        let signed = |key: &&[u8; 32]| {
            let mut whole = [0; 32];
            whole[..SIGNATURE].copy_from_slice(signature);
            let mut own = [0; 32];
            own[..SIGNATURE].copy_from_slice(&Self::signature(key, said));
            blake3::Hash::from(own) == blake3::Hash::from(whole)
        };
        if !self.0.iter().any(|key| signed(&key)) {
            return Err(BadLink::Forged);
        }
        let id = |from: usize| {
            let mut id = [0; 16];
            id.copy_from_slice(&said[from..from + 16]);
            id
        };
        let target = std::str::from_utf8(&said[HEAD..]).map_err(|_| BadLink::Malformed)?;
        let kind = match said[1] {
            b'c' => LinkKind::Click(target.to_owned()),
            b'o' => LinkKind::Open,
            b'u' => LinkKind::Unsubscribe,
            _ => return Err(BadLink::Malformed),
        };
        let channel = Channel::ALL.get(usize::from(said[2]));
        let mut seconds = [0; 4];
        seconds.copy_from_slice(&said[3..7]);
        Ok(Link {
            kind,
            message: MessageId(id(7)),
            customer: CustomerId(id(23)),
            channel: *channel.ok_or(BadLink::Malformed)?,
            made_at: Timestamp::from_millis(i64::from(u32::from_be_bytes(seconds)) * 1_000),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(kind: LinkKind) -> Link {
        Link {
            kind,
            message: MessageId([1; 16]),
            customer: CustomerId([2; 16]),
            channel: Channel::Email,
            made_at: Timestamp::from_millis(1_767_571_200_000),
        }
    }

    fn keys(secrets: &[&str]) -> LinkKeys {
        LinkKeys::new(secrets.iter().copied()).unwrap()
    }

    const OLD: &str = "the key of last year";
    const NEW: &str = "the key of this year";

    #[test]
    fn a_link_comes_back_as_it_was_signed_also_by_the_key_before() {
        let kinds = [
            LinkKind::Click("https://shop.example/cart?a=1&b=ü#x".into()),
            LinkKind::Open,
            LinkKind::Unsubscribe,
        ];
        for kind in kinds {
            let link = link(kind);
            let text = keys(&[OLD]).sign(&link).unwrap();
            let is_plain = |sign: char| sign.is_ascii_alphanumeric() || "-_".contains(sign);
            assert!(text.chars().all(is_plain), "{text}");
            assert_eq!(keys(&[NEW, OLD]).verify(&text), Ok(link));
            assert_eq!(keys(&[NEW]).verify(&text), Err(BadLink::Forged));
        }
    }

    /// Whatever is changed, it leads nowhere: every bit of it is signed.
    #[test]
    fn no_bit_can_be_changed_and_nothing_added() {
        let keys = keys(&[NEW]);
        let kind = LinkKind::Click("https://shop.example/".into());
        let text = keys.sign(&link(kind)).unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        for place in 0..bytes.len() * 8 {
            let mut other = bytes.clone();
            other[place / 8] ^= 1 << (place % 8);
            assert!(
                keys.verify(&URL_SAFE_NO_PAD.encode(other)).is_err(),
                "{place}"
            );
        }
        for other in [
            String::new(),
            "x".into(),
            text[..text.len() - 4].to_owned(),
            format!("{text}AAAA"),
            "A".repeat(100_000),
            "é".into(),
        ] {
            assert!(keys.verify(&other).is_err(), "{other:.40}");
        }
        let long = LinkKind::Click("x".repeat(LONGEST_TARGET + 1));
        assert_eq!(keys.sign(&link(long)), None);
    }

    #[test]
    fn short_secrets_are_no_keys_and_none_is_shown() {
        assert!(LinkKeys::new([]).is_none());
        assert!(LinkKeys::new(["", ""]).is_none());
        assert!(LinkKeys::new(["hunter2"]).is_none());
        assert!(LinkKeys::new([NEW, "hunter2"]).is_none());
        assert_eq!(format!("{:?}", keys(&[NEW, OLD])), "2 keys");
    }
}
