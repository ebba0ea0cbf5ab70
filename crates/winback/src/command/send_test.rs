//! `winback send-test CAMPAIGN --step S --to ADDRESS`: one real message of a sample customer, by the provider of the config.
//!
//! It asks neither Kafka nor Redis: nothing is claimed, counted or remembered, its links lead where they lead, and its subject
//! says that it is a test. Absent: real customers; `winback customer show` says what is known of them.

use std::path::PathBuf;
use std::time::Duration;

use winback_campaign::Bundle;
use winback_campaign::template::Rendered;
use winback_contract::{Channel, MessageId, ids::digest};
use winback_dispatch::{Deadline, RenderedMessage, SendResult};
use winback_service::Clock;

use super::preview::shown;
use crate::config::Config;
use crate::error::Error;
use crate::output;
use crate::providers;

/// Arguments of send-test.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The campaign
    campaign: String,
    /// The step whose text is sent
    #[arg(long)]
    step: String,
    /// To whom: an address, or a number
    #[arg(long)]
    to: String,
    /// By which channel
    #[arg(long, default_value = "email", value_parser = channel)]
    channel: Channel,
    /// In which language; the shop's own without it
    #[arg(long)]
    locale: Option<String>,
    /// Which sample customer: full, some or none
    #[arg(long, default_value = "full")]
    sample: String,
    /// The folder with policy.yaml and a folder per campaign; that of the config without it
    #[arg(long)]
    campaigns: Option<PathBuf>,
}

fn channel(text: &str) -> Result<Channel, String> {
    let mut all = Channel::ALL.into_iter();
    all.find(|channel| channel.as_str() == text).ok_or_else(|| {
        let words = Channel::ALL.map(|channel| channel.to_string());
        format!("channels are {}", words.join(", "))
    })
}

/// So long a provider may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs it.
pub(crate) async fn run(arguments: Arguments, config: &Config) -> Result<(), Error> {
    let folder = arguments.campaigns.as_ref().unwrap_or(&config.campaigns);
    let (_, bundle, _) = super::check::compiled(folder, "the campaigns have errors")?;
    let message = message(&arguments, &bundle, &Clock::real())?;
    let (provider, _) = providers::of(config, arguments.channel)?;
    let name = provider.name();
    let answer = provider.send(&message, Deadline::after(PATIENCE)).await;
    match answer {
        SendResult::Accepted { provider_id } => {
            let id = provider_id
                .map(|id| format!(" as {id}"))
                .unwrap_or_default();
            output::print(&format!("{name} has taken it{id}"));
            if name == "file" {
                let folder = config.dispatch.folder.display();
                output::note(&format!(
                    "it is a file under {folder}: set dispatch.provider, or the channel's provider, to send for real"
                ));
            }
            Ok(())
        }
        SendResult::Refused { detail, .. } => {
            Err(Error::Findings(format!("{name} refuses it: {detail}")))
        }
        SendResult::NotNow { detail, .. } => Err(Error::Environment(format!(
            "{name} does not take it now: {detail}"
        ))),
        SendResult::Unknown { detail } => Err(Error::Environment(format!(
            "whether {name} has taken it is not known: {detail}"
        ))),
    }
}

/// The message, with everything by which one sees that it is a test.
fn message(
    arguments: &Arguments,
    bundle: &Bundle,
    clock: &Clock,
) -> Result<RenderedMessage, Error> {
    let step = bundle
        .campaign(&arguments.campaign)
        .and_then(|campaign| campaign.step(&arguments.step));
    let step = step.ok_or_else(|| {
        Error::Usage(format!(
            "there is no step `{}` in a campaign `{}`",
            arguments.step, arguments.campaign
        ))
    })?;
    let locale = arguments.locale.as_ref().unwrap_or(&bundle.policy.locale);
    // As a customer's own: `uk-UA` takes the text of `uk`.
    let language = locale.split(['-', '_']).next().unwrap_or(locale);
    let of_text = |text: &str| shown(bundle, &arguments.campaign, text);
    let previews = bundle.templates.previews(&arguments.campaign, &of_text);
    let found = previews.into_iter().find(|preview| {
        preview.step == step.template
            && preview.channel == arguments.channel
            && [locale.as_str(), language].contains(&preview.locale.as_str())
            && preview.sample == arguments.sample
    });
    let found = found.ok_or_else(|| {
        Error::Usage(format!(
            "step `{}` has no text for {} in `{locale}` and sample `{}`: `winback preview` lists what there is",
            arguments.step, arguments.channel, arguments.sample
        ))
    })?;
    let rendered = found
        .rendered
        .map_err(|failure| Error::Findings(failure.to_string()))?;
    let sender = bundle.policy.email.as_ref();
    let from = match arguments.channel {
        Channel::Email => sender.map(|sender| sender.from.clone()),
        channel => bundle.policy.senders.get(&channel).cloned(),
    };
    let from = from.unwrap_or_default();
    let (subject, html, text) = match rendered {
        Rendered::Email(mail) => (format!("[test] {}", mail.subject), mail.html, mail.text),
        Rendered::Text(text) => (String::new(), String::new(), format!("[test] {text}")),
    };
    // Two tests are two messages, also to a provider that knows what it has had.
    let now = clock.now_millis().to_be_bytes();
    let id = MessageId(digest("test message", &[&now, arguments.to.as_bytes()]));
    let domain = from.rsplit('@').next().unwrap_or("localhost");
    let domain = domain.trim_end_matches('>').trim();
    Ok(RenderedMessage {
        message_id: match arguments.channel {
            Channel::Email => format!("<{id}@{domain}>"),
            _ => id.to_string(),
        },
        to: arguments.to.clone(),
        from,
        reply_to: sender.and_then(|sender| sender.reply_to.clone()),
        subject,
        html,
        text,
        unsubscribe: Vec::new(),
        one_click: false,
        label: format!("{}/{}", arguments.campaign, arguments.step),
        facts: serde_json::Value::Null,
    })
}
