//! Redis is put to sleep in the middle of commits, and killed.

use winback_service::clock::Stopwatch;

use winback_testkit::{process::signal, until};
use winback_tests::carts;

use crate::{Services, is_ready, judge, ready_after, under_load};

#[test]
fn a_redis_that_sleeps_and_one_that_is_killed() {
    let mut shop = carts::open("4s", &[]).unwrap();
    let services = Services::start(&shop);
    let sessions = [&services.sessions];
    let uses = [
        ("sessions", &services.sessions),
        ("dispatch", &services.dispatch),
    ];
    let verdict = under_load(&mut shop, &sessions, |shop| {
        let server = shop.redis.id().unwrap();
        signal(server, "STOP").unwrap();
        until(crate::SAYS_SO, "they are not ready", || {
            !is_ready(&services.sessions) && !is_ready(&services.dispatch)
        })
        .unwrap();
        signal(server, "CONT").unwrap();
        ready_after("redis asleep", shop, &uses, Stopwatch::start());
        shop.redis.kill();
        until(crate::SAYS_SO, "they are not ready", || {
            !is_ready(&services.sessions) && !is_ready(&services.dispatch)
        })
        .unwrap();
        shop.redis.restart().unwrap();
        ready_after("redis killed", shop, &uses, Stopwatch::start());
    });
    judge("redis asleep, then killed", &verdict);
    services.told_no_error(&shop);
}
