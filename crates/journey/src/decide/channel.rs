//! The first channel of the step that is allowed and reachable, or the reason why there is none.

use winback_campaign::Step;
use winback_campaign::policy::TopicRule;
use winback_contract::{Channel, Reason};

use crate::address::numbers::is_bought;
use crate::consent::closed;
use crate::customer::Customer;
use crate::state::Journey;

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
    (topic, rule): (&str, &TopicRule),
    is_stopped_by_orders: bool,
) -> Result<Channel, Reason> {
    let mut nearest = Reason::NoAddress;
    for channel in channels {
        let problem = if customer.profile.address(*channel).is_none() {
            Reason::NoAddress
        } else if journey.refused.contains(channel) {
            Reason::Refused
        } else if is_stopped_by_orders && is_bought(customer, journey, *channel) {
            Reason::Converted
        } else if let Some(reason) = closed(customer, *channel, topic, rule) {
            reason
        } else {
            return Ok(*channel);
        };
        if closeness(problem) > closeness(nearest) {
            nearest = problem;
        }
    }
    Err(nearest)
}

fn closeness(reason: Reason) -> usize {
    let nearest = [
        &[Reason::NoConsent][..],
        &[Reason::Suppressed],
        &[Reason::Refused, Reason::Converted],
    ];
    let index = nearest.iter().position(|reasons| reasons.contains(&reason));
    index.map_or(0, |index| index + 1)
}
