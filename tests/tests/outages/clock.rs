//! The clock of Redis' machine steps, forth and back: timers wait where it would be careful to, and none is lost or comes
//! twice.

use std::time::Duration;

use winback_service::clock::Stopwatch;

use winback_testkit::{Redis, until};
use winback_tests::carts;

use crate::{Services, is_ready, judge};
use winback_tests::crowd::Crowd;

#[test]
fn the_clock_of_redis_steps_back_and_forth() {
    let mut shop = carts::open("4s", &[]).unwrap();
    shop.redis = Redis::with_clock().unwrap();
    let url = shop.redis.url().to_owned();
    shop.set("STORE__URL", &url);
    // A store of its own needs topics of its own: nothing was published in it yet.
    let services = Services::start(&shop);
    let crowd = Crowd::begin(&shop, crate::EVERY, crate::IDLE).unwrap();
    let received = |shop: &winback_tests::Shop| shop.smtp.received().len();
    until(Duration::from_secs(60), "mail goes out", || {
        received(&shop) > 0
    })
    .unwrap();
    // Half a minute back: nothing is due for as long, and then everything goes on.
    shop.redis.shift(-30).unwrap();
    let since = Stopwatch::start();
    let before = received(&shop);
    until(Duration::from_secs(120), "mail goes out again", || {
        received(&shop) > before + 10
    })
    .unwrap();
    println!(
        "outage: redis 30 s back: mail again after {} ms",
        since.elapsed().as_millis()
    );
    shop.redis.shift(0).unwrap();
    let before = received(&shop);
    until(Duration::from_secs(120), "and again", || {
        received(&shop) > before + 10
    })
    .unwrap();
    let verdict = crowd.end(&shop, &[&services.sessions]).unwrap();
    // A clock that stepped forth fires early by as much: what is early is no fault of the order of input.
    judge("the clock of redis steps", &verdict);
    for (name, service) in services.all() {
        assert!(is_ready(service), "{name}");
    }
    services.told_no_error(&shop);
}
