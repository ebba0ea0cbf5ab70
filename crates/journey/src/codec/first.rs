//! A state as format one can say it (version 3), for a shop that may go back to the release before. What that release does
//! not know is left out: words on addresses of before, bought carts, lines of orders, details of lines. A closed address of the person's own
//! stays closed, and what others said of an address that they share is a denial of the person's own (INV-11).

use winback_contract::{AddressId, Channel, ConsentStatus, Format, Reason, Standing};

use super::{encode, lines};
use crate::address::{Addresses, Word};
use crate::consent;
use crate::customer::{Consent, Customer};
use crate::state::What;

/// Writes the state in a format.
pub fn encode_in(customer: &Customer, format: Format) -> Vec<u8> {
    match format {
        Format::Two => encode(customer),
        Format::One => encode(&lowered(customer)),
    }
}

fn lowered(customer: &Customer) -> Customer {
    let mut old = customer.clone();
    for order in &mut old.orders.list {
        order.lines = Vec::new();
    }
    // Numbers and flags stay as texts.
    old.profile.typed = Vec::new();
    for journey in &mut old.journeys {
        let answers = journey.answers.iter_mut().map(|(_, entry)| entry);
        let told = answers.chain(journey.answer.as_deref_mut());
        for entry in told.chain([&mut journey.entry]) {
            entry.fields.retain(|(_, field)| !field.is_compound());
        }
    }
    for line in lines(&mut old) {
        line.details = None;
    }
    old.bought = Vec::new();
    for kept in &mut old.decisions {
        kept.what = match kept.what {
            What::Skip(reason) => What::Skip(known(reason)),
            What::Ended(reason) => What::Ended(known(reason)),
            What::Hold(reason, until) => What::Hold(known(reason), until),
            What::Without(reason) => What::Without(known(reason)),
            What::Send(channel) => What::Send(channel),
        };
    }
    let held = old.journeys.iter_mut();
    for hold in held.filter_map(|journey| journey.hold.as_mut()) {
        hold.reason = known(hold.reason);
    }
    let Addresses { words, .. } = std::mem::take(&mut old.addresses);
    for channel in Channel::ALL {
        let address = old.profile.address(channel).map(AddressId::of);
        let about = |word: &&Word| Some(word.address) == address && word.channel == channel;
        for word in words.iter().filter(about) {
            match word.standing {
                Standing::Unreachable | Standing::Complained => {
                    let suppressed = (channel, Reason::Suppressed);
                    if !old.suppressed.contains(&suppressed) {
                        old.suppressed.push(suppressed);
                    }
                }
                Standing::Denied => {
                    let topic = word.topic.clone();
                    consent::remember(
                        &mut old,
                        Consent {
                            channel,
                            topic,
                            status: ConsentStatus::Denied,
                            at: word.at,
                        },
                    );
                }
                // A "yes" is of whoever gave it.
                Standing::Granted => {}
            }
        }
    }
    old
}

/// The reason as format one says it: one that it does not know has an older word for it, or is an error to it.
pub(crate) fn known(reason: Reason) -> Reason {
    if version_of(reason) == 3 {
        reason
    } else if reason == Reason::OtherCurrency {
        Reason::Audience
    } else {
        Reason::Error
    }
}

/// The state version that knows a reason first. A new reason is of a version after every one that was released: an older
/// release can't read the word, and must say "newer", not "damaged".
pub(super) fn version_of(reason: Reason) -> u8 {
    match reason {
        Reason::OtherCurrency => 4,
        Reason::NoAddress
        | Reason::NoConsent
        | Reason::Suppressed
        | Reason::Audience
        | Reason::QuietHours
        | Reason::Capped
        | Reason::OfferGuard
        | Reason::Holdout
        | Reason::Arbitration
        | Reason::InputLag
        | Reason::Expired
        | Reason::Converted
        | Reason::Cancelled
        | Reason::Reacted
        | Reason::NoStock
        | Reason::NoCoupon
        | Reason::TemplateError
        | Reason::ProviderDown
        | Reason::Refused
        | Reason::Unknown
        | Reason::Duplicate
        | Reason::Moved
        | Reason::Erased
        | Reason::Paused
        | Reason::NoDecision
        | Reason::Error
        | Reason::Finished
        | Reason::Over
        | Reason::Replaced
        | Reason::Dropped
        | Reason::Reentry
        | Reason::Condition => 3,
    }
}
