//! The state behind one trait: Redis, and the same in process for demo, backtest and tests.
//!
//! Invariants: INV-1 (epoch and sequence fence), INV-2 (one atomic commit), INV-5 (claims and commits are ordered in
//! one slot), INV-7 (timers live beside the state). Absent on purpose: rules. Lua knows grants and claims only.

mod commit;
mod error;
mod memory;
mod meta;
mod port;
pub mod redis;

pub use self::redis::RedisStore;
pub use commit::{Commit, Committed, CouponChange, CouponWrite, GrantWrite, Watch};
pub use error::Error;
pub use memory::{MemoryStore, Snapshot};
pub use meta::{Marks, PartitionMeta, Positions};
pub use port::{Claim, ClaimTerms, Grant, Lease, Problem, Progress, Standing, Store};
