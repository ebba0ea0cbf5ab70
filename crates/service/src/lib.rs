//! The shell around every service: clock, shutdown, named tasks, health, metrics, logs, layered config.
//!
//! It knows no topic, no state and no rule. It is the only place that asks a clock or starts a task.

pub mod clock;
pub mod config;
mod health;
pub mod http;
pub mod logs;
pub mod metrics;
pub mod outage;
pub mod rounds;
pub mod secret;
mod shutdown;
pub mod tasks;

pub use clock::Clock;
pub use health::Health;
pub use metrics::Metrics;
pub use shutdown::Shutdown;
pub use tasks::Tasks;
