//! Bytes of states as releases wrote them: what is stored must be read by every later one (ADR 0011).

use winback_contract::{
    AddressId, Body, Channel, ConsentChange, ConsentStatus, CustomerId, Event, Format, Reason,
    SourceKind, Span, Standing, Timestamp,
};

use super::world::{CART, LOST, Life, added, known, ordered, viewed};
use crate::address::words::closed;
use crate::address::{Former, Word};
use crate::behaviour::LINES_FOR;
use crate::codec::{Error, VERSION, decode, encode, encode_in};
use crate::customer::{Consent, Customer};
use crate::state::What;
use crate::told::EndingEvent;

/// A person with a cart, a message, an order and a no.
fn life() -> Life {
    let mut life = Life::new("2026-01-05T10:00:00Z", &[CART]);
    life.event(viewed());
    life.event(added("c1"));
    life.wait(Span::from_mins(30));
    life.event(ordered("o1"));
    life.event(Event {
        name: "Consent Updated".into(),
        identities: known(),
        consent: Some(ConsentChange {
            channel: Channel::Sms,
            topic: None,
            status: ConsentStatus::Denied,
            every: false,
        }),
        ..Event::default()
    });
    life
}

/// As version 2 wrote it.
const TWO: &[&str] = &[
    "0201027531010f616e6e406578616d706c652e636f6d0000000000000000000000000180a4cbd9f1660000018081a7dbf166",
    "0001b8170103455552018081a7dbf166018081a7dbf166018081a7dbf16601026f3101fdd1c8969487e896ee0101026f3180",
    "81a7dbf16601b81703455552000000000000018081a7dbf166000000010280a4cbd9f1668081a7dbf1660000000000000000",
    "00000000010100018081a7dbf1660000010463617274010180e2dddaf16600000180e2dddaf1660109636f6e766572746564",
    "01026331018081a7dbf1660102633101dea1d25f19455c192be418932a61e3e10080e2dddaf1660104636172740000010002",
    "80e2dddaf16604636172740872656d696e6465720000369aa076f516e205aff1a66982dcdcde8081a7dbf166046361727400",
    "030b369aa076f516e205aff1a66982dcdcde04d8fbaeb7b3c4bd8d3991e0bcd69dc7c9b59801dff889aec3fffaade501f0e2",
    "d3c4a49cf4fabf0101369aa076f516e205aff1a66982dcdcde01017400080000",
];

/// As version 3 wrote it.
const THREE: &[&str] = &[
    "0301027531010f616e6e406578616d706c652e636f6d0000000000000000000000000180a4cbd9f1660000018081a7dbf166",
    "0001b8170103455552018081a7dbf166018081a7dbf166018081a7dbf16601026f3101fdd1c8969487e896ee0101026f3180",
    "81a7dbf16601b81703455552000000000000018081a7dbf166000000010280a4cbd9f1668081a7dbf1660000000000000000",
    "00000000010100018081a7dbf1660000010463617274010180e2dddaf16600000180e2dddaf1660109636f6e766572746564",
    "01026331018081a7dbf1660102633101dea1d25f19455c192be418932a61e3e10080e2dddaf1660104636172740000010002",
    "80e2dddaf16604636172740872656d696e6465720000369aa076f516e205aff1a66982dcdcde8081a7dbf166046361727400",
    "030b369aa076f516e205aff1a66982dcdcde04d8fbaeb7b3c4bd8d3991e0bcd69dc7c9b59801dff889aec3fffaade501f0e2",
    "d3c4a49cf4fabf0101369aa076f516e205aff1a66982dcdcde01017400080000010c506f696e7473205370656e74008081a7",
    "dbf1668081a7dbf166027b7d00",
];

