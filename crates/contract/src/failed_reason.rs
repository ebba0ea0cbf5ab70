//! The closed list of reasons why a record went to `failed` (INV-8). Records, metrics and docs use these words alike.
//!
//! A new reason is a change of the contract; the table of `docs/events.md` is generated from here. Absent: what is
//! wrong with one record, which its `detail` says.

use crate::words::words;

words! {
    /// Why a record could not be applied.
    FailedReason, newer Newer = "newer" " A newer release wrote a reason that this one does not know.";
    /// The payload is no JSON object.
    MalformedJson = "malformed_json",
    /// The payload is larger than `ingest.max_bytes`.
    TooLarge = "too_large",
    /// A field without which nothing can be done is missing.
    MissingField = "missing_field",
    /// A field has a type or a value that can't be read.
    WrongType = "wrong_type",
    /// Nothing names the customer.
    MissingIdentity = "missing_identity",
    /// The event is one that only winback itself makes.
    DerivedEvent = "derived_event",
    /// The call is none of track, identify, page and screen.
    UnsupportedCall = "unsupported_call",
    /// A CloudEvent in a form that is not taken.
    UnsupportedCloudevent = "unsupported_cloudevent",
    /// There is no topic for the catalogue of products.
    NoCatalogue = "no_catalogue",
    /// A field could not be read: the record was applied without it. One in an hour is kept of each kind.
    FieldIgnored = "field_ignored",
    /// A record of `events` can't be read.
    MalformedEvent = "malformed_event",
    /// A record of `decisions` can't be read.
    MalformedDecision = "malformed_decision",
    /// A record of `outcomes` can't be read.
    MalformedOutcome = "malformed_outcome",
    /// A record of `triggers` can't be read.
    MalformedTrigger = "malformed_trigger",
    /// A record of a dispatch topic can't be read.
    MalformedMessage = "malformed_message",
    /// The snapshot of the customer in a trigger can't be read.
    UnreadableSnapshot = "unreadable_snapshot",
    /// The state of its customer is damaged and stays as it is.
    DamagedState = "damaged_state",
    /// Applying it panicked: a fault of winback's own.
    Panicked = "panicked",
    /// The customer belongs to another partition than the record lies in.
    WrongPartition = "wrong_partition",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_the_wire_form_and_newer_words_are_read() {
        for reason in FailedReason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
        let newer: FailedReason = serde_json::from_str("\"of_the_next_release\"").unwrap();
        assert_eq!(newer, FailedReason::Newer);
    }
}
