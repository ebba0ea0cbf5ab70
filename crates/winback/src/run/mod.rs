//! Runs on virtual time: all services in one process, on the in-process log and store. Demo and backtest use them.

pub(crate) mod case;
pub(crate) mod compare;
pub(crate) mod findings;
pub(crate) mod gallery;
pub(crate) mod machine;
pub(crate) mod page;
pub(crate) mod quiet;
pub(crate) mod report;
pub(crate) mod story;
pub(crate) mod unread;
pub(crate) mod uplift;

pub(crate) use machine::Machine;
