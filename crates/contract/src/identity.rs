//! Who an event is about: identifiers, their strength, their normal form, and the profile key they make.
//!
//! Identifiers are personal data: `Debug` never prints them, and no key name holds them (ADR 0005).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{CustomerId, digest};

/// Kinds of identifiers, the strongest first. Forwarding marks point from weaker to stronger only.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum IdentityKind {
    /// The shop's own customer number.
    User,
    /// An address of the customer.
    Email,
    /// A telephone number in E.164.
    Phone,
    /// A browser or device.
    Anonymous,
}

impl IdentityKind {
    /// The word that goes into the hash; it never changes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Anonymous => "anonymous",
        }
    }

    /// Whether `self` may own `other`'s profile.
    pub fn is_stronger_than(self, other: Self) -> bool {
        self < other
    }
}

/// One normalised identifier.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// Which kind.
    pub kind: IdentityKind,
    value: String,
}

impl Identity {
    /// Normalises: ids are trimmed, mail is trimmed and lower-cased, phones with a country keep a plus and digits.
    /// `None` when nothing usable is left (empty, control characters, longer than 256 bytes).
    pub fn new(kind: IdentityKind, raw: &str) -> Option<Self> {
        let trimmed = raw.trim();
        if trimmed.is_empty() || trimmed.len() > 256 || trimmed.chars().any(char::is_control) {
            return None;
        }
        let value = match kind {
            IdentityKind::User | IdentityKind::Anonymous => trimmed.to_owned(),
            IdentityKind::Email => normal_email(trimmed)?,
            IdentityKind::Phone => normal_phone(trimmed)?,
        };
        Some(Self { kind, value })
    }

    /// A telephone number as a profile keeps it, whatever rule made it: for the key that it had.
    pub fn kept_phone(text: &str) -> Self {
        Self {
            kind: IdentityKind::Phone,
            value: text.to_owned(),
        }
    }

    /// The normalised text.
    pub fn value(&self) -> &str {
        &self.value
    }

    /// The profile this identifier names in a shop.
    pub fn customer(&self, shop: &str) -> CustomerId {
        let parts = [
            shop.as_bytes(),
            self.kind.as_str().as_bytes(),
            self.value.as_bytes(),
        ];
        CustomerId(digest("customer", &parts))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({}, …)", self.kind.as_str())
    }
}

fn normal_email(text: &str) -> Option<String> {
    let (local, domain) = text.rsplit_once('@')?;
    let plausible = !local.is_empty()
        && domain.contains('.')
        && !domain.starts_with('.')
        && !domain.ends_with('.')
        && !text.contains(|c: char| c.is_whitespace() || "<>(),;:\"\\".contains(c));
    plausible.then(|| text.to_lowercase())
}

/// E.164 from a number with its country: `+380 …`, `00380 …`, `tel:+380…`. A national one is nobody's: who has it depends
/// on a country that the text does not name.
fn normal_phone(text: &str) -> Option<String> {
    let text = text.strip_prefix("tel:").unwrap_or(text).trim();
    let abroad = text.strip_prefix('+').or_else(|| text.strip_prefix("00"))?;
    let is_sign = |c: char| c.is_whitespace() || "-().‐‑–—/".contains(c);
    // A trunk prefix in brackets is not dialled from abroad.
    let abroad = abroad.replace("(0)", "");
    let digits: String = abroad.chars().filter(char::is_ascii_digit).collect();
    let known = abroad.chars().all(|c| c.is_ascii_digit() || is_sign(c));
    // E.164 allows at most 15 digits, and no country's code begins with 0; fewer than 7 is no subscriber number.
    (known && (7..=15).contains(&digits.len()) && !digits.starts_with('0'))
        .then(|| format!("+{digits}"))
}

/// The identifiers of one event, all normalised.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Identities {
    /// The shop's customer number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Address, lower case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// E.164.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// Browser or device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anonymous: Option<String>,
}

impl Identities {
    /// The present ones, the strongest first. Values are normal already.
    pub fn iter(&self) -> impl Iterator<Item = Identity> + '_ {
        [
            (IdentityKind::User, &self.user),
            (IdentityKind::Email, &self.email),
            (IdentityKind::Phone, &self.phone),
            (IdentityKind::Anonymous, &self.anonymous),
        ]
        .into_iter()
        .filter_map(|(kind, value)| value.clone().map(|value| Identity { kind, value }))
    }

    /// The key of the profile: the strongest identifier.
    pub fn strongest(&self) -> Option<Identity> {
        self.iter().next()
    }
}

impl fmt::Debug for Identities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<_> = self.iter().map(|identity| identity.kind.as_str()).collect();
        write!(f, "Identities({})", kinds.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_forms() {
        for (kind, raw, expect) in [
            (
                IdentityKind::Email,
                "  Ann@Example.COM ",
                Some("ann@example.com"),
            ),
            (IdentityKind::Email, "ann@localhost", None),
            (IdentityKind::Email, "a b@example.com", None),
            (
                IdentityKind::Phone,
                "+380 (44) 123-45-67",
                Some("+380441234567"),
            ),
            (
                IdentityKind::Phone,
                "tel:+380\u{a0}44\u{2013}123-45-67",
                Some("+380441234567"),
            ),
            (
                IdentityKind::Phone,
                "00 49 (0) 30 123456",
                Some("+4930123456"),
            ),
            (IdentityKind::Phone, "050 123 45 67", None),
            (IdentityKind::Phone, "8 (029) 123-45-67", None),
            (IdentityKind::Phone, "+0501234567", None),
            (IdentityKind::Phone, "+380 44 12x", None),
            (IdentityKind::Phone, "call me", None),
            (IdentityKind::User, " 42 ", Some("42")),
            (IdentityKind::User, "\u{0}", None),
            (IdentityKind::Anonymous, "", None),
        ] {
            let got = Identity::new(kind, raw);
            assert_eq!(got.as_ref().map(Identity::value), expect, "{raw:?}");
        }
    }

    #[test]
    fn the_strongest_is_first_and_shops_are_apart() {
        let ids = Identities {
            user: Some("7".into()),
            anonymous: Some("b".into()),
            ..Identities::default()
        };
        assert_eq!(ids.strongest().unwrap().kind, IdentityKind::User);
        let identity = ids.strongest().unwrap();
        assert_ne!(identity.customer("one"), identity.customer("two"));
        assert!(IdentityKind::User.is_stronger_than(IdentityKind::Email));
    }

    #[test]
    fn debug_shows_no_identifier() {
        let ids = Identities {
            email: Some("canary@example.com".into()),
            ..Identities::default()
        };
        assert!(!format!("{ids:?} {:?}", ids.strongest()).contains("canary"));
    }
}
