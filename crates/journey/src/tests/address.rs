//! What is said of an address reaches everybody who holds it, and belongs to the address: other addresses are free (INV-11).

use std::collections::BTreeMap;

use winback_contract::{
    Body, Channel, ConsentChange, ConsentStatus, CustomerId, Event, Identities, Identity, Outcome,
    OutcomeStatus, SourceKind, Span,
};

use super::world::{Life, added, ordered, viewed};
use crate::outcome;

const MORNING: &str = "2026-01-05T10:00:00Z";
const MAIL: &str = "both@example.com";
const PHONE: &str = "+380501112233";

const CART: &str = "apiVersion: winback/v1
kind: Campaign
metadata: { name: cart, group: cart, priority: 80 }
spec:
  enter: { on: [Product Added, Cart Updated], key: event.cart_id, idle: 20m, reentry: 1h }
  exit: { converted: Order Completed }
  cascade: [ { step: reminder, send: [email] } ]
";

/// Profiles by their keys; what one passes on arrives at the other. It routes as ingest does.
struct Town {
    lives: BTreeMap<CustomerId, Life>,
    campaign: &'static str,
}

fn person(user: &str, mail: &str) -> Identities {
    Identities {
        user: (!user.is_empty()).then(|| user.to_owned()),
        email: (!mail.is_empty()).then(|| mail.to_owned()),
        ..Identities::default()
    }
}

fn with_phone(user: &str, mail: &str) -> Identities {
    Identities {
        phone: Some(PHONE.into()),
        ..person(user, mail)
    }
}

fn by(identities: &Identities, event: Event) -> Event {
    Event {
        identities: identities.clone(),
        ..event
    }
}

fn consent(channel: Channel, status: ConsentStatus) -> Event {
    Event {
        name: "Consent Updated".into(),
        consent: Some(ConsentChange {
            channel,
            topic: None,
            status,
            every: false,
        }),
        ..Event::default()
    }
}

impl Town {
    fn new(campaign: &'static str) -> Self {
        Self {
            lives: BTreeMap::new(),
            campaign,
        }
    }

    fn life(&mut self, id: CustomerId) -> &mut Life {
        let campaign = self.campaign;
        let now = self.lives.values().map(|life| life.now).max();
        self.lives.entry(id).or_insert_with(|| {
            let mut life = Life::new(MORNING, &[campaign]);
            life.me = id;
            life.now = now.unwrap_or(life.now);
            life
        })
    }

    fn of(&mut self, identities: &Identities) -> &mut Life {
        let id = identities.strongest().unwrap().customer("shop");
        self.life(id)
    }

    fn event(&mut self, event: Event) {
        let names: Vec<Identity> = event.identities.iter().collect();
        let (strongest, weaker) = names.split_first().unwrap();
        let owner = strongest.customer("shop");
        self.send(owner, Body::Storefront(Box::new(event.clone())));
        for name in weaker {
            let to = name.customer("shop");
            if event.name == "Order Completed" || event.consent.is_some() {
                self.send(to, Body::Copy(Box::new(event.clone())));
            }
            let link = Body::Link {
                owner,
                owner_kind: strongest.kind,
                kind: name.kind,
            };
            self.send(to, link);
        }
    }

    fn send(&mut self, to: CustomerId, body: Body) {
        let now = self.life(to).now;
        self.life(to).body(body, now, SourceKind::Live);
        self.pump();
    }

    fn pump(&mut self) {
        for _hop in 0..10 {
            let lives = self.lives.values_mut();
            let forwards: Vec<_> = lives
                .flat_map(|life| std::mem::take(&mut life.forwards))
                .collect();
            if forwards.is_empty() {
                return;
            }
            for forward in forwards {
                let life = self.life(forward.to);
                life.body(forward.body, forward.at, forward.kind);
            }
        }
        panic!("a word goes round for ever");
    }

    fn wait(&mut self, span: Span) {
        for life in self.lives.values_mut() {
            life.wait(span);
        }
        self.pump();
    }

    fn outcome(&mut self, of: &Identities, status: OutcomeStatus) {
        let life = self.of(of);
        let message = life.sent[0].1.id;
        let outcome = Outcome {
            v: 1,
            message,
            customer: life.me,
            channel: Channel::Email,
            attempt: 0,
            status,
            reason: None,
            provider_id: None,
            bot: false,
            rehearsed: false,
            retry_at: None,
            at: life.now,
        };
        let effects = life.with(|customer, world| outcome::apply(customer, &outcome, world));
        life.take(effects);
        self.pump();
    }

    fn sent(&mut self, of: &Identities) -> usize {
        self.of(of).sent.len()
    }
}

