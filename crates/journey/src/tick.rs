//! The frontier reached a moment: due steps become one trigger, lost answers are found out, profiles expire.
//!
//! Invariants: INV-6 (only the service calls this, with the frontier), INV-7, INV-12 (one open trigger per customer).

use winback_contract::{Blob, DueStep, OutcomeStatus, Reason, Span, Timestamp, Trigger, TriggerId};

use crate::advance::advance;
use crate::backoff::backoff;
use crate::behaviour::keep_lines;
use crate::book;
use crate::codec::encode_in;
use crate::customer::Customer;
use crate::due::{forget, is_idle, ready_at, retention};
use crate::effects::{Count, Effects};
use crate::eligibility::reentry_allows;
use crate::end::end;
use crate::outcome::{Said, settle_message};
use crate::room::Room;
use crate::start::product;
use crate::state::{Journey, OpenTrigger, Station};
use crate::world::World;

/// A grant as the store knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum GrantState {
    /// Not claimed yet.
    Granted,
    /// Claimed for sending; the answer was due by then.
    Claimed {
        /// Deadline of the answer.
        until: Timestamp,
    },
    /// It went to another profile.
    Moved,
    /// There is none.
    Gone,
    /// It was not looked up: nothing follows from it.
    NotAsked,
}

/// Lets everything happen that is due at the frontier. Steps for which there is no room stay due (INV-12).
pub fn tick(
    customer: &mut Customer,
    now: Timestamp,
    grants: &dyn Fn(winback_contract::MessageId) -> GrantState,
    room: &Room,
    world: &World<'_>,
) -> Effects {
    let mut out = Effects::default();
    if retention(customer, world.limits) <= now && is_idle(customer) {
        out.unwatched = product::watched(customer);
        out.delete = !forget(customer);
        return out;
    }
    if customer.forward.is_some() {
        return out;
    }
    keep_lines(&mut customer.orders.list, now);
    advance(customer, now, world, &mut out);
    look_after(customer, now, grants, world, &mut out);
    if customer.trigger.is_none() {
        left_out(customer, now, world, &mut out);
    }
    match customer.trigger.clone() {
        Some(open) if open.deadline <= now => reemit(customer, open, now, world, &mut out),
        Some(_) => {}
        None if room.has_triggers() => open(customer, now, room, world, &mut out),
        None => put_off(customer, now, &mut out),
    }
    out
}

fn put_off(customer: &Customer, now: Timestamp, out: &mut Effects) {
    let is_due = |journey: &Journey| journey.station == Station::Step && ready_at(journey) <= now;
    if customer.journeys.iter().any(is_due) {
        out.count(Count::PutOff);
    }
}

/// Re-entry is between first messages: a journey that has sent none when another of its campaign has is left out.
fn left_out(customer: &mut Customer, now: Timestamp, world: &World<'_>, out: &mut Effects) {
    let mut index = 0;
    while let Some(journey) = customer.journeys.get(index) {
        let is_due = journey.station == Station::Step && ready_at(journey) <= now;
        let is_first = journey.first_message_at.is_none() && journey.attempts == 0;
        let campaign = world.bundles.campaign(journey.bundle, &journey.campaign);
        let start = campaign.and_then(|campaign| campaign.starts.get(usize::from(journey.start)));
        let has_sent = |other: &Journey| {
            other.campaign == journey.campaign
                && other.id != journey.id
                && other.first_message_at.is_some()
        };
        let other_sent = customer.journeys.iter().any(has_sent)
            || customer
                .history(&journey.campaign)
                .and_then(|history| history.first_message_at)
                .is_some_and(|first| journey.entered_at.is_some_and(|entered| first >= entered));
        let may = start
            .is_none_or(|start| reentry_allows(customer, &journey.campaign, start.reentry, now));
        if is_due && is_first && other_sent && !may {
            out.count(Count::Reentry);
            end(customer, index, Reason::Reentry, now, world, out);
        } else {
            index += 1;
        }
    }
}

/// Messages without an answer.
fn look_after(
    customer: &mut Customer,
    now: Timestamp,
    grants: &dyn Fn(winback_contract::MessageId) -> GrantState,
    world: &World<'_>,
    out: &mut Effects,
) {
    let due: Vec<_> = customer
        .messages
        .iter()
        .filter(|pending| pending.check_at <= now)
        .cloned()
        .collect();
    for pending in due {
        let verdict = match grants(pending.message) {
            GrantState::Claimed { until } if until <= now => Some(OutcomeStatus::Unknown),
            // Nobody can claim it any more: it was never sent.
            GrantState::Granted | GrantState::Moved if pending.not_after < now => {
                Some(OutcomeStatus::Deferred)
            }
            // The grant was taken back, and a claim that came first would have reported by now.
            GrantState::Gone if pending.checks > 0 => Some(OutcomeStatus::Deferred),
            _ => None,
        };
        let Some(place) = customer
            .messages
            .iter()
            .position(|other| other.message == pending.message)
        else {
            continue;
        };
        match verdict {
            Some(status) => {
                customer.messages.remove(place);
                if status == OutcomeStatus::Unknown {
                    book::offer::shown(customer, pending.journey, out);
                }
                let said = Said {
                    status,
                    reason: None,
                    retry_at: None,
                };
                settle_message(customer, &pending, said, now, world, out);
            }
            None => {
                let pending = &mut customer.messages[place];
                pending.checks = pending.checks.saturating_add(1);
                pending.check_at = now + look_again(world.limits.claim_timeout, pending.checks);
            }
        }
    }
}

