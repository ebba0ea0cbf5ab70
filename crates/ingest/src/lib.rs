//! ingest: raw records in, canonical events out. Stateless but for a cache of recent links.
//!
//! Invariants: INV-3 (ids and positions come from the input), INV-8 (each record ends as events or in `failed`).
//! Absent on purpose: customers, campaigns, Redis.

pub mod calls;
mod catalogue;
mod cloudevents;
mod config;
mod consent;
mod coupons;
pub mod customs;
pub mod decode;
mod extras;
pub mod fields;
pub mod formats;
#[cfg(test)]
mod fuzz;
mod lines;
mod links;
pub mod metrics;
pub mod normalise;
pub mod notes;
mod own;
mod person;
mod policy;
mod route;
pub mod service;
#[cfg(test)]
mod tests;
pub mod values;
mod who;

pub use config::{Arrival, Config, SourceConfig};
pub use service::Service;
