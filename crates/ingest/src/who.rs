//! Who an event is about: the ids, the addresses of identify's traits, and those that the event's own table lists of the
//! customer. Never `recipient`, shipping or gift fields: they are somebody else's.

use winback_contract::spec::EventSpec;
use winback_contract::{Identities, Identity, IdentityKind};

use crate::decode::Envelope;
use crate::fields::Fields;
use crate::notes::Why;
use crate::values::phone::phone;
use crate::values::words::is_nobody;

/// The identifiers, normalised. What names nobody, or can't be an address, is none and is noted.
pub(crate) fn identities(
    envelope: &Envelope,
    known: Option<&EventSpec>,
    fields: &Fields<'_>,
) -> Identities {
    let lists =
        |name: &str| known.is_some_and(|spec| spec.fields.iter().any(|field| field.name == name));
    let of_traits = Fields {
        map: &envelope.traits,
        place: "traits.",
        ..*fields
    };
    let of_format = Fields {
        map: &envelope.addresses,
        place: "",
        ..*fields
    };
    let address = |name: &str| {
        if envelope.addresses.contains_key(name) {
            of_format.text(name)
        } else if envelope.identify {
            of_traits.text(name)
        } else if lists(name) {
            fields.text(name)
        } else {
            None
        }
    };
    let normal = |kind, name: &str, raw: Option<String>| {
        let raw = raw?;
        if is_nobody(&raw, &fields.customs.nobody) {
            fields.notes.add(name, Why::Nobody);
            return None;
        }
        let identity = match kind {
            IdentityKind::Phone => {
                let number = phone(&raw, fields.customs.country);
                number.and_then(|number| Identity::new(kind, &number))
            }
            _ => Identity::new(kind, &raw),
        };
        if identity.is_none() {
            fields.notes.add(name, Why::Unreadable);
        }
        identity.map(|identity| identity.value().to_owned())
    };
    Identities {
        user: normal(IdentityKind::User, "userId", envelope.user_id.clone()),
        email: normal(IdentityKind::Email, "email", address("email")),
        phone: normal(IdentityKind::Phone, "phone", address("phone")),
        anonymous: normal(
            IdentityKind::Anonymous,
            "anonymousId",
            envelope.anonymous_id.clone(),
        ),
    }
}
