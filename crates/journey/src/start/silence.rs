//! Silence: so long without an order or a visit.
//!
//! A function of the state and the time, so a sweep and an event find the same journeys (INV-10).

use winback_campaign::model::{Missed, StartKind};
use winback_contract::{JourneyId, Timestamp, spec};

use crate::scene::Scene;
use crate::start::arm::{Arming, arm, spread};
use crate::state::{EntryFacts, Journey, Station};

/// After an event: an order renews the silence of orders, any activity that of visits.
pub(crate) fn silence_after(scene: &mut Scene<'_>, name: &str, now: Timestamp) {
    let Some(bundle) = scene.world.active else {
        return;
    };
    // Also what undoes an order, or opens it again, moves the newest that stands.
    let of_order = name.starts_with("Order ");
    if of_order || bundle.misses_visits() {
        arm_silence(scene, now);
    }
}

/// Arms, or arms anew, every silence campaign. What is already past waits for nothing: it is taken in over the
/// campaign's `existing` span, counted from `now`, or left out.
pub(crate) fn arm_silence(scene: &mut Scene<'_>, now: Timestamp) {
    let Some(bundle) = scene.world.active else {
        return;
    };
    for (campaign, index) in bundle.silences() {
        let StartKind::Silence { span, without } = &campaign.starts[index].kind else {
            continue;
        };
        let (last, occasion, name) = match without {
            Missed::Order => (
                scene.customer.orders.last_at,
                scene.customer.orders.last_id.clone().unwrap_or_default(),
                spec::ORDER_COMPLETED,
            ),
            Missed::Visit => (
                scene.customer.last_activity,
                scene
                    .customer
                    .last_activity
                    .map(|last| format!("visit:{}", last.as_millis()))
                    .unwrap_or_default(),
                spec::SESSION_STARTED,
            ),
        };
        let Some(last) = last else { continue };
        let of_start = |journey: &Journey| {
            journey.campaign == campaign.name && usize::from(journey.start) == index
        };
        let is_old = |journey: &Journey| of_start(journey) && journey.station == Station::Armed;
        // A newer order is the newer silence: what was armed by an older one is over.
        scene
            .customer
            .journeys
            .retain(|journey| !is_old(journey) || journey.key == occasion);
        let old = scene
            .customer
            .journeys
            .iter()
            .find(|j| is_old(j) && j.key == occasion)
            .map(|j| (j.due, j.bundle));
        let about = |j: &Journey| of_start(j) && j.key == occasion && !is_old(j);
        let done = scene
            .customer
            .history(&campaign.name)
            .and_then(|history| history.occasion.as_ref())
            == Some(&occasion);
        if done
            || scene.customer.journeys.iter().any(about)
            || old.is_some_and(|(_, version)| version == bundle.hash)
        {
            continue;
        }
        let of_order = *without == Missed::Order;
        // Everybody has a length of silence of its own: by the order, or for all visits.
        let salt: &[u8] = if of_order {
            occasion.as_bytes()
        } else {
            b"visit"
        };
        let regular = last + span.value(&[scene.world.customer.as_bytes(), salt]);
        let id = JourneyId::of(
            &campaign.name,
            scene.world.customer,
            name.as_bytes(),
            &occasion,
        );
        let taken_in = campaign
            .existing
            .map(|existing| now + spread(existing, &campaign.name, scene.world));
        let due = if regular > now {
            Some(regular)
        } else {
            [taken_in, old.map(|(due, _)| due)]
                .into_iter()
                .flatten()
                .min()
        };
        scene.customer.journeys.retain(|journey| !is_old(journey));
        let Some(due) = due else { continue };
        let entry = EntryFacts {
            name: name.into(),
            at: last,
            arrived: scene
                .customer
                .orders
                .last_arrived
                .filter(|_| of_order)
                .unwrap_or(last),
            order_id: of_order.then(|| occasion.clone()),
            ..EntryFacts::default()
        };
        let arming = Arming {
            campaign,
            start: index,
            key: occasion,
            entry,
            id,
            due,
        };
        arm(scene, arming);
    }
}
