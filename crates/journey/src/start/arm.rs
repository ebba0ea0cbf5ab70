//! Arming: what every start has in common, whatever brings it. A journey of the same key is renewed, not doubled (INV-4).

use winback_campaign::model::{Campaign, Delay, Mode, Start};
use winback_campaign::{Moment, calendar};
use winback_contract::ids::bucket;
use winback_contract::{JourneyId, JourneyRecord, Reason, Span, Timestamp, Transition};

use crate::customer::{limit, zone};
use crate::effects::{Count, Why};
use crate::eligibility::{limit_allows, reentry_allows};
use crate::facts::Facts;
use crate::incoming::IncomingEvent;
use crate::over::note_end;
use crate::scene::Scene;
use crate::start::item::values;
use crate::state::{EntryFacts, Journey, Reactions, Stage};
use crate::world::World;

/// When a start with this delay is due; `None` when it can't be told. A moment in the past is now.
pub(crate) fn due_after(
    delay: &Delay,
    from: Timestamp,
    id: JourneyId,
    facts: &Facts<'_>,
) -> Option<Timestamp> {
    match delay {
        Delay::Fixed(range) => Some(from + range.value(&[id.as_bytes()])),
        Delay::Computed(expression) => {
            let at = match expression.moment(facts).ok()? {
                Moment::After(span) => from + span,
                Moment::At(at) => at,
                Moment::Day(day) => calendar::start_of(day, &zone(facts.customer, facts.policy)),
            };
            Some(at.max(from))
        }
    }
}

/// The key, if the start's condition holds.
pub(crate) fn judge(
    scene: &mut Scene<'_>,
    (campaign, start): (&Campaign, &Start),
    incoming: &IncomingEvent<'_>,
) -> Option<String> {
    let bundle = scene.world.active?;
    let facts = Facts {
        event: Some((incoming.event, incoming.at, incoming.arrival)),
        ..scene
            .world
            .facts(&bundle.policy, scene.customer, incoming.arrival)
    };
    if let Some(when) = &start.when {
        let judged = when.holds(&facts);
        if judged.is_err() {
            scene.out.count(Count::ConditionFailed);
        }
        if judged != Ok(true) {
            if scene.world.limits.explain {
                let id = incoming.id.0.as_slice();
                let id = JourneyId::of(&campaign.name, scene.world.customer, id, "");
                let why = Why {
                    reason: Reason::Condition,
                    because: when.because(&facts),
                };
                not_begun(scene, campaign, id, incoming.arrival, why);
            }
            return None;
        }
    }
    match &start.key {
        None => Some(String::new()),
        Some(key) => key
            .text(&facts)
            .map_err(|_| scene.out.count(Count::ConditionFailed))
            .ok(),
    }
}

/// What a campaign keeps of an event.
pub(crate) fn entry(incoming: &IncomingEvent<'_>, campaign: &Campaign) -> EntryFacts {
    let event = incoming.event;
    EntryFacts {
        name: event.name.clone(),
        at: incoming.at,
        arrived: incoming.arrival,
        cart_id: event.cart_id.clone(),
        order_id: event.order_id.clone(),
        checkout_id: event.checkout_id.clone(),
        product_id: event
            .products
            .first()
            .map(|product| product.product_id.clone()),
        total: event.total,
        fields: values(event, &campaign.entry_fields),
        item: None,
    }
}

/// The parts of a journey that begins.
pub(crate) struct Arming<'c> {
    pub(crate) campaign: &'c Campaign,
    pub(crate) start: usize,
    pub(crate) key: String,
    pub(crate) entry: EntryFacts,
    pub(crate) id: JourneyId,
    pub(crate) due: Timestamp,
}

/// Why a journey did not begin, where somebody asks for it.
pub(crate) fn not_begun(
    scene: &mut Scene<'_>,
    campaign: &Campaign,
    journey: JourneyId,
    at: Timestamp,
    Why { reason, because }: Why,
) {
    let Some(bundle) = scene.world.active.filter(|_| scene.world.limits.explain) else {
        return;
    };
    scene.out.journeys.push(JourneyRecord {
        v: JourneyRecord::VERSION,
        journey,
        customer: scene.world.customer,
        campaign: campaign.name.clone(),
        bundle: bundle.hash,
        at,
        transition: Transition::NotBegun { reason, because },
        input: None,
    });
}

/// Arms a journey, or renews the one of the same key that has sent nothing yet.
pub(crate) fn arm(scene: &mut Scene<'_>, arming: Arming<'_>) {
    let Some(bundle) = scene.world.active else {
        return;
    };
    let Arming {
        campaign,
        start,
        key,
        entry,
        id,
        due,
    } = arming;
    let same = |journey: &Journey| journey.campaign == campaign.name && journey.key == key;
    if let Some(journey) = scene.customer.journeys.iter_mut().find(|one| same(one)) {
        if journey.station == Stage::Armed {
            journey.due = journey.due.max(due);
        }
        if journey.first_message_at.is_none() {
            journey.entry = entry;
            let id = journey.id;
            note_end(scene, id);
        }
        return;
    }
    if campaign.mode == Mode::Paused {
        return;
    }
    let rules = &campaign.starts[start];
    if !reentry_allows(scene.customer, &campaign.name, rules.reentry, due)
        || !limit_allows(scene.customer, &campaign.name, rules.limit, due)
    {
        scene.out.count(Count::Reentry);
        let at = entry.arrived;
        let why = Reason::Reentry.into();
        not_begun(scene, campaign, id, at, why);
        return;
    }
    if scene.customer.journeys.len() >= limit::JOURNEYS {
        scene.out.count(Count::Truncated);
        let why = Why {
            reason: Reason::Capped,
            because: Some(format!("{} journeys at a time", limit::JOURNEYS)),
        };
        not_begun(scene, campaign, id, entry.arrived, why);
        return;
    }
    scene.customer.journeys.push(Journey {
        id,
        campaign: campaign.name.clone(),
        bundle: bundle.hash,
        key,
        start: u8::try_from(start).unwrap_or(u8::MAX),
        entry,
        entered_at: None,
        at: 0,
        due,
        station: Stage::Armed,
        hold: None,
        refused: Vec::new(),
        first_message_at: None,
        last_message_at: None,
        attempts: 0,
        messages: Vec::new(),
        offer: None,
        reactions: Reactions::default(),
        sent: Vec::new(),
        variants: Vec::new(),
        answers: Vec::new(),
        answer: None,
        met: Vec::new(),
        waited: None,
        over_at: None,
        goal: false,
    });
    note_end(scene, id);
}

/// An offset below a span, drawn by the person and the campaign.
pub(crate) fn spread(width: Span, campaign: &str, world: &World<'_>) -> Span {
    let width = u64::try_from(width.as_millis()).unwrap_or(0);
    let parts = [world.customer.as_bytes().as_slice(), campaign.as_bytes()];
    let offset = bucket("existing", &parts, width.max(1));
    Span::from_millis(i64::try_from(offset).unwrap_or(0))
}