/// As version 4 writes it.
const NOW: &[&str] = &[
    "0401027531010f616e6e406578616d706c652e636f6d0000000000000000000000000180a4cbd9f1660000018081a7dbf166",
    "0001b8170103455552018081a7dbf166018081a7dbf166018081a7dbf16601026f3101fdd1c8969487e896ee0101026f3180",
    "81a7dbf16601b81703455552000000000000018081a7dbf166000000010280a4cbd9f1668081a7dbf1660000000000000000",
    "00000000010100018081a7dbf1660000010463617274010180e2dddaf16600000180e2dddaf1660109636f6e766572746564",
    "01026331018081a7dbf1660102633101dea1d25f19455c192be418932a61e3e10080e2dddaf1660104636172740000010002",
    "80e2dddaf16604636172740872656d696e6465720000369aa076f516e205aff1a66982dcdcde8081a7dbf166046361727400",
    "030b369aa076f516e205aff1a66982dcdcde04d8fbaeb70391e0bcd60ddff889ae03f0e2d3c40401369aa076f516e205aff1",
    "a66982dcdcde01017400080000010c506f696e7473205370656e74008081a7dbf1668081a7dbf166027b7d00000000000191",
    "f8d58297e3a7c7b801d6c98fb6dcb2bfe1ed018081a7dbf166",
];

/// What version 4 adds: a word about an address of a person who had another, and a holder.
const FOUR: &[&str] = &[
    "000000000000000001010001017402d00f0102010303030303030303030303030303030301040105050505050505050505050505050505010c00",
];

/// A list of one: the first line, its variant, no unit, its brand, a flag and a number.
const DETAILS: &str = "010001014c0001044c61766f020467696674020104\
                       73697a65010000000000001240";

fn bytes(hex: &[&str]) -> Vec<u8> {
    let hex = hex.concat();
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

#[test]
fn a_state_of_the_release_before_is_read() {
    // What only later versions keep: repeats are shorter since, and what was bought is known.
    let before = |blob: &[&str]| {
        let mut now = life().customer;
        let then = decode(&bytes(blob)).unwrap();
        now.recent.clone_from(&then.recent);
        now.bought.clear();
        (now, then)
    };
    let (mut now, then) = before(TWO);
    now.told.clear();
    assert!(then == now);
    let (mut now, then) = before(THREE);
    now.told.clone_from(&then.told);
    assert!(then == now && !then.told.is_empty());
}

#[test]
fn a_state_of_this_release_is_written_as_before() {
    let mut now = life().customer;
    now.told.push(EndingEvent {
        name: "Points Spent".into(),
        cart: None,
        at: now.last_activity.unwrap(),
        arrived: now.last_activity.unwrap(),
        event: "{}".into(),
    });
    let hex: String = encode(&now)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        hex,
        NOW.concat(),
        "a change of what is written is a new version: see codec.rs"
    );
    assert!(decode(&bytes(NOW)).unwrap() == now);
}

/// Version 4 is written only where it says more than version 3.
#[test]
fn what_is_said_of_addresses_is_written_as_before() {
    let mut now = Customer::default();
    now.addresses.words.push(Word {
        address: AddressId(1),
        channel: Channel::Email,
        topic: Some("t".into()),
        standing: Standing::Complained,
        at: Timestamp::from_millis(1_000),
    });
    now.addresses.former.push(Former {
        address: AddressId(2),
        desk: Some(CustomerId([3; 16])),
        messages: vec![4],
    });
    now.addresses.holders.push(CustomerId([5; 16]));
    now.addresses.number_ordered = Some(Timestamp::from_millis(6));
    let blob = encode(&now);
    assert_eq!(blob[0], 4);
    let tail: String = blob[blob.len() - 58..]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(tail, FOUR.concat());
    assert!(decode(&blob).unwrap() == now);
}

/// A channel that version 3 did not use is closed by its address, and by no other.
#[test]
fn a_suppression_of_version_3_is_about_the_address_of_then() {
    let mut before = Customer::default();
    before.profile.email = Some("ann@example.com".into());
    before.suppressed.push((Channel::Email, Reason::Suppressed));
    let mut now = decode(&encode(&before)).unwrap();
    let why = |customer: &Customer| closed(customer, Channel::Email, "marketing");
    assert_eq!(why(&now), Some(Reason::Suppressed));
    now.profile.email = Some("new@example.com".into());
    assert_eq!(why(&now), None);
}

#[test]
fn what_is_cut_off_is_damaged_and_what_is_newer_is_newer() {
    let blob = bytes(TWO);
    assert_eq!(decode(&blob[..blob.len() - 3]), Err(Error::Damaged));
    let mut newer = blob;
    newer[0] = VERSION + 1;
    assert_eq!(decode(&newer), Err(Error::Newer(VERSION + 1)));
    assert_eq!(decode(&[]), Err(Error::Damaged));
}

