//! Rolling caps: at most so many messages in a window, on these channels together; all caps must hold.

use winback_campaign::Policy;
use winback_contract::{Channel, Timestamp};

use crate::customer::Customer;

/// `None` when a message may go out now, else the first moment at which all caps allow one.
pub(super) fn free_at(
    policy: &Policy,
    customer: &Customer,
    channel: Channel,
    now: Timestamp,
) -> Option<Timestamp> {
    policy
        .caps
        .iter()
        .filter(|cap| cap.channels.is_empty() || cap.channels.contains(&channel))
        .filter_map(|cap| {
            let counts =
                |booked: Channel| cap.channels.is_empty() || cap.channels.contains(&booked);
            let mut inside: Vec<Timestamp> = customer
                .bookings
                .iter()
                .filter(|booking| {
                    booking.counts && counts(booking.channel) && booking.at + cap.per > now
                })
                .map(|booking| booking.at)
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
