//! How long a partition has no owner after its process was killed, with the session as docker-compose.yml sets it, and with
//! the shortest one that brokers allow by default. Figures, never asserted.

use std::time::Duration;

use winback_service::clock::Stopwatch;
use winback_testkit::until;
use winback_tests::{Running, carts};

/// So many are killed, by the milliseconds of the session.
const KILLS: [(&str, usize); 2] = [("4000", 50), ("6000", 10)];

/// Partitions that a process owns.
fn owned(running: &Running) -> u64 {
    running.sum("winback_partition_owned{").unwrap_or(0)
}

#[test]
fn takeover_after_a_kill() {
    for (session, kills) in KILLS {
        measure(session, kills);
    }
}

fn measure(session: &str, kills: usize) {
    let mut shop = carts::open("4s", &[]).unwrap();
    shop.set("KAFKA__PROPERTIES__SESSION_TIMEOUT_MS", session);
    shop.set("KAFKA__PROPERTIES__HEARTBEAT_INTERVAL_MS", "250");
    let (mut first, mut second) = (
        shop.serve("sessions").unwrap(),
        shop.serve("sessions").unwrap(),
    );
    let mut took = Vec::new();
    for _ in 0..kills {
        until(Duration::from_secs(60), "two share", || {
            owned(&first) == 4 && owned(&second) == 4
        })
        .unwrap();
        first.child.kill();
        let since = Stopwatch::start();
        until(Duration::from_secs(60), "the other has all", || {
            owned(&second) == 8
        })
        .unwrap();
        took.push(since.elapsed().as_millis());
        // Each of them is killed in turn.
        first = std::mem::replace(&mut second, shop.serve("sessions").unwrap());
    }
    took.sort_unstable();
    println!(
        "outage: takeover after kill -9, session of {session} ms, {kills} kills: median {} ms, p99 and most {} ms",
        took[kills / 2],
        took[kills - 1]
    );
}
