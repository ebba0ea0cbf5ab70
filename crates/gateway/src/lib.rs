//! The way back: what customers do with messages comes in by HTTP and goes on as records of `outcomes`.
//!
//! Invariants: INV-11 (a "no" is answered with yes only when the log has it), INV-12 (what waits for the log is bounded, and
//! what is dropped is counted). It reads no state and follows no address that was not signed. Absent: receipts and replies
//! of providers, topics and frequency on the page.

mod grade;
pub mod metrics;
mod page;
mod routes;
mod service;
mod spool;

pub use service::{Config, Service};
