//! What a person agreed to, per channel and topic, and whether a channel may be used (INV-5, INV-11).

use winback_campaign::policy::{ConsentRule, TopicRule};
use winback_contract::{Channel, ConsentChange, ConsentStatus, Timestamp};

use crate::customer::{Consent, Customer, limit};
use crate::effects::{Count, Effects, GrantChange};

/// A consent was given or withdrawn. Withdrawn consent takes back permissions at once (INV-5).
pub(crate) fn consent(
    customer: &mut Customer,
    change: &ConsentChange,
    at: Timestamp,
    out: &mut Effects,
) {
    let same =
        |consent: &Consent| consent.channel == change.channel && consent.topic == change.topic;
    // Out of order: what the shop said later holds.
    if customer
        .consents
        .iter()
        .any(|consent| same(consent) && consent.at > at)
    {
        return;
    }
    customer.consents.retain(|consent| !same(consent));
    let consent = Consent {
        channel: change.channel,
        topic: change.topic.clone(),
        status: change.status,
        at,
    };
    if Customer::push_bounded(&mut customer.consents, consent, limit::CONSENTS) {
        out.count(Count::Truncated);
    }
    if change.status == ConsentStatus::Denied {
        withdraw(customer, change.channel, out);
    }
}

/// Nobody may claim a message of this channel any more.
pub(crate) fn withdraw(customer: &Customer, channel: Channel, out: &mut Effects) {
    for pending in customer
        .messages
        .iter()
        .filter(|pending| pending.channel == channel)
    {
        out.grants.push(GrantChange::Withdraw(pending.message));
    }
}

/// Whether a channel may be used for a topic.
pub(crate) fn is_open(
    customer: &Customer,
    channel: Channel,
    topic: &str,
    rule: &TopicRule,
) -> bool {
    customer.profile.address(channel).is_some()
        && !customer
            .suppressed
            .iter()
            .any(|(known, _)| *known == channel)
        && has_consent(customer, channel, topic, rule.consent_for(channel))
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
