//! What a person agreed to, per channel and topic, and whether a channel may be used (INV-5, INV-11).

use winback_campaign::policy::{ConsentRule, TopicRule};
use winback_contract::{Channel, ConsentChange, ConsentStatus, Reason, Timestamp};

use crate::address::words;
use crate::customer::{Consent, Customer, limit};
use crate::effects::{Count, GrantChange};
use crate::scene::Scene;

/// A consent was given or withdrawn. Withdrawn consent takes back permissions at once (INV-5).
pub(crate) fn consent(
    scene: &mut Scene<'_>,
    change: &ConsentChange,
    (at, arrival): (Timestamp, Timestamp),
) {
    let said = Consent {
        channel: change.channel,
        topic: change.topic.clone(),
        status: change.status,
        at: careful(change.status, at, arrival),
    };
    match remember(scene.customer, said) {
        Remembered::Older => return,
        Remembered::DecisionTrace => {}
        Remembered::Truncated => scene.out.count(Count::Truncated),
    }
    if change.status == ConsentStatus::Denied {
        withdraw(scene, change.channel);
    }
}

/// What became of a consent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Remembered {
    /// What is known is newer.
    Older,
    /// It holds now.
    DecisionTrace,
    /// A list was full: it holds and another gave way, or it was no "no" and found no room among them.
    Truncated,
}

/// The moment a consent counts from, on the careful side of both clocks: a "no" from the later one, anything else from
/// the earlier one. So a device whose clock is behind can't hide a "no" behind an older "yes", and only a "yes" that is
/// newer by both clocks undoes a "no" (INV-11).
fn careful(status: ConsentStatus, at: Timestamp, arrival: Timestamp) -> Timestamp {
    match status {
        ConsentStatus::Denied => at.max(arrival),
        ConsentStatus::Granted | ConsentStatus::Pending => at.min(arrival),
    }
}

/// Keeps a consent, of this profile or of one that was joined with it, unless what is known is newer; of two of the same
/// moment the "no" holds. A "no" never gives way to a full list (INV-11, INV-12): of many, those of single topics become
/// one of their whole channel, which holds at least as much back.
pub(crate) fn remember(customer: &mut Customer, said: Consent) -> Remembered {
    let same = |known: &Consent| known.channel == said.channel && known.topic == said.topic;
    let is_no = |known: &Consent| known.status == ConsentStatus::Denied;
    let holds = |known: &Consent| {
        known.at > said.at || known.at == said.at && is_no(known) && !is_no(&said)
    };
    if customer
        .consents
        .iter()
        .any(|known| same(known) && holds(known))
    {
        return Remembered::Older;
    }
    customer.consents.retain(|known| !same(known));
    let full = customer.consents.len() >= limit::CONSENTS;
    if full {
        match customer.consents.iter().position(|known| !is_no(known)) {
            Some(oldest) => {
                customer.consents.remove(oldest);
            }
            None if !is_no(&said) => return Remembered::Truncated,
            None => join_denials(&mut customer.consents),
        }
    }
    customer.consents.push(said);
    if full {
        Remembered::Truncated
    } else {
        Remembered::DecisionTrace
    }
}

/// Makes room among denials: the ones of a channel's topics become one of the channel.
fn join_denials(consents: &mut Vec<Consent>) {
    let Some(channel) = consents
        .iter()
        .find(|known| known.topic.is_some())
        .map(|known| known.channel)
    else {
        return;
    };
    let of_channel = |known: &Consent| known.channel == channel;
    let at = consents
        .iter()
        .filter(|known| of_channel(known))
        .map(|known| known.at)
        .max();
    consents.retain(|known| !of_channel(known));
    consents.push(Consent {
        channel,
        topic: None,
        status: ConsentStatus::Denied,
        at: at.unwrap_or_default(),
    });
}

/// Nobody may claim a message of this channel any more.
pub(crate) fn withdraw(scene: &mut Scene<'_>, channel: Channel) {
    for pending in scene
        .customer
        .messages
        .iter()
        .filter(|pending| pending.channel == channel)
    {
        scene
            .out
            .grants
            .push(GrantChange::Withdraw(pending.message));
    }
}

/// Whether a channel may be used for a topic.
pub(crate) fn is_open(
    customer: &Customer,
    channel: Channel,
    topic: &str,
    rule: &TopicRule,
) -> bool {
    customer.profile.address(channel).is_some() && closed(customer, channel, topic, rule).is_none()
}

/// Why a channel must not be used for a topic: by what was said of its address, or by what the person said.
pub(crate) fn closed(
    customer: &Customer,
    channel: Channel,
    topic: &str,
    rule: &TopicRule,
) -> Option<Reason> {
    words::closed(customer, channel, topic).or_else(|| {
        let open = has_consent(customer, channel, topic, rule.consent_for(channel));
        (!open).then_some(Reason::NoConsent)
    })
}

/// What the person said about this topic, else about the channel as a whole, else the rule.
pub(crate) fn has_consent(
    customer: &Customer,
    channel: Channel,
    topic: &str,
    rule: ConsentRule,
) -> bool {
    let said = |wanted: Option<&str>| {
        customer
            .consents
            .iter()
            .find(|consent| consent.channel == channel && consent.topic.as_deref() == wanted)
    };
    let (special, general) = (said(Some(topic)), said(None));
    // A general "no" that is newer than a special "yes" holds.
    let status = match (special, general) {
        (Some(special), Some(general))
            if general.at > special.at && general.status == ConsentStatus::Denied =>
        {
            Some(general.status)
        }
        (Some(special), _) => Some(special.status),
        (None, general) => general.map(|general| general.status),
    };
    match (status, rule) {
        (Some(ConsentStatus::Granted), _) => true,
        (Some(ConsentStatus::Denied), _) => false,
        (Some(ConsentStatus::Pending) | None, ConsentRule::Granted) => false,
        (Some(ConsentStatus::Pending) | None, ConsentRule::NotDenied) => true,
    }
}
