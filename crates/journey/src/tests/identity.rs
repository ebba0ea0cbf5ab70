//! Anonymous cart, login later, purchase under the user id: one mail or none, as the order of events says.

use winback_contract::{
    Body, CustomerId, Identities, IdentityKind, Reason, SourceKind, Span, Transition,
};

use super::world::{CART, LOST, Life, added, known, ordered, viewed};
use crate::customer::Customer;

const MORNING: &str = "2026-01-05T10:00:00Z";

/// The device's profile and the user's, with what one says to the other.
struct Two {
    device: Life,
    user: Life,
}

impl Two {
    fn new() -> Self {
        let mut device = Life::new(MORNING, &[CART, LOST]);
        device.me = CustomerId([1; 16]);
        let mut user = Life::new(MORNING, &[CART, LOST]);
        user.me = CustomerId([2; 16]);
        Self { device, user }
    }

    fn wait(&mut self, span: Span) {
        self.device.wait(span);
        self.user.wait(span);
    }

    fn link(&mut self) {
        self.device.link_to(&mut self.user);
    }

    fn deliver(&mut self) {
        self.device.deliver_to(&mut self.user);
    }

    fn anonymous_cart(&mut self) {
        let mut event = added("c1");
        event.identities = Identities {
            anonymous: Some("d1".into()),
            ..Identities::default()
        };
        self.device.event(event);
        self.deliver();
    }
}

#[test]
fn a_login_takes_the_cart_along_and_one_mail_comes() {
    let mut two = Two::new();
    two.anonymous_cart();
    two.wait(Span::from_mins(5));
    two.user.event(viewed());
    two.link();
    two.wait(Span::from_hours(2));
    assert_eq!(two.user.steps(), ["reminder"]);
    assert!(two.device.sent.is_empty());
    assert_eq!(
        two.device.customer.forward.map(|mark| mark.owner),
        Some(two.user.me)
    );
    assert_eq!(two.user.customer.absorbed.len(), 1);
    two.user.event(ordered("o1"));
    two.wait(Span::from_days(3));
    assert_eq!(two.user.steps(), ["reminder"]);
}

#[test]
fn a_purchase_before_the_login_is_known_stops_the_cart_that_comes_later() {
    let mut two = Two::new();
    two.anonymous_cart();
    two.wait(Span::from_mins(5));
    two.user.event(ordered("o1"));
    two.link();
    two.wait(Span::from_days(3));
    assert!(two.user.sent.is_empty() && two.device.sent.is_empty());
    let converted = two.user.records.iter().any(|record| {
        matches!(
            record.transition,
            Transition::Ended {
                outcome: Reason::Converted,
                ..
            }
        ) && record.campaign == "cart"
    });
    assert!(converted);
}

#[test]
fn a_cart_filled_after_the_purchase_survives_the_merge() {
    let mut two = Two::new();
    two.user.event(ordered("o1"));
    two.wait(Span::from_mins(5));
    two.anonymous_cart();
    two.wait(Span::from_mins(1));
    two.link();
    two.wait(Span::from_hours(2));
    assert_eq!(two.user.steps(), ["reminder"]);
}

#[test]
fn later_events_of_the_device_reach_the_user_and_a_repeated_link_is_harmless() {
    let mut two = Two::new();
    two.user.event(viewed());
    two.link();
    two.link();
    two.anonymous_cart();
    two.wait(Span::from_hours(2));
    assert_eq!(two.user.steps(), ["reminder"]);
    assert_eq!(two.user.customer.absorbed.len(), 1);
}

#[test]
fn an_order_known_to_both_is_counted_once() {
    let mut two = Two::new();
    two.user.event(ordered("o1"));
    let copy = Body::Copy(Box::new(ordered("o1")));
    let now = two.device.now;
    two.device.body(copy, now, SourceKind::Live);
    assert_eq!(
        two.device.customer.orders.count, 0,
        "it is counted for its buyer"
    );
    two.link();
    assert_eq!(two.user.customer.orders.count, 1);
}

#[test]
fn a_device_never_joins_two_people() {
    let mut two = Two::new();
    two.anonymous_cart();
    two.link();
    let second = CustomerId([3; 16]);
    let link = Body::Link {
        owner: second,
        owner_kind: IdentityKind::User,
        kind: IdentityKind::Anonymous,
    };
    let now = two.device.now;
    two.device.body(link, now, SourceKind::Live);
    assert!(
        two.device.forwards.is_empty(),
        "history goes to one owner only"
    );
    assert_eq!(
        two.device.customer.forward.map(|mark| mark.owner),
        Some(second)
    );
}

#[test]
fn someone_elses_order_with_my_address_stops_and_is_not_counted() {
    let mut life = Life::new(MORNING, &[CART]);
    life.event(added("c1"));
    life.wait(Span::from_mins(1));
    let mut order = ordered("o9");
    order.identities = Identities {
        user: Some("u2".into()),
        ..known()
    };
    let now = life.now;
    life.body(Body::Copy(Box::new(order)), now, SourceKind::Live);
    life.wait(Span::from_days(2));
    assert!(life.sent.is_empty());
    assert_eq!(life.customer.orders.count, 0);
    assert_ne!(life.customer, Customer::default());
}
