//! The gates of one step, in the order in which their reasons are told (INV-9, INV-11).

use std::cell::Cell;

use winback_campaign::Bundle;
use winback_campaign::model::{Campaign, Mode};
use winback_contract::{DueStep, Reason, Span, Timestamp, Trigger, Verdict, is_paused};

use crate::customer::{Customer, zone};
use crate::decide::offer::{self, Judged};
use crate::decide::{caps, channel, quiet};
use crate::eligibility::ends_by_order;
use crate::facts::Facts;
use crate::state::Journey;

/// A step that would be sent this much after it was due, in a campaign that does not wait for lagging input.
const LAG_ALLOWED: Span = Span::from_mins(10);

/// What a kill switch holds is looked at again a minute later, and the longer it waits the later, up to a quarter of an
/// hour: a pause of everything must not make a decision of everybody every minute.
fn look_again(due: Timestamp, now: Timestamp) -> Timestamp {
    let waited = now.since(due).as_millis() / 4;
    now + Span::from_millis(waited.clamp(60_000, 900_000))
}

pub(crate) fn judge(
    customer: &Customer,
    active: &Bundle,
    campaign: &Campaign,
    journey: &Journey,
    step: &DueStep,
    trigger: &Trigger,
) -> Verdict {
    let now = trigger.now;
    let skip = Verdict::skip;
    // The hold that ends with the step itself: then it is judged once more, and expires.
    let hold = |until: Timestamp, reason| Verdict::Hold {
        until: until.min(step.expires + Span::from_millis(1)),
        reason,
        because: None,
    };
    if now > step.expires {
        return skip(Reason::Expired);
    }
    // Pausing is for now, not for the version the journey began with.
    let paused = active
        .campaign(&campaign.name)
        .map_or(campaign.mode, |newest| newest.mode)
        == Mode::Paused;
    if paused {
        return hold(now + Span::from_hours(1), Reason::Paused);
    }
    if is_paused(&trigger.paused, &campaign.name, None) {
        return hold(look_again(step.due, now), Reason::Paused);
    }
    let ready = crate::due::ready_at(journey);
    if campaign.lag_expires && now.since(ready) > LAG_ALLOWED {
        return skip(Reason::InputLag);
    }
    let foreign = Cell::new(false);
    let facts = Facts {
        journey: Some(journey),
        topic: Some(&campaign.topic),
        news: &trigger.news,
        foreign: Some(&foreign),
        ..Facts::of(&active.policy, customer, trigger.customer, now)
    };
    let Some(topic) = active.policy.topics.get(&campaign.topic) else {
        return skip(Reason::Error);
    };
    let Some(part) = campaign.step(&step.step) else {
        return skip(Reason::Error);
    };
    if let Some(audience) = &campaign.audience {
        match audience.holds(&facts) {
            Ok(true) => {}
            // Sums of two currencies are not compared, and that is said.
            Err(_) if foreign.get() => return skip(Reason::OtherCurrency),
            Ok(false) | Err(_) => {
                return Verdict::Skip {
                    reason: Reason::Audience,
                    because: audience.because(&facts),
                };
            }
        }
    }
    if let Some(audience) = &topic.audience
        && !audience.holds(&facts).unwrap_or(false)
    {
        // What keeps the whole topic away may pass, as an open complaint does.
        let until = now + Span::from_hours(1);
        return Verdict::Hold {
            until: until.min(step.expires + Span::from_millis(1)),
            reason: Reason::Audience,
            because: audience.because(&facts),
        };
    }
    if let Some(show) = &part.show
        && show.list(&facts).map_or(true, |list| list.is_empty())
    {
        return skip(Reason::NoStock);
    }
    let channels = channel::order(customer, part);
    let channel = match channel::choose(
        customer,
        journey,
        &channels,
        (&campaign.topic, topic),
        ends_by_order(campaign, active),
    ) {
        Ok(channel) => channel,
        Err(reason) => return skip(reason),
    };
    if is_paused(&trigger.paused, &campaign.name, Some(channel)) {
        return hold(look_again(step.due, now), Reason::Paused);
    }
    let judged = part
        .offer
        .as_ref()
        .map(|offer| offer::judge(offer, customer, journey, &facts, &trigger.dry, now));
    let without = match judged {
        None | Some(Judged::Given) => None,
        Some(Judged::Without(reason)) => Some(reason),
        Some(Judged::Refused(reason)) => return skip(reason),
    };
    let zone = zone(customer, &active.policy);
    if let Some(until) = quiet::held_until(active, topic, channel, &zone, now) {
        return hold(until, Reason::QuietHours);
    }
    if !topic.caps_exempt
        && let Some(until) = caps::free_at(active, customer, campaign, channel, now)
    {
        return hold(until, Reason::Capped);
    }
    let not_after = quiet::not_after(active, topic, channel, &zone, (now, step.expires));
    Verdict::Send {
        channel,
        not_before: now,
        not_after,
        offer: judged == Some(Judged::Given),
        without,
    }
}
