//! What a handover brings is judged by everything that was told before, whatever ends a journey (INV-5), and marks point
//! to the owner in one hop (INV-6).

use winback_contract::{
    Body, BundleHash, CustomerId, Event, Identities, IdentityKind, JourneyId, Reason, SourceKind,
    Span, Transition,
};

use super::world::{CART, Life, POLICY, added, emptied, known, viewed};
use crate::customer::limit;
use crate::records::bound;
use crate::state::{DecisionTrace, What};

const MORNING: &str = "2026-01-05T10:00:00Z";

const TRIAL: &str = "apiVersion: winback/v1
kind: Campaign
metadata: { name: trial, group: cart, priority: 10 }
spec:
  enter: { on: Page Viewed, idle: 20m }
  exit: { converted: Points Spent }
  cascade: [ { step: come, send: [email] } ]
";

const LEVEL: &str = "apiVersion: winback/v1
kind: Campaign
metadata: { name: trial, group: cart, priority: 10 }
spec:
  enter: { on: Page Viewed, idle: 20m }
  exit: { converted: { on: Points Spent, when: event.points > 100 } }
  cascade: [ { step: come, send: [email] } ]
";

fn life(number: u8, campaign: &str) -> Life {
    let mut life = Life::new(MORNING, &[campaign]);
    life.me = CustomerId([number; 16]);
    life
}

fn spent(points: Option<i64>) -> Event {
    let mut event = Event {
        name: "Points Spent".into(),
        identities: known(),
        ..Event::default()
    };
    if let Some(points) = points {
        event.properties.insert("points".into(), points.into());
    }
    event
}

fn device() -> Identities {
    Identities {
        anonymous: Some("d1".into()),
        ..Identities::default()
    }
}

/// The device looked at a page; five minutes later the person, known by the user's number, spends points; then the two
/// are linked. Or the person looked, and the device was told of the points.
fn sends(campaign: &str, event: &Event, device_looked: bool, before: bool) -> usize {
    let (mut one, mut user) = (life(1, campaign), life(2, campaign));
    let (looks, spends) = if device_looked {
        (&mut one, &mut user)
    } else {
        (&mut user, &mut one)
    };
    if before {
        spends.event(event.clone());
    }
    looks.wait(Span::from_mins(5));
    spends.wait(Span::from_mins(5));
    looks.event(Event {
        identities: if device_looked { device() } else { known() },
        ..viewed()
    });
    looks.wait(Span::from_mins(5));
    spends.wait(Span::from_mins(5));
    if !before {
        spends.event(event.clone());
    }
    one.link_to(&mut user);
    user.wait(Span::from_hours(2));
    user.sent.len()
}

#[test]
fn a_conversion_that_is_no_order_ends_what_is_handed_over() {
    for device_looked in [true, false] {
        assert_eq!(
            sends(TRIAL, &spent(None), device_looked, false),
            0,
            "{device_looked}"
        );
        assert_eq!(
            sends(TRIAL, &spent(None), device_looked, true),
            1,
            "one before the journey is no end of it"
        );
        assert_eq!(sends(LEVEL, &spent(Some(200)), device_looked, false), 0);
        assert_eq!(
            sends(LEVEL, &spent(Some(50)), device_looked, false),
            1,
            "its condition does not hold"
        );
    }
}

const PEEK: &str = "apiVersion: winback/v1
kind: Campaign
metadata: { name: peek, group: peek, priority: 10 }
spec:
  enter: { on: Points Spent, after: 20m }
  exit: { converted: Points Spent }
  cascade: [ { step: come, send: [email] } ]
";

/// What began a journey is not what ends it, also where it is judged once more in a merge.
#[test]
fn a_merge_does_not_end_a_journey_by_its_own_beginning() {
    let policy = POLICY.replace("groups: {", "groups: { peek: {},");
    let life = |number: u8| {
        let mut life = Life::with_policy(MORNING, &policy, &[PEEK]);
        life.me = CustomerId([number; 16]);
        life
    };
    let (mut device, mut user) = (life(1), life(2));
    device.event(Event {
        identities: self::device(),
        ..viewed()
    });
    user.event(spent(None));
    device.link_to(&mut user);
    user.wait(Span::from_hours(1));
    assert_eq!(user.sent.len(), 1);
}

/// Two carts are emptied: neither is forgotten for the other.
#[test]
fn each_cart_that_was_emptied_ends_its_own_journey_in_a_merge() {
    let (mut device, mut user) = (life(1, CART), life(2, CART));
    for cart in ["c1", "c2"] {
        device.event(Event {
            identities: self::device(),
            ..added(cart)
        });
    }
    user.wait(Span::from_mins(5));
    device.wait(Span::from_mins(5));
    for cart in ["c1", "c2"] {
        user.event(added(cart));
        user.event(emptied(cart));
    }
    device.link_to(&mut user);
    user.wait(Span::from_days(1));
    assert_eq!(user.sent.len(), 0, "{:?}", user.steps());
}

