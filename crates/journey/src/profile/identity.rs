//! Who the person is, and when the person was last seen.

use winback_contract::{Event, Timestamp};

use crate::address::person::changed;
use crate::customer::{Customer, Profile, limit};
use crate::reacted::excuse;
use crate::scene::Scene;
use crate::state::{Field, Stage};
use crate::world::World;

/// Takes over what the event says about the person; absent fields leave things as they are.
pub(crate) fn identify(customer: &mut Customer, event: &Event, at: Timestamp, world: &World<'_>) {
    let ids = &event.identities;
    let moves = moves(&customer.profile, event) && !customer.bookings.is_empty();
    let before = moves.then(|| customer.profile.clone());
    let profile = &mut customer.profile;
    for (kept, new) in [
        (&mut profile.user, &ids.user),
        (&mut profile.email, &ids.email),
        (&mut profile.phone, &ids.phone),
    ] {
        if new.is_some() && kept != new {
            kept.clone_from(new);
        }
    }
    if let Some(traits) = &event.traits {
        for (kept, new) in [
            (&mut profile.first_name, &traits.first_name),
            (&mut profile.last_name, &traits.last_name),
            (&mut profile.locale, &traits.locale),
            (&mut profile.timezone, &traits.timezone),
            (&mut profile.country, &traits.country),
            (&mut profile.city, &traits.city),
            (&mut profile.birthday, &traits.birthday),
            (&mut profile.level, &traits.level),
            (&mut profile.push_token, &traits.push_token),
            (&mut profile.telegram_id, &traits.telegram_id),
        ] {
            if new.is_some() {
                kept.clone_from(new);
            }
        }
        let told = traits.custom.keys().chain(traits.typed.keys());
        for name in told {
            profile.custom.retain(|(known, _)| known != name);
            profile.typed.retain(|(known, _)| known != name);
        }
        for (name, value) in &traits.custom {
            profile.custom.push((name.clone(), value.clone()));
        }
        for (name, value) in &traits.typed {
            let field = Field::of(value).map(|field| (name.clone(), field));
            profile.typed.extend(field);
        }
        let over = profile.custom.len().saturating_sub(limit::CUSTOM);
        profile.custom.drain(..over);
        let over = profile.typed.len().saturating_sub(limit::CUSTOM);
        profile.typed.drain(..over);
    }
    profile.created_at = Some(profile.created_at.map_or(at, |first| first.min(at)));
    if let Some(before) = before {
        changed(customer, &before, world);
    }
}

/// Whether an event names another address than the one that is known.
fn moves(profile: &Profile, event: &Event) -> bool {
    let other = |known: &Option<String>, new: &Option<String>| new.is_some() && known != new;
    let traits = event.traits.as_ref();
    other(&profile.email, &event.identities.email)
        || other(&profile.phone, &event.identities.phone)
        || traits.is_some_and(|traits| {
            other(&profile.push_token, &traits.push_token)
                || other(&profile.telegram_id, &traits.telegram_id)
        })
}

/// The person is there: idle delays start anew, and running journeys have a visit.
pub(crate) fn activity(scene: &mut Scene<'_>, arrival: Timestamp) {
    let last = scene
        .customer
        .last_activity
        .map_or(arrival, |last| last.max(arrival));
    scene.customer.last_activity = Some(last);
    for journey in &mut scene.customer.journeys {
        if journey
            .first_message_at
            .is_some_and(|first| first < arrival)
        {
            journey.reactions.visited = true;
            scene.customer.behaviour.unanswered = 0;
        }
        // Partitions of raw are read unevenly: what arrived before the delay ran out may be read after it. Nothing has
        // been fired yet then (INV-6), so the delay starts anew.
        let read_late = journey.station == Stage::Step
            && journey.at == 0
            && journey.attempts == 0
            && journey.entered_at.is_some_and(|entered| arrival < entered);
        if journey.station != Stage::Armed && !read_late {
            continue;
        }
        let bundle = scene.world.bundle(journey.bundle);
        let Some(bundle) = bundle.filter(|bundle| bundle.is_idle(&journey.campaign)) else {
            continue;
        };
        let start = bundle
            .campaign(&journey.campaign)
            .and_then(|campaign| campaign.starts.get(usize::from(journey.start)));
        if let Some(span) = start.and_then(|start| start.kind.answers().idle) {
            journey.due = journey.due.max(last + span.value(&[journey.id.as_bytes()]));
            journey.station = Stage::Armed;
            journey.entered_at = None;
            journey.hold = None;
        }
    }
    excuse(scene, arrival);
}
