//! The seeded synthetic shop of demo, tests and bench: people browse, leave carts, log in late, come back, buy.
//!
//! Same seed, same shop, to the byte. Times come from the script, chance from the seed; nothing here asks a clock.

pub mod damage;
mod people;
mod random;
mod shop;

pub use random::Random;
pub use shop::{Options, Raw, generate};
