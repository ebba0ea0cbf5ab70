//! The harness of the end-to-end tests: a shop with real Kafka, Redis and SMTP, served by the real binary.
//!
//! It shares no code with the product's decisions: what is expected is computed in the tests themselves.

pub mod carts;
pub mod cdnow;
pub mod crowd;
pub mod shop;

pub use shop::{Running, Shop, binary, run};
