//! One person in virtual time: what is given and what happens goes in, what was sent comes out. `test` and `simulate`
//! use it; the loops are those of production.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use winback_campaign::{Bundle, Files};
use winback_contract::{
    Channel, CustomerId, Identity, IdentityKind, JourneyRecord, MessageId, Outcome, OutcomeStatus,
    Reason, SourceKind, Timestamp, Transition,
};

use super::machine::Setup;
use super::quiet::Quiet;
use super::unread::{Unread, unread};
use super::{Machine, report};
use crate::config::Config;
use crate::error::Error;

/// The person of a case that names none.
pub(crate) const USER: &str = "u1";

/// A message that went out.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) at: Timestamp,
    pub(crate) campaign: String,
    pub(crate) step: String,
    pub(crate) channel: Channel,
    pub(crate) id: MessageId,
}

/// See the module.
pub(crate) struct Case {
    machine: Machine,
    who: CustomerId,
    user: String,
    /// Events so far: two alike are two, not a repeat.
    events: u32,
    config: Config,
}

impl Case {
    /// Everything started and published at a moment.
    pub(crate) async fn new(
        files: &Files,
        bundle: &Bundle,
        user: &str,
        start: Timestamp,
    ) -> Result<Self, Error> {
        let mut config = Config::embedded()?;
        config.shop.currency = bundle.policy.currency;
        let who = Identity::new(IdentityKind::User, user)
            .ok_or_else(|| Error::Usage("no identity".into()))?
            .customer(&config.shop.id);
        let mut machine = Machine::new(Setup {
            config: config.clone(),
            start,
            partitions: 1,
            provider: Arc::new(Quiet),
            channels: bundle.channels(),
            faults: None,
            explain: true,
        })
        .await?;
        machine.publish(files).await?;
        Ok(Self {
            machine,
            who,
            user: user.to_owned(),
            events: 0,
            config,
        })
    }

    /// What is known of the person: traits, and consents by channel.
    pub(crate) async fn person(
        &mut self,
        traits: &Map<String, Value>,
        consents: &[Channel],
    ) -> Result<(), Error> {
        let body = json!({ "type": "identify", "userId": self.user, "traits": traits });
        self.raw(&body).await?;
        for channel in consents {
            let granted = json!({ "channel": channel.as_str(), "status": "granted" });
            self.event("Consent Updated", granted).await?;
        }
        Ok(())
    }

    /// A storefront event, now.
    pub(crate) async fn event(&mut self, name: &str, properties: Value) -> Result<(), Error> {
        let body = json!({ "type": "track", "event": name, "userId": self.user, "properties": properties });
        self.raw(&body).await
    }

    /// A record of the storefront as it is, now.
    pub(crate) async fn raw(&mut self, body: &Value) -> Result<(), Error> {
        let now = self.machine.now();
        let mut body = body.clone();
        self.events += 1;
        if body["messageId"].is_null() {
            body["messageId"] = format!("case-{}", self.events).into();
        }
        let bytes = serde_json::to_vec(&body)?;
        let key = self.user.clone();
        self.machine.arrive(SourceKind::Live, &key, bytes, now)?;
        self.machine.settle().await
    }

    /// Time passes.
    pub(crate) async fn until(&mut self, at: Timestamp) -> Result<(), Error> {
        if at > self.machine.now() {
            self.machine.run_until(at).await?;
        }
        Ok(())
    }

    /// The person reacts to the newest message.
    pub(crate) async fn react(&mut self, status: OutcomeStatus) -> Result<bool, Error> {
        let Some(message) = self.sent().pop() else {
            return Ok(false);
        };
        let outcome = Outcome {
            v: Outcome::VERSION,
            message: message.id,
            customer: self.who,
            channel: message.channel,
            attempt: 0,
            status,
            reason: None,
            provider_id: None,
            bot: false,
            rehearsed: false,
            retry_at: None,
            at: self.machine.now(),
        };
        self.machine.report(&outcome).await?;
        self.machine.settle().await?;
        Ok(true)
    }

    /// What happened to journeys so far.
    pub(crate) fn records(&self) -> Vec<JourneyRecord> {
        report::journeys(&self.machine.log, &self.config.names())
    }

    /// What could not be read.
    pub(crate) fn unread(&self) -> Vec<Unread> {
        unread(&self.machine.log, &self.config.names())
    }

    /// Messages that went out, in order.
    pub(crate) fn sent(&self) -> Vec<Message> {
        let mut channels: BTreeMap<MessageId, Channel> = BTreeMap::new();
        let mut sent = Vec::new();
        for record in self.records() {
            match record.transition {
                Transition::Booked {
                    channel, message, ..
                } => {
                    channels.insert(message, channel);
                }
                Transition::Sent { step, message } => sent.push(Message {
                    at: record.at,
                    campaign: record.campaign,
                    step,
                    channel: channels.get(&message).copied().unwrap_or(Channel::Email),
                    id: message,
                }),
                _ => {}
            }
        }
        sent
    }
}

/// What a reason says, and the part of a condition that decided.
pub(crate) fn explained(reason: Reason, because: Option<&str>) -> String {
    let said = reason.explanation().trim();
    match because {
        Some(because) => format!("{}: {because}", said.trim_end_matches('.')),
        None => said.to_owned(),
    }
}

/// One happening of a journey in words.
pub(crate) fn words(record: &JourneyRecord) -> Option<String> {
    let campaign = &record.campaign;
    Some(match &record.transition {
        Transition::Entered => format!("{campaign}: enters"),
        Transition::Booked { .. } => return None,
        Transition::Sent { step, .. } => format!("{campaign}: sends `{step}`"),
        Transition::Skipped {
            step,
            reason,
            because,
        } => {
            format!(
                "{campaign}: does not send `{step}` [{reason}] {}",
                explained(*reason, because.as_deref())
            )
        }
        Transition::Held {
            step,
            reason,
            until,
            because,
        } => {
            let because = because.as_deref().map(|because| format!(" {because}"));
            let because = because.unwrap_or_default();
            format!("{campaign}: holds `{step}` until {until} [{reason}]{because}")
        }
        Transition::Ended {
            outcome,
            entered,
            name,
        } => {
            let name = name.as_deref().unwrap_or(outcome.as_str());
            let before = if *entered { "" } else { " before it began" };
            format!("{campaign}: ends{before} as {name}")
        }
        Transition::NotBegun {
            reason,
            because: None,
        } => format!("{campaign}: does not begin [{reason}]"),
        Transition::NotBegun {
            reason,
            because: Some(because),
        } => format!("{campaign}: does not begin [{reason}] {because}"),
        Transition::Goal => format!("{campaign}: reaches its goal"),
    })
}
