//! Disks that are full: Redis, whose appends are durable, ends; so does a broker. Both are started anew once there is room,
//! and nothing is lost.

use std::time::Duration;

use winback_service::clock::Stopwatch;
use winback_testkit::process::limit_files;
use winback_testkit::until;
use winback_tests::carts;

use crate::{Services, judge, ready_after, under_load};

#[test]
fn disks_that_are_full() {
    let mut shop = carts::open("4s", &[]).unwrap();
    let services = Services::start(&shop);
    let sessions = [&services.sessions];
    let verdict = under_load(&mut shop, &sessions, |shop| {
        shop.redis.fill_disk().unwrap();
        until(Duration::from_secs(30), "redis ends", || !shop.redis.runs()).unwrap();
        shop.redis.restart().unwrap();
        ready_after(
            "redis' disk full",
            shop,
            &services.all(),
            Stopwatch::start(),
        );
        // Segments of topics are small yet; what holds an index is not.
        let broker = shop.kafka.id().unwrap();
        limit_files(broker, 1_024).unwrap();
        until(Duration::from_secs(60), "the broker ends", || {
            !shop.kafka.runs()
        })
        .unwrap();
        shop.kafka.restart().unwrap();
        ready_after(
            "kafka's disk full",
            shop,
            &services.all(),
            Stopwatch::start(),
        );
    });
    judge("disks full", &verdict);
    services.told_no_error(&shop);
}
