//! The provider of runs that look at decisions and not at texts: it takes everything and keeps nothing.

use async_trait::async_trait;
use winback_dispatch::compose::RenderedMessage;
use winback_dispatch::{Deadline, Provider, SendResult};

/// Accepts.
#[derive(Debug)]
pub(crate) struct Quiet;

#[async_trait]
impl Provider for Quiet {
    fn name(&self) -> &'static str {
        "none"
    }

    fn reads_texts(&self) -> bool {
        false
    }

    async fn send(&self, _mail: &RenderedMessage, _: Deadline) -> SendResult {
        SendResult::Accepted { provider_id: None }
    }
}
