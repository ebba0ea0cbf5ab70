//! The network before Redis and before Kafka: cut, silent, slow, and with answers that get lost.

use std::time::Duration;

use winback_service::clock::Stopwatch;

use winback_testkit::{Kafka, Proxy, Way, until};
use winback_tests::{Shop, carts};

use crate::{Services, is_ready, judge, ready_after, under_load};

/// A commit whose answer is lost has happened: it is known again by its id, and nothing is done twice.
#[test]
fn a_network_before_redis_that_fails_in_every_way() {
    let mut shop = carts::open("4s", &[]).unwrap();
    let proxy = Proxy::start(shop.redis.port()).unwrap();
    shop.set(
        "STORE__URL",
        &format!("redis://127.0.0.1:{}/0", proxy.port()),
    );
    shop.set("STORE__RESPONSE_TIMEOUT", "1s");
    let services = Services::start(&shop);
    let sessions = [&services.sessions];
    let uses = [
        ("sessions", &services.sessions),
        ("dispatch", &services.dispatch),
    ];
    let verdict = under_load(&mut shop, &sessions, |shop| {
        for way in [Way::Cut, Way::NoReplies, Way::Silent] {
            proxy.go(way);
            until(crate::SAYS_SO, &format!("{way:?}: not ready"), || {
                !is_ready(&services.sessions)
            })
            .unwrap();
            // Connections whose answers were swallowed are of no use any more.
            proxy.go(Way::Cut);
            proxy.go(Way::Open);
            ready_after(
                &format!("redis behind {way:?}"),
                shop,
                &uses,
                Stopwatch::start(),
            );
        }
        proxy.go(Way::Slow(Duration::from_millis(50)));
    });
    judge("redis behind a bad network", &verdict);
    services.told_no_error(&shop);
}

/// Everything that the services say to Kafka goes through the proxy; the storefront has a way of its own.
#[test]
fn a_network_before_kafka_that_fails_in_every_way() {
    let (kafka, proxy) = Kafka::behind_proxy().unwrap();
    let door = format!("127.0.0.1:{}", proxy.port());
    let cart = carts::campaign("4s");
    let campaigns = [
        ("cart/campaign.yaml", cart.as_str()),
        ("cart/templates/reminder.email.en.mjml", carts::MAIL),
    ];
    let mut shop = Shop::open_on(kafka, carts::POLICY, &campaigns, &[]).unwrap();
    shop.set("KAFKA__BOOTSTRAP", &door);
    let services = Services::start(&shop);
    let sessions = [&services.sessions];
    let verdict = under_load(&mut shop, &sessions, |shop| {
        for way in [Way::Cut, Way::NoReplies, Way::Silent] {
            proxy.go(way);
            for (name, service) in services.all() {
                until(crate::SAYS_SO, &format!("{way:?}: {name} says so"), || {
                    !is_ready(service)
                })
                .unwrap();
            }
            // Connections whose answers were swallowed are of no use any more.
            proxy.go(Way::Cut);
            proxy.go(Way::Open);
            let what = format!("kafka behind {way:?}");
            ready_after(&what, shop, &services.all(), Stopwatch::start());
        }
        proxy.go(Way::Slow(Duration::from_millis(50)));
    });
    judge("kafka behind a bad network", &verdict);
    services.told_no_error(&shop);
}

/// The broker tells clients its own address, so only what goes by the proxy's meets the fault: the first contact.
#[test]
fn a_service_that_starts_while_kafka_is_out_of_reach_says_so_and_goes_on() {
    let mut shop = carts::open("4s", &[]).unwrap();
    let port = shop
        .kafka
        .bootstrap()
        .rsplit_once(':')
        .unwrap()
        .1
        .parse()
        .unwrap();
    let proxy = Proxy::start(port).unwrap();
    proxy.go(Way::Silent);
    shop.set("KAFKA__BOOTSTRAP", &format!("127.0.0.1:{}", proxy.port()));
    let ingest = shop.start("ingest").unwrap();
    let why = || winback_tests::shop::get(ingest.http, "/readyz").unwrap_or_default();
    until(crate::SAYS_SO, "it says what it waits for", || {
        why().contains("start: ") && !why().contains("connecting")
    })
    .unwrap();
    proxy.go(Way::Cut);
    proxy.go(Way::Open);
    ready_after(
        "kafka out of reach at start",
        &shop,
        &[("ingest", &ingest)],
        Stopwatch::start(),
    );
}
