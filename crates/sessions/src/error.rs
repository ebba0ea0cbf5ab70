//! What stops sessions, and what it waits out.

/// An error of sessions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Kafka or Redis are away: wait, say so, try again.
    #[error("{0}")]
    Unavailable(String),
    /// Another process owns the partition now.
    #[error("partition {0} has another owner")]
    Fenced(winback_contract::Partition),
    /// The store went back in time: Kafka or this process know a newer commit.
    #[error("partition {partition}: Redis went back in time: it stands at commit {found} where {} was acknowledged", known.sequence)]
    WentBack {
        /// Which partition.
        partition: winback_contract::Partition,
        /// The newest commit that was acknowledged.
        known: winback_store::Standing,
        /// Where the store stands.
        found: u64,
    },
    /// A partition stands, the others go on: a newer release wrote what this one can't read, or its outbox is damaged.
    #[error("partition {partition} stands: {why}")]
    Stopped {
        /// Which partition.
        partition: winback_contract::Partition,
        /// Why, and what to do.
        why: String,
    },
    /// Applying an input of this partition panicked.
    #[error("partition {0}: applying an input panicked")]
    Panicked(winback_contract::Partition),
    /// A person must act.
    #[error("{0}")]
    Fatal(String),
}

impl From<winback_bus::Error> for Error {
    fn from(error: winback_bus::Error) -> Self {
        if error.is_transient() {
            Self::Unavailable(error.to_string())
        } else {
            Self::Fatal(error.to_string())
        }
    }
}

impl From<winback_store::Error> for Error {
    fn from(error: winback_store::Error) -> Self {
        match error {
            winback_store::Error::Unavailable(_) => Self::Unavailable(error.to_string()),
            winback_store::Error::Fatal(_) => Self::Fatal(error.to_string()),
        }
    }
}
