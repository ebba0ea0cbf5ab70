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
use crate::scene::Scene;
use crate::start::product;
use crate::state::{Journey, OpenTrigger, Stage};
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
    Scene::play(customer, world, |scene| ticked(scene, now, grants, room))
}

fn ticked(
    scene: &mut Scene<'_>,
    now: Timestamp,
    grants: &dyn Fn(winback_contract::MessageId) -> GrantState,
    room: &Room,
) {
    if retention(scene.customer, scene.world.limits) <= now && is_idle(scene.customer) {
        scene.out.unwatched = product::watched(scene.customer);
        scene.out.delete = !forget(scene.customer);
        return;
    }
    keep_lines(&mut scene.customer.orders.list, now);
    if scene.customer.forward.is_some() {
        return;
    }
    advance(scene, now);
    look_after(scene, now, grants);
    if scene.customer.trigger.is_none() {
        left_out(scene, now);
    }
    match scene.customer.trigger.clone() {
        Some(open) if open.deadline <= now => reemit(scene, open, now),
        Some(_) => {}
        None if room.has_triggers() => open(scene, now, room),
        None => put_off(scene, now),
    }
}

fn put_off(scene: &mut Scene<'_>, now: Timestamp) {
    let is_due = |journey: &Journey| journey.station == Stage::Step && ready_at(journey) <= now;
    if scene.customer.journeys.iter().any(is_due) {
        scene.out.count(Count::PutOff);
    }
}

/// Re-entry is between first messages: a journey that has sent none when another of its campaign has is left out.
fn left_out(scene: &mut Scene<'_>, now: Timestamp) {
    let mut index = 0;
    while let Some(journey) = scene.customer.journeys.get(index) {
        let id = journey.id;
        let is_due = journey.station == Stage::Step && ready_at(journey) <= now;
        let is_first = journey.first_message_at.is_none() && journey.attempts == 0;
        let campaign = scene
            .world
            .bundles
            .campaign(journey.bundle, &journey.campaign);
        let start = campaign.and_then(|campaign| campaign.starts.get(usize::from(journey.start)));
        let has_sent = |other: &Journey| {
            other.campaign == journey.campaign
                && other.id != journey.id
                && other.first_message_at.is_some()
        };
        let other_sent = scene.customer.journeys.iter().any(has_sent)
            || scene
                .customer
                .history(&journey.campaign)
                .and_then(|history| history.first_message_at)
                .is_some_and(|first| journey.entered_at.is_some_and(|entered| first >= entered));
        let may = start.is_none_or(|start| {
            reentry_allows(scene.customer, &journey.campaign, start.reentry, now)
        });
        if is_due && is_first && other_sent && !may {
            scene.out.count(Count::Reentry);
            end(scene, id, Reason::Reentry, now);
        } else {
            index += 1;
        }
    }
}

/// Messages without an answer.
fn look_after(
    scene: &mut Scene<'_>,
    now: Timestamp,
    grants: &dyn Fn(winback_contract::MessageId) -> GrantState,
) {
    let due: Vec<_> = scene
        .customer
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
            GrantState::Claimed { .. }
            | GrantState::Granted
            | GrantState::Moved
            | GrantState::Gone
            | GrantState::NotAsked => None,
        };
        let Some(index) = scene
            .customer
            .messages
            .iter()
            .position(|other| other.message == pending.message)
        else {
            continue;
        };
        match verdict {
            Some(status) => {
                scene.customer.messages.remove(index);
                if status == OutcomeStatus::Unknown {
                    book::offer::shown(scene, pending.journey);
                }
                let said = Said {
                    status,
                    reason: None,
                    retry_at: None,
                };
                settle_message(scene, &pending, said, now);
            }
            None => {
                let pending = &mut scene.customer.messages[index];
                pending.checks = pending.checks.saturating_add(1);
                pending.check_at =
                    now + look_again(scene.world.limits.claim_timeout, pending.checks);
            }
        }
    }
}

/// The same for triggers without a decision and messages without an answer.
fn look_again(first: Span, times: u32) -> Span {
    backoff(first, times.min(5), Span::from_mins(5))
}

