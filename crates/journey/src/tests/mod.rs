//! The core under test: one customer in a small world, on a clock of the test's.

mod address;
mod cascade;
mod erased;
mod golden;
mod goods;
mod identity;
mod language;
mod ledger;
mod merges;
mod offers;
mod own;
mod promises;
mod properties;
mod review;
mod room;
mod sizes;
mod small;
mod three;
mod tried;
mod world;
