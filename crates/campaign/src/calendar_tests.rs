//! Tables for local times and quiet hours: gaps, folds, midnight, half-hour zones.

use super::*;
use jiff::civil::{Weekday, time};
use std::collections::BTreeMap;
use winback_contract::Currency;

fn policy(quiet: Vec<QuietRule>) -> Policy {
    Policy {
        name: "shop".into(),
        zone: zone("Europe/Kyiv").unwrap(),
        country: None,
        back_office: std::collections::BTreeSet::new(),
        locale: "uk".into(),
        currency: Currency::parse("UAH").unwrap(),
        hour: time(10, 0, 0, 0),
        settings: BTreeMap::new(),
        topics: BTreeMap::new(),
        groups: BTreeMap::new(),
        reactions: Vec::new(),
        quiet,
        caps: Vec::new(),
        holdout: 0,
        arbitration: Span::from_hours(1),
        guard: crate::policy::Guard {
            one_offer_per: Span::from_days(60),
            waiter_after: 3,
            counts: Vec::new(),
        },
        segments: BTreeMap::new(),
        calendar: BTreeMap::new(),
        scoring: crate::policy::Scoring::default(),
        coupons: BTreeMap::new(),
        email: None,
        senders: BTreeMap::new(),
        links: Vec::new(),
    }
}

fn night(days: &[Weekday]) -> QuietRule {
    QuietRule {
        channels: vec![],
        from: Some(time(22, 0, 0, 0)),
        to: Some(time(7, 0, 0, 0)),
        days: days.to_vec(),
        dates: Vec::new(),
        shop_zone: false,
    }
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

#[test]
fn nights_end_in_the_customers_zone() {
    let policy = policy(vec![night(&[])]);
    for (zone_name, moment, expect) in [
        (
            "Europe/Kyiv",
            "2026-01-10T20:30:00Z",
            Some("2026-01-11T05:00:00Z"),
        ),
        ("Europe/Kyiv", "2026-01-10T10:00:00Z", None),
        (
            "Asia/Kolkata",
            "2026-01-10T16:31:00Z",
            Some("2026-01-11T01:30:00Z"),
        ),
        ("Asia/Kolkata", "2026-01-10T16:29:00Z", None),
        ("America/New_York", "2026-01-10T16:31:00Z", None),
        // The night before the clocks go forward is an hour shorter.
        (
            "Europe/Kyiv",
            "2026-03-28T21:00:00Z",
            Some("2026-03-29T04:00:00Z"),
        ),
        (
            "Europe/Kyiv",
            "2026-10-24T21:00:00Z",
            Some("2026-10-25T05:00:00Z"),
        ),
    ] {
        let zone = zone(zone_name).unwrap();
        let got = quiet_until(&policy, Channel::Email, &zone, at(moment));
        assert_eq!(got, expect.map(at), "{zone_name} {moment}");
        if let Some(free) = got {
            assert_eq!(quiet_until(&policy, Channel::Email, &zone, free), None);
        }
    }
}

#[test]
fn a_quiet_sunday_joins_the_nights_around_it() {
    let policy = policy(vec![night(&[Weekday::Sunday])]);
    let zone = zone("Europe/Kyiv").unwrap();
    // Saturday 2026-01-10, 23:00 local: free again on Monday at seven.
    let free = quiet_until(&policy, Channel::Sms, &zone, at("2026-01-10T21:00:00Z"));
    assert_eq!(free, Some(at("2026-01-12T05:00:00Z")));
    let next = quiet_from(&policy, Channel::Sms, &zone, at("2026-01-10T10:00:00Z"));
    assert_eq!(next, Some(at("2026-01-10T20:00:00Z")));
}

#[test]
fn gaps_and_folds() {
    let zone = zone("America/New_York").unwrap();
    // 2026-03-08: 02:00 becomes 03:00. The first moment after the gap.
    assert_eq!(
        next_local(time(2, 30, 0, 0), &zone, at("2026-03-08T05:00:00Z")),
        at("2026-03-08T07:00:00Z")
    );
    // 2026-11-01: 01:30 comes twice. The first of the two.
    assert_eq!(
        next_local(time(1, 30, 0, 0), &zone, at("2026-11-01T04:00:00Z")),
        at("2026-11-01T05:30:00Z")
    );
}

#[test]
fn all_days_quiet_is_found_out() {
    use Weekday::{Friday, Monday, Saturday, Sunday, Thursday, Tuesday, Wednesday};
    let always = night(&[
        Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday,
    ]);
    assert!(!has_free_time(
        &policy(vec![always]),
        Channel::Email,
        at("2026-01-10T10:00:00Z")
    ));
    assert!(has_free_time(
        &policy(vec![night(&[])]),
        Channel::Email,
        at("2026-01-10T10:00:00Z")
    ));
    assert_eq!(zone("Europe/Atlantis"), None);
}
