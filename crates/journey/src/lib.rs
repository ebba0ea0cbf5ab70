//! What happens to one customer: a pure function from state and input to state and effects.
//!
//! Invariants: INV-4, INV-5, INV-7 to INV-12 begin here. Time and chance are arguments; nothing in this crate
//! does IO, asks a clock, or iterates in an order that a rerun would not repeat (INV-10).

// A new variant of an enum of ours does not compile before every question about it is answered; tests pick what they look for.
#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]

mod activate;
mod address;
mod advance;
mod awaits;
mod backoff;
mod behaviour;
pub mod book;
pub mod bound;
pub mod codec;
mod consent;
mod coupons;
pub mod customer;
pub mod decide;
pub mod doors;
pub mod due;
mod effects;
mod eligibility;
mod end;
mod erase;
mod exit;
mod facts;
mod incoming;
pub mod input;
mod matching;
mod merge;
mod moment;
pub mod outcome;
mod over;
mod profile;
mod program;
mod reacted;
mod records;
mod room;
mod scene;
mod score;
mod sellers;
pub mod start;
pub mod state;
mod tally;
pub mod tick;
mod told;
mod world;

pub use codec::{decode, encode};
pub use coupons::Coupons;
pub use customer::Customer;
pub use decide::decide;
pub use due::next_due;
pub use effects::{Count, Counts, CouponMove, Effects, Forward, GrantChange};
pub use room::Room;
pub use sellers::Sellers;
pub use tally::Tally;
pub use tick::GrantState;
pub use world::{Ambiguous, Limits, World};

#[cfg(test)]
mod tests;
