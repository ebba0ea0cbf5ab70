//! Shutdown as a value: a flag that is raised once and can be awaited by everybody.

use tokio::sync::watch;

/// Cheap to clone; all clones see the same flag.
#[derive(Clone, Debug)]
pub struct Shutdown {
    raised: watch::Sender<bool>,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

impl Shutdown {
    /// Not raised yet.
    pub fn new() -> Self {
        Self {
            raised: watch::Sender::new(false),
        }
    }

    /// Raises the flag; again is harmless.
    pub fn raise(&self) {
        self.raised.send_replace(true);
    }

    /// Whether it is raised.
    pub fn is_raised(&self) -> bool {
        *self.raised.borrow()
    }

    /// Waits until it is raised.
    pub async fn wait(&self) {
        let mut receiver = self.raised.subscribe();
        // The sender lives in `self`, so the channel can't close while we wait.
        let _raised = receiver.wait_for(|raised| *raised).await;
    }

    /// Raises the flag on SIGTERM or SIGINT.
    ///
    /// # Errors
    /// When the signal handlers can't be installed.
    pub async fn raise_on_signal(self) -> std::io::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            () = self.wait() => {}
        }
        self.raise();
        Ok(())
    }
}
