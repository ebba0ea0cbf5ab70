//! The loop of a service that works in rounds: it says that it goes round, what stands, and waits while what it needs is
//! away. One for all, so that health and the log say the same of each.
//!
//! Absent: what a round does, and what is left to do after the last one.

use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use crate::outage::Outage;
use crate::{Health, Shutdown, clock};

/// From one try to the next while something is away.
const PAUSE: Duration = Duration::from_millis(500);

/// An error of a round.
pub trait RoundError: Display + Send {
    /// Whether the same round may work later.
    fn is_transient(&self) -> bool;
}

/// What goes round.
pub trait Rounds: Send {
    /// What may go wrong.
    type Error: RoundError;

    /// Does what is there; why something stands although nothing failed, if it does.
    fn round(&mut self) -> impl Future<Output = Result<Option<String>, Self::Error>> + Send;
}

/// Goes round until shutdown, as the part of this name.
///
/// # Errors
/// The first that no waiting mends.
pub async fn go<R: Rounds>(
    rounds: &mut R,
    part: &str,
    (shutdown, health): (&Shutdown, &Health),
) -> Result<(), R::Error> {
    health.goes_round(part);
    let mut outage = Outage::default();
    while !shutdown.is_raised() {
        match rounds.round().await {
            Ok(None) => {
                outage.over(part);
                health.goes_round(part);
            }
            // Nothing is away any more, and something stands all the same.
            Ok(Some(why)) => {
                outage.over(part);
                health.not_ready(part, why);
            }
            Err(error) if error.is_transient() => {
                outage.tell(part, &error);
                health.not_ready(part, error.to_string());
                clock::pause(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Away(bool);

    impl Display for Away {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "away")
        }
    }

    impl RoundError for Away {
        fn is_transient(&self) -> bool {
            self.0
        }
    }

    struct Script {
        rounds: Vec<Result<Option<String>, Away>>,
        health: Health,
        seen: Vec<Vec<String>>,
        shutdown: Shutdown,
    }

    impl Rounds for Script {
        type Error = Away;

        async fn round(&mut self) -> Result<Option<String>, Away> {
            self.seen.push(self.health.problems());
            match self.rounds.pop() {
                Some(said) => said,
                None => {
                    self.shutdown.raise();
                    Ok(None)
                }
            }
        }
    }

    /// What one round said is what is known of the part until the next one ends.
    #[tokio::test]
    async fn health_follows_the_rounds_and_only_what_waiting_mends_is_waited_for() {
        let (health, shutdown) = (Health::new(), Shutdown::new());
        let script = |rounds| Script {
            rounds,
            health: health.clone(),
            seen: Vec::new(),
            shutdown: shutdown.clone(),
        };
        let mut waits = script(vec![
            Ok(Some("it stands".into())),
            Err(Away(true)),
            Ok(None),
        ]);
        let end = go(&mut waits, "part", (&shutdown, &health)).await;
        assert!(end.is_ok());
        let none = Vec::<String>::new();
        assert_eq!(
            waits.seen,
            [
                none.clone(),
                none,
                vec!["part: away".into()],
                vec!["part: it stands".into()]
            ]
        );
        assert!(health.problems().is_empty());
        let shutdown = Shutdown::new();
        let mut dies = script(vec![Err(Away(false))]);
        let end = go(&mut dies, "part", (&shutdown, &health)).await;
        assert!(end.is_err());
    }
}
