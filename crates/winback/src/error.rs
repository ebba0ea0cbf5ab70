//! Errors of commands, each with its exit code: 1 findings, 2 usage, 3 environment.

use std::process::ExitCode;

/// What a command ends with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The command worked and found something wrong; it has printed what.
    #[error("{0}")]
    Findings(String),
    /// It was asked in a way it can't answer.
    #[error("{0}")]
    Usage(String),
    /// Kafka, Redis, files or ports are not as needed.
    #[error("{0}")]
    Environment(String),
}

impl Error {
    /// Stable over releases.
    pub(crate) fn code(&self) -> ExitCode {
        match self {
            Self::Findings(_) => ExitCode::from(1),
            Self::Usage(_) => ExitCode::from(2),
            Self::Environment(_) => ExitCode::from(3),
        }
    }
}

macro_rules! environment {
    ($($from:ty),+) => { $(
        impl From<$from> for Error {
            fn from(error: $from) -> Self { Self::Environment(error.to_string()) }
        }
    )+ };
}
environment!(
    winback_bus::Error,
    winback_store::Error,
    winback_sessions::Error,
    winback_service::config::Error,
    winback_service::tasks::Died,
    std::io::Error,
    serde_json::Error
);
