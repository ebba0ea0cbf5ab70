//! What is remembered of an address, and what it means for a channel (INV-11).

use winback_contract::{Channel, Reason, Standing, Timestamp};

use crate::address::{Word, limit};
use crate::customer::{Customer, Profile};

use winback_contract::AddressId;

/// Whether a standing closes a channel.
pub(crate) fn closes(standing: Standing) -> bool {
    standing != Standing::Granted
}

/// From when a word counts: a "no" from the later of its two clocks, a "yes" from the earlier one, so that only a "yes"
/// that is newer by both undoes a "no".
pub(crate) fn careful(standing: Standing, (at, arrival): (Timestamp, Timestamp)) -> Timestamp {
    if closes(standing) {
        at.max(arrival)
    } else {
        at.min(arrival)
    }
}

/// Whether a word is news; if so it is kept.
pub(crate) fn remember(customer: &mut Customer, word: Word) -> bool {
    let words = &mut customer.addresses.words;
    let is_broken = |standing| standing == Standing::Unreachable;
    let same = |known: &Word| {
        known.address == word.address
            && known.channel == word.channel
            && known.topic == word.topic
            && is_broken(known.standing) == is_broken(word.standing)
    };
    let index = words.iter().position(same);
    let mut word = word;
    if let Some(known) = index {
        let older = words[known].at > word.at
            || words[known].at == word.at
                && (closes(words[known].standing) || words[known].standing == word.standing);
        if older || is_broken(word.standing) {
            return false;
        }
        if words[known].standing == Standing::Complained && closes(word.standing) {
            word.standing = Standing::Complained;
        }
        words.remove(known);
    }
    if words.len() >= limit::WORDS {
        make_room(customer);
    }
    customer.addresses.words.push(word);
    true
}

/// What the list can best do without: a "yes"; what is said of an address that the person has no more, whose desk knows
/// it; else the topics of a channel become the whole channel, which holds at least as much back.
fn make_room(customer: &mut Customer) {
    let current: Vec<AddressId> = current(&customer.profile);
    let words = &mut customer.addresses.words;
    let yes = |word: &Word| !closes(word.standing);
    let foreign = |word: &Word| !current.is_empty() && !current.contains(&word.address);
    if let Some(index) = words
        .iter()
        .position(yes)
        .or_else(|| words.iter().position(foreign))
    {
        words.remove(index);
        return;
    }
    let Some(first) = words.iter().find(|word| word.topic.is_some()).cloned() else {
        words.remove(0);
        return;
    };
    let of_channel = |word: &Word| {
        word.address == first.address
            && word.channel == first.channel
            && word.standing != Standing::Unreachable
    };
    let at = words
        .iter()
        .filter(|word| of_channel(word))
        .map(|word| word.at)
        .max();
    let spam = words
        .iter()
        .any(|word| of_channel(word) && word.standing == Standing::Complained);
    words.retain(|word| !of_channel(word));
    words.push(Word {
        topic: None,
        standing: if spam {
            Standing::Complained
        } else {
            Standing::Denied
        },
        at: at.unwrap_or(first.at),
        ..first
    });
}

/// The addresses that the person has now.
fn current(profile: &Profile) -> Vec<AddressId> {
    let known = [
        &profile.email,
        &profile.phone,
        &profile.push_token,
        &profile.telegram_id,
    ];
    known
        .into_iter()
        .flatten()
        .map(|address| AddressId::of(address))
        .collect()
}

/// Why a channel must not be used for a topic, by what was said of the address it would go to.
pub(crate) fn closed(customer: &Customer, channel: Channel, topic: &str) -> Option<Reason> {
    let words = &customer.addresses.words;
    if words.is_empty() {
        return None;
    }
    let address = AddressId::of(customer.profile.address(channel)?);
    let about = |word: &&Word| word.address == address && word.channel == channel;
    if words
        .iter()
        .any(|word| about(&word) && word.standing == Standing::Unreachable)
    {
        return Some(Reason::Suppressed);
    }
    let said = |wanted: Option<&str>| {
        words
            .iter()
            .filter(about)
            .find(|word| word.standing != Standing::Unreachable && word.topic.as_deref() == wanted)
    };
    let (special, general) = (said(Some(topic)), said(None));
    let decides = match (special, general) {
        // A general "no" that is newer than a special "yes" holds.
        (Some(special), Some(general)) if closes(general.standing) && general.at > special.at => {
            general
        }
        (Some(special), _) => special,
        (None, general) => general?,
    };
    match decides.standing {
        Standing::Granted => None,
        Standing::Denied => Some(Reason::NoConsent),
        Standing::Complained | Standing::Unreachable => Some(Reason::Suppressed),
    }
}
