//! The clock, real or virtual. Everything else takes time as an argument or asks here.
//!
//! A virtual clock moves only when told to, never backwards: whole-system runs replay exactly (INV-10).

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Cheap to clone; clones of a virtual clock share its time.
#[derive(Clone, Debug)]
pub struct Clock(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Real,
    Virtual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub fn real() -> Self {
        Self(Kind::Real)
    }

    /// A clock that stands at `millis` since the epoch.
    pub fn at(millis: i64) -> Self {
        Self(Kind::Virtual(Arc::new(AtomicI64::new(millis))))
    }

    /// Milliseconds since the epoch.
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place that asks the machine for the time"
    )]
    pub fn now_millis(&self) -> i64 {
        match &self.0 {
            Kind::Real => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |since| {
                    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
                }),
            Kind::Virtual(now) => now.load(Ordering::SeqCst),
        }
    }

    /// Moves a virtual clock forward to `millis`; earlier times and real clocks are left alone.
    pub fn advance_to(&self, millis: i64) {
        if let Kind::Virtual(now) = &self.0 {
            now.fetch_max(millis, Ordering::SeqCst);
        }
    }

    /// Whether time moves only when told to.
    pub fn is_virtual(&self) -> bool {
        matches!(self.0, Kind::Virtual(_))
    }
}

/// Waits in real time. Loops that poll use it between polls; virtual runs never call it.
#[allow(clippy::disallowed_methods, reason = "the one place that waits")]
pub async fn pause(span: Duration) {
    tokio::time::sleep(span).await;
}

/// Runs `work` for at most `limit`.
///
/// # Errors
/// [`TimedOut`] when the limit passes first; the work is dropped.
#[allow(
    clippy::disallowed_methods,
    reason = "the one place that bounds a wait"
)]
pub async fn within<T>(limit: Duration, work: impl Future<Output = T>) -> Result<T, TimedOut> {
    tokio::time::timeout(limit, work)
        .await
        .map_err(|_| TimedOut(limit))
}

/// The limit passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no answer within {0:?}")]
pub struct TimedOut(pub Duration);

/// A stopwatch for metrics; it never decides anything.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Starts now.
    #[allow(clippy::disallowed_methods, reason = "measures, never decides")]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// One that has been running for so long, for tests of what ages.
    #[allow(clippy::disallowed_methods, reason = "measures, never decides")]
    pub fn started_ago(span: Duration) -> Self {
        let now = std::time::Instant::now();
        Self(now.checked_sub(span).unwrap_or(now))
    }

    /// Since the start.
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_virtual_clock_only_moves_forward() {
        let clock = Clock::at(1_000);
        let other = clock.clone();
        clock.advance_to(5_000);
        clock.advance_to(2_000);
        assert_eq!(other.now_millis(), 5_000);
        assert!(clock.is_virtual() && !Clock::real().is_virtual());
    }
}
