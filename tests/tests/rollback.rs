//! Redis goes back in time: what went out in the lost time is not sent again, and everything else goes on (INV-4).

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use winback_testkit::until;
use winback_tests::{Running, Shop, carts};

const PEOPLE: usize = 24;

fn leave_carts(shop: &Shop, name: &str, people: usize) {
    let mut storefront = shop.storefront().unwrap();
    for number in 0..people {
        storefront.leave_cart(&format!("{name}{number}")).unwrap();
    }
    storefront.close().unwrap();
}

/// A shop whose carts wait for their time, served by one process.
fn waiting() -> (Shop, Running) {
    let shop = carts::open("4s", &[]).unwrap();
    let all = shop.serve("all").unwrap();
    leave_carts(&shop, "u", PEOPLE);
    until(Duration::from_secs(30), "carts wait for their time", || {
        all.sum("winback_inputs_total{result=\"applied\"}") >= Some(2 * PEOPLE as u64)
    })
    .unwrap();
    (shop, all)
}

/// How often each address was written to.
fn by_address(shop: &Shop) -> BTreeMap<String, usize> {
    let mut all = BTreeMap::new();
    for mail in shop.smtp.received() {
        *all.entry(mail.to).or_default() += 1;
    }
    all
}

/// How many outcomes Kafka holds.
fn reported(shop: &Shop) -> i64 {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", shop.kafka.bootstrap());
    let asking: BaseConsumer = config.create().unwrap();
    let end = |partition| {
        let limit = Duration::from_secs(10);
        let marks = asking.fetch_watermarks("winback.outcomes", partition, limit);
        marks.map_or(0, |(_, end)| end)
    };
    (0..8).map(end).sum()
}

/// Waits until so many were written to, and Kafka holds what became of it.
fn all_told(shop: &Shop, people: usize) {
    let told = until(
        Duration::from_secs(60),
        "all are written to, and it is told",
        || by_address(shop).len() >= people && reported(shop) >= people as i64,
    );
    assert!(
        told.is_ok(),
        "{told:?}: {:?}\n{}",
        by_address(shop),
        shop.text("all")
    );
}

/// Waits until all that went out is known again.
fn recovered(shop: &Shop, running: &Running) {
    let sent = "winback_recovered_messages_total{result=\"sent\"}";
    let known = until(Duration::from_secs(60), "it recovers by itself", || {
        running.sum(sent) == Some(PEOPLE as u64)
    });
    assert!(known.is_ok(), "{known:?}\n{}", shop.text("all"));
}

fn once_each(shop: &Shop) {
    let twice: Vec<_> = by_address(shop)
        .into_iter()
        .filter(|(_, count)| *count > 1)
        .collect();
    assert!(
        twice.is_empty(),
        "written to more than once: {twice:?}\n{}",
        shop.text("all")
    );
}

#[test]
fn winback_dies_with_redis_and_redis_comes_back_older() {
    let (mut shop, mut all) = waiting();
    shop.redis.snapshot().unwrap();
    all_told(&shop, PEOPLE);
    all.child.kill();
    shop.redis.roll_back().unwrap();
    let all = shop.serve("all").unwrap();
    recovered(&shop, &all);
    leave_carts(&shop, "v", 5);
    all_told(&shop, PEOPLE + 5);
    once_each(&shop);
}

#[test]
fn redis_comes_back_older_under_services_that_run() {
    let (mut shop, all) = waiting();
    shop.redis.snapshot().unwrap();
    all_told(&shop, PEOPLE);
    shop.redis.roll_back().unwrap();
    recovered(&shop, &all);
    leave_carts(&shop, "v", 5);
    all_told(&shop, PEOPLE + 5);
    once_each(&shop);
}
