//! At the person: what was said of an address, by the person or about a message, and what goes on to its desk.

use winback_contract::{
    AddressId, AddressNews, Body, Channel, ConsentStatus, EventId, MessageId, SourceKind, Standing,
    Timestamp,
};

use crate::address::words::{careful, closes, remember};
use crate::address::{Destination, Former, Word, limit};
use crate::consent::withdraw;
use crate::customer::{Customer, Profile};
use crate::effects::Forward;
use crate::scene::Scene;
use crate::world::World;

/// How a consent makes an address stand; one that is only asked for says nothing.
pub(crate) fn standing(status: ConsentStatus) -> Option<Standing> {
    match status {
        ConsentStatus::Granted => Some(Standing::Granted),
        ConsentStatus::Denied => Some(Standing::Denied),
        ConsentStatus::Pending => None,
    }
}

/// Keeps a word about an address; where it closes one that the person has, nobody may claim what would go there.
pub(crate) fn note(scene: &mut Scene<'_>, word: Word) -> bool {
    let (channel, address) = (word.channel, word.address);
    let is_no = closes(word.standing);
    let is_news = remember(scene.customer, word);
    let current = scene.customer.profile.address(channel).map(AddressId::of);
    if is_news && is_no && current == Some(address) {
        withdraw(scene, channel);
    }
    is_news
}

/// Something is said of the address to which a channel goes, or to which a message went: it is kept here, and told to
/// the desk, which tells everybody else who holds it.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) channel: Channel,
    pub(crate) topic: Option<String>,
    pub(crate) standing: Standing,
    /// Event time and arrival.
    pub(crate) clocks: (Timestamp, Timestamp),
    /// Identity of what said it.
    pub(crate) id: EventId,
    /// The message it is about.
    pub(crate) message: Option<MessageId>,
}

pub(crate) fn report(scene: &mut Scene<'_>, report: Report) {
    let went = report
        .message
        .and_then(|message| went_to(scene.customer, message));
    let destination =
        went.or_else(|| Destination::of(&scene.customer.profile, report.channel, scene.world.shop));
    let Some(destination) = destination else {
        return;
    };
    let word = Word {
        address: destination.address,
        channel: report.channel,
        topic: report.topic.clone(),
        standing: report.standing,
        at: careful(report.standing, report.clocks),
    };
    note(scene, word);
    let Some(desk) = destination
        .desk
        .filter(|desk| *desk != scene.world.customer)
    else {
        return;
    };
    let news = AddressNews {
        desk,
        address: destination.address,
        channel: report.channel,
        topic: report.topic,
        standing: report.standing,
    };
    scene
        .out
        .forwards
        .push(tell(desk, news, report.id, report.clocks));
}

/// A word on its way.
pub(crate) fn tell(
    to: winback_contract::CustomerId,
    news: AddressNews,
    id: EventId,
    (at, arrival): (Timestamp, Timestamp),
) -> Forward {
    Forward {
        to,
        id,
        kind: SourceKind::Live,
        arrival,
        at,
        body: Body::Address(Box::new(news)),
    }
}

fn short(message: MessageId) -> u64 {
    EventId(message.0).short()
}

/// Where a message went, if that is no address of now.
fn went_to(customer: &Customer, message: MessageId) -> Option<Destination> {
    let former = customer.addresses.former.iter();
    former
        .rev()
        .find(|former| former.messages.contains(&short(message)))
        .map(|former| Destination {
            address: former.address,
            desk: former.desk,
        })
}

/// The addresses have changed: what went to those of before is noted with them, for answers that come late.
pub(crate) fn changed(customer: &mut Customer, before: &Profile, world: &World<'_>) {
    for booking in &customer.bookings {
        let (was, is) = (
            before.address(booking.channel),
            customer.profile.address(booking.channel),
        );
        let Some(destination) =
            Destination::of(before, booking.channel, world.shop).filter(|_| was != is)
        else {
            continue;
        };
        let message = short(booking.message);
        let former = &mut customer.addresses.former;
        if former.iter().any(|known| known.messages.contains(&message)) {
            continue;
        }
        match former
            .iter_mut()
            .find(|known| known.address == destination.address)
        {
            Some(known) => {
                Customer::push_bounded(
                    &mut known.messages,
                    message,
                    crate::customer::limit::BOOKINGS,
                );
            }
            None => {
                let fresh = Former {
                    address: destination.address,
                    desk: destination.desk,
                    messages: vec![message],
                };
                Customer::push_bounded(former, fresh, limit::FORMER);
            }
        }
    }
}
