//! A journey's end begins another one.

use winback_campaign::model::StartKind;
use winback_contract::{Event, EventId, JourneyId, Reason, Timestamp, spec};

use crate::customer::Customer;
use crate::effects::{Count, Effects};
use crate::facts::Facts;
use crate::happening::Happening;
use crate::start::arm::{Arming, arm, due_after, entry, judge};
use crate::state::EntryFacts;
use crate::world::World;

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
pub(crate) fn after_end(
    customer: &mut Customer,
    ended: &Ended<'_>,
    world: &World<'_>,
    out: &mut Effects,
) {
    let Some(bundle) = world.active else { return };
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
        let happening = Happening {
            event: &event,
            at: ended.at,
            arrival: ended.at,
            live: true,
            id: EventId(ended.journey.0),
            fresh: true,
        };
        let Some(key) = judge(customer, (campaign, start), &happening, world, out) else {
            continue;
        };
        let key = if key.is_empty() {
            ended.journey.to_string()
        } else {
            key
        };
        let id = JourneyId::of(&campaign.name, world.customer, &ended.journey.0, &key);
        let facts = Facts {
            event: Some((&event, ended.at, ended.at)),
            ..world.facts(&bundle.policy, customer, ended.at)
        };
        let Some(due) = due_after(delay, ended.at, id, &facts) else {
            out.count(Count::ConditionFailed);
            continue;
        };
        let entry = EntryFacts {
            product_id: ended.product_id.map(str::to_owned),
            ..entry(&happening, campaign)
        };
        let arming = Arming {
            campaign,
            start: index,
            key,
            entry,
            id,
            due,
        };
        arm(customer, arming, world, out);
    }
}

/// Whether a reason is worth a beginning: what never began, or only changed its profile, did not end.
pub(crate) fn is_an_end(outcome: Reason) -> bool {
    !matches!(outcome, Reason::Moved | Reason::Dropped | Reason::Erased)
}
