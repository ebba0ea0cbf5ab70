//! One customer, as it is kept: identity, session, carts, orders, journeys, bookings, recent decisions.
//!
//! Invariant: INV-12, every list here has a limit in [`limit`]. Product titles live only in open carts.

use serde::{Deserialize, Serialize};
use winback_campaign::calendar;
use winback_contract::{
    BundleHash, Channel, ConsentStatus, Currency, CustomerId, IdentityKind, MessageId, Money,
    Product, Reason, SourcePosition, Timestamp,
};

use crate::address::Addresses;
use crate::behaviour::{Behaviour, OrderFacts};
use crate::state::{DecisionTrace, Field, Journey, OpenTrigger, Pending};
use crate::told::EndingEvent;

/// Limits of the lists of a customer. What goes over is counted, and the oldest gives way.
pub mod limit {
    /// Carts kept.
    pub const CARTS: usize = 4;
    /// Carts remembered as bought.
    pub const BOUGHT_CARTS: usize = 4;
    /// Lines of a cart.
    pub const LINES: usize = 20;
    /// Bytes of the texts of a cart's or an order's lines.
    pub const LINE_BYTES: usize = 4 * 1024;
    /// Journeys at once.
    pub const JOURNEYS: usize = 24;
    /// Messages in flight.
    pub const MESSAGES: usize = 24;
    /// Bookings remembered for caps.
    pub const BOOKINGS: usize = 64;
    /// Decisions remembered for `why`.
    pub const DECISIONS: usize = 16;
    /// Event ids remembered against repeats.
    pub const RECENT: usize = 64;
    /// Order ids remembered.
    pub const ORDERS: usize = 16;
    /// Profiles absorbed.
    pub const ABSORBED: usize = 32;
    /// Campaigns with a history.
    pub const HISTORY: usize = 64;
    /// Consents.
    pub const CONSENTS: usize = 32;
    /// Custom fields.
    pub const CUSTOM: usize = 16;
    /// First messages of a campaign's journeys.
    pub const FIRSTS: usize = 8;
}

/// The whole state of a profile.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Customer {
    /// Who the person is.
    pub profile: Profile,
    /// Set when a stronger profile has taken over: everything else is empty then.
    pub forward: Option<ForwardMark>,
    /// Weaker profiles that were taken over.
    pub absorbed: Vec<Absorbed>,
    /// Arrival of the last storefront event.
    pub last_activity: Option<Timestamp>,
    /// The newest first.
    pub carts: Vec<Cart>,
    /// What was bought.
    pub orders: Orders,
    /// What was done lately.
    pub behaviour: Behaviour,
    /// What was agreed to.
    pub consents: Vec<Consent>,
    /// Of version 3: channels that must not be used. Read into `addresses`, and empty since.
    pub suppressed: Vec<(Channel, Reason)>,
    /// Armed and running journeys.
    pub journeys: Vec<Journey>,
    /// What campaigns did before.
    pub history: Vec<History>,
    /// Messages that count towards caps, the oldest first.
    pub bookings: Vec<Booking>,
    /// Messages without an outcome.
    pub messages: Vec<Pending>,
    /// The open trigger; at most one.
    pub trigger: Option<OpenTrigger>,
    /// How many triggers were opened.
    pub triggers_opened: u64,
    /// How many journeys were armed for dates: a date that goes and comes back makes another journey.
    pub dates_armed: u64,
    /// Recent decisions, the oldest first.
    pub decisions: Vec<DecisionTrace>,
    /// Recent events, the oldest first.
    pub recent: Vec<u64>,
    /// The bundle this customer was last activated for.
    pub activated: Option<BundleHash>,
    /// The newest input applied.
    pub seen: Option<SourcePosition>,
    /// The entry in the partition's sorted set of timers; later than needed never, earlier at times (lazy timers).
    pub scheduled: Option<Timestamp>,
    /// What ended journeys lately. Since version 3.
    pub told: Vec<EndingEvent>,
    /// When the person was erased, by arrival: what is of before is dropped. Since version 3.
    pub erased: Option<Timestamp>,
    /// What was said of addresses, and who holds them. Since version 4.
    pub addresses: Addresses,
    /// Carts that an order has closed lately: what is told of them once more is no new wish. Since version 4.
    pub bought: Vec<BoughtCart>,
}

