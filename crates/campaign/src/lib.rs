//! The campaign language: read, check and compile files; conditions, templates, quiet hours.
//!
//! What comes in: the files of one folder. What goes out: a [`Bundle`] that journeys run on, or a [`Report`]
//! that says what is wrong, where, and what to do. Absent on purpose: IO, clocks, chance, and customers.

// A new variant of an enum of ours does not compile before every question about it is answered; tests pick what they look for.
#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]

mod bundle;
mod bundles;
pub mod calendar;
mod compile;
pub mod condition;
pub mod diagnostic;
mod duration;
pub mod explain;
mod index;
pub mod model;
pub mod names;
mod paths;
pub mod policy;
pub mod template;
pub mod yaml;

pub use bundle::{Bundle, Files};
pub use bundles::{Bundles, Offered};
pub use condition::{Condition, Moment, Variables};
pub use diagnostic::{Diagnostic, Report, Severity};
pub use index::Concerns;
pub use model::{Campaign, Delay, Entry, Exit, Offer, Pattern, SpanRange, Start, StartKind, Step};
pub use policy::Policy;
