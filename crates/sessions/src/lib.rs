//! sessions: the only writer of customers. Events, decisions and outcomes in; triggers, messages and records out.
//!
//! Invariants: INV-1, INV-2, INV-3 and INV-6 are kept here, in the step of a partition (ADR 0002). Absent on
//! purpose: rules (journey has them), rendering, sending.

pub mod acquire;
pub mod batch;
pub mod cache;
pub mod config;
pub mod entry;
pub mod error;
pub mod headroom;
pub mod metrics;
pub mod outbox;
pub mod partition;
pub mod probe;
pub mod recover;
pub mod service;
pub mod stops;
mod sweep;
pub mod turn;

pub use config::Config;
pub use error::Error;
pub use service::Service;
