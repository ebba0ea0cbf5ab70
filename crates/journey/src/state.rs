//! Journeys, open triggers and messages in flight: the moving parts of a customer.

use crate::customer::Line;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use winback_contract::{
    BundleHash, Channel, CustomerId, JourneyId, MessageId, Money, Partition, Reason, Timestamp,
    TriggerId,
};

/// One armed or running journey.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Journey {
    /// Fixed at arming.
    pub id: JourneyId,
    /// Of which campaign.
    pub campaign: String,
    /// The bundle it began with.
    pub bundle: BundleHash,
    /// Value of the campaign's `key`, or the occasion, or empty.
    pub key: String,
    /// Which of the campaign's starts armed it.
    pub start: u8,
    /// What began it: the newest match until it enters.
    pub entry: EntryFacts,
    /// When the delay ran out.
    pub entered_at: Option<Timestamp>,
    /// Index of the current entry of the cascade.
    pub at: u16,
    /// When the current station is due.
    pub due: Timestamp,
    /// Where it stands.
    pub station: Stage,
    /// What holds a due step, and until when at least.
    pub hold: Option<Hold>,
    /// Channels that refused the current step for good.
    pub refused: Vec<Channel>,
    /// Decision time of the first message.
    pub first_message_at: Option<Timestamp>,
    /// Decision time of the newest message.
    pub last_message_at: Option<Timestamp>,
    /// How many attempts were made at its messages: an answer to an old attempt is told apart.
    pub attempts: u32,
    /// Messages booked so far: reactions name them.
    pub messages: Vec<MessageId>,
    /// The offer, kept for later steps.
    pub offer: Option<Box<KeptOffer>>,
    /// What the person did about the messages.
    pub reactions: Reactions,
    /// Steps that were sent.
    pub sent: Vec<String>,
    /// What was drawn: split and branch.
    pub variants: Vec<(String, String)>,
    /// What came for entries that await: their index, and what it was.
    pub answers: Vec<(u16, EntryFacts)>,
    /// What was awaited last.
    pub answer: Option<Box<EntryFacts>>,
    /// Waits whose `unless` an event has met.
    pub met: Vec<u16>,
    /// The last wait that it has passed.
    pub waited: Option<u16>,
    /// When it is over, whatever happens.
    pub over_at: Option<Timestamp>,
    /// Whether its goal was reached.
    pub goal: bool,
}

/// An offer that was made; it belongs to the journey.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct KeptOffer {
    /// `coupon`, `points`, `free_delivery`, `gift` or `terms`.
    pub kind: String,
    /// Pool of Policy, or the name of gift or terms, or how many points.
    pub pool: String,
    /// The code, if it has one.
    pub code: Option<String>,
    /// What it is worth, in words.
    pub worth: Option<String>,
    /// Until when.
    pub expires_at: Timestamp,
}

/// Where a journey stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Stage {
    /// The delay before the first step runs.
    Armed,
    /// The current entry is a step that is, or will be, due.
    Step,
    /// A message of the current step has no outcome yet.
    Sending,
    /// The current entry is a wait.
    Wait,
    /// The current entry awaits an event.
    Await,
}

/// What holds a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hold {
    /// At least until then.
    pub until: Timestamp,
    /// Why.
    pub reason: Reason,
}

/// What began a journey, as conditions see it.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct EntryFacts {
    /// Name of the event.
    pub name: String,
    /// Its time.
    pub at: Timestamp,
    /// Its arrival.
    pub arrived: Timestamp,
    /// Its cart.
    pub cart_id: Option<String>,
    /// Its order.
    pub order_id: Option<String>,
    /// Its checkout.
    pub checkout_id: Option<String>,
    /// Its product.
    pub product_id: Option<String>,
    /// Its sum.
    pub total: Option<Money>,
    /// What else the campaign asks of it.
    pub fields: Vec<(String, Field)>,
    /// The element it is about, of a start with `each`.
    pub item: Option<Box<Line>>,
}

/// A value of an event that conditions and texts may ask for.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub enum Field {
    /// Words.
    Text(String),
    /// A number.
    Number(f64),
    /// Yes or no.
    Bool(bool),
    /// A moment.
    Time(Timestamp),
    /// Values in their order. Since version 6.
    List(Vec<Field>),
    /// Values by name. Since version 6.
    Map(Vec<(String, Field)>),
}

