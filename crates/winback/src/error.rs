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
    /// Kafka or Redis do not answer now; they may later.
    #[error("{0}")]
    Away(String),
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
            Self::Away(_) | Self::Environment(_) => ExitCode::from(3),
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
    winback_service::config::Error,
    winback_service::tasks::Died,
    std::io::Error,
    serde_json::Error
);

impl From<winback_bus::Error> for Error {
    fn from(error: winback_bus::Error) -> Self {
        if error.is_transient() {
            Self::Away(error.to_string())
        } else {
            Self::Environment(error.to_string())
        }
    }
}

impl From<winback_store::Error> for Error {
    fn from(error: winback_store::Error) -> Self {
        match error {
            winback_store::Error::Unavailable(_) => Self::Away(error.to_string()),
            winback_store::Error::Fatal(_) => Self::Environment(error.to_string()),
        }
    }
}

impl From<winback_sessions::Error> for Error {
    fn from(error: winback_sessions::Error) -> Self {
        match error {
            winback_sessions::Error::Unavailable(_) => Self::Away(error.to_string()),
            _ => Self::Environment(error.to_string()),
        }
    }
}
