//! The log behind one small trait: Kafka, and the same in process for demo, backtest and tests.
//!
//! Invariants: INV-3 (a produce returns when every record is acknowledged, in order per partition), INV-6 (the
//! [`frontier`] probe). Absent on purpose: state, rules, and any meaning of a record's bytes.

pub mod between;
pub mod dead_letter;
mod error;
mod follow;
pub mod frontier;
pub mod kafka;
mod lanes;
mod ledger;
mod log;
mod mark;
pub mod memory;
pub mod misfit;
mod progress;
mod record;

pub use between::between;
pub use dead_letter::{dead_letter, put_back};
pub use error::Error;
pub use follow::Follower;
pub use lanes::Lanes;
pub use ledger::{Ledger, Waiting};
pub use log::{AssignedReader, Assignment, Commit, GroupConsumer, Log, Polled, TopicPartition};
pub use mark::{Kept, Mark, Misfit};
pub use misfit::misfit;
pub use progress::{Progress, Ticket};
pub use record::{Outgoing, Record, Stamp};
