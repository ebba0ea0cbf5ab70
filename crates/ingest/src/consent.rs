//! What a person agrees to, in the words of many tools. A refusal is never lost: what can't be understood is taken for one.

use winback_contract::{Channel, ConsentChange, ConsentStatus};

use crate::fields::Fields;
use crate::notes::Why;
use crate::values::flag::flag;
use crate::values::words;

/// The change, if the event is one that can be made. What nobody understands is never a yes.
pub(crate) fn change(name: &str, fields: &Fields<'_>) -> Option<ConsentChange> {
    let status = match name {
        "Consent Updated" => status(fields),
        "Unsubscribed" | "Email Marked as Spam" => ConsentStatus::Denied,
        _ => return None,
    };
    let is_no = status == ConsentStatus::Denied;
    let said = fields.text("channel");
    let channel = said.as_deref().and_then(words::channel);
    let (channel, every) = match (channel, said) {
        (Some(channel), _) => (channel, false),
        // These are of mail.
        (None, None) if name != "Consent Updated" => (Channel::Email, false),
        (None, said) => {
            let why = if said.is_some() {
                Why::UnknownWord
            } else {
                Why::Missing
            };
            fields.note("channel", why);
            // A no that names no channel of ours may mean any of them; a yes means none.
            (is_no.then_some(Channel::Email)?, true)
        }
    };
    let is_odd_topic = fields
        .map
        .get("topic")
        .is_some_and(|topic| !topic.is_null() && !topic.is_string() && !topic.is_number());
    if is_odd_topic && !is_no {
        fields.note("topic", Why::Unreadable);
        return None;
    }
    Some(ConsentChange {
        channel,
        topic: topic(fields, status),
        status,
        every,
    })
}

fn status(fields: &Fields<'_>) -> ConsentStatus {
    if let Some(yes) = fields
        .map
        .get("status")
        // A text is of this list of words, not of those of stock and switches.
        .filter(|said| !said.is_string())
        .and_then(|said| flag(Some(said)).value())
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