/// Until the shop goes to the newest format, what is written is what the release before reads: a no on the person's own
/// address with it, and nothing that only this release knows.
#[test]
fn format_one_writes_what_the_release_before_reads() {
    let mut life = life();
    life.wait(Span::from_hours(1));
    let mut event = added("c2");
    event.products[0].product_id = "p7".into();
    event.products[0].brand = Some("Lavo".into());
    life.event(event);
    let mut customer = life.customer;
    let own = AddressId::of(customer.profile.email.as_deref().unwrap());
    for (address, standing) in [
        (own, Standing::Complained),
        (AddressId(2), Standing::Denied),
    ] {
        customer.addresses.words.push(Word {
            address,
            channel: Channel::Email,
            topic: None,
            standing,
            at: Timestamp::from_millis(1_000),
        });
    }
    assert_eq!(encode_in(&customer, Format::Two), encode(&customer));
    assert_eq!(encode(&customer)[0], 5);
    let blob = encode_in(&customer, Format::One);
    assert_eq!(blob[0], 3);
    let back = decode(&blob).unwrap();
    assert_eq!(back.orders, customer.orders);
    assert!(back.bought.is_empty() && back.carts[0].lines[0].details.is_none());
    let words = back.addresses.words.as_slice();
    assert!(
        matches!(words, [word] if word.address == own && word.standing == Standing::Unreachable),
        "{words:?}"
    );
}

/// INV-11: who shares an address with somebody who said "no" gets no mail there, in the format of before either; and a "yes"
/// that is newer undoes it.
#[test]
fn a_no_of_somebody_else_survives_the_format_of_before() {
    let mut life = Life::new("2026-01-05T10:00:00Z", &[CART]);
    life.event(added("c1"));
    let mut customer = life.customer;
    let address = AddressId::of(customer.profile.email.as_deref().unwrap());
    for (topic, standing) in [
        (Some("marketing"), Standing::Denied),
        (Some("news"), Standing::Granted),
    ] {
        customer.addresses.words.push(Word {
            address,
            channel: Channel::Email,
            topic: topic.map(str::to_owned),
            standing,
            at: Timestamp::from_millis(1_000),
        });
    }
    let back = decode(&encode_in(&customer, Format::One)).unwrap();
    let said = Consent {
        channel: Channel::Email,
        topic: Some("marketing".into()),
        status: ConsentStatus::Denied,
        at: Timestamp::from_millis(1_000),
    };
    assert!(back.suppressed.is_empty() && back.addresses.words.is_empty());
    let no = back
        .consents
        .iter()
        .filter(|known| known.status == ConsentStatus::Denied);
    assert_eq!(Vec::from_iter(no), [&said]);
}

/// Lines of the newest orders are written behind everything else, their details among the details; older orders keep ids.
#[test]
fn lines_of_orders_are_written_and_forgotten() {
    let mut life = Life::new("2026-01-05T10:00:00Z", &[CART, LOST]);
    for order in ["o1", "o2", "o3"] {
        let mut event = ordered(order);
        event.products = vec![life_product("M"), life_product("L")];
        event.products[0].quantity = 3;
        life.event(event);
    }
    let blob = encode(&life.customer);
    assert_eq!(blob[0], 6);
    assert!(decode(&blob).unwrap() == life.customer);
    let lines = |customer: &Customer| {
        Vec::from_iter(customer.orders.list.iter().map(|order| order.lines.len()))
    };
    assert_eq!(lines(&life.customer), [0, 2, 2]);
    let newest = &life.customer.orders.list[2].lines;
    assert_eq!((newest[0].quantity, newest[1].variant()), (3, Some("L")));
    for cut in 1..40 {
        assert!(decode(&blob[..blob.len() - cut]).is_err(), "{cut}");
    }
    let before = decode(&encode_in(&life.customer, Format::One)).unwrap();
    assert_eq!(lines(&before), [0, 0, 0]);
    assert_eq!(before.orders.list[2].products.len(), 2);
    life.wait(Span::from_days(100));
    assert_eq!(lines(&life.customer), [0, 0, 0], "two months are over");
}

