//! Occasions that no event brings: silence, dates of the customer, days of the shop, announcements.
//!
//! Each is a function of the state and the time, so a sweep and an event find the same journeys (INV-10).

use jiff::civil::Date;
use winback_campaign::model::{Campaign, Missed, StartKind};
use winback_campaign::{Moment, calendar};
use winback_contract::{Announcement, JourneyId, Reason, Span, Timestamp, ids::bucket, spec};

use super::Happening;
use super::start::{Arming, arm, entry};
use crate::advance::zone;
use crate::customer::Customer;
use crate::effects::Effects;
use crate::facts::Facts;
use crate::state::{EntryFacts, Field, Journey, Station};
use crate::world::World;

/// Name of what begins a journey of a date.
pub const DATE: &str = "Date";

/// An offset below a span, drawn by the person and the campaign.
fn spread(width: Span, campaign: &str, world: &World<'_>) -> Span {
    let width = u64::try_from(width.as_millis()).unwrap_or(0);
    let parts = [world.customer.as_bytes().as_slice(), campaign.as_bytes()];
    let offset = bucket("existing", &parts, width.max(1));
    Span::from_millis(i64::try_from(offset).unwrap_or(0))
}

/// After an event: an order renews the silence of orders, any activity that of visits.
pub(super) fn silence_after(
    customer: &mut Customer,
    name: &str,
    now: Timestamp,
    world: &World<'_>,
    out: &mut Effects,
) {
    let Some(bundle) = world.active else { return };
    let of_order = name == spec::ORDER_COMPLETED;
    if of_order || bundle.misses_visits() {
        arm_silence(customer, now, world, out);
    }
}

