//! Redis takes no more: its memory is full. Nothing is lost, it is said, and it goes on by itself.

use std::time::Duration;

use winback_service::clock::Stopwatch;

use winback_testkit::until;
use winback_tests::carts;
use winback_tests::shop::get;

use crate::{Services, judge, ready_after, under_load};

#[test]
fn a_redis_whose_memory_is_full() {
    let mut shop = carts::open("4s", &[]).unwrap();
    let services = Services::start(&shop);
    let sessions = [&services.sessions];
    let verdict = under_load(&mut shop, &sessions, |shop| {
        shop.redis.ask("CONFIG SET maxmemory 1mb").unwrap();
        let why = || get(services.sessions.http, "/readyz").unwrap_or_default();
        until(Duration::from_secs(30), "it is said", || {
            why().contains("503")
        })
        .unwrap();
        println!(
            "outage: redis full: {}",
            why().lines().last().unwrap_or_default()
        );
        shop.redis.ask("CONFIG SET maxmemory 0").unwrap();
        ready_after(
            "redis full",
            shop,
            &[("sessions", &services.sessions)],
            Stopwatch::start(),
        );
    });
    judge("redis full", &verdict);
    services.told_no_error(&shop);
}