/// An import of years of orders costs no lines: nobody writes about them any more.
#[test]
fn orders_of_the_past_keep_no_lines() {
    let mut life = Life::new("2026-01-05T10:00:00Z", &[CART]);
    for (order, kind, kept) in [("o1", SourceKind::History, 0), ("o2", SourceKind::Live, 1)] {
        let mut event = ordered(order);
        event.products = vec![life_product("M")];
        let at = life.now;
        life.body(Body::Storefront(Box::new(event)), at, kind);
        let told = life
            .customer
            .orders
            .list
            .iter()
            .find(|known| known.id == order);
        assert_eq!(told.unwrap().lines.len(), kept, "{order}");
    }
}

/// Wherever a reason stands, the version says that it is there; format one says an older word instead.
#[test]
fn a_newer_reason_raises_the_version_wherever_it_stands() {
    let newer = Reason::OtherCurrency;
    let mut life = life();
    life.customer.addresses = crate::address::Addresses::default();
    life.customer.bought.clear();
    let old = encode(&life.customer);
    assert_eq!(old[0], 3);
    let until = life.now;
    for what in [
        What::Skip(newer),
        What::Ended(newer),
        What::Hold(newer, until),
        What::Without(newer),
    ] {
        let mut customer = life.customer.clone();
        customer.decisions[0].what = what;
        assert_eq!(encode(&customer)[0], 4, "{what:?}");
        let lowered = encode_in(&customer, Format::One);
        assert_eq!(lowered[0], 3, "{what:?}");
        assert!(decode(&lowered).is_ok());
    }
    for reason in Reason::ALL {
        let mut customer = life.customer.clone();
        customer.suppressed.push((Channel::Sms, *reason));
        let blob = encode(&customer);
        assert!(
            (3..=VERSION).contains(&blob[0]),
            "{reason} is of a version that is not written"
        );
        assert!(decode(&blob).is_ok());
    }
}

/// Of somebody who comes no more, too: no other timer takes them.
#[test]
fn lines_of_the_silent_go_after_sixty_days() {
    let mut life = Life::new("2026-01-05T10:00:00Z", &[CART]);
    let mut event = ordered("o1");
    event.products = vec![life_product("M")];
    life.event(event);
    life.wait(LINES_FOR);
    assert_eq!(life.customer.orders.list[0].lines.len(), 1);
    life.wait(Span::from_secs(1));
    assert_eq!(life.customer.orders.list[0].lines.len(), 0);
}

/// Details of lines are written behind everything else, with the place of their line.
#[test]
fn details_of_lines_are_written_as_before() {
    let mut life = Life::new("2026-01-05T10:00:00Z", &[CART]);
    let mut event = added("c1");
    event.products[0].variant = Some("L".into());
    event.products[0].brand = Some("Lavo".into());
    let own = [("gift", true.into()), ("size", 4.5.into())];
    let own = own.map(|(name, value)| (name.to_owned(), value));
    event.products[0].fields = own.into();
    life.event(event);
    let blob = encode(&life.customer);
    assert_eq!(blob[0], 5);
    let tail: String = blob[blob.len() - DETAILS.len() / 2..]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(tail, DETAILS);
    assert!(decode(&blob).unwrap() == life.customer);
    // Wherever a line stands: the session's goods, a journey's item.
    let mut view = viewed();
    view.name = "Product Viewed".into();
    view.products.push(life_product("S"));
    life.event(view);
    let mut item = life.customer.carts[0].lines[0].clone();
    item.details.as_mut().unwrap().variant = Some("XS".into());
    life.customer.journeys[0].entry.item = Some(Box::new(item));
    assert!(
        life.customer
            .behaviour
            .session
            .as_ref()
            .unwrap()
            .viewed
            .iter()
            .any(|line| line.details.is_some())
    );
    assert!(decode(&encode(&life.customer)).unwrap() == life.customer);
    // Details of a line that is not there.
    let mut odd = blob;
    let index = odd.len() - DETAILS.len() / 2 + 1;
    odd[index] = 9;
    assert_eq!(decode(&odd), Err(Error::Damaged));
}

fn life_product(variant: &str) -> winback_contract::Product {
    winback_contract::Product {
        variant: Some(variant.into()),
        ..winback_contract::Product::of("p9")
    }
}