/// The same for triggers without a decision and messages without an answer.
fn look_again(first: Span, times: u32) -> Span {
    backoff(first, times.min(5), Span::from_mins(5))
}

/// Opens the trigger of this customer, if a step is due.
fn open(
    customer: &mut Customer,
    now: Timestamp,
    room: &Room,
    world: &World<'_>,
    out: &mut Effects,
) {
    let Some(bundle) = world.active else { return };
    let window = now + bundle.policy.arbitration;
    let steps = customer.journeys.iter().filter(|journey| {
        journey.station == Station::Step
            && world
                .bundles
                .campaign(journey.bundle, &journey.campaign)
                .is_some()
    });
    let (due, soon): (Vec<_>, Vec<_>) = steps.partition(|journey| ready_at(journey) <= now);
    let has_room = |journey: &&Journey| {
        let step = book::step_of(journey, world);
        step.is_none_or(|step| room.takes(&step.send, step.preferred))
    };
    let (due, full): (Vec<_>, Vec<_>) = due.into_iter().partition(has_room);
    if !full.is_empty() {
        out.count(Count::PutOff);
    }
    if due.is_empty() {
        return;
    }
    // What is held still goes before what it replaces.
    let goes_first = |journey: &Journey| {
        let campaign = world.bundles.campaign(journey.bundle, &journey.campaign);
        campaign.is_some_and(|campaign| {
            let mut due = due.iter();
            due.any(|one| one.key == journey.key && campaign.replaces.contains(&one.campaign))
        })
    };
    let soon = soon.into_iter().filter(|journey| {
        ready_at(journey) <= window && journey.hold.is_none() || goes_first(journey)
    });
    customer.triggers_opened += 1;
    let trigger = OpenTrigger {
        id: TriggerId::of(world.customer, customer.triggers_opened),
        now,
        bundle: bundle.hash,
        journeys: due.iter().map(|journey| journey.id).collect(),
        competitors: soon.map(|journey| journey.id).collect(),
        deadline: now + world.limits.trigger_retry,
        emitted: 1,
    };
    customer.trigger = Some(trigger.clone());
    emit(customer, &trigger, world, out);
}

fn emit(customer: &Customer, trigger: &OpenTrigger, world: &World<'_>, out: &mut Effects) {
    let step = |id: &winback_contract::JourneyId, competitor: bool| {
        let index = customer
            .journeys
            .iter()
            .position(|journey| journey.id == *id)?;
        let journey = &customer.journeys[index];
        let name = book::current_step(customer, index, world)?;
        Some(DueStep {
            journey: journey.id,
            campaign: journey.campaign.clone(),
            bundle: journey.bundle,
            step: name.to_owned(),
            due: journey.due,
            expires: book::expires_at(customer, index, world)?,
            competitor,
        })
    };
    let due = trigger.journeys.iter().filter_map(|id| step(id, false));
    let competitors = trigger.competitors.iter().filter_map(|id| step(id, true));
    out.triggers.push(Trigger {
        v: Trigger::VERSION,
        id: trigger.id,
        customer: world.customer,
        now: trigger.now,
        bundle: trigger.bundle,
        steps: due.chain(competitors).collect(),
        seen: customer.seen.clone(),
        news: world.news.to_vec(),
        dry: world.coupons.dry(),
        paused: world.bundles.paused().cloned().collect(),
        snapshot: Blob(encode_in(customer, world.bundles.format())),
    });
}

/// No decision came: the same trigger again with back-off; what has expired meanwhile is given up.
fn reemit(
    customer: &mut Customer,
    mut open: OpenTrigger,
    now: Timestamp,
    world: &World<'_>,
    out: &mut Effects,
) {
    for id in open.journeys.clone() {
        let Some(index) = customer
            .journeys
            .iter()
            .position(|journey| journey.id == id)
        else {
            continue;
        };
        let journey = &customer.journeys[index];
        let Some(name) = book::current_step(customer, index, world).map(str::to_owned) else {
            continue;
        };
        let expires = book::expires_at(customer, index, world);
        if expires.is_some_and(|expires| expires < now) && journey.station == Station::Step {
            let why = Reason::NoDecision.into();
            book::skip(customer, index, &name, why, now, world, out);
            open.journeys.retain(|other| *other != id);
        }
    }
    let waiting = |customer: &Customer, id| {
        customer
            .journeys
            .iter()
            .any(|journey| journey.id == id && journey.station == Station::Step)
    };
    open.journeys.retain(|id| waiting(customer, *id));
    if open.journeys.is_empty() {
        customer.trigger = None;
        return;
    }
    open.emitted = open.emitted.saturating_add(1);
    open.deadline = now + look_again(world.limits.trigger_retry, open.emitted);
    customer.trigger = Some(open.clone());
    emit(customer, &open, world, out);
    out.count(Count::Reemitted);
}