impl std::fmt::Debug for Customer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Customer({} journeys, {} orders)",
            self.journeys.len(),
            self.orders.count
        )
    }
}

/// Who the person is. Personal data: no `Debug` of values.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Profile {
    /// The shop's customer number.
    pub user: Option<String>,
    /// Address.
    pub email: Option<String>,
    /// Number.
    pub phone: Option<String>,
    /// Given name.
    pub first_name: Option<String>,
    /// Family name.
    pub last_name: Option<String>,
    /// BCP 47.
    pub locale: Option<String>,
    /// IANA zone.
    pub timezone: Option<String>,
    /// Country.
    pub country: Option<String>,
    /// City.
    pub city: Option<String>,
    /// `YYYY-MM-DD`.
    pub birthday: Option<String>,
    /// Loyalty level.
    pub level: Option<String>,
    /// Of web or mobile push.
    pub push_token: Option<String>,
    /// At Telegram.
    pub telegram_id: Option<String>,
    /// Custom fields.
    pub custom: Vec<(String, String)>,
    /// Those of them that are no texts; the codec writes them behind everything else.
    #[serde(skip)]
    pub typed: Vec<(String, Field)>,
    /// Event time of the first event.
    pub created_at: Option<Timestamp>,
}

impl std::fmt::Debug for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Profile(…)")
    }
}

impl Profile {
    /// The address for a channel, if one is known. A task and a webhook need none: they name the person.
    pub fn address(&self, channel: Channel) -> Option<&str> {
        let named = || {
            self.user
                .as_deref()
                .or(self.email.as_deref())
                .or(self.phone.as_deref())
        };
        match channel {
            Channel::Email => self.email.as_deref(),
            Channel::Sms | Channel::Whatsapp | Channel::Viber | Channel::Call => {
                self.phone.as_deref()
            }
            Channel::Telegram => self.telegram_id.as_deref().or(self.phone.as_deref()),
            Channel::Push => self.push_token.as_deref(),
            Channel::Ads => self.email.as_deref().or(self.phone.as_deref()),
            Channel::Webhook | Channel::Task => named(),
        }
    }

    /// Whether anything but a device names this person.
    pub fn is_known(&self) -> bool {
        self.user.is_some() || self.email.is_some() || self.phone.is_some()
    }
}

/// "Ask the owner": left behind by a handover.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ForwardMark {
    /// The stronger profile.
    pub owner: CustomerId,
    /// Its kind.
    pub owner_kind: IdentityKind,
    /// Kind of this profile.
    pub kind: IdentityKind,
}

/// A weaker profile that was taken over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Absorbed {
    /// Which.
    pub customer: CustomerId,
    /// Of which kind.
    pub kind: IdentityKind,
}

/// A cart.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Cart {
    /// The shop's id.
    pub id: String,
    /// Its lines, bounded.
    pub lines: Vec<Line>,
    /// How many lines were left out.
    pub more: u32,
    /// Its sum, if the shop said it.
    pub total: Option<Money>,
    /// Where to go on.
    pub url: Option<String>,
    /// Whether checkout began.
    pub checkout_started: bool,
    /// Whether the lines are the shop's own snapshot, not gathered from additions.
    pub snapshot: bool,
    /// Event time of the last change.
    pub updated_at: Timestamp,
    /// Arrival of the last change.
    pub arrived: Timestamp,
}

/// A cart that was bought.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct BoughtCart {
    /// Its id, shortened.
    pub id: u64,
    /// What was in it, as a hash.
    pub content: u64,
    /// Arrival of the order.
    pub at: Timestamp,
}

/// A line of a cart. Like [`Product`], but every field is always written: the compact encoding has no names.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Line {
    /// The shop's id of it.
    pub product_id: String,
    /// Name for people.
    pub name: Option<String>,
    /// Category.
    pub category: Option<String>,
    /// Price of one.
    pub price: Option<Money>,
    /// How many.
    pub quantity: u32,
    /// Its page.
    pub url: Option<String>,
    /// Its picture.
    pub image_url: Option<String>,
    /// What few lines have; the codec writes it behind everything else.
    #[serde(skip)]
    pub details: Option<Box<Details>>,
}

/// What a line may have beside what every line has.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Details {
    /// Which size or colour.
    pub variant: Option<String>,
    /// Stock-keeping unit.
    pub sku: Option<String>,
    /// Who makes it.
    pub brand: Option<String>,
    /// What the shop adds of its own.
    pub fields: Vec<(String, Field)>,
}