fn two() -> (Town, Identities, Identities) {
    let mut town = Town::new(CART);
    let (one, two) = (person("u1", MAIL), person("u2", MAIL));
    town.event(by(&one, viewed()));
    town.event(by(&two, viewed()));
    (town, one, two)
}

#[test]
fn what_one_says_of_an_address_closes_it_for_everybody_who_holds_it() {
    for says in 0..4 {
        let (mut town, one, two) = two();
        if says == 0 {
            // Nothing: both are written to.
        } else if says == 1 {
            town.event(by(&one, consent(Channel::Email, ConsentStatus::Denied)));
        } else {
            town.event(by(&one, added("c1")));
            town.wait(Span::from_mins(21));
            assert_eq!(town.sent(&one), 1);
            let status = [OutcomeStatus::Bounced, OutcomeStatus::Complained][says - 2];
            town.outcome(&one, status);
        }
        town.event(by(&two, added("c2")));
        town.wait(Span::from_hours(2));
        assert_eq!(town.sent(&two), usize::from(says == 0), "case {says}");
        // Whoever comes later to that address hears of it too.
        let third = person("u3", MAIL);
        town.event(by(&third, added("c3")));
        town.wait(Span::from_hours(2));
        assert_eq!(
            town.sent(&third),
            usize::from(says == 0),
            "case {says}, later"
        );
        // Another address of the same person is free of what was said of the first by somebody else.
        let moved = person("u2", "new@example.com");
        town.event(by(&moved, added("c4")));
        town.wait(Span::from_hours(20));
        assert_eq!(
            town.sent(&two),
            1 + usize::from(says == 0),
            "case {says}, another address"
        );
    }
}

#[test]
fn a_no_by_the_address_alone_and_without_its_address_reaches_the_same_people() {
    for named in [person("", MAIL), person("u1", "")] {
        let (mut town, _, two) = two();
        town.event(by(&named, consent(Channel::Email, ConsentStatus::Denied)));
        town.event(by(&two, added("c2")));
        town.wait(Span::from_hours(2));
        assert_eq!(town.sent(&two), 0, "{named:?}");
        // The newer yes of whoever reads there opens it again, for all.
        town.event(by(&two, consent(Channel::Email, ConsentStatus::Granted)));
        town.event(by(&two, added("c5")));
        town.wait(Span::from_hours(2));
        assert_eq!(town.sent(&two), 1, "{named:?}, a newer yes");
    }
}

#[test]
fn a_bounce_that_comes_late_is_about_the_address_it_went_to() {
    let (mut town, one, two) = two();
    town.event(by(&one, added("c1")));
    town.wait(Span::from_mins(21));
    town.event(by(&person("u1", "new@example.com"), viewed()));
    town.outcome(&one, OutcomeStatus::Bounced);
    town.event(by(&two, added("c2")));
    town.wait(Span::from_hours(2));
    assert_eq!(town.sent(&two), 0, "the address does not work");
    town.event(by(&person("u1", "new@example.com"), added("c3")));
    town.wait(Span::from_hours(20));
    assert_eq!(town.sent(&one), 2, "the new one does");
}

#[test]
fn an_order_stops_what_would_go_to_its_address_and_is_counted_once() {
    let (mut town, one, two) = two();
    let third = person("u3", MAIL);
    town.event(by(&third, viewed()));
    town.event(by(&one, added("c1")));
    town.event(by(&two, added("c2")));
    town.event(by(&third, ordered("o1")));
    town.wait(Span::from_days(2));
    assert_eq!((town.sent(&one), town.sent(&two)), (0, 0));
    let mut counted = |of: &Identities| town.of(of).customer.orders.count;
    assert_eq!([counted(&one), counted(&two), counted(&third)], [0, 0, 1]);
    // By the address alone it is the newest owner's.
    let (mut town, one, two) = self::two();
    town.event(by(&one, added("c1")));
    town.event(by(&person("", MAIL), ordered("o1")));
    town.wait(Span::from_days(2));
    assert_eq!(
        (town.sent(&one), town.sent(&two)),
        (0, 0),
        "by the address alone"
    );
}

const BY_NUMBER: &str = "apiVersion: winback/v1
kind: Campaign
metadata: { name: cart, group: cart, priority: 80 }
spec:
  enter: { on: [Product Added, Cart Updated], key: event.cart_id, idle: 20m }
  exit: { converted: Order Completed }
  cascade: [ { step: reminder, send: [email] }, { wait: 24h }, { step: offer, send: [sms, email] } ]
";