impl Field {
    /// A text, a number, a flag, a list or a map of JSON; ingest bounds them.
    pub(crate) fn of(value: &Value) -> Option<Self> {
        Some(match value {
            Value::String(text) => Self::Text(text.clone()),
            Value::Number(number) => Self::Number(number.as_f64()?),
            Value::Bool(flag) => Self::Bool(*flag),
            Value::Array(list) => Self::List(list.iter().filter_map(Self::of).collect()),
            Value::Object(map) => {
                let named =
                    |(name, value): (&String, &Value)| Some((name.clone(), Self::of(value)?));
                Self::Map(map.iter().filter_map(named).collect())
            }
            Value::Null => return None,
        })
    }

    /// How many bytes it holds, about; one for what is empty.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Number(_) | Self::Bool(_) | Self::Time(_) => 8,
            Self::List(list) => 1 + list.iter().map(Self::bytes).sum::<usize>(),
            Self::Map(map) => {
                let named = map.iter().map(|(name, field)| name.len() + field.bytes());
                1 + named.sum::<usize>()
            }
        }
    }

    /// Whether the releases before version 6 of the state can't read it.
    pub(crate) fn is_compound(&self) -> bool {
        matches!(self, Self::List(_) | Self::Map(_))
    }

    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            // A whole number is told as one.
            Self::Number(number) if number.fract() == 0.0 && number.abs() < 9e15 => {
                json!(*number as i64)
            }
            Self::Number(number) => json!(number),
            Self::Bool(flag) => json!(flag),
            Self::Time(at) => json!(at),
            Self::List(list) => list.iter().map(Self::json).collect(),
            Self::Map(map) => {
                let named = map.iter().map(|(name, field)| (name.clone(), field.json()));
                Value::Object(named.collect())
            }
        }
    }
}

/// Reactions, once each.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Reactions {
    /// It reached the mailbox.
    pub delivered: bool,
    /// Opened by a person.
    pub opened: bool,
    /// Clicked by a person.
    pub clicked: bool,
    /// Answered.
    pub replied: bool,
    /// Came back to the shop after the first message.
    pub visited: bool,
}

/// A trigger without its decision.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OpenTrigger {
    /// Its id; the first decision with it counts.
    pub id: TriggerId,
    /// The time at which it is judged.
    pub now: Timestamp,
    /// The bundle that was active.
    pub bundle: BundleHash,
    /// Journeys whose current step it asks about.
    pub journeys: Vec<JourneyId>,
    /// Journeys that only compete.
    pub competitors: Vec<JourneyId>,
    /// When it is emitted again.
    pub deadline: Timestamp,
    /// How often it was emitted.
    pub emitted: u32,
}

/// A message without its outcome.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Pending {
    /// The message.
    pub message: MessageId,
    /// The journey; it may have ended meanwhile.
    pub journey: JourneyId,
    /// The campaign.
    pub campaign: String,
    /// The step.
    pub step: String,
    /// The channel.
    pub channel: Channel,
    /// Which attempt.
    pub attempt: u32,
    /// Whose grant it is: this profile's, or that of one it absorbed.
    pub holder: CustomerId,
    /// Partition of the grant.
    pub partition: Partition,
    /// Dispatch may claim until then.
    pub not_after: Timestamp,
    /// When to look after it.
    pub check_at: Timestamp,
    /// How often it was looked after.
    pub checks: u32,
}

/// A decision, as `why` shows it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DecisionTrace {
    /// When it was judged.
    pub at: Timestamp,
    /// The campaign.
    pub campaign: String,
    /// The step; empty where it is about the whole journey.
    pub step: String,
    /// What was decided or happened.
    pub what: What,
    /// The bundle.
    pub bundle: BundleHash,
}

/// What `why` shows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum What {
    /// Handed to dispatch on a channel.
    Send(Channel),
    /// Waits.
    Hold(Reason, Timestamp),
    /// Not sent.
    Skip(Reason),
    /// The journey ended.
    Ended(Reason),
    /// It was sent without the offer its step names.
    Without(Reason),
}

/// Name of what begins a journey of a date.
pub const DATE: &str = "Date";
