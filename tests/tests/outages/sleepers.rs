//! A service that is stopped in the middle of its work, and goes on as if no time had passed: ingest, evaluator and dispatch,
//! each for longer than its session with Kafka and its claims last. Who bought meanwhile is not written to (INV-5), nobody
//! is written to twice (INV-4).

use std::time::Duration;

use winback_service::clock::Stopwatch;
use winback_testkit::{process::signal, until};
use winback_tests::carts;

use crate::{Services, is_ready, judge, ready_after, under_load};

/// Longer than a session (2 s), a claim (3 s) and a lease (5 s).
const ASLEEP: Duration = Duration::from_secs(8);

#[test]
fn each_service_sleeps_and_wakes() {
    let mut shop = carts::open("4s", &[]).unwrap();
    let services = Services::start(&shop);
    let sessions = [&services.sessions];
    let verdict = under_load(&mut shop, &sessions, |shop| {
        for (name, running) in [
            ("ingest", &services.ingest),
            ("evaluator", &services.evaluator),
            ("dispatch", &services.dispatch),
        ] {
            let id = running.child.id();
            signal(id, "STOP").unwrap();
            let since = Stopwatch::start();
            until(Duration::from_secs(60), "it has slept", || {
                since.elapsed() >= ASLEEP
            })
            .unwrap();
            let mails = shop.smtp.received().len();
            signal(id, "CONT").unwrap();
            let woken = Stopwatch::start();
            ready_after(
                &format!("{name} asleep"),
                shop,
                &services.all(),
                Stopwatch::start(),
            );
            until(Duration::from_secs(60), "mail goes out again", || {
                shop.smtp.received().len() > mails
            })
            .unwrap();
            println!(
                "outage: {name} asleep: mail again after {} ms",
                woken.elapsed().as_millis()
            );
        }
        for (name, running) in services.all() {
            assert!(is_ready(running), "{name}");
        }
    });
    judge("services asleep", &verdict);
    services.told_no_error(&shop);
}
