//! The broker is killed three times under load, and put to sleep once.

use winback_service::clock::Stopwatch;

use winback_testkit::{process::signal, until};
use winback_tests::carts;

use crate::{Services, is_ready, judge, ready_after, under_load};

#[test]
fn a_broker_that_is_killed_three_times() {
    let mut shop = carts::open("4s", &[]).unwrap();
    let services = Services::start(&shop);
    let sessions = [&services.sessions];
    let verdict = under_load(&mut shop, &sessions, |shop| {
        for round in 1..=3 {
            shop.kafka.kill();
            for (name, service) in services.all() {
                until(crate::SAYS_SO, "it is not ready", || !is_ready(service)).unwrap();
                assert!(!shop.text(name).contains("panicked"));
            }
            shop.kafka.restart().unwrap();
            let answers = Stopwatch::start();
            ready_after(
                &format!("kafka killed, {round}"),
                shop,
                &services.all(),
                answers,
            );
        }
    });
    judge("kafka killed three times", &verdict);
    services.told_no_error(&shop);
    for (name, _) in services.all() {
        // A line on each change of state, and one a minute: not one for each try.
        let lines = shop.text(name).lines().count();
        println!("outage: kafka killed three times: {name} wrote {lines} lines");
        assert!(lines < 400, "{name} wrote {lines} lines");
    }
}

#[test]
fn a_broker_that_sleeps() {
    let mut shop = carts::open("4s", &[]).unwrap();
    let services = Services::start(&shop);
    let sessions = [&services.sessions];
    let verdict = under_load(&mut shop, &sessions, |shop| {
        let broker = shop.kafka.id().unwrap();
        signal(broker, "STOP").unwrap();
        for (name, service) in services.all() {
            until(crate::SAYS_SO, &format!("{name} is not ready"), || {
                !is_ready(service)
            })
            .unwrap();
        }
        signal(broker, "CONT").unwrap();
        ready_after("kafka asleep", shop, &services.all(), Stopwatch::start());
    });
    judge("kafka asleep", &verdict);
}
