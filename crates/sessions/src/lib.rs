//! sessions: the only writer of customers. Events, decisions and outcomes in; triggers, messages and records out.
//!
//! Invariants: INV-1, INV-2, INV-3 and INV-6 are kept here, in the step of a partition (ADR 0002). Absent on
//! purpose: rules (journey has them), rendering, sending.

mod acquire;
mod batch;
mod cache;
mod config;
mod entry;
mod error;
mod headroom;
pub mod metrics;
mod outbox;
mod partition;
mod probe;
pub mod recover;
mod service;
mod stops;
mod sweep;
mod turn;

pub use config::Config;
pub use error::Error;
pub use service::Service;
