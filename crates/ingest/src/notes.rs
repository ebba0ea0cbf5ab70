//! What could not be read of a record, field by field: the record is applied without it, and somebody hears of it.
//!
//! Names of fields and reasons only, never a value (they may be personal).

use std::cell::RefCell;

use winback_contract::spec;

/// Most notes of one record.
const MOST: usize = 32;

/// Why a field was left out.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Why {
    /// It has a form that nobody can read, or that can be read in two ways.
    Unreadable,
    /// It names nobody.
    Nobody,
    /// A word that is not known; what is the careful reading of it was taken.
    UnknownWord,
    /// There are more of the kind than are kept.
    TooMany,
    /// It is needed, and something else stands in for it.
    Missing,
}

impl Why {
    /// As metrics and records say it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Nobody => "nobody",
            Self::UnknownWord => "unknown_word",
            Self::TooMany => "too_many",
            Self::Missing => "missing",
        }
    }
}

/// One field that was left out.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Note {
    /// Where, such as `products[2].price`.
    pub field: String,
    /// Why.
    pub why: Why,
}

impl Note {
    /// The name without places, if it is one that the contract knows; else `other`: labels are bounded.
    pub fn label(&self) -> &'static str {
        let name = self.field.rsplit('.').next().unwrap_or(&self.field);
        let name = name.split('[').next().unwrap_or(name);
        const ENVELOPE: &[&str] = &[
            "timestamp",
            "userId",
            "anonymousId",
            "messageId",
            "context",
            "traits",
            "properties",
            "currency",
            "products",
            "email",
            "phone",
            "birthday",
            "timezone",
            "locale",
            "address",
            "type",
            "codes",
        ];
        let of_events = spec::events().flat_map(|event| event.fields);
        let known = of_events
            .chain(spec::PRODUCT_FIELDS)
            .map(|field| field.name);
        let mut all = ENVELOPE.iter().copied().chain(known);
        all.find(|known| *known == name).unwrap_or("other")
    }
}

/// The notes of one record.
#[derive(Debug, Default)]
pub struct Notes(RefCell<Vec<Note>>);

impl Notes {
    /// Something was left out.
    pub fn add(&self, field: impl Into<String>, why: Why) {
        let mut notes = self.0.borrow_mut();
        let note = Note {
            field: field.into(),
            why,
        };
        if notes.len() < MOST && !notes.contains(&note) {
            notes.push(note);
        }
    }

    /// All of them.
    pub fn take(&self) -> Vec<Note> {
        self.0.take()
    }
}
