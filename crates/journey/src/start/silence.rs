//! Silence: so long without an order or a visit.
//!
//! A function of the state and the time, so a sweep and an event find the same journeys (INV-10).

use winback_campaign::SpanRange;
use winback_campaign::model::{Campaign, Missed, StartKind};
use winback_contract::{JourneyId, Timestamp, spec};

use crate::scene::Scene;
use crate::start::arm::{Arming, arm, spread};
use crate::state::{EntryFacts, Journey, Stage};

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

/// What somebody did last, and has not done again since.
struct Last {
    at: Timestamp,
    /// The key of its silence: the order, or the visit by its moment.
    occasion: String,
    /// The event that it was.
    name: &'static str,
    of_order: bool,
}

impl Last {
    fn of(scene: &Scene<'_>, without: Missed) -> Option<Self> {
        let customer = &*scene.customer;
        match without {
            Missed::Order => customer.orders.last_at.map(|at| Self {
                at,
                occasion: customer.orders.last_id.clone().unwrap_or_default(),
                name: spec::ORDER_COMPLETED,
                of_order: true,
            }),
            Missed::Visit => customer.last_activity.map(|at| Self {
                at,
                occasion: format!("visit:{}", at.as_millis()),
                name: spec::SESSION_STARTED,
                of_order: false,
            }),
        }
    }

    /// Everybody has a length of silence of its own: by the order, or for all visits.
    fn salt(&self) -> &[u8] {
        if self.of_order {
            self.occasion.as_bytes()
        } else {
            b"visit"
        }
    }

    fn entry(&self, scene: &Scene<'_>) -> EntryFacts {
        let arrived = scene.customer.orders.last_arrived;
        EntryFacts {
            name: self.name.into(),
            at: self.at,
            arrived: arrived.filter(|_| self.of_order).unwrap_or(self.at),
            order_id: self.of_order.then(|| self.occasion.clone()),
            ..EntryFacts::default()
        }
    }
}

/// Arms, or arms anew, every silence campaign. What is already past waits for nothing: it is taken in over the
/// campaign's `existing` span, counted from `now`, or left out.
pub(crate) fn arm_silence(scene: &mut Scene<'_>, now: Timestamp) {
    let Some(bundle) = scene.world.active else {
        return;
    };
    for (campaign, start) in bundle.silences() {
        if let StartKind::Silence { span, without } = &campaign.starts[start].kind
            && let Some(last) = Last::of(scene, *without)
        {
            arm_one(scene, (campaign, start), (*span, last), now);
        }
    }
}

fn arm_one(
    scene: &mut Scene<'_>,
    (campaign, start): (&Campaign, usize),
    (span, last): (SpanRange, Last),
    now: Timestamp,
) {
    let of_start = |journey: &Journey| {
        journey.campaign == campaign.name && usize::from(journey.start) == start
    };
    let is_old = |journey: &Journey| of_start(journey) && journey.station == Stage::Armed;
    let journeys = &mut scene.customer.journeys;
    // A newer order is the newer silence: what was armed by an older one is over.
    journeys.retain(|journey| !is_old(journey) || journey.key == last.occasion);
    let mut all = journeys.iter();
    let old = all.find(|journey| is_old(journey) && journey.key == last.occasion);
    let old = old.map(|journey| (journey.due, journey.bundle));
    let about =
        |journey: &Journey| of_start(journey) && journey.key == last.occasion && !is_old(journey);
    let runs = journeys.iter().any(about);
    let history = scene.customer.history(&campaign.name);
    let done = history.and_then(|history| history.occasion.as_ref()) == Some(&last.occasion);
    let is_of_now = |(_, version)| {
        scene
            .world
            .active
            .is_some_and(|active| version == active.hash)
    };
    if done || runs || old.is_some_and(is_of_now) {
        return;
    }
    let regular = last.at + span.value(&[scene.world.customer.as_bytes(), last.salt()]);
    let due = if regular > now {
        Some(regular)
    } else {
        let existing = campaign.existing;
        let taken_in = existing.map(|span| now + spread(span, &campaign.name, scene.world));
        taken_in.into_iter().chain(old.map(|(due, _)| due)).min()
    };
    scene.customer.journeys.retain(|journey| !is_old(journey));
    let Some(due) = due else { return };
    let (name, person) = (last.name.as_bytes(), scene.world.customer);
    let arming = Arming {
        campaign,
        start,
        entry: last.entry(scene),
        id: JourneyId::of(&campaign.name, person, name, &last.occasion),
        key: last.occasion,
        due,
    };
    arm(scene, arming);
}
