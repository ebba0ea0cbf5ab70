//! A person who is erased: nothing is sent any more, nothing is kept, late words revive nobody, a new one begins anew
//! (INV-5).

use winback_contract::{
    Body, Channel, CustomerId, EventId, EventRecord, JourneyId, MessageId, Offset, Partition,
    Reason, SourceKind, SourcePosition, Span, Transition,
};

use super::world::{CART, Life, added, at, ordered, viewed};
use crate::customer::Customer;
use crate::input;
use crate::state::Pending;

const MORNING: &str = "2026-01-05T10:00:00Z";

fn erased(life: &mut Life) {
    let now = life.now;
    life.body(Body::Erased, now, SourceKind::Live);
}

#[test]
fn nothing_is_sent_and_nothing_is_kept() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(ordered("o1"));
    life.wait(Span::from_days(1));
    life.event(added("c1"));
    life.wait(Span::from_mins(5));
    erased(&mut life);
    life.wait(Span::from_days(2));
    assert_eq!(life.sent, []);
    let kept = &life.customer;
    let bare = Customer {
        erased: kept.erased,
        last_activity: kept.last_activity,
        scheduled: kept.scheduled,
        seen: kept.seen.clone(),
        absorbed: kept.absorbed.clone(),
        ..Customer::default()
    };
    assert!(kept.erased.is_some() && *kept == bare, "something is kept");
    let ends = life
        .records
        .iter()
        .filter_map(|record| match record.transition {
            Transition::Ended { outcome, .. } => Some(outcome),
            _ => None,
        });
    let ends: Vec<_> = ends.collect();
    assert_eq!(ends, [Reason::Erased]);
}

#[test]
fn late_words_revive_nobody_and_a_new_one_begins_anew() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(viewed());
    life.wait(Span::from_mins(5));
    erased(&mut life);
    life.wait(Span::from_mins(1));
    // It happened before, and comes after.
    let before = Body::Storefront(Box::new(added("c1")));
    life.body(before, at("2026-01-05T10:04:00Z"), SourceKind::Live);
    assert!(life.customer.profile == crate::customer::Profile::default());
    life.wait(Span::from_hours(2));
    assert_eq!(life.sent.len(), 0, "a late word revived a cart");
    life.event(added("c2"));
    life.wait(Span::from_hours(2));
    assert_eq!(
        life.sent.len(),
        1,
        "whoever comes back is a person like any other"
    );
}

#[test]
fn what_was_joined_goes_with_it() {
    let mut device = Life::new(MORNING, &[CART]);
    device.me = CustomerId([1; 16]);
    let mut user = Life::new(MORNING, &[CART]);
    user.me = CustomerId([2; 16]);
    device.event(added("c1"));
    user.event(viewed());
    device.link_to(&mut user);
    assert!(device.customer.forward.is_some());
    // Said of the device, it is its owner who is erased; the mark stays, so that whoever comes back is joined as before.
    erased(&mut device);
    assert!(device.customer.forward.is_some());
    let to_owner = device.forwards.pop().unwrap();
    assert_eq!((to_owner.to, &to_owner.body), (user.me, &Body::Erased));
    user.body(to_owner.body, to_owner.at, SourceKind::Live);
    assert!(user.customer.erased.is_some());
    let others = std::mem::take(&mut user.forwards);
    let to_desk = |body: &Body| matches!(body, Body::AddressForgotten { .. });
    assert!(
        others.iter().all(|forward| to_desk(&forward.body)),
        "nobody else is erased"
    );
    user.wait(Span::from_days(1));
    assert_eq!(user.sent.len(), 0);
    device.wait(Span::from_days(1));
    device.event(added("c2"));
    device.deliver_to(&mut user);
    assert!(
        !user.customer.carts.is_empty(),
        "what the device says reaches the person"
    );
}

#[test]
fn what_waits_for_dispatch_is_taken_back() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(viewed());
    let waiting = MessageId([3; 16]);
    let (holder, later) = (life.me, life.now + Span::from_hours(1));
    life.customer.messages.push(Pending {
        message: waiting,
        journey: JourneyId([4; 16]),
        campaign: "cart".into(),
        step: "reminder".into(),
        channel: Channel::Email,
        attempt: 1,
        holder,
        partition: Partition(0),
        not_after: later,
        check_at: later,
        checks: 0,
    });
    erased(&mut life);
    assert_eq!(life.withdrawn, [waiting], "it could still be claimed");
    assert!(life.customer.messages.is_empty());
}

/// A record that is read again must not forget whoever came back meanwhile.
#[test]
fn the_same_word_twice_forgets_once() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(viewed());
    life.wait(Span::from_mins(5));
    let said = EventRecord {
        v: EventRecord::ERASED,
        to: life.me,
        id: EventId([1; 16]),
        source: SourcePosition {
            stream: "t".into(),
            partition: Partition(0),
            offset: Offset(1),
            index: 0,
        },
        kind: SourceKind::Live,
        arrival: life.now,
        at: life.now,
        body: Body::Erased,
    };
    life.with(|customer, world| input::apply(customer, &said, world));
    life.wait(Span::from_mins(5));
    life.event(added("c1"));
    life.with(|customer, world| input::apply(customer, &said, world));
    assert!(!life.customer.carts.is_empty());
    life.wait(Span::from_hours(2));
    assert_eq!(life.sent.len(), 1);
}
