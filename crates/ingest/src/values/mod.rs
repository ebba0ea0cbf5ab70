//! One reader per kind of value, used wherever that kind stands (docs/events.md): what a shop's language, its platform or
//! its person makes of a number, a time or a flag. A reader never guesses: what can be read in two ways is not read.

pub mod date;
pub mod flag;
pub mod number;
pub mod phone;
pub mod shape;
pub mod time;
pub mod words;

/// What became of a value.
#[derive(Clone, PartialEq, Debug)]
pub enum Read<T> {
    /// There is none: absent, null or blank.
    Absent,
    /// It is this.
    Is(T),
    /// There is one, and it can't be read.
    Odd,
}

impl<T> Read<T> {
    /// The value, if it was read.
    pub fn value(self) -> Option<T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Absent | Self::Odd => None,
        }
    }

    /// Goes on with what was read.
    pub fn and_then<U>(self, next: impl FnOnce(T) -> Read<U>) -> Read<U> {
        match self {
            Self::Is(value) => next(value),
            Self::Absent => Read::Absent,
            Self::Odd => Read::Odd,
        }
    }

    /// An answer that may fail.
    pub fn of(value: Option<T>) -> Self {
        value.map_or(Self::Odd, Self::Is)
    }
}