#[test]
fn marks_point_to_the_owner_in_one_hop() {
    let mut all = [life(1, CART), life(2, CART), life(3, CART)];
    fn pump(all: &mut [Life; 3]) {
        loop {
            let mut any = false;
            for index in 0..3 {
                for forward in std::mem::take(&mut all[index].forwards) {
                    any = true;
                    let to = all.iter().position(|life| life.me == forward.to).unwrap();
                    all[to].body(forward.body, forward.at, forward.kind);
                }
            }
            if !any {
                return;
            }
        }
    }
    let now = all[0].now;
    // The address was the user's before; then a new device gives the same address.
    all[1].event(viewed());
    let (mail, owner) = (all[1].me, all[2].me);
    let link = |owner, owner_kind, kind| Body::Link {
        owner,
        owner_kind,
        kind,
    };
    all[1].body(
        link(owner, IdentityKind::User, IdentityKind::Email),
        now,
        SourceKind::Live,
    );
    pump(&mut all);
    all[0].event(added("c1"));
    all[0].body(
        link(mail, IdentityKind::Email, IdentityKind::Anonymous),
        now,
        SourceKind::Live,
    );
    pump(&mut all);
    let device = all[0].me;
    assert!(
        all[2]
            .customer
            .absorbed
            .iter()
            .any(|one| one.customer == device)
    );
    let mark = all[0].customer.forward.unwrap();
    assert_eq!(
        mark.owner, owner,
        "what the device says takes two hops for ever"
    );
}

const LONG: &str = "apiVersion: winback/v1
kind: Campaign
metadata: { name: trial, group: cart }
spec:
  enter: { on: Page Viewed, idle: 20m }
  exit: { converted: Order Completed }
  cascade: [ { step: come, send: [email] }, { wait: 9d }, { step: again, send: [email] } ]
";

/// What is one journey too much ends with a record (INV-9); lost answers are counted whatever else is forgotten.
#[test]
fn a_journey_that_finds_no_room_after_a_merge_is_told() {
    let (mut device, mut user) = (life(1, LONG), life(2, LONG));
    for life in [&mut device, &mut user] {
        life.event(viewed());
        life.wait(Span::from_mins(30));
        assert_eq!(life.sent.len(), 1);
    }
    let journey = user.customer.journeys[0].clone();
    for number in 0..u8::try_from(limit::JOURNEYS).unwrap() {
        let mut other = journey.clone();
        other.id = JourneyId([number; 16]);
        other.key = format!("other {number}");
        user.customer.journeys.push(other);
    }
    user.customer.journeys.remove(0);
    let theirs = device.customer.journeys[0].id;
    device.link_to(&mut user);
    assert_eq!(user.customer.journeys.len(), limit::JOURNEYS);
    let ended = user.records.iter().find(|record| record.journey == theirs);
    let ended = ended.map(|record| &record.transition);
    assert!(
        matches!(
            ended,
            Some(Transition::Ended {
                outcome: Reason::Moved,
                ..
            })
        ),
        "{ended:?}"
    );
}

#[test]
fn lost_answers_are_forgotten_last() {
    let kept = |what| DecisionTrace {
        at: Default::default(),
        campaign: "cart".into(),
        step: "come".into(),
        what,
        bundle: BundleHash([0; 16]),
    };
    let lost = kept(What::Skip(Reason::Unknown));
    let mut decisions = vec![lost.clone()];
    for _ in 0..2 * limit::DECISIONS {
        decisions.push(kept(What::Skip(Reason::Capped)));
        bound(&mut decisions);
    }
    assert_eq!(decisions.len(), limit::DECISIONS);
    assert!(decisions[0] == lost);
    // They are not everything that is remembered either.
    for _ in 0..2 * limit::DECISIONS {
        decisions.push(lost.clone());
        bound(&mut decisions);
    }
    let newest = kept(What::Skip(Reason::Audience));
    decisions.push(newest.clone());
    bound(&mut decisions);
    assert!(decisions.contains(&newest) && decisions.len() == limit::DECISIONS);
}

/// What a customer does with a message says nothing of its claim, also where the profile was handed over: a copy of the
/// message that is read again must find it taken (INV-4).
#[test]
fn a_click_at_a_mark_leaves_the_claim_alone() {
    use winback_contract::{Channel, MessageId, Outcome, OutcomeStatus};
    let (mut device, mut user) = (Life::new(MORNING, &[CART]), Life::new(MORNING, &[CART]));
    user.me = CustomerId([8; 16]);
    device.event(added("c1"));
    device.link_to(&mut user);
    for (status, ends) in [
        (OutcomeStatus::Clicked, false),
        (OutcomeStatus::Opened, false),
        (OutcomeStatus::Unsubscribed, false),
        (OutcomeStatus::Sent, true),
    ] {
        let outcome = Outcome {
            v: 1,
            message: MessageId([1; 16]),
            customer: device.me,
            channel: Channel::Email,
            attempt: 0,
            status,
            reason: None,
            provider_id: None,
            bot: false,
            rehearsed: false,
            retry_at: None,
            at: device.now,
        };
        let effects =
            device.with(|customer, world| crate::outcome::apply(customer, &outcome, world));
        assert_eq!(effects.forwards.len(), 1, "{status:?}");
        assert_eq!(!effects.grants.is_empty(), ends, "{status:?}");
    }
}
