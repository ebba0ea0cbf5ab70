//! The provider of runs that look at decisions and not at texts: it takes everything and keeps nothing.

use async_trait::async_trait;
use winback_dispatch::compose::Mail;
use winback_dispatch::{Deadline, Provider, Sent};

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

    async fn send(&self, _mail: &Mail, _: Deadline) -> Sent {
        Sent::Accepted { provider_id: None }
    }
}
