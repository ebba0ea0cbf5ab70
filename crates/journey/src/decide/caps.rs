//! Rolling caps: at most so many messages in a window, on these channels, of these topics and groups; all must hold.

use winback_campaign::{Bundle, Campaign};
use winback_contract::{Channel, Timestamp};

use crate::customer::{Booking, Customer};

/// `None` when a message may go out now, else the first moment at which all caps allow one.
pub(super) fn free_at(
    active: &Bundle,
    customer: &Customer,
    campaign: &Campaign,
    channel: Channel,
    now: Timestamp,
) -> Option<Timestamp> {
    let has = |list: &[String], name: &str| list.is_empty() || list.iter().any(|own| own == name);
    active
        .policy
        .caps
        .iter()
        .filter(|cap| cap.channels.is_empty() || cap.channels.contains(&channel))
        .filter(|cap| has(&cap.topics, &campaign.topic) && has(&cap.groups, &campaign.group))
        .filter_map(|cap| {
            let counts = |booking: &Booking, at: Timestamp| {
                let of = active.campaign(&booking.campaign);
                let topic = of.map_or("", |campaign| campaign.topic.as_str());
                let group = of.map_or("", |campaign| campaign.group.as_str());
                booking.counts
                    && (cap.channels.is_empty() || cap.channels.contains(&booking.channel))
                    && has(&cap.topics, topic)
                    && has(&cap.groups, group)
                    && at + cap.per > now
            };
            let mut inside: Vec<Timestamp> = customer
                .bookings
                .iter()
                .map(|booking| (booking, counts_from(customer, booking, now)))
                .filter(|(booking, at)| counts(booking, *at))
                .map(|(_, at)| at)
                .collect();
            inside.sort_unstable();
            let allowed = usize::try_from(cap.at_most).unwrap_or(usize::MAX);
            if inside.len() < allowed {
                return None;
            }
            if allowed == 0 {
                return Some(Timestamp::NEVER);
            }
            // A slot is free when the oldest of the newest `allowed` has left the window.
            inside
                .get(inside.len() - allowed)
                .map(|oldest| *oldest + cap.per)
        })
        .max()
}

/// A message that waits to be sent may go out any moment: until it is settled it counts as of now.
fn counts_from(customer: &Customer, booking: &Booking, now: Timestamp) -> Timestamp {
    let mut pending = customer.messages.iter();
    if pending.any(|pending| pending.message == booking.message) {
        now.max(booking.at)
    } else {
        booking.at
    }
}
