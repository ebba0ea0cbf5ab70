//! Named tasks. A task that ends before shutdown, for whatever cause, stops the process with its name.

use std::collections::HashMap;
use std::fmt::Display;
use std::time::Duration;

use tokio::task::{Id, JoinSet};

use crate::shutdown::Shutdown;

/// A task ended that should have run until shutdown.
#[derive(Debug, thiserror::Error)]
pub enum Died {
    /// It returned an error.
    #[error("{name} stopped: {error}")]
    Failed {
        /// Name of the task.
        name: String,
        /// What it said.
        error: String,
    },
    /// It returned although nobody asked it to.
    #[error("{name} ended without being asked to")]
    Ended {
        /// Name of the task.
        name: String,
    },
    /// It panicked.
    #[error("{name} panicked: this is a bug in winback, please report it")]
    Panicked {
        /// Name of the task.
        name: String,
    },
}

/// From shutdown to leaving, at the longest: a supervisor kills after ten seconds, and connections close after this.
const GRACE: Duration = Duration::from_secs(6);

/// The running tasks of a process.
#[derive(Debug, Default)]
pub struct Tasks {
    set: JoinSet<Result<(), String>>,
    names: HashMap<Id, String>,
}

impl Tasks {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts a task under a name.
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place that spawns, and every task has a name"
    )]
    pub fn spawn<E: Display>(
        &mut self,
        name: impl Into<String>,
        work: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let handle = self
            .set
            .spawn(async move { work.await.map_err(|error| error.to_string()) });
        self.names.insert(handle.id(), name.into());
    }

    /// Waits for all tasks. The first one that dies before shutdown raises it for the others. Six seconds after
    /// shutdown the rest is left as it is: every service may be killed at any point without losing anything.
    ///
    /// # Errors
    /// [`Died`], naming the first task that failed.
    pub async fn run(self, shutdown: &Shutdown) -> Result<(), Died> {
        self.run_within(GRACE, shutdown).await
    }

    async fn run_within(mut self, grace: Duration, shutdown: &Shutdown) -> Result<(), Died> {
        let mut first = None;
        // Runs from the moment shutdown is raised.
        let mut grace = std::pin::pin!(async {
            shutdown.wait().await;
            pause_anyway(grace).await;
        });
        loop {
            let joined = tokio::select! {
                joined = self.set.join_next_with_id() => joined,
                () = &mut grace => {
                    // Whoever is still asking a server that is away: what is not committed is done again.
                    let mut names: Vec<&str> = self.names.values().map(String::as_str).collect();
                    names.sort_unstable();
                    tracing::warn!(tasks = names.join(", "), "left without finishing; nothing is lost");
                    self.set.abort_all();
                    break;
                }
            };
            let Some(joined) = joined else { break };
            let (id, result) = match joined {
                Ok((id, result)) => (id, Some(result)),
                Err(error) => (error.id(), None),
            };
            let name = self.names.remove(&id).unwrap_or_default();
            let died = match result {
                Some(Ok(())) if shutdown.is_raised() => None,
                Some(Ok(())) => Some(Died::Ended { name }),
                Some(Err(error)) => Some(Died::Failed { name, error }),
                None => Some(Died::Panicked { name }),
            };
            if let Some(died) = died {
                shutdown.raise();
                first = first.or(Some(died));
            }
        }
        first.map_or(Ok(()), Err)
    }
}

/// A pause for which no worker of the runtime has to be free: closing a client waits for its broker, and when all workers
/// do, nobody looks at the runtime's own timers.
#[allow(
    clippy::disallowed_methods,
    reason = "it ends by itself, and must not be a task"
)]
async fn pause_anyway(length: Duration) {
    let (over, heard) = tokio::sync::oneshot::channel::<()>();
    std::thread::spawn(move || {
        std::thread::sleep(length);
        drop(over);
    });
    // The other end says nothing: it goes.
    drop(heard.await);
}

/// Pieces of work that are on their way, each by itself; whoever began them hears of each as it ends.
#[derive(Debug)]
pub struct InFlight<T>(JoinSet<T>);

impl<T: Send + 'static> Default for InFlight<T> {
    fn default() -> Self {
        Self(JoinSet::new())
    }
}

