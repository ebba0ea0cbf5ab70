//! The first channel of the step that is allowed and reachable, or the reason why there is none.

use winback_campaign::Step;
use winback_campaign::policy::{ConsentRule, TopicRule};
use winback_contract::{Channel, ConsentStatus, Reason};

use crate::customer::Customer;
use crate::state::Journey;

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

/// The channels of a step in the order in which they are tried: with `preferred`, the one that draws reactions first.
pub(crate) fn order(customer: &Customer, step: &Step) -> Vec<Channel> {
    let mut channels = step.send.clone();
    if let (true, Some(preferred)) = (step.preferred, customer.preferred_channel()) {
        channels.sort_by_key(|channel| *channel != preferred);
    }
    channels
}

/// Chooses; without one, the reason that is nearest to sending is told.
pub(crate) fn choose(
    customer: &Customer,
    journey: &Journey,
    channels: &[Channel],
    topic: &str,
    rule: &TopicRule,
) -> Result<Channel, Reason> {
    let mut nearest = Reason::NoAddress;
    for channel in channels {
        let problem = if customer.profile.address(*channel).is_none() {
            Reason::NoAddress
        } else if journey.refused.contains(channel) {
            Reason::Refused
        } else if let Some((_, reason)) = customer
            .suppressed
            .iter()
            .find(|(known, _)| known == channel)
        {
            *reason
        } else if !has_consent(customer, *channel, topic, rule.consent_for(*channel)) {
            Reason::NoConsent
        } else {
            return Ok(*channel);
        };
        if closeness(problem) > closeness(nearest) {
            nearest = problem;
        }
    }
    Err(nearest)
}

fn closeness(reason: Reason) -> u8 {
    match reason {
        Reason::Refused => 3,
        Reason::Suppressed => 2,
        Reason::NoConsent => 1,
        _ => 0,
    }
}

/// What the person said about this topic, else about the channel as a whole, else the rule.
fn has_consent(customer: &Customer, channel: Channel, topic: &str, rule: ConsentRule) -> bool {
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