/// Opens the trigger of this customer, if a step is due.
fn open(scene: &mut Scene<'_>, now: Timestamp, room: &Room) {
    let Some(bundle) = scene.world.active else {
        return;
    };
    let window = now + bundle.policy.arbitration;
    let steps = scene.customer.journeys.iter().filter(|journey| {
        journey.station == Stage::Step
            && scene
                .world
                .bundles
                .campaign(journey.bundle, &journey.campaign)
                .is_some()
    });
    let (due, soon): (Vec<_>, Vec<_>) = steps.partition(|journey| ready_at(journey) <= now);
    let has_room = |journey: &&Journey| {
        let step = book::step_of(journey, scene.world);
        step.is_none_or(|step| room.takes(&step.send, step.preferred))
    };
    let (due, full): (Vec<_>, Vec<_>) = due.into_iter().partition(has_room);
    if !full.is_empty() {
        scene.out.count(Count::PutOff);
    }
    if due.is_empty() {
        return;
    }
    // What is held still goes before what it replaces.
    let goes_first = |journey: &Journey| {
        let campaign = scene
            .world
            .bundles
            .campaign(journey.bundle, &journey.campaign);
        campaign.is_some_and(|campaign| {
            let mut due = due.iter();
            due.any(|one| one.key == journey.key && campaign.replaces.contains(&one.campaign))
        })
    };
    let soon = soon.into_iter().filter(|journey| {
        ready_at(journey) <= window && journey.hold.is_none() || goes_first(journey)
    });
    scene.customer.triggers_opened += 1;
    let trigger = OpenTrigger {
        id: TriggerId::of(scene.world.customer, scene.customer.triggers_opened),
        now,
        bundle: bundle.hash,
        journeys: due.iter().map(|journey| journey.id).collect(),
        competitors: soon.map(|journey| journey.id).collect(),
        deadline: now + scene.world.limits.trigger_retry,
        emitted: 1,
    };
    scene.customer.trigger = Some(trigger.clone());
    emit(scene, &trigger);
}

fn emit(scene: &mut Scene<'_>, trigger: &OpenTrigger) {
    let step = |id: &winback_contract::JourneyId, competitor: bool| {
        let journey = scene.journey(*id)?;
        let step = book::step_of(journey, scene.world)?;
        Some(DueStep {
            journey: journey.id,
            campaign: journey.campaign.clone(),
            bundle: journey.bundle,
            step: step.name.clone(),
            due: journey.due,
            expires: journey.due + step.expires,
            competitor,
        })
    };
    let due = trigger.journeys.iter().filter_map(|id| step(id, false));
    let competitors = trigger.competitors.iter().filter_map(|id| step(id, true));
    scene.out.triggers.push(Trigger {
        v: Trigger::VERSION,
        id: trigger.id,
        customer: scene.world.customer,
        now: trigger.now,
        bundle: trigger.bundle,
        steps: due.chain(competitors).collect(),
        seen: scene.customer.seen.clone(),
        news: scene.world.news.to_vec(),
        dry: scene.world.coupons.dry(),
        paused: scene.world.bundles.paused().cloned().collect(),
        snapshot: Blob(encode_in(scene.customer, scene.world.bundles.format())),
    });
}

/// No decision came: the same trigger again with back-off; what has expired meanwhile is given up.
fn reemit(scene: &mut Scene<'_>, mut open: OpenTrigger, now: Timestamp) {
    for id in open.journeys.clone() {
        let Some(journey) = scene.journey(id) else {
            continue;
        };
        let Some(step) = book::step_of(journey, scene.world) else {
            continue;
        };
        if journey.due + step.expires < now && journey.station == Stage::Step {
            let why = Reason::NoDecision.into();
            book::skip(scene, id, &step.name, why, now);
            open.journeys.retain(|other| *other != id);
        }
    }
    let waiting = |_customer: &Customer, id| {
        scene
            .customer
            .journeys
            .iter()
            .any(|journey| journey.id == id && journey.station == Stage::Step)
    };
    open.journeys.retain(|id| waiting(scene.customer, *id));
    if open.journeys.is_empty() {
        scene.customer.trigger = None;
        return;
    }
    open.emitted = open.emitted.saturating_add(1);
    open.deadline = now + look_again(scene.world.limits.trigger_retry, open.emitted);
    scene.customer.trigger = Some(open.clone());
    emit(scene, &open);
    scene.out.count(Count::Reemitted);
}
