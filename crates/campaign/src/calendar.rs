//! Local times and quiet hours, resolved when they are needed, in the zone of the customer or the shop.
//!
//! Invariant: INV-11 (nothing goes out in quiet hours). In a clock's gap the first moment after it counts, in a
//! fold the first of the two (ADR 0014). Windows may cross midnight; whole days may be quiet.

use jiff::civil::{DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use winback_contract::{Channel, Span, Timestamp};

use crate::policy::{Policy, QuietRule};

/// How far ahead a free moment is looked for; rules that leave none within it are refused by `check`.
const HORIZON_DAYS: i64 = 15;

/// A zone by its IANA name; `None` when it is unknown.
pub fn zone(name: &str) -> Option<TimeZone> {
    TimeZone::get(name).ok()
}

fn instant(time: Timestamp) -> jiff::Timestamp {
    let (earliest, latest) = (
        jiff::Timestamp::MIN.as_millisecond(),
        jiff::Timestamp::MAX.as_millisecond(),
    );
    jiff::Timestamp::from_millisecond(time.as_millis().clamp(earliest, latest)).unwrap_or_default()
}

/// The local date and time of a moment.
pub fn local(time: Timestamp, zone: &TimeZone) -> DateTime {
    zone.to_datetime(instant(time))
}

/// The moment of a local date and time.
fn resolve(at: DateTime, zone: &TimeZone) -> Timestamp {
    let ambiguous = zone.to_ambiguous_timestamp(at);
    let gap = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
    let Ok(found) = ambiguous.compatible() else {
        return Timestamp::NEVER;
    };
    if gap {
        // `compatible` lands behind the gap by as much as `at` lies inside it: go back to the gap's own end.
        if let Some(transition) = zone.preceding(found).next() {
            return Timestamp::from_millis(transition.timestamp().as_millisecond());
        }
    }
    Timestamp::from_millis(found.as_millisecond())
}

/// The first moment from `from` on at which it is `at` o'clock.
pub fn next_local(at: Time, zone: &TimeZone, from: Timestamp) -> Timestamp {
    let today = local(from, zone).date();
    for day in 0..=3 {
        let Ok(date) = today.checked_add(jiff::Span::new().days(day)) else {
            break;
        };
        let moment = resolve(date.to_datetime(at), zone);
        if moment >= from {
            return moment;
        }
    }
    from
}

/// The first moment of a local day.
pub fn start_of(day: jiff::civil::Date, zone: &TimeZone) -> Timestamp {
    resolve(day.to_datetime(Time::midnight()), zone)
}

/// The first moment of the local day that `at` lies in.
pub fn start_of_day(zone: &TimeZone, at: Timestamp) -> Timestamp {
    resolve(local(at, zone).date().to_datetime(Time::midnight()), zone)
}

fn inside(rule: &QuietRule, at: DateTime) -> bool {
    if is_quiet_day(rule, at.date()) {
        return true;
    }
    let clock = at.time();
    match (rule.from, rule.to) {
        (Some(from), Some(to)) if from < to => clock >= from && clock < to,
        (Some(from), Some(to)) => clock >= from || clock < to,
        _ => false,
    }
}

fn is_quiet_day(rule: &QuietRule, date: jiff::civil::Date) -> bool {
    rule.days.contains(&date.weekday()) || rule.dates.iter().any(|days| days.has(date))
}

fn rules<'a>(
    policy: &'a Policy,
    channel: Channel,
    customer: &'a TimeZone,
) -> Vec<(&'a QuietRule, &'a TimeZone)> {
    policy
        .quiet
        .iter()
        .filter(|rule| rule.channels.is_empty() || rule.channels.contains(&channel))
        .map(|rule| {
            (
                rule,
                if rule.shop_zone {
                    &policy.zone
                } else {
                    customer
                },
            )
        })
        .collect()
}

/// If `at` is quiet on the channel: the next moment that is not; `None` when it is not quiet.
pub fn quiet_until(
    policy: &Policy,
    channel: Channel,
    customer: &TimeZone,
    at: Timestamp,
) -> Option<Timestamp> {
    let rules = rules(policy, channel, customer);
    let mut moment = at;
    let last = at + Span::from_days(HORIZON_DAYS);
    while let Some((rule, zone)) = rules
        .iter()
        .find(|(rule, zone)| inside(rule, local(moment, zone)))
    {
        moment = end(rule, zone, moment);
        if moment > last {
            return Some(Timestamp::NEVER);
        }
    }
    (moment != at).then_some(moment)
}

/// The end of the quiet time that `moment` lies in: of the day if the whole day is quiet, else of the window.
fn end(rule: &QuietRule, zone: &TimeZone, moment: Timestamp) -> Timestamp {
    let here = local(moment, zone);
    if is_quiet_day(rule, here.date()) {
        let tomorrow = here.date().tomorrow().unwrap_or_else(|_| here.date());
        return resolve(tomorrow.to_datetime(Time::midnight()), zone)
            .max(moment + Span::from_millis(1));
    }
    let to = rule.to.unwrap_or_else(Time::midnight);
    next_local(to, zone, moment + Span::from_millis(1))
}

/// The next moment after `at`, itself not quiet, at which it becomes quiet; `None` if never.
pub fn quiet_from(
    policy: &Policy,
    channel: Channel,
    customer: &TimeZone,
    at: Timestamp,
) -> Option<Timestamp> {
    let rules = rules(policy, channel, customer);
    rules
        .iter()
        .filter_map(|(rule, zone)| {
            let window = rule
                .from
                .filter(|_| rule.to.is_some())
                .map(|from| next_local(from, zone, at));
            let day = next_quiet_day(rule, zone, at);
            [window, day].into_iter().flatten().min()
        })
        .min()
}

fn next_quiet_day(rule: &QuietRule, zone: &TimeZone, at: Timestamp) -> Option<Timestamp> {
    let mut date = local(at, zone).date();
    for _ in 0..8 {
        date = date.tomorrow().ok()?;
        if is_quiet_day(rule, date) {
            return Some(resolve(date.to_datetime(Time::midnight()), zone));
        }
    }
    None
}

/// Whether some moment of a fortnight is free on the channel.
pub fn has_free_time(policy: &Policy, channel: Channel, from: Timestamp) -> bool {
    quiet_until(policy, channel, &policy.zone, from) != Some(Timestamp::NEVER)
}

#[cfg(test)]
#[path = "calendar_tests.rs"]
mod tests;
