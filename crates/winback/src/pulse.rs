//! Kafka's sign of life, beside all loops: a broker that sleeps, or a network that swallows what is sent, ends no
//! connection, and a service without work would not find out before its own question times out.
//!
//! Invariant: what stands says so within 20 s. Absent: single partitions; each loop tells of its own.

use std::sync::Arc;
use std::time::Duration;

use winback_bus::Log;
use winback_service::clock::{pause, within};
use winback_service::{Health, Shutdown};

/// From one question to the next.
const EVERY: Duration = Duration::from_secs(2);
/// So long an answer may take. A broker that is only slow is not away.
const PATIENCE: Duration = Duration::from_secs(8);

/// Asks until shutdown.
pub(crate) async fn feel(
    log: Arc<dyn Log>,
    topic: String,
    shutdown: Shutdown,
    health: Health,
) -> std::io::Result<()> {
    health.goes_round("kafka");
    while !shutdown.is_raised() {
        match within(PATIENCE, log.partitions(&topic)).await {
            Ok(Ok(_)) => health.goes_round("kafka"),
            Ok(Err(error)) => health.not_ready("kafka", error.to_string()),
            Err(late) => health.not_ready("kafka", late.to_string()),
        }
        tokio::select! {
            () = shutdown.wait() => {}
            () = pause(EVERY) => {}
        }
    }
    Ok(())
}
