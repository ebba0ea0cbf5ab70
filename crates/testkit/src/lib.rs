//! Real Kafka, real Redis and a fake SMTP server for tests and benchmarks, as child processes on free loopback ports.
//!
//! Everything is waited for by asking, and stopped by its process id when dropped. Never part of the product.

pub mod files;
pub mod http;
pub mod kafka;
pub mod ports;
pub mod process;
mod proxy;
mod redis;
mod smtp;

pub use kafka::Kafka;
pub use process::{Child, until};
pub use proxy::{Proxy, Way};
pub use redis::Redis;
pub use smtp::{Behaviour, Received, Smtp};

/// What went wrong, for the one who runs the tests.
pub type Result<T> = std::result::Result<T, String>;
