//! The core under test: one customer in a small world, on a clock of the test's.

mod cascade;
mod goods;
mod identity;
mod language;
mod offers;
mod promises;
mod properties;
mod review;
mod tried;
mod world;
