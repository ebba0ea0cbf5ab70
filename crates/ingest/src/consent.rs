//! What a person agrees to, in the words of many tools. A refusal is never lost: what can't be understood is taken for one.

use winback_contract::{Channel, ConsentChange, ConsentStatus};

use crate::fields::Fields;
use crate::notes::Why;
use crate::values::flag::flag;
use crate::values::words;

/// The change, if the event is one.
pub(crate) fn change(name: &str, fields: &Fields<'_>) -> Option<ConsentChange> {
    let status = match name {
        "Consent Updated" => status(fields),
        "Unsubscribed" | "Email Marked as Spam" => ConsentStatus::Denied,
        _ => return None,
    };
    let channel = match fields.text("channel") {
        Some(word) => words::channel(&word).unwrap_or_else(|| {
            fields.note("channel", Why::UnknownWord);
            Channel::Email
        }),
        None => {
            if name == "Consent Updated" {
                fields.note("channel", Why::Missing);
            }
            Channel::Email
        }
    };
    Some(ConsentChange {
        channel,
        topic: topic(fields, status),
        status,
    })
}

fn status(fields: &Fields<'_>) -> ConsentStatus {
    if let Some(yes) = fields
        .map
        .get("status")
        .and_then(|value| flag(Some(value)).value())
    {
        return if yes {
            ConsentStatus::Granted
        } else {
            ConsentStatus::Denied
        };
    }
    let Some(word) = fields.text("status") else {
        fields.note("status", Why::Missing);
        return ConsentStatus::Denied;
    };
    let (status, is_known) = words::status(&word);
    if !is_known {
        fields.note("status", Why::UnknownWord);
    }
    status
}

/// The topic. One that Policy does not have is said; a refusal of it closes the whole channel, for nobody would ask for it.
fn topic(fields: &Fields<'_>, status: ConsentStatus) -> Option<String> {
    let topic = fields.text("topic")?;
    let topics = fields.customs.topics.as_ref();
    if topics.is_none_or(|topics| topics.contains(&topic)) {
        return Some(topic);
    }
    fields.note("topic", Why::UnknownWord);
    (status != ConsentStatus::Denied).then_some(topic)
}
