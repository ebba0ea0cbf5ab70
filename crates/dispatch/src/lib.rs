//! dispatch: claim, render, send, report. One program, one channel per deployment. It has no state.
//!
//! Invariants: INV-4 and INV-5 (nothing is sent without a claim taken just before), INV-11 (the window of the claim).
//! Absent on purpose: decisions about whether, when and to whom.

mod catalogue;
pub mod compose;
mod links;
pub mod metrics;
pub mod provider;
mod send_limit;
mod service;
mod tracking;

pub use catalogue::Catalogue;
pub use compose::RenderedMessage;
pub use provider::{
    Deadline, FileProvider, HttpConfig, HttpProvider, Provider, SendResult, SmtpConfig,
    SmtpProvider, TlsMode, file_name,
};
pub use service::{Config, Service};
pub use tracking::Tracking;
