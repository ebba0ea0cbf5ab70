//! Outages under load: servers and processes are killed, put to sleep and cut off while people come, and an oracle says
//! whether mail is missing, came twice or came to those who had bought. Figures go to stdout: `make outages` shows them.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]
#![allow(clippy::print_stdout, reason = "figures are what the run is for")]

mod brokers;
mod clock;
mod disk;
mod growth;
mod leaderless;
mod memory;
mod network;
mod owners;
mod sleepers;
mod store;
mod takeover;

use std::time::Duration;

use winback_service::clock::Stopwatch;

use winback_testkit::until;
use winback_tests::crowd::{Crowd, Verdict};
use winback_tests::shop::get;
use winback_tests::{Running, Shop};

/// From a cart to its mail.
pub(crate) const IDLE: Duration = Duration::from_secs(4);
/// So long after what was away answers work goes on: the promise, and so the deadline.
const GOES_ON: Duration = Duration::from_secs(10);
/// So long after what they need is gone services say so on `/readyz` (docs/guarantees.md).
pub(crate) const SAYS_SO: Duration = Duration::from_secs(20);
/// From one person to the next.
pub(crate) const EVERY: Duration = Duration::from_millis(50);

/// The four services of a shop, each in a process of its own.
pub(crate) struct Services {
    pub(crate) ingest: Running,
    pub(crate) sessions: Running,
    pub(crate) evaluator: Running,
    pub(crate) dispatch: Running,
}

impl Services {
    pub(crate) fn start(shop: &Shop) -> Self {
        Self {
            ingest: shop.serve("ingest").unwrap(),
            sessions: shop.serve("sessions").unwrap(),
            evaluator: shop.serve("evaluator").unwrap(),
            dispatch: shop.serve("dispatch").unwrap(),
        }
    }

    pub(crate) fn all(&self) -> [(&'static str, &Running); 4] {
        [
            ("ingest", &self.ingest),
            ("sessions", &self.sessions),
            ("evaluator", &self.evaluator),
            ("dispatch", &self.dispatch),
        ]
    }

    /// An outage is a warning: errors are of what somebody must mend.
    pub(crate) fn told_no_error(&self, shop: &Shop) {
        for (name, _) in self.all() {
            assert_eq!(unexpected(shop, name), [""; 0], "{name}");
        }
    }
}

pub(crate) fn is_ready(running: &Running) -> bool {
    get(running.http, "/readyz").is_some_and(|answer| answer.contains("200 OK"))
}

/// A crowd for which a shop is open, until `fault` is over and everybody has been served.
pub(crate) fn under_load(
    shop: &mut Shop,
    sessions: &[&Running],
    fault: impl FnOnce(&mut Shop),
) -> Verdict {
    let crowd = Crowd::begin(shop, EVERY, IDLE).unwrap();
    until(Duration::from_secs(60), "mail goes out", || {
        !shop.smtp.received().is_empty()
    })
    .unwrap();
    fault(shop);
    let before = shop.smtp.received().len();
    until(Duration::from_secs(120), "mail goes out again", || {
        shop.smtp.received().len() > before + 5
    })
    .unwrap();
    crowd.end(shop, sessions).unwrap()
}

/// Says the figures, and fails where something is wrong.
pub(crate) fn judge(what: &str, verdict: &Verdict) {
    let (late, most) = verdict.late();
    println!(
        "outage: {what}: {} people, {} mails; after their order was appended: {late}, at most {most} ms",
        verdict.people, verdict.mails
    );
    if let Err(wrong) = verdict.is_right() {
        panic!("{what}: {wrong}");
    }
}

/// How long each service takes to be ready, from `since` on; printed, and asserted by the deadline of the promise. Of one that
/// takes long, what it said last is printed too.
pub(crate) fn ready_after(
    what: &str,
    shop: &Shop,
    services: &[(&str, &Running)],
    since: Stopwatch,
) {
    let mut left: Vec<_> = services.to_vec();
    until(GOES_ON, "all are ready again", || {
        left.retain(|(name, running)| {
            if !is_ready(running) {
                return true;
            }
            let took = since.elapsed();
            println!("outage: {what}: {name} ready after {} ms", took.as_millis());
            if took > GOES_ON / 2 {
                let text = shop.text(name);
                let lines: Vec<&str> = text.lines().collect();
                println!("{}", lines[lines.len().saturating_sub(12)..].join("\n"));
            }
            false
        });
        left.is_empty()
    })
    .unwrap();
}

/// Everything above a warning in a log.
fn unexpected(shop: &Shop, service: &str) -> Vec<String> {
    let text = shop.text(service);
    text.lines()
        .filter(|line| line.contains(" ERROR ") || line.contains("panicked"))
        .map(str::to_owned)
        .collect()
}