impl Details {
    fn of(product: &Product) -> Option<Box<Self>> {
        let own = product.fields.iter();
        let details = Self {
            variant: product.variant.clone(),
            sku: product.sku.clone(),
            brand: product.brand.clone(),
            fields: own
                .filter_map(|(name, value)| Some((name.clone(), Field::of(value)?)))
                .collect(),
        };
        (details != Self::default()).then(|| Box::new(details))
    }

    fn bytes(&self) -> usize {
        let texts = [&self.variant, &self.sku, &self.brand]
            .into_iter()
            .flatten();
        let own = self
            .fields
            .iter()
            .map(|(name, field)| name.len() + field.bytes());
        texts.map(String::len).chain(own).sum()
    }
}

impl Line {
    /// How many bytes of texts it holds.
    fn bytes(&self) -> usize {
        let texts = [&self.name, &self.category, &self.url, &self.image_url];
        let texts = texts.into_iter().flatten().map(String::len);
        let details = self.details.as_ref().map_or(0, |details| details.bytes());
        self.product_id.len() + texts.sum::<usize>() + details
    }

    /// Keeps what one list of lines may hold, by number and bytes, from its beginning; how many were too many.
    pub(crate) fn fit(lines: &mut Vec<Self>) -> usize {
        let mut bytes = 0;
        let fits = lines.iter().take(limit::LINES).take_while(|line| {
            bytes += line.bytes();
            bytes <= limit::LINE_BYTES
        });
        let over = lines.len() - fits.count();
        lines.truncate(lines.len() - over);
        over
    }

    /// Which size or colour.
    pub fn variant(&self) -> Option<&str> {
        self.details.as_ref()?.variant.as_deref()
    }

    /// Whether a product is what this line is of: units tell apart what has the same words, or none, for its size.
    pub(crate) fn is_of(&self, product: &Product) -> bool {
        self.may_be(product) && self.variant() == product.variant.as_deref()
    }

    fn may_be(&self, product: &Product) -> bool {
        let details = self.details.as_deref();
        let sku = details.and_then(|details| details.sku.as_ref());
        let is_same_unit = sku.is_none() || product.sku.is_none() || sku == product.sku.as_ref();
        self.product_id == product.product_id && is_same_unit
    }

    /// Whether two lines are of one thing.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        self.product_id == other.product_id && self.variant() == other.variant()
    }

    /// Whether it is of the product, and of no size that anybody told.
    pub(crate) fn is_unsized(&self, product: &Product) -> bool {
        self.may_be(product) && self.variant().is_none()
    }
}

impl From<&Product> for Line {
    fn from(product: &Product) -> Self {
        Self {
            product_id: product.product_id.clone(),
            name: product.name.clone(),
            category: product.category.clone(),
            price: product.price,
            quantity: product.quantity,
            url: product.url.clone(),
            image_url: product.image_url.clone(),
            details: Details::of(product),
        }
    }
}

impl From<&Line> for Product {
    fn from(line: &Line) -> Self {
        let details = line.details.as_deref().cloned().unwrap_or_default();
        Self {
            product_id: line.product_id.clone(),
            name: line.name.clone(),
            category: line.category.clone(),
            price: line.price,
            quantity: line.quantity,
            url: line.url.clone(),
            image_url: line.image_url.clone(),
            in_stock: None,
            variant: details.variant,
            sku: details.sku,
            brand: details.brand,
            fields: details
                .fields
                .into_iter()
                .map(|(name, field)| (name, field.json()))
                .collect(),
        }
    }
}

impl Cart {
    /// The sum the shop said, else the sum of the lines if all have prices in one currency.
    pub fn sum(&self) -> Option<Money> {
        if self.total.is_some() {
            return self.total;
        }
        let mut lines = self
            .lines
            .iter()
            .map(|line| line.price.map(|price| price.times(line.quantity)));
        let first = lines.next()??;
        lines.try_fold(first, |sum, line| {
            let line = line?;
            (line.currency == sum.currency).then(|| Money {
                minor: sum.minor.saturating_add(line.minor),
                ..sum
            })
        })
    }
}

