//! Providers: whatever takes a mail. The answer has three values and a half, so that nothing is sent twice.

mod file;
mod http;
mod reply;
mod retry_after;
mod smtp;

use async_trait::async_trait;
use std::time::Duration;

use winback_contract::Span;
use winback_service::clock::Stopwatch;

use crate::compose::RenderedMessage;

pub use file::{FileProvider, file_name};
pub use http::{HttpConfig, HttpProvider};
pub use smtp::{SmtpConfig, SmtpProvider, TlsMode};

/// What became of an attempt (INV-4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SendResult {
    /// The provider has it.
    Accepted {
        /// The provider's own id.
        provider_id: Option<String>,
    },
    /// It definitely has it not, and never will take it.
    Refused {
        /// A stable word or code; no address.
        detail: String,
        /// Whether the address itself is the problem.
        address_is_bad: bool,
    },
    /// It definitely has it not; later it may take it.
    NotNow {
        /// A stable word or code; no address.
        detail: String,
        /// How long the provider asks to be left alone.
        retry_after: Option<Span>,
    },
    /// Nobody knows: the connection broke after the content went out.
    Unknown {
        /// A stable word or code; no address.
        detail: String,
    },
}

impl SendResult {
    /// It may be taken later; the provider did not say when.
    pub fn not_now(detail: impl Into<String>) -> Self {
        Self::NotNow {
            detail: detail.into(),
            retry_after: None,
        }
    }

    /// The class for metrics.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "ok",
            Self::Refused { .. } => "refused",
            Self::NotNow { .. } => "not_now",
            Self::Unknown { .. } => "unknown",
        }
    }
}

/// By when a provider has to answer: its claim runs out soon after (INV-4).
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    begun: Stopwatch,
    within: Duration,
}

impl Deadline {
    /// So long from now.
    pub fn after(within: Duration) -> Self {
        Self {
            begun: Stopwatch::start(),
            within,
        }
    }

    /// What is left of it, and no more than `most`.
    pub fn left(&self, most: Duration) -> Duration {
        self.within.saturating_sub(self.begun.elapsed()).min(most)
    }
}

/// Takes mails.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Its name in metrics.
    fn name(&self) -> &'static str;

    /// Whether it looks at texts. One that does not saves their rendering: a backtest over years sends nothing.
    fn reads_texts(&self) -> bool {
        true
    }

    /// Tries once, and answers by the deadline: before the content went out that it can't be sent now, after it that
    /// nobody knows.
    async fn send(&self, mail: &RenderedMessage, deadline: Deadline) -> SendResult;
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
#[path = "answers_tests.rs"]
mod tests;
