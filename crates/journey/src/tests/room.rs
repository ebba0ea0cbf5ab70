//! What a full channel holds up, and what it must not (F18, INV-12).

use std::collections::BTreeMap;

use winback_contract::{Channel, Span};

use super::world::{CART, Life, added};
use crate::{GrantState, Room, Tally, tick};

fn due() -> Life {
    let mut life = Life::new("2026-01-05T10:00:00Z", &[CART]);
    life.event(added("c1"));
    life.now = life.now + Span::from_mins(20);
    life
}

/// How many triggers are opened where so many messages of these channels have no outcome, of ten that may have none.
fn opened(flights: &[(Channel, u64)], triggers: u64) -> usize {
    let mut life = due();
    let flights: BTreeMap<Channel, u64> = flights.iter().copied().collect();
    let (now, room) = (life.now, Room::of(triggers, &flights, 10));
    let gone = |_| GrantState::Gone;
    let fired = life.with(|customer, world| tick::tick(customer, now, &gone, &room, world));
    fired.triggers.len()
}

#[test]
fn a_full_channel_holds_its_own_steps_only() {
    assert_eq!(opened(&[], 0), 1);
    assert_eq!(opened(&[(Channel::Sms, 1_000), (Channel::Email, 9)], 9), 1);
    assert_eq!(opened(&[(Channel::Email, 10)], 0), 0);
    assert_eq!(opened(&[], 10), 0, "triggers are bounded by themselves");
}

#[test]
fn a_channel_that_comes_second_may_be_full_but_not_without_end() {
    let takes = |preferred, count| {
        let room = Room::of(0, &[(Channel::Sms, count)].into(), 10);
        room.takes(&[Channel::Email, Channel::Sms], preferred)
    };
    assert!(takes(false, 10) && takes(false, 19) && !takes(false, 20));
    // Where one is preferred, any of them may come first.
    assert!(takes(true, 9) && !takes(true, 10));
}

#[test]
fn messages_without_an_outcome_are_counted_by_channel() {
    let mut life = due();
    let mut difference = Tally::of(&life.customer);
    assert_eq!(difference.messages(), 0);
    let (now, gone) = (life.now, |_| GrantState::Gone);
    let fired =
        life.with(|customer, world| tick::tick(customer, now, &gone, &Room::plenty(), world));
    let decision = crate::decide(&life.bundles, &fired.triggers[0]).unwrap();
    life.with(|customer, world| crate::book::apply(customer, &decision, world));
    let tally = Tally::of(&life.customer);
    assert_eq!(tally.flights, [(Channel::Email, 1)].into());
    difference.add(&tally, 1);
    assert_eq!(
        (difference.messages(), difference.flights[&Channel::Email]),
        (1, 1)
    );
}
