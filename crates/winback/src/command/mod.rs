//! The commands: each reads its arguments, calls the services or the core, and prints.

pub(crate) mod backtest;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod connect;
pub(crate) mod coupons;
pub(crate) mod customer;
pub(crate) mod demo;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod failed;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod map;
pub(crate) mod past;
pub(crate) mod pause;
pub(crate) mod preview;
pub(crate) mod publish;
pub(crate) mod reach;
pub(crate) mod recover;
pub(crate) mod reference;
pub(crate) mod send_test;
pub(crate) mod serve;
pub(crate) mod shape;
pub(crate) mod simulate;
pub(crate) mod test;
pub(crate) mod topics;
pub(crate) mod upgrade;
pub(crate) mod why;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
#[path = "history_tests.rs"]
mod history_tests;

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
#[path = "agree_tests.rs"]
mod agree_tests;
