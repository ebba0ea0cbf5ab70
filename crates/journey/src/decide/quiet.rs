//! Quiet hours: when a step must wait for their end, and when a permission to send ends before they begin (INV-11).

use winback_campaign::policy::TopicRule;
use winback_campaign::{Bundle, calendar};
use winback_contract::{Channel, Span, Timestamp};

/// The end of the quiet hours that `now` lies in; `None` outside them, and for topics that are exempt.
pub(super) fn held_until(
    active: &Bundle,
    topic: &TopicRule,
    channel: Channel,
    zone: &jiff::tz::TimeZone,
    now: Timestamp,
) -> Option<Timestamp> {
    if topic.quiet_exempt {
        return None;
    }
    calendar::quiet_until(&active.policy, channel, zone, now)
}

/// The last moment at which a message may go out: the step's expiry, or the moment before the next quiet hours.
pub(super) fn not_after(
    active: &Bundle,
    topic: &TopicRule,
    channel: Channel,
    zone: &jiff::tz::TimeZone,
    (now, expires): (Timestamp, Timestamp),
) -> Timestamp {
    let quiet = if topic.quiet_exempt {
        None
    } else {
        calendar::quiet_from(&active.policy, channel, zone, now)
    };
    quiet.map_or(expires, |quiet| expires.min(quiet - Span::from_millis(1)))
}
