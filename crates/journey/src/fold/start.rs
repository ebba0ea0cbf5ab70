//! Starts: an event arms a journey, or renews the one that waits; what begins it otherwise is in `occasion`.

use winback_campaign::model::{Campaign, Delay, Mode, Start, StartKind};
use winback_campaign::{Moment, calendar};
use winback_contract::{
    Event, EventId, JourneyId, JourneyRecord, Reason, Timestamp, Transition, ids::digest, spec,
};

use super::Happening;
use super::item::{items, values};
use super::named::Named;
use crate::advance::{limit_allows, reentry_allows, zone};
use crate::behaviour::{self, Counter, push};
use crate::customer::{Customer, Line, limit};
use crate::effects::{Count, Effects};
use crate::facts::Facts;
use crate::state::{EntryFacts, Journey, Reactions, Station};
use crate::world::World;

/// Arms what the event begins; the name differs from the event's own for derived events.
pub(super) fn fold(
    customer: &mut Customer,
    happening: &Happening<'_>,
    named: &Named<'_>,
    world: &World<'_>,
    out: &mut Effects,
) {
    let Some((bundle, concerns)) = named.active() else {
        return;
    };
    for (campaign, index) in bundle.starts(&concerns.begins) {
        let start = &campaign.starts[index];
        let Some(key) = judge(customer, start, happening, world, out) else {
            continue;
        };
        if !is_about_something(customer, happening)
            || is_bought(customer, campaign, happening, world)
            || !is_counted_out(customer, campaign, index, happening)
        {
            continue;
        }
        let elements = items(customer, start, happening, world, out);
        for item in elements {
            let key = match (&start.key, &item) {
                (None, Some(item)) => format!("{}:{}", happening.id, item.product_id),
                _ => key.clone(),
            };
            let facts = Facts {
                event: Some((happening.event, happening.at, happening.arrival)),
                item: item.as_ref(),
                ..world.facts(&bundle.policy, customer, happening.arrival)
            };
            let id = JourneyId::of(
                &campaign.name,
                world.customer,
                happening.id.0.as_slice(),
                &key,
            );
            let due = match &start.kind {
                StartKind::Idle { span, .. } => {
                    Some(happening.arrival + span.value(&[id.as_bytes()]))
                }
                StartKind::After { delay, .. } => due_after(delay, happening.arrival, id, &facts),
                _ => None,
            };
            let Some(due) = due else {
                out.count(Count::ConditionFailed);
                not_begun(campaign, id, happening.arrival, Reason::Error, world, out);
                continue;
            };
            let entry = EntryFacts {
                item: item.map(Box::new),
                ..entry(happening, campaign)
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
}

/// Starts that count anew when this event comes.
pub(super) fn recount(customer: &mut Customer, named: &Named<'_>) {
    let Some((bundle, concerns)) = named.active() else {
        return;
    };
    if customer.behaviour.counters.is_empty() {
        return;
    }
    for (campaign, index) in bundle.starts(&concerns.recounts) {
        let of = counter(campaign, index);
        customer.behaviour.counters.retain(|known| known.of != of);
    }
}

fn counter(campaign: &Campaign, index: usize) -> u64 {
    let bytes = digest("counter", &[campaign.name.as_bytes(), &index.to_be_bytes()]);
    let mut first = [0_u8; 8];
    first.copy_from_slice(&bytes[..8]);
    u64::from_be_bytes(first)
}

/// Without `times` always; else whether this is the n-th match in the window.
fn is_counted_out(
    customer: &mut Customer,
    campaign: &Campaign,
    index: usize,
    happening: &Happening<'_>,
) -> bool {
    let Some(times) = &campaign.starts[index].times else {
        return true;
    };
    let of = counter(campaign, index);
    let counters = &mut customer.behaviour.counters;
    let place = match counters.iter().position(|known| known.of == of) {
        Some(place) => place,
        None => {
            let fresh = Counter {
                of,
                times: Vec::new(),
            };
            push(counters, fresh, behaviour::limit::COUNTERS);
            counters.len() - 1
        }
    };
    let matches = &mut counters[place].times;
    matches.retain(|at| *at + times.within > happening.arrival);
    matches.push(happening.arrival);
    if matches.len() < times.count as usize {
        return false;
    }
    matches.clear();
    true
}

/// When a start with this delay is due; `None` when it can't be told. A moment in the past is now.
pub(super) fn due_after(
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

/// A campaign that an order ends is not begun by what came before the newest order, by either clock.
fn is_bought(
    customer: &Customer,
    campaign: &Campaign,
    happening: &Happening<'_>,
    world: &World<'_>,
) -> bool {
    let orders = &customer.orders;
    let is_that_order =
        happening.event.order_id.is_some() && happening.event.order_id == orders.last_id;
    let older = orders.last_at.is_some_and(|at| happening.at <= at)
        || orders
            .last_arrived
            .is_some_and(|arrived| happening.arrival <= arrived);
    older
        && !is_that_order
        && world
            .active
            .is_some_and(|bundle| ends_by_order(campaign, bundle))
}

/// Whether an order ends the journeys of a campaign: by its group or by an exit of its own.
pub(crate) fn ends_by_order(campaign: &Campaign, bundle: &winback_campaign::Bundle) -> bool {
    let group = bundle
        .policy
        .groups
        .get(&campaign.group)
        .and_then(Option::as_deref);
    let by_exit = campaign.exits.iter().any(|exit| {
        exit.converted
            && exit.pattern.when.is_none()
            && exit.pattern.on.iter().any(|on| on == spec::ORDER_COMPLETED)
    });
    group == Some(spec::ORDER_COMPLETED) || by_exit
}

/// A cart event arms only while its cart is there: an order may already have closed it (either clock).
fn is_about_something(customer: &Customer, happening: &Happening<'_>) -> bool {
    match happening.event.name.as_str() {
        "Product Added" | "Cart Updated" => happening
            .event
            .cart_id
            .as_ref()
            .is_some_and(|id| customer.cart(id).is_some()),
        _ => true,
    }
}

/// The key, if the start's condition holds.
pub(super) fn judge(
    customer: &Customer,
    start: &Start,
    happening: &Happening<'_>,
    world: &World<'_>,
    out: &mut Effects,
) -> Option<String> {
    let bundle = world.active?;
    let facts = Facts {
        event: Some((happening.event, happening.at, happening.arrival)),
        ..world.facts(&bundle.policy, customer, happening.arrival)
    };
    if let Some(when) = &start.when {
        match when.holds(&facts) {
            Ok(true) => {}
            Ok(false) => return None,
            Err(_) => {
                out.count(Count::ConditionFailed);
                return None;
            }
        }
    }
    match &start.key {
        None => Some(String::new()),
        Some(key) => key
            .text(&facts)
            .map_err(|_| out.count(Count::ConditionFailed))
            .ok(),
    }
}

/// What a campaign keeps of an event.
pub(super) fn entry(happening: &Happening<'_>, campaign: &Campaign) -> EntryFacts {
    let event = happening.event;
    EntryFacts {
        name: event.name.clone(),
        at: happening.at,
        arrived: happening.arrival,
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
pub(super) struct Arming<'c> {
    pub(super) campaign: &'c Campaign,
    pub(super) start: usize,
    pub(super) key: String,
    pub(super) entry: EntryFacts,
    pub(super) id: JourneyId,
    pub(super) due: Timestamp,
}

/// Why a journey did not begin, where somebody asks for it.
pub(crate) fn not_begun(
    campaign: &Campaign,
    journey: JourneyId,
    at: Timestamp,
    reason: Reason,
    world: &World<'_>,
    out: &mut Effects,
) {
    let Some(bundle) = world.active.filter(|_| world.limits.explain) else {
        return;
    };
    out.journeys.push(JourneyRecord {
        v: JourneyRecord::VERSION,
        journey,
        customer: world.customer,
        campaign: campaign.name.clone(),
        bundle: bundle.hash,
        at,
        transition: Transition::NotBegun { reason },
        input: None,
    });
}

/// Arms a journey, or renews the one of the same key that has sent nothing yet.
pub(super) fn arm(
    customer: &mut Customer,
    arming: Arming<'_>,
    world: &World<'_>,
    out: &mut Effects,
) {
    let Some(bundle) = world.active else { return };
    let Arming {
        campaign,
        start,
        key,
        entry,
        id,
        due,
    } = arming;
    let same = |journey: &Journey| journey.campaign == campaign.name && journey.key == key;
    if let Some(place) = customer.journeys.iter().position(same) {
        let journey = &mut customer.journeys[place];
        if journey.station == Station::Armed {
            journey.due = journey.due.max(due);
        }
        if journey.first_message_at.is_none() {
            journey.entry = entry;
            crate::advance::note_end(customer, place, world);
        }
        return;
    }
    if campaign.mode == Mode::Paused {
        return;
    }
    let rules = &campaign.starts[start];
    if !reentry_allows(customer, &campaign.name, rules.reentry, due)
        || !limit_allows(customer, &campaign.name, rules.limit, due)
    {
        out.count(Count::Reentry);
        let at = entry.arrived;
        not_begun(campaign, id, at, Reason::Reentry, world, out);
        return;
    }
    if customer.journeys.len() >= limit::JOURNEYS {
        out.count(Count::Truncated);
        return;
    }
    customer.journeys.push(Journey {
        id,
        campaign: campaign.name.clone(),
        bundle: bundle.hash,
        key,
        start: u8::try_from(start).unwrap_or(u8::MAX),
        entry,
        entered_at: None,
        at: 0,
        due,
        station: Station::Armed,
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
    let last = customer.journeys.len() - 1;
    crate::advance::note_end(customer, last, world);
}

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
        let Some(key) = judge(customer, start, &happening, world, out) else {
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

/// The line of a product map of CEL.
pub(crate) fn line(value: &cel::Value) -> Option<Line> {
    let cel::Value::Map(map) = value else {
        return None;
    };
    let text = |name: &str| match map.get(&cel::objects::Key::from(name)) {
        Some(cel::Value::String(text)) => Some(text.to_string()),
        _ => None,
    };
    Some(Line {
        product_id: text("product_id")?,
        name: text("name"),
        category: text("category"),
        price: None,
        quantity: 1,
        url: text("url"),
        image_url: text("image_url"),
    })
}
