//! Owners of partitions come, go, sleep and die: no two of them ever commit, nobody is written to twice (INV-1, INV-4).

use std::time::Duration;

use winback_service::clock::Stopwatch;

use winback_testkit::{process::signal, until};
use winback_tests::{Running, Shop, carts};

use crate::{Services, judge, under_load};

/// Partitions that a process owns.
fn owned(running: &Running) -> u64 {
    running.sum("winback_partition_owned{").unwrap_or(0)
}

/// How long it takes until all partitions have an owner again.
fn taken_over(what: &str, owners: &[&Running]) -> Duration {
    let since = Stopwatch::start();
    until(Duration::from_secs(60), what, || {
        let each: Vec<u64> = owners.iter().map(|owner| owned(owner)).collect();
        each.iter().sum::<u64>() == 8 && !each.contains(&0)
    })
    .unwrap();
    since.elapsed()
}

#[test]
fn owners_that_come_go_sleep_and_die() {
    let mut shop = carts::open("4s", &[]).unwrap();
    let services = Services::start(&shop);
    let more = |shop: &Shop| shop.serve("sessions").unwrap();
    let (mut second, third) = (more(&shop), more(&shop));
    let first = &services.sessions;
    taken_over("three share", &[first, &second, &third]);
    let mut after_kill = Vec::new();
    let verdict = under_load(&mut shop, &[first, &third], |shop| {
        // One sleeps for longer than its session lasts, and wakes as somebody who owns nothing any more.
        signal(third.child.id(), "STOP").unwrap();
        taken_over("the others take over", &[first, &second]);
        signal(third.child.id(), "CONT").unwrap();
        taken_over("it joins again", &[first, &second, &third]);
        for _ in 0..3 {
            second.child.kill();
            after_kill.push(taken_over("after a kill", &[first, &third]).as_millis());
            second = shop.serve("sessions").unwrap();
            taken_over("it is back", &[first, &second, &third]);
        }
        assert_eq!(second.child.terminate(Duration::from_secs(10)), Ok(Some(0)));
        let left = taken_over("after a hand-over", &[first, &third]);
        println!("outage: owners: a hand-over took {} ms", left.as_millis());
    });
    println!("outage: owners: takeover after kill -9 with a session of 2 s: {after_kill:?} ms");
    judge("owners come, go, sleep and die", &verdict);
    services.told_no_error(&shop);
}
