//! The format in which states and internal records are written (ADR 0011): a release reads the newest that it knows and
//! writes the one that the shop is on, so that one can go back to the release before until `winback upgrade finalize`.
//!
//! It lies in the `campaigns` topic, before the first bundle of a new shop. The release that first knew of it wrote
//! [`Format::UNSAID`] where nothing was said, and so it is until a word is said.

use serde::{Deserialize, Serialize};

/// What may be written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Format {
    /// States up to version 3, records up to version 2: no words on addresses that go from holder to holder, no carts known
    /// to be bought, no details of lines, no lines of orders.
    One,
    /// States up to version 6, records up to version 3.
    Two,
}

impl Format {
    /// The newest that this release writes.
    pub const NEWEST: Self = Self::Two;
    /// Of a shop of which nothing is said: what was written before this was asked.
    pub const UNSAID: Self = Self::Two;

    /// As it is written down.
    pub fn number(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }

    /// The newest that this release writes and the shop is on. The shop may be on one that only a later release writes.
    pub fn of(number: u8) -> Self {
        match number {
            0 | 1 => Self::One,
            _ => Self::Two,
        }
    }
}

/// How it lies in the topic: its one name tells it from a bundle.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FormatRecord {
    /// The number of the format.
    pub format: u8,
}

impl FormatRecord {
    /// The key of its record.
    pub const KEY: &str = "format";

    /// Of a format.
    pub fn of(format: Format) -> Self {
        Self {
            format: format.number(),
        }
    }

    /// The newest that this release writes.
    pub fn newest() -> Self {
        Self::of(Format::NEWEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_format_names_it() {
        for format in [Format::One, Format::Two] {
            assert_eq!(Format::of(format.number()), format);
        }
        assert_eq!(Format::of(9), Format::NEWEST, "of a later release");
        assert_eq!(Format::of(FormatRecord::newest().format), Format::NEWEST);
    }
}
