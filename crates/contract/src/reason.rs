//! The closed list of reasons (INV-9). Decisions, journeys, metrics and docs use these words alike.
//!
//! A new reason is a change of the contract, and comes last: states keep the place of a word in this list. Outcomes under a campaign's own name (`end:`) are not here.

use crate::words::words;

words! {
    /// Why something was held, skipped, stopped or ended.
    Reason;
    /// No address is known for any of the step's channels.
    NoAddress = "no_address",
    /// The customer has not agreed to this topic on this channel.
    NoConsent = "no_consent",
    /// The address bounced, complained or is on the shop's suppression list.
    Suppressed = "suppressed",
    /// The campaign's or the topic's audience does not hold.
    Audience = "audience",
    /// It is night, or a quiet day, where the customer lives.
    QuietHours = "quiet_hours",
    /// A cap on messages in a rolling window is reached.
    Capped = "capped",
    /// The customer had a personal offer too recently, or waits for offers.
    OfferGuard = "offer_guard",
    /// The customer is in the share that is kept without messages, for comparison.
    Holdout = "holdout",
    /// Another campaign has the moment.
    Arbitration = "arbitration",
    /// Input that arrived before the due time is not read yet.
    InputLag = "input_lag",
    /// Too long has passed since the step was due.
    Expired = "expired",
    /// The customer did what the campaign is for.
    Converted = "converted",
    /// What the journey was about is gone.
    Cancelled = "cancelled",
    /// The customer reacted, and is left alone.
    Reacted = "reacted",
    /// Nothing of what the message is about can be bought.
    NoStock = "no_stock",
    /// The coupon pool is empty.
    NoCoupon = "no_coupon",
    /// The text could not be made from its template.
    TemplateError = "template_error",
    /// The provider could not be reached before the message expired.
    ProviderDown = "provider_down",
    /// The provider refused the message for good.
    Refused = "refused",
    /// The provider's answer was lost: the message may have gone out.
    Unknown = "unknown",
    /// The same was asked for twice.
    Duplicate = "duplicate",
    /// The profile was joined with another, which goes on with it.
    Moved = "moved",
    /// The customer asked to be forgotten.
    Erased = "erased",
    /// The campaign or channel is paused.
    Paused = "paused",
    /// No decision came before the step expired.
    NoDecision = "no_decision",
    /// A condition or a service failed; the details are in the failed topic.
    Error = "error",
    /// All steps are done and nobody reacted.
    Finished = "finished",
    /// The moment the campaign was for has passed.
    Over = "over",
    /// Another campaign for the same occasion goes first.
    Replaced = "replaced",
    /// A new version of the campaign does not finish old journeys.
    Dropped = "dropped",
    /// A journey of the campaign came too short a time ago, or too many came.
    Reentry = "reentry",
    /// The audience compares a sum that is in another currency than the shop's.
    OtherCurrency = "other_currency",
    /// The condition of its start does not hold, or could not be judged.
    Condition = "condition",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_the_wire_form() {
        for reason in Reason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
            assert!(
                reason
                    .explanation()
                    .trim()
                    .ends_with(['.', 's', 'e', 't', 'd'])
            );
        }
        assert_eq!(Reason::ALL.len(), 33);
    }
}