/// What was bought, in sums.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Orders {
    /// How many.
    pub count: u32,
    /// In minor units of `currency`; orders in other currencies are counted, not summed.
    pub total_minor: i64,
    /// Currency of the first order.
    pub currency: Option<Currency>,
    /// Event time of the first.
    pub first_at: Option<Timestamp>,
    /// Event time of the newest.
    pub last_at: Option<Timestamp>,
    /// Arrival of the newest.
    pub last_arrived: Option<Timestamp>,
    /// Id of the newest.
    pub last_id: Option<String>,
    /// Hashes of recent order ids: an order is counted once, whatever profiles it comes through.
    pub recent: Vec<u64>,
    /// The newest orders, the oldest first.
    pub list: Vec<OrderFacts>,
}

/// One consent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Consent {
    /// For which channel.
    pub channel: Channel,
    /// For which topic; all if absent.
    pub topic: Option<String>,
    /// What it is.
    pub status: ConsentStatus,
    /// Since when.
    pub at: Timestamp,
}

/// What a campaign did with this customer before.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct History {
    /// Which.
    pub campaign: String,
    /// Journeys that sent, or in a holdout would have sent.
    pub count: u32,
    /// First message of the newest such journey.
    pub first_message_at: Option<Timestamp>,
    /// Last occasion (an order, for silence) that a journey was about.
    pub occasion: Option<String>,
    /// A conversion until then still counts for this journey.
    pub goal: Option<(winback_contract::JourneyId, Timestamp)>,
    /// First messages of the newest journeys, the oldest first.
    pub firsts: Vec<Timestamp>,
    /// How the newest journey that entered ended.
    pub outcome: Option<String>,
    /// Key of the journey that sent first, or in a holdout would have: those tied by `replaces` leave it alone.
    pub won: Option<String>,
    /// When a journey last ended as converted.
    pub converted_at: Option<Timestamp>,
    /// What the newest journey began with, for a conversion after its end.
    pub cart_id: Option<String>,
}

/// A message that counts towards caps.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Booking {
    /// The message.
    pub message: MessageId,
    /// On which channel.
    pub channel: Channel,
    /// When it was decided.
    pub at: Timestamp,
    /// Whether it counts: messages exempt from caps do not.
    pub counts: bool,
    /// Of which campaign: caps of topics and groups ask.
    pub campaign: String,
}

impl Customer {
    /// Appends to a bounded list; true when the oldest had to give way.
    pub fn push_bounded<T>(list: &mut Vec<T>, item: T, most: usize) -> bool {
        let full = list.len() >= most;
        if full {
            list.remove(0);
        }
        list.push(item);
        full
    }

    /// The history of a campaign, made on first use.
    pub fn history_mut(&mut self, campaign: &str) -> &mut History {
        let index = match self
            .history
            .iter()
            .position(|history| history.campaign == campaign)
        {
            Some(index) => index,
            None => {
                let fresh = History {
                    campaign: campaign.to_owned(),
                    count: 0,
                    first_message_at: None,
                    occasion: None,
                    goal: None,
                    firsts: Vec::new(),
                    outcome: None,
                    won: None,
                    converted_at: None,
                    cart_id: None,
                };
                Self::push_bounded(&mut self.history, fresh, limit::HISTORY);
                self.history.len() - 1
            }
        };
        &mut self.history[index]
    }

    /// The history of a campaign, if there is one.
    pub fn history(&self, campaign: &str) -> Option<&History> {
        self.history
            .iter()
            .find(|history| history.campaign == campaign)
    }

    /// The cart of that id, if it is open.
    pub fn cart(&self, id: &str) -> Option<&Cart> {
        self.carts.iter().find(|cart| cart.id == id)
    }
}

impl Customer {
    /// The channel that drew the most reactions (playbook P39); none before the first.
    pub fn preferred_channel(&self) -> Option<Channel> {
        let reacted = self.behaviour.reacted.iter();
        reacted
            .max_by_key(|(channel, count)| (*count, std::cmp::Reverse(*channel)))
            .map(|(channel, _)| *channel)
    }
}

/// The customer's zone: its own if known and valid, else the shop's.
pub fn zone(customer: &Customer, policy: &winback_campaign::Policy) -> jiff::tz::TimeZone {
    let own = customer
        .profile
        .timezone
        .as_deref()
        .and_then(calendar::zone);
    own.unwrap_or_else(|| policy.zone.clone())
}
