//! Dates of the customer: a birthday, the end of a contract, points that expire.
//!
//! A function of the state and the time, so a sweep and an event find the same journeys (INV-10).

use jiff::civil::Date;
use winback_campaign::model::StartKind;
use winback_campaign::{Moment, calendar};
use winback_contract::{JourneyId, Reason, Span, Timestamp};

use crate::customer::zone;
use crate::scene::Scene;
use crate::start::arm::{Arming, arm};
use crate::state::{DATE, EntryFacts, Field, Journey, Station};

/// Arms, or moves, every campaign that counts to a date of the customer.
pub(crate) fn arm_dates(scene: &mut Scene<'_>, now: Timestamp) {
    let Some(bundle) = scene.world.active else {
        return;
    };
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
        let place = zone(scene.customer, &bundle.policy);
        let known = moment
            .moment(&scene.world.facts(&bundle.policy, scene.customer, now))
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
            scene.customer.journeys.retain(|journey| !is_armed(journey));
            continue;
        };
        let key = calendar::local(at, &place).date().to_string();
        let due = (at + Span::from_millis(-before.as_millis())).max(now);
        // The value moved: what was armed for the old one moves with it.
        scene
            .customer
            .journeys
            .retain(|journey| !is_armed(journey) || journey.key == key);
        if !yearly {
            end_stale(scene, of_start, &key, now);
        }
        let waiting = scene
            .customer
            .journeys
            .iter()
            .position(|journey| of_start(journey) && journey.key == key);
        if let Some(place) = waiting {
            let journey = &mut scene.customer.journeys[place];
            if journey.station == Station::Armed {
                journey.due = due;
            }
            if journey.first_message_at.is_none() {
                set_date(&mut journey.entry, at);
                crate::over::note_end(scene.customer, place, scene.world);
            }
            continue;
        }
        let done = scene
            .customer
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
        scene.customer.dates_armed += 1;
        let number = scene.customer.dates_armed.to_be_bytes();
        let id = JourneyId::of(&campaign.name, scene.world.customer, &number, &key);
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

/// What has begun and sent nothing speaks of a date that is no more.
fn end_stale(
    scene: &mut Scene<'_>,
    of_start: impl Fn(&Journey) -> bool,
    key: &str,
    now: Timestamp,
) {
    let mut place = 0;
    while place < scene.customer.journeys.len() {
        let journey = &scene.customer.journeys[place];
        let stale = of_start(journey)
            && journey.key != key
            && journey.first_message_at.is_none()
            && !matches!(journey.station, Station::Armed | Station::Sending);
        if stale {
            crate::end::end(scene, place, Reason::Cancelled, now);
        } else {
            place += 1;
        }
    }
}

pub(crate) fn set_date(entry: &mut EntryFacts, at: Timestamp) {
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
