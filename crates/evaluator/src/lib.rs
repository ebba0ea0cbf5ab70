//! evaluator: triggers in, decisions out. A pure function behind a consumer; it writes `decisions` and nothing else
//! but failures.
//!
//! Invariants: INV-8, INV-9. A trigger that can't be decided goes to `failed` and is answered with `skip: error`.

pub mod metrics;
mod service;

pub use service::{Config, Service};