/// Arms, or arms anew, every silence campaign. What is already past waits for nothing: it is taken in over the
/// campaign's `existing` span, counted from `now`, or left out.
pub fn arm_silence(customer: &mut Customer, now: Timestamp, world: &World<'_>, out: &mut Effects) {
    let Some(bundle) = world.active else { return };
    for (campaign, index) in bundle.silences() {
        let StartKind::Silence { span, without } = &campaign.starts[index].kind else {
            continue;
        };
        let (last, occasion, name) = match without {
            Missed::Order => (
                customer.orders.last_at,
                customer.orders.last_id.clone().unwrap_or_default(),
                spec::ORDER_COMPLETED,
            ),
            Missed::Visit => (
                customer.last_activity,
                customer
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
        customer
            .journeys
            .retain(|journey| !is_old(journey) || journey.key == occasion);
        let old = customer
            .journeys
            .iter()
            .find(|j| is_old(j) && j.key == occasion)
            .map(|j| (j.due, j.bundle));
        let about = |j: &Journey| of_start(j) && j.key == occasion && !is_old(j);
        let done = customer
            .history(&campaign.name)
            .and_then(|history| history.occasion.as_ref())
            == Some(&occasion);
        if done
            || customer.journeys.iter().any(about)
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
        let regular = last + span.value(&[world.customer.as_bytes(), salt]);
        let id = JourneyId::of(&campaign.name, world.customer, name.as_bytes(), &occasion);
        let taken_in = campaign
            .existing
            .map(|existing| now + spread(existing, &campaign.name, world));
        let due = if regular > now {
            Some(regular)
        } else {
            [taken_in, old.map(|(due, _)| due)]
                .into_iter()
                .flatten()
                .min()
        };
        customer.journeys.retain(|journey| !is_old(journey));
        let Some(due) = due else { continue };
        let entry = EntryFacts {
            name: name.into(),
            at: last,
            arrived: customer
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
        arm(customer, arming, world, out);
    }
}

/// Arms, or moves, every campaign that counts to a date of the customer.
pub fn arm_dates(customer: &mut Customer, now: Timestamp, world: &World<'_>, out: &mut Effects) {
    let Some(bundle) = world.active else { return };
    for (campaign, index) in bundle.dates() {
        let StartKind::Date {
            moment,
            before,
            yearly,
        } = &campaign.starts[index].kind
        else {
            continue;
        };
        let of_start = |journey: &Journey| {
            journey.campaign == campaign.name && usize::from(journey.start) == index
        };
        // What is due already happens: it is not for a new value to take it away.
        let is_armed = |journey: &Journey| {
            of_start(journey) && journey.station == Station::Armed && journey.due > now
        };
        let place = zone(customer, &bundle.policy);
        let known = moment
            .moment(&world.facts(&bundle.policy, customer, now))
            .ok();
        let found = known.and_then(|known| match (known, yearly) {
            (Moment::Day(day), true) => next_year_day(day, *before, &place, now),
            (Moment::Day(day), false) => Some(calendar::start_of(day, &place)),
            (Moment::At(at), false) => Some(at),
            (Moment::At(at), true) => {
                next_year_day(calendar::local(at, &place).date(), *before, &place, now)
            }
            (Moment::After(_), _) => None,
        });
        let Some(at) = found.filter(|at| *at > now) else {
            // The date is gone, or past: what has not begun does not begin.
            customer.journeys.retain(|journey| !is_armed(journey));
            continue;
        };
        let key = calendar::local(at, &place).date().to_string();
        let due = (at + Span::from_millis(-before.as_millis())).max(now);
        // The value moved: what was armed for the old one moves with it.
        customer
            .journeys
            .retain(|journey| !is_armed(journey) || journey.key == key);
        if !yearly {
            end_stale(customer, of_start, &key, now, world, out);
        }
        let waiting = customer
            .journeys
            .iter()
            .position(|journey| of_start(journey) && journey.key == key);
        if let Some(place) = waiting {
            let journey = &mut customer.journeys[place];
            if journey.station == Station::Armed {
                journey.due = due;
            }
            if journey.first_message_at.is_none() {
                set_date(&mut journey.entry, at);
                crate::advance::note_end(customer, place, world);
            }
            continue;
        }
        let done = customer
            .history(&campaign.name)
            .and_then(|history| history.occasion.as_deref())
            == Some(key.as_str());
        if done {
            continue;
        }
        let mut entry = EntryFacts {
            name: DATE.into(),
            at: now,
            arrived: now,
            ..EntryFacts::default()
        };
        set_date(&mut entry, at);
        customer.dates_armed += 1;
        let number = customer.dates_armed.to_be_bytes();
        let id = JourneyId::of(&campaign.name, world.customer, &number, &key);
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

/// What has begun and sent nothing speaks of a date that is no more.
fn end_stale(
    customer: &mut Customer,
    of_start: impl Fn(&Journey) -> bool,
    key: &str,
    now: Timestamp,
    world: &World<'_>,
    out: &mut Effects,
) {
    let mut place = 0;
    while place < customer.journeys.len() {
        let journey = &customer.journeys[place];
        let stale = of_start(journey)
            && journey.key != key
            && journey.first_message_at.is_none()
            && !matches!(journey.station, Station::Armed | Station::Sending);
        if stale {
            crate::advance::end(customer, place, Reason::Cancelled, now, world, out);
        } else {
            place += 1;
        }
    }
}

fn set_date(entry: &mut EntryFacts, at: Timestamp) {
    entry.fields.retain(|(name, _)| name != "date");
    entry.fields.push(("date".into(), Field::Time(at)));
}

/// The next time a day of the year comes, far enough ahead for what goes before it. 29 February is the 28th in other
/// years.
fn next_year_day(
    day: Date,
    before: Span,
    place: &jiff::tz::TimeZone,
    now: Timestamp,
) -> Option<Timestamp> {
    let this_year = calendar::local(now, place).date().year();
    for year in this_year..=this_year + 2 {
        let date = Date::new(year, day.month(), day.day())
            .or_else(|_| Date::new(year, day.month(), 28))
            .ok()?;
        let at = calendar::start_of(date, place);
        if at + Span::from_millis(-before.as_millis()) > now {
            return Some(at);
        }
    }
    None
}

/// A day of the shop's calendar comes to this customer.
pub fn call_out(
    customer: &mut Customer,
    campaign: &Campaign,
    start: usize,
    day: Date,
    now: Timestamp,
    world: &World<'_>,
    out: &mut Effects,
) {
    let Some(bundle) = world.active else { return };
    let place = zone(customer, &bundle.policy);
    let at = calendar::start_of(day, &place);
    let key = day.to_string();
    if !may_fit(customer, campaign, now, world) || has(customer, campaign, &key) {
        return;
    }
    let mut entry = EntryFacts {
        name: "Schedule".into(),
        at: now,
        arrived: now,
        ..EntryFacts::default()
    };
    set_date(&mut entry, at);
    let due = at + spread(campaign.starts[start].spread, &campaign.name, world);
    let id = JourneyId::of(&campaign.name, world.customer, b"schedule", &key);
    let arming = Arming {
        campaign,
        start,
        key,
        entry,
        id,
        due,
    };
    arm(customer, arming, world, out);
}

/// An announcement comes to this customer.
pub fn announce(
    customer: &mut Customer,
    campaign: &Campaign,
    start: usize,
    news: &Announcement,
    world: &World<'_>,
    out: &mut Effects,
) {
    let happening = Happening {
        event: &news.event,
        at: news.at,
        arrival: news.at,
        live: true,
        id: news.id,
        fresh: true,
    };
    let key = news.id.to_string();
    let rules = &campaign.starts[start];
    let fits = super::start::judge(customer, rules, &happening, world, out).is_some();
    if !fits || !may_fit(customer, campaign, news.at, world) || has(customer, campaign, &key) {
        return;
    }
    let due = news.at + spread(rules.spread, &campaign.name, world);
    let id = JourneyId::of(&campaign.name, world.customer, &news.id.0, &key);
    let arming = Arming {
        campaign,
        start,
        key,
        entry: entry(&happening, campaign),
        id,
        due,
    };
    arm(customer, arming, world, out);
}

fn has(customer: &Customer, campaign: &Campaign, key: &str) -> bool {
    let running = |journey: &Journey| journey.campaign == campaign.name && journey.key == key;
    customer.journeys.iter().any(running)
        || customer
            .history(&campaign.name)
            .and_then(|history| history.occasion.as_deref())
            == Some(key)
}

/// Whoever does not fit when everybody is looked at is left out at once: most customers never get a journey of it.
fn may_fit(customer: &Customer, campaign: &Campaign, now: Timestamp, world: &World<'_>) -> bool {
    let Some(bundle) = world.active else {
        return false;
    };
    let reachable = customer.profile.is_known()
        || customer.profile.push_token.is_some()
        || customer.profile.telegram_id.is_some();
    let facts = Facts {
        topic: Some(&campaign.topic),
        ..world.facts(&bundle.policy, customer, now)
    };
    reachable
        && customer.forward.is_none()
        && campaign
            .audience
            .as_ref()
            .is_none_or(|audience| audience.holds(&facts).unwrap_or(true))
}
