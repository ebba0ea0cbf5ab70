//! The commands: each reads its arguments, calls the services or the core, and prints.

pub(crate) mod backtest;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod connect;
pub(crate) mod demo;
pub(crate) mod failed;
pub(crate) mod health;
pub(crate) mod import;
pub(crate) mod publish;
pub(crate) mod serve;
pub(crate) mod topics;
pub(crate) mod why;
