//! What begins a journey: one file for each kind of start, and what they have in common in `arm`.

pub(crate) mod arm;
pub(crate) mod counting;
pub mod date;
pub(crate) mod ended;
pub mod everybody;
pub(crate) mod item;
pub(crate) mod on_event;
pub mod product;
pub mod silence;