#[test]
fn a_number_that_two_share_ends_no_cart_that_is_mailed() {
    let mut town = Town::new(BY_NUMBER);
    let (ann, ben) = (
        with_phone("", "ann@example.com"),
        with_phone("", "ben@example.com"),
    );
    for person in [&ann, &ben] {
        for channel in [Channel::Sms, Channel::Email] {
            town.event(by(person, consent(channel, ConsentStatus::Granted)));
        }
    }
    town.event(by(&ann, added("c1")));
    town.wait(Span::from_mins(5));
    town.event(by(&ben, ordered("o1")));
    town.wait(Span::from_days(2));
    let ann = town.of(&ann);
    let went: Vec<_> = ann
        .sent
        .iter()
        .map(|(_, message)| (message.step.as_str(), message.channel))
        .collect();
    let mail = Channel::Email;
    assert_eq!(
        went,
        [("reminder", mail), ("offer", mail)],
        "nothing to the number"
    );
    assert_eq!(ann.customer.orders.count, 0);
}

#[test]
fn of_many_holders_the_newest_are_told_and_the_rest_is_counted() {
    let mut town = Town::new(CART);
    for number in 0..20 {
        town.event(by(&person(&format!("u{number}"), MAIL), viewed()));
    }
    let desk = person("", MAIL);
    assert_eq!(
        town.of(&desk).customer.addresses.holders.len(),
        crate::address::limit::HOLDERS
    );
}

/// What an address was refused is kept as long as the address may come again, without the person beside it; it goes with the
/// last who held it.
#[test]
fn a_refusal_outlives_the_person_but_not_an_erasure() {
    let mut town = Town::new(CART);
    let one = person("u1", MAIL);
    town.event(by(&one, consent(Channel::Email, ConsentStatus::Denied)));
    let years = Span::from_days(3_000);
    town.wait(years);
    let desk = &town.of(&person("", MAIL)).customer;
    assert!(!desk.addresses.words.is_empty() && desk.forward.is_some());
    let gone = &town.of(&one).customer;
    assert!(
        gone.profile == crate::customer::Profile::default(),
        "the person is forgotten"
    );
    let third = person("u3", MAIL);
    town.event(by(&third, added("c1")));
    town.wait(Span::from_hours(2));
    assert_eq!(town.sent(&third), 0);
    // Two hold it: what one was told goes when both are erased.
    let (mut town, one, two) = two();
    town.event(by(&one, consent(Channel::Email, ConsentStatus::Denied)));
    for (who, left) in [(&two, 1), (&one, 0)] {
        let id = who.strongest().unwrap().customer("shop");
        town.send(id, Body::Erased);
        assert_eq!(
            town.of(&person("", MAIL)).customer.addresses.words.len(),
            left
        );
        assert!(town.of(who).customer.addresses.words.is_empty());
    }
}

/// Whoever wants nothing at all has said so of every channel.
#[test]
fn a_no_to_everything_closes_every_channel() {
    let mut town = Town::new(CART);
    let ann = with_phone("u1", MAIL);
    let mut no = by(&ann, consent(Channel::Email, ConsentStatus::Denied));
    if let Some(change) = &mut no.consent {
        change.every = true;
    }
    town.event(no);
    let customer = &town.of(&ann).customer;
    for channel in [
        Channel::Email,
        Channel::Sms,
        Channel::Whatsapp,
        Channel::Push,
    ] {
        let denied = customer
            .consents
            .iter()
            .any(|known| known.channel == channel && known.status == ConsentStatus::Denied);
        assert!(denied, "{channel}");
    }
    // The other account with that number hears of it too.
    let other = Identities {
        email: None,
        ..with_phone("u2", "")
    };
    town.event(by(&other, viewed()));
    let words = &town.of(&other).customer.addresses.words;
    assert!(words.iter().any(|word| word.channel == Channel::Sms));
}

/// Topics without end: what is kept is bounded, and no "no" gives way.
#[test]
fn a_list_of_words_that_is_full_forgets_no_refusal() {
    let mut town = Town::new(CART);
    let one = person("u1", MAIL);
    town.event(by(&one, viewed()));
    for number in 0..50 {
        let mut no = by(&one, consent(Channel::Email, ConsentStatus::Denied));
        if let Some(change) = &mut no.consent {
            change.topic = Some(if number == 0 {
                "marketing".into()
            } else {
                format!("t{number}")
            });
        }
        town.event(no);
    }
    for of in [&one, &person("", MAIL)] {
        let words = &town.of(of).customer.addresses.words;
        assert!(words.len() <= crate::address::limit::WORDS);
    }
    let two = person("u2", MAIL);
    town.event(by(&two, added("c1")));
    town.wait(Span::from_hours(2));
    assert_eq!(town.sent(&two), 0);
}
