//! What is said of the person: names, language, zone, birthday, and short fields of the shop's own.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use winback_contract::Traits;

use crate::customs::Customs;
use crate::decode::Envelope;
use crate::fields::Fields;
use crate::notes::{Notes, Why};
use crate::own;
use crate::values::words::is_nobody;

/// Most custom fields kept of one profile.
const CUSTOM: usize = 16;

/// Traits that have a place of their own.
const PLACED: &[&str] = &[
    "email",
    "phone",
    "firstName",
    "first_name",
    "lastName",
    "last_name",
    "name",
    "locale",
    "timezone",
    "country",
    "city",
    "birthday",
    "level",
    "pushToken",
    "push_token",
    "telegramId",
    "telegram_id",
    "address",
    "createdAt",
    "created_at",
    "avatar",
];

/// The traits, if any is said.
pub(crate) fn traits(envelope: &Envelope, notes: &Notes, customs: &Customs) -> Option<Traits> {
    let of = |map, place| Fields {
        map,
        place,
        notes,
        customs,
    };
    let source = of(&envelope.traits, "traits.");
    let address = source.inner("address");
    let address = of(&address, "traits.address.");
    let context = of(&envelope.context, "context.");
    let either = |one: &str, other: &str| source.text(one).or_else(|| source.text(other));
    // A name that programs write for nobody greets nobody.
    let name = |one: &str, other: &str| {
        let name = either(one, other).map(|name| unescaped(&name));
        name.filter(|name| !is_nobody(name, &customs.nobody))
    };
    let traits = Traits {
        first_name: name("firstName", "first_name"),
        last_name: name("lastName", "last_name"),
        locale: source.text("locale").or_else(|| context.text("locale")),
        timezone: zone(&source).or_else(|| zone(&context)),
        country: source.text("country").or_else(|| address.text("country")),
        city: source.text("city").or_else(|| address.text("city")),
        birthday: source.day("birthday"),
        level: source.text("level"),
        push_token: either("pushToken", "push_token"),
        telegram_id: either("telegramId", "telegram_id"),
        custom: BTreeMap::new(),
        typed: BTreeMap::new(),
    };
    let traits = custom(source.map, notes, traits);
    (traits != Traits::default()).then_some(traits)
}

/// An IANA zone, or an offset from UTC as devices write it: `UTC+3`, `GMT-02:30`, `+03:00`.
fn zone(fields: &Fields<'_>) -> Option<String> {
    let text = fields.text("timezone")?;
    if jiff::tz::TimeZone::get(&text).is_ok() {
        return Some(text);
    }
    let hours = offset(&text);
    if hours.is_none() {
        fields.note("timezone", Why::Unreadable);
    }
    // The sign of these names is the other way round (tz database, etcetera).
    hours.map(|hours| match hours {
        0 => "Etc/GMT".to_owned(),
        _ => format!(
            "Etc/GMT{}{}",
            if hours > 0 { '-' } else { '+' },
            hours.abs()
        ),
    })
}

/// Whole hours from UTC.
fn offset(text: &str) -> Option<i32> {
    let bare = text
        .trim()
        .trim_start_matches("UTC")
        .trim_start_matches("GMT")
        .trim();
    let (sign, rest) = match (bare.strip_prefix('+'), bare.strip_prefix(['-', '−'])) {
        (Some(rest), _) => (1, rest),
        (_, Some(rest)) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = rest.split_once(':').unwrap_or((rest, "00"));
    let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
    (minutes == 0 && (0..=14).contains(&hours)).then_some(sign * hours)
}

/// Entities as a shop's templates leave them in names, decoded once.
fn unescaped(text: &str) -> String {
    [
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#039;", "'"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(text.to_owned(), |text, (entity, sign)| {
        text.replace(entity, sign)
    })
}

/// Short values that have no place of their own, the first ones by name.
fn custom(source: &Map<String, Value>, notes: &Notes, mut traits: Traits) -> Traits {
    let mut count = 0;
    for (name, value) in own::in_order(source) {
        if PLACED.contains(&name.as_str()) || name.len() > 32 {
            continue;
        }
        let note = || notes.add(format!("traits.{name}"), Why::TooMany);
        let (value, is_cut) = own::own(value);
        if is_cut {
            note();
        }
        let is_long = value
            .as_ref()
            .and_then(Value::as_str)
            .is_some_and(|text| text.len() > 64);
        if is_long {
            note();
        }
        if value.is_none() || is_long {
            continue;
        }
        if count == CUSTOM {
            note();
            break;
        }
        count += 1;
        // The release before reads texts alone.
        let text = match &value {
            Some(Value::String(text)) => Some(text.clone()),
            Some(plain @ (Value::Bool(_) | Value::Number(_))) => Some(plain.to_string()),
            _ => None,
        };
        if let Some(text) = text {
            traits.custom.insert(name.clone(), text);
        }
        if let Some(value) = value.filter(|value| !value.is_string()) {
            traits.typed.insert(name.clone(), value);
        }
    }
    traits
}
