//! What can go wrong with the log, in the classes that matter to a caller.

/// An error of the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It may work later: wait, say so, try again.
    #[error("the log is not available: {0}")]
    Unavailable(String),
    /// The log will never take this record; others it may.
    #[error("{0}")]
    Refused(String),
    /// The user has not the right to: a person grants it.
    #[error("{0}")]
    Denied(String),
    /// It won't work however often it is tried: stop with this message.
    #[error("{0}")]
    Fatal(String),
}

impl winback_service::rounds::RoundError for Error {
    fn is_transient(&self) -> bool {
        Self::is_transient(self)
    }
}

impl Error {
    /// Whether trying again may help.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }
}
