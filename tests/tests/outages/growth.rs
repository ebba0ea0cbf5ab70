//! What an outage of a minute leaves behind in memory: of the services, and of Redis (INV-12).

use std::time::Duration;

use serde_json::json;
use winback_service::clock;
use winback_testkit::{process::signal, until};
use winback_tests::shop::Storefront;
use winback_tests::{Shop, carts};

use crate::{Services, ready_after};

/// People who look around, again and again.
const PEOPLE: u64 = 600;
/// Looks while Redis is away: a hundred a second for a minute.
const LOOKS: u64 = 6_000;

fn look(storefront: &mut Storefront, number: u64) {
    let user = format!("u{}", number % PEOPLE);
    let view = json!({ "type": "track", "event": "Product Viewed", "userId": user, "messageId": format!("m{number}"),
        "properties": { "product_id": format!("p{}", number % 40), "price": 12.5 } });
    storefront.send(&user, &view).unwrap();
}

/// Resident kilobytes of the services, and bytes of Redis.
fn memory(shop: &Shop, services: &Services) -> (Vec<(&'static str, u64)>, u64) {
    let resident = |id: u32| {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        kilobytes.unwrap()
    };
    let services = services.all();
    let services = services.map(|(name, running)| (name, resident(running.child.id())));
    let said = shop
        .redis
        .ask("EVAL \"return string.match(redis.call('INFO','memory'),'used_memory:(%d+)')\" 0");
    (services.into(), said.unwrap().parse().unwrap())
}

/// A hundred a second.
#[allow(clippy::disallowed_methods, reason = "people come at their own pace")]
fn pace() {
    std::thread::sleep(Duration::from_millis(10));
}

#[test]
fn a_minute_without_redis_leaves_nothing_behind() {
    let mut shop = carts::open("4s", &[]).unwrap();
    let services = Services::start(&shop);
    let mut storefront = shop.storefront().unwrap();
    let applied = |at_least: u64| {
        until(Duration::from_secs(120), "all is applied", || {
            let done = r#"winback_inputs_total{result="applied"} "#;
            services.sessions.sum(done).unwrap_or(0) >= at_least
        })
        .unwrap();
    };
    for number in 0..LOOKS {
        look(&mut storefront, number);
    }
    applied(LOOKS);
    let mut known = memory(&shop, &services);
    let tell = |when: &str, (resident, store): &(Vec<(&str, u64)>, u64)| {
        let each = resident
            .iter()
            .map(|(name, kilobytes)| format!("{name} {kilobytes} kB"));
        let each = Vec::from_iter(each).join(", ");
        println!("outage: a minute without redis: {when}: {each}, redis {store} bytes");
    };
    tell("before", &known);
    let redis = shop.redis.id().unwrap();
    // What is buffered once is kept by the allocator: the second outage tells whether anything grows.
    for (outage, when) in [(1, "after"), (2, "after another")] {
        signal(redis, "STOP").unwrap();
        for number in outage * LOOKS..(outage + 1) * LOOKS {
            look(&mut storefront, number);
            pace();
        }
        signal(redis, "CONT").unwrap();
        let since = clock::Stopwatch::start();
        ready_after("a minute without redis", &shop, &services.all(), since);
        applied((outage + 1) * LOOKS);
        let now = memory(&shop, &services);
        tell(when, &now);
        assert!(now.1 * 10 <= known.1 * 12, "{} {}", known.1, now.1);
        known = now;
    }
    storefront.close().unwrap();
    shop.redis.kill();
}
