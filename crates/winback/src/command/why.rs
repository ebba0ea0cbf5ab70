//! `winback why PROFILE`: what was decided about one person, and why, read from the customer itself, or from the topics.

use winback_contract::{CustomerId, Identity, IdentityKind, Partition, Reason, Timestamp};
use winback_journey::customer::Customer;
use winback_journey::state::{Stage, What};
use winback_journey::{decode, due};
use winback_store::Store;

use super::{connect, past};
use crate::config::Config;
use crate::error::Error;
use crate::output;

/// Arguments of why.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// user:42, email:ann@example.com, phone:+380…, anonymous:…, or 32 hex digits
    profile: String,
    /// Only this campaign
    #[arg(long)]
    campaign: Option<String>,
    /// Everything the topics still hold, not only what the customer keeps
    #[arg(long)]
    all: bool,
}

/// Runs it.
pub(crate) async fn run(arguments: Arguments, config: &Config) -> Result<(), Error> {
    let store = connect::redis_now(config).await?;
    let found = owner(&store, &arguments.profile, config).await?;
    for joined in found.profiles.windows(2) {
        if let [id, owner] = joined {
            output::print(&format!("{id} was joined with {owner}"));
        }
    }
    let (id, partition) = (found.id, found.partition);
    output::print(&format!("profile {id}, partition {partition}"));
    let only = arguments.campaign.as_deref();
    if !arguments.all {
        output::print(&tell(&found.customer, only));
        return Ok(());
    }
    let (log, names) = (connect::kafka(config)?, config.names());
    let profiles = found.everybody();
    let lines = past::of(&log, &names, config.kafka.partitions, &profiles, only).await?;
    if lines.is_empty() {
        output::print("the topics hold nothing about this person");
    }
    for (at, line) in lines {
        output::print(&format!("{at}  {line}"));
    }
    Ok(())
}

/// A person as the store has it.
pub(crate) struct Found {
    /// The profile that holds everything.
    pub(crate) id: CustomerId,
    /// Where it lies.
    pub(crate) partition: Partition,
    /// The profile that was asked for, and those it was joined with, up to the one that holds everything.
    pub(crate) profiles: Vec<CustomerId>,
    /// The state.
    pub(crate) customer: Customer,
    /// How long its encoding is.
    pub(crate) bytes: usize,
}

impl Found {
    /// All profiles that this person was known by, as far as they are still known.
    pub(crate) fn everybody(&self) -> Vec<CustomerId> {
        let mut profiles = self.profiles.clone();
        for joined in &self.customer.absorbed {
            if !profiles.contains(&joined.customer) {
                profiles.push(joined.customer);
            }
        }
        profiles
    }
}

/// Finds the profile that holds what is known, from any that was joined with it.
pub(crate) async fn owner(store: &dyn Store, text: &str, config: &Config) -> Result<Found, Error> {
    let mut id = profile(text, &config.shop.id)?;
    let mut profiles = vec![id];
    // Kinds of identity are three steps apart at most.
    for _hop in 0..4 {
        let partition = config.kafka.partitions.of(id);
        let Some(blob) = store.load(partition, &[id]).await?.pop().flatten() else {
            return Err(Error::Findings(format!("nobody is known under {text}")));
        };
        let customer = decode(&blob).map_err(|error| Error::Environment(error.to_string()))?;
        let Some(mark) = customer.forward else {
            let bytes = blob.len();
            return Ok(Found {
                id,
                partition,
                profiles,
                customer,
                bytes,
            });
        };
        id = mark.owner;
        profiles.push(id);
    }
    Err(Error::Environment(
        "marks lead in a circle: this is a bug in winback, please report it".into(),
    ))
}

/// Reads `kind:value` or hex.
pub(crate) fn profile(text: &str, shop: &str) -> Result<CustomerId, Error> {
    if let Ok(id) = CustomerId::parse(text) {
        return Ok(id);
    }
    let wrong = || {
        Error::Usage("a profile is user:…, email:…, phone:…, anonymous:…, or 32 hex digits".into())
    };
    let (kind, value) = text.split_once(':').ok_or_else(wrong)?;
    let kind = match kind {
        "user" => IdentityKind::User,
        "email" => IdentityKind::Email,
        "phone" => IdentityKind::Phone,
        "anonymous" => IdentityKind::Anonymous,
        _ => return Err(wrong()),
    };
    Identity::new(kind, value)
        .map(|identity| identity.customer(shop))
        .ok_or_else(wrong)
}

fn tell(customer: &Customer, only: Option<&str>) -> String {
    let is_wanted = |campaign: &str| only.is_none_or(|only| only == campaign);
    let moment = |at: Timestamp| {
        at.to_string()
            .replace('T', " ")
            .chars()
            .take(19)
            .collect::<String>()
    };
    let mut lines = Vec::new();
    let orders = &customer.orders;
    lines.push(match orders.last_at {
        Some(last) => format!("orders: {}, the newest at {}", orders.count, moment(last)),
        None => "orders: none".into(),
    });
    for kept in customer
        .decisions
        .iter()
        .filter(|kept| is_wanted(&kept.campaign))
    {
        let what = match kept.what {
            What::Send(channel) => format!("handed over for sending by {channel}"),
            What::Hold(reason, until) => format!(
                "held until {} [{reason}] {}",
                moment(until),
                reason.explanation().trim()
            ),
            What::Skip(reason @ Reason::Audience) => format!(
                "not sent [{reason}] {} `why --all` names the part of it that decided",
                reason.explanation().trim()
            ),
            What::Skip(reason) => format!("not sent [{reason}] {}", reason.explanation().trim()),
            What::Without(reason) => {
                format!(
                    "without its offer [{reason}] {}",
                    reason.explanation().trim()
                )
            }
            What::Ended(reason) => format!("over [{reason}] {}", reason.explanation().trim()),
        };
        let step = if kept.step.is_empty() {
            String::new()
        } else {
            format!(" `{}`", kept.step)
        };
        lines.push(format!(
            "{}  {}{step}: {what}  (bundle {})",
            moment(kept.at),
            kept.campaign,
            short(&kept.bundle.to_string())
        ));
    }
    for journey in customer
        .journeys
        .iter()
        .filter(|journey| is_wanted(&journey.campaign))
    {
        let state = match journey.station {
            Stage::Armed => format!("armed, would begin at {}", moment(journey.due)),
            Stage::Step => match journey.hold {
                Some(hold) => format!(
                    "a step is held until {} [{}]",
                    moment(due::ready_at(journey)),
                    hold.reason
                ),
                None => format!("a step is due at {}", moment(journey.due)),
            },
            Stage::Sending => "a message is on its way".into(),
            Stage::Wait => format!("waits until {}", moment(journey.due)),
            Stage::Await => format!("awaits an event, until {}", moment(journey.due)),
        };
        lines.push(format!("now: {} {state}", journey.campaign));
    }
    if lines.len() == 1 {
        lines.push("nothing was decided about this person yet".into());
    }
    lines.join("\n")
}

pub(super) fn short(text: &str) -> &str {
    text.get(..8).unwrap_or(text)
}
