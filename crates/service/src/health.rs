//! Readiness by named parts, and the age of loops. Liveness never looks here: an outage must not become a restart storm.
//!
//! A loop that hangs can't say so: it must say again and again that it goes round, and whoever asks sees for how long it
//! has not. Ages are computed when somebody asks, so a frozen value can't look healthy.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Stopwatch;

/// A loop that has not gone round for so long is not ready.
pub(crate) const ROUND: Duration = Duration::from_secs(15);

#[derive(Debug)]
struct Part {
    problem: Option<String>,
    /// Since the last round, for loops.
    round: Option<Stopwatch>,
}

/// Cheap to clone; all clones share the parts.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<BTreeMap<String, Part>>>);

/// How a part stands.
#[derive(Clone, PartialEq, Debug)]
pub struct Standing {
    /// Its name.
    pub part: String,
    /// Why it is not ready.
    pub problem: Option<String>,
    /// Since its last round, for loops.
    pub age: Option<Duration>,
}

impl Health {
    /// No parts: ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// `part` works, until it says otherwise.
    pub fn ready(&self, part: &str) {
        self.set(part, None, false);
    }

    /// The loop `part` went round and works. If it does not say so again within `ROUND`, it is not ready.
    pub fn goes_round(&self, part: &str) {
        self.set(part, None, true);
    }

    /// `part` does not work, and why. A loop that says so has gone round.
    pub fn not_ready(&self, part: &str, why: impl Into<String>) {
        self.set(part, Some(why.into()), false);
    }

    fn set(&self, part: &str, problem: Option<String>, is_loop: bool) {
        let mut parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let was_loop = parts.get(part).is_some_and(|known| known.round.is_some());
        let round = (is_loop || was_loop).then(Stopwatch::start);
        parts.insert(part.to_owned(), Part { problem, round });
    }

    /// Every part, by name.
    pub fn standings(&self) -> Vec<Standing> {
        let parts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let standing = |(name, part): (&String, &Part)| {
            let age = part.round.map(|round| round.elapsed());
            let hangs = age.filter(|age| *age > ROUND).map(|age| {
                format!(
                    "its loop has not gone round for {} s: it hangs, or waits inside a round for Kafka, Redis or a provider",
                    age.as_secs()
                )
            });
            Standing {
                part: name.clone(),
                problem: part.problem.clone().or(hangs),
                age,
            }
        };
        parts.iter().map(standing).collect()
    }

    /// The parts that do not work, each with its reason.
    pub fn problems(&self) -> Vec<String> {
        let standings = self.standings().into_iter();
        standings
            .filter_map(|one| one.problem.map(|why| format!("{}: {why}", one.part)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn long_ago(health: &Health, part: &str) {
        let mut parts = health.0.lock().unwrap();
        parts.get_mut(part).unwrap().round = Some(Stopwatch::started_ago(2 * ROUND));
    }

    #[test]
    fn a_loop_that_stands_still_is_not_ready_and_has_an_age() {
        let health = Health::new();
        health.ready("start");
        health.goes_round("sessions");
        assert!(health.problems().is_empty());
        long_ago(&health, "sessions");
        let problems = health.problems();
        assert_eq!(problems.len(), 1);
        assert!(
            problems[0].starts_with("sessions: its loop has not gone round for 3"),
            "{problems:?}"
        );
        assert!(health.standings()[0].age.is_some_and(|age| age >= ROUND));
        // What is set once has no round to miss.
        assert_eq!(health.standings()[1].age, None);
        health.goes_round("sessions");
        assert!(health.problems().is_empty());
        health.not_ready("sessions", "no answer");
        assert_eq!(health.problems(), ["sessions: no answer"]);
        // What is no loop does not become one by failing: its age would stand in the metrics for ever.
        health.not_ready("start", "connecting");
        health.ready("start");
        assert_eq!(health.standings()[1].age, None);
    }
}