impl<T: Send + 'static> InFlight<T> {
    /// One more.
    #[allow(
        clippy::disallowed_methods,
        reason = "whoever begins them bounds their number and hears of every end"
    )]
    pub fn begin(&mut self, work: impl Future<Output = T> + Send + 'static) {
        self.0.spawn(work);
    }

    /// How many are on their way.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One that has ended already.
    pub fn try_next(&mut self) -> Option<Result<T, Died>> {
        self.0.try_join_next().map(ended)
    }

    /// The next one that ends; `None` where none is on its way. It may be dropped before it is over.
    pub async fn next(&mut self) -> Option<Result<T, Died>> {
        self.0.join_next().await.map(ended)
    }
}

fn ended<T>(joined: Result<T, tokio::task::JoinError>) -> Result<T, Died> {
    joined.map_err(|_| Died::Panicked {
        name: "a piece of work".into(),
    })
}

/// Lets a piece of work that keeps a core busy for a moment be done beside whoever begins it; nobody waits for it.
#[allow(
    clippy::disallowed_methods,
    reason = "it ends by itself, and whoever needs what comes of it does it where it is not done"
)]
pub fn beside(work: impl FnOnce() + Send + 'static) {
    drop(tokio::task::spawn_blocking(work));
}

/// Runs pieces of work side by side on all cores and waits for every one; results come in the order of the work.
///
/// # Errors
/// [`Died::Panicked`] when one of them panicked.
#[allow(
    clippy::disallowed_methods,
    reason = "they have a name, and whoever started them waits for them"
)]
pub async fn side_by_side<T: Send + 'static>(
    name: &str,
    work: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Result<Vec<T>, Died> {
    let handles: Vec<_> = work.into_iter().map(tokio::task::spawn).collect();
    let mut results = Vec::with_capacity(handles.len());
    for handle in handles {
        results.push(
            handle
                .await
                .map_err(|_| Died::Panicked { name: name.into() })?,
        );
    }
    Ok(results)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dead_task_stops_the_others_and_is_named() {
        let shutdown = Shutdown::new();
        let mut tasks = Tasks::new();
        let waiting = shutdown.clone();
        tasks.spawn("patient", async move {
            waiting.wait().await;
            Ok::<(), String>(())
        });
        tasks.spawn("broken", async { Err::<(), _>("no more disk") });
        let died = tasks.run(&shutdown).await.unwrap_err();
        assert_eq!(died.to_string(), "broken stopped: no more disk");
    }

    /// A client of a server that is away may hold the workers while it is closed: the process leaves all the same.
    #[test]
    fn workers_that_hang_do_not_hold_the_end() {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (release, released) = std::sync::mpsc::sync_channel::<()>(1);
        let (over, ended) = std::sync::mpsc::sync_channel(1);
        let main = move || {
            let shutdown = Shutdown::new();
            let (said, hears) = tokio::sync::oneshot::channel();
            let left = runtime.block_on(async {
                let mut tasks = Tasks::new();
                tasks.spawn("hangs", async move {
                    said.send(()).unwrap();
                    released.recv().unwrap_err();
                    Ok::<(), String>(())
                });
                hears.await.unwrap();
                shutdown.raise();
                tasks.run_within(Duration::from_millis(10), &shutdown).await
            });
            runtime.shutdown_background();
            over.send(left.is_ok()).unwrap();
        };
        #[allow(
            clippy::disallowed_methods,
            reason = "a test waits for it with a deadline"
        )]
        std::thread::spawn(main);
        let left = ended.recv_timeout(Duration::from_secs(20));
        drop(release);
        assert_eq!(left, Ok(true));
    }

    #[tokio::test]
    async fn work_side_by_side_keeps_its_order_and_its_panics() {
        let squares = side_by_side("squares", (0..8_u32).map(|n| async move { n * n })).await;
        assert_eq!(squares.unwrap(), [0, 1, 4, 9, 16, 25, 36, 49]);
        let broken = side_by_side(
            "clumsy",
            [async {
                assert!(std::hint::black_box(false), "planted");
            }],
        );
        assert!(matches!(broken.await, Err(Died::Panicked { .. })));
    }

    #[tokio::test]
    async fn a_panic_is_a_death_too() {
        let shutdown = Shutdown::new();
        let mut tasks = Tasks::new();
        tasks.spawn("clumsy", async {
            assert!(std::hint::black_box(false), "planted");
            Ok::<(), String>(())
        });
        assert!(matches!(
            tasks.run(&shutdown).await,
            Err(Died::Panicked { .. })
        ));
    }
}
