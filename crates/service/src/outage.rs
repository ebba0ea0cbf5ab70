//! What keeps failing is told when it begins, and then once a minute with how often it failed meanwhile: a server that is
//! away must not fill a disk. Absent: what is told, and to whom.

use std::time::Duration;

use crate::clock::Stopwatch;

/// From one line to the next while it lasts.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Something that may be failing.
#[derive(Debug, Default)]
pub struct Outage {
    /// Since it was last told; none while it works.
    told: Option<Stopwatch>,
    untold: u64,
}

impl Outage {
    /// It failed once more. How many failures went untold, where this one is to be told.
    pub fn failed(&mut self) -> Option<u64> {
        if self.told.is_some_and(|told| told.elapsed() < TOLD_EVERY) {
            self.untold += 1;
            return None;
        }
        self.told = Some(Stopwatch::start());
        Some(std::mem::take(&mut self.untold))
    }

    /// It failed once more, and is told where it is to be told.
    pub fn tell(&mut self, who: &str, error: &dyn std::fmt::Display) {
        if let Some(untold) = self.failed() {
            tracing::warn!(%error, untold, "{who} waits");
        }
    }

    /// It works, and is told where it did not before.
    pub fn over(&mut self, who: &str) {
        if self.is_over() {
            tracing::info!("{who} goes on");
        }
    }

    /// It works. True where it did not before.
    pub fn is_over(&mut self) -> bool {
        self.untold = 0;
        self.told.take().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_when_it_begins_each_minute_and_when_it_is_over() {
        let mut outage = Outage::default();
        assert!(!outage.is_over());
        let told: Vec<_> = (0..5).map(|_| outage.failed()).collect();
        assert_eq!(told, [Some(0), None, None, None, None]);
        outage.told = Some(Stopwatch::started_ago(TOLD_EVERY));
        assert_eq!(outage.failed(), Some(4));
        assert!(outage.is_over() && !outage.is_over());
        assert_eq!(outage.failed(), Some(0), "a new one is told at once");
    }
}
