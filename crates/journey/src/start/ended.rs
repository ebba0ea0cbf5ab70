//! A journey's end begins another one.

use winback_campaign::model::StartKind;
use winback_contract::{Event, EventId, JourneyId, Reason, Timestamp, spec};

use crate::effects::Count;
use crate::facts::Facts;
use crate::incoming::IncomingEvent;
use crate::scene::Scene;
use crate::start::arm::{Arming, arm, due_after, entry, judge};
use crate::state::EntryFacts;

/// A journey that ended, for campaigns that begin with that.
pub(crate) struct Ended<'e> {
    pub(crate) journey: JourneyId,
    pub(crate) campaign: &'e str,
    pub(crate) outcome: &'e str,
    pub(crate) order_id: Option<&'e str>,
    pub(crate) cart_id: Option<&'e str>,
    pub(crate) checkout_id: Option<&'e str>,
    pub(crate) product_id: Option<&'e str>,
    pub(crate) at: Timestamp,
}

/// Arms what begins when a journey ends.
pub(crate) fn after_end(scene: &mut Scene<'_>, ended: &Ended<'_>) {
    let Some(bundle) = scene.world.active else {
        return;
    };
    for (campaign, index) in bundle.begun_by_end(ended.campaign) {
        let start = &campaign.starts[index];
        let StartKind::Ended { delay, .. } = &start.kind else {
            continue;
        };
        let event = Event {
            name: spec::JOURNEY_ENDED.into(),
            order_id: ended.order_id.map(str::to_owned),
            cart_id: ended.cart_id.map(str::to_owned),
            checkout_id: ended.checkout_id.map(str::to_owned),
            properties: [
                ("campaign".to_owned(), ended.campaign.into()),
                ("outcome".to_owned(), ended.outcome.into()),
            ]
            .into(),
            ..Event::default()
        };
        let incoming = IncomingEvent {
            event: &event,
            name: &event.name,
            at: ended.at,
            arrival: ended.at,
            live: true,
            id: EventId(ended.journey.0),
            fresh: true,
        };
        let Some(key) = judge(scene, (campaign, start), &incoming) else {
            continue;
        };
        let key = if key.is_empty() {
            ended.journey.to_string()
        } else {
            key
        };
        let id = JourneyId::of(&campaign.name, scene.world.customer, &ended.journey.0, &key);
        let facts = Facts {
            event: Some((&event, ended.at, ended.at)),
            ..scene.world.facts(&bundle.policy, scene.customer, ended.at)
        };
        let Some(due) = due_after(delay, ended.at, id, &facts) else {
            scene.out.count(Count::ConditionFailed);
            continue;
        };
        let entry = EntryFacts {
            product_id: ended.product_id.map(str::to_owned),
            ..entry(&incoming, campaign)
        };
        let arming = Arming {
            campaign,
            start: index,
            key,
            entry,
            id,
            due,
        };
        arm(scene, arming);
    }
}

/// Whether a reason is worth a beginning: what never began, or only changed its profile, did not end.
pub(crate) fn is_an_end(outcome: Reason) -> bool {
    !matches!(outcome, Reason::Moved | Reason::Dropped | Reason::Erased)
}
