//! A message to a mail: the text in the customer's language, headers that mailbox providers want (RFC 8058).

use serde_json::{Value, json};
use winback_campaign::Bundle;
use winback_campaign::template::Failure;
use winback_contract::{Channel, Message, Timestamp};

use crate::links::Hosts;
use crate::tracking::Tracking;

/// A mail, ready for a provider. `Debug` shows neither address nor content.
#[derive(Clone, PartialEq, Eq)]
pub struct RenderedMessage {
    /// Stable over attempts: `<message id@sender's domain>`.
    pub message_id: String,
    /// To whom.
    pub to: String,
    /// From whom.
    pub from: String,
    /// Where answers go.
    pub reply_to: Option<String>,
    /// One line.
    pub subject: String,
    /// HTML part.
    pub html: String,
    /// Text part.
    pub text: String,
    /// Values of `List-Unsubscribe`, each with its brackets.
    pub unsubscribe: Vec<String>,
    /// Whether one of them takes a POST (RFC 8058).
    pub one_click: bool,
    /// `campaign/step`, for `Feedback-ID` and file names.
    pub label: String,
    /// What the text was made from, for providers with a body of their own.
    pub facts: Value,
}

impl std::fmt::Debug for RenderedMessage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mail({}, {})", self.message_id, self.label)
    }
}

impl RenderedMessage {
    /// For providers that look at no text.
    pub fn without_texts(message: &Message) -> Self {
        Self {
            message_id: message.id.to_string(),
            to: message.address.clone(),
            from: String::new(),
            reply_to: None,
            subject: String::new(),
            html: String::new(),
            text: String::new(),
            unsubscribe: Vec::new(),
            one_click: false,
            label: format!("{}/{}", message.campaign, message.step),
            facts: Value::Null,
        }
    }
}

/// Renders a message.
///
/// # Errors
/// [`Failure`] when the text can't be made; it names the template, never the person.
///
/// With `tracking` its links lead through the gateway, and so does the way to say no.
pub fn compose(
    bundle: &Bundle,
    message: &Message,
    tracking: Option<(&Tracking, Timestamp)>,
) -> Result<RenderedMessage, Failure> {
    if message.channel != Channel::Email {
        return plain(bundle, message);
    }
    let fail = |text: &str| Failure {
        template: message.template.clone(),
        line: None,
        message: text.into(),
        is_missing: false,
    };
    let sender = bundle
        .policy
        .email
        .as_ref()
        .ok_or_else(|| fail("Policy has no sender of email"))?;
    let fill = |address: &String| {
        address
            .replace("{message}", &message.id.to_string())
            .replace("{customer}", &message.customer.to_string())
    };
    let mut unsubscribe: Vec<String> = sender.unsubscribe.iter().map(fill).collect();
    let own = tracking.and_then(|(tracking, now)| tracking.unsubscribe(message, now));
    if let Some(own) = &own {
        // One page takes a "no": the gateway's, which every mail program can post to.
        unsubscribe.retain(|address| address.starts_with("mailto:"));
        unsubscribe.insert(0, own.clone());
    }
    let web = unsubscribe
        .iter()
        .find(|address| address.starts_with("https://") || Some(*address) == own.as_ref());
    let facts = facts(bundle, message, web.or_else(|| unsubscribe.first()));
    let spoken = message.facts.customer.locale.as_deref();
    let locales: Vec<&str> = spoken
        .into_iter()
        .chain([bundle.policy.locale.as_str()])
        .collect();
    let email = bundle
        .templates
        .email(&message.campaign, &message.template, &locales, &facts)?;
    let domain = sender
        .from
        .rsplit('@')
        .next()
        .unwrap_or("localhost")
        .trim_end_matches('>')
        .trim();
    Ok(RenderedMessage {
        message_id: format!("<{}@{domain}>", message.id),
        to: message.address.clone(),
        from: sender.from.clone(),
        reply_to: sender.reply_to.clone(),
        subject: email.subject,
        html: tracking.map_or_else(
            || email.html.clone(),
            |(tracking, now)| tracking.html(&email.html, message, now),
        ),
        text: email.text,
        one_click: web.is_some(),
        unsubscribe: unsubscribe
            .iter()
            .map(|address| format!("<{address}>"))
            .collect(),
        label: format!("{}/{}", message.campaign, message.step),
        facts,
    })
}

/// A message of any other channel: a text, or none where the channel carries none.
fn plain(bundle: &Bundle, message: &Message) -> Result<RenderedMessage, Failure> {
    let facts = facts(bundle, message, None);
    let own = message.facts.customer.locale.as_deref();
    let locales: Vec<&str> = own
        .into_iter()
        .chain([bundle.policy.locale.as_str()])
        .collect();
    let text = match message.channel {
        Channel::Ads | Channel::Webhook => String::new(),
        channel => bundle.templates.text(
            &message.campaign,
            &message.template,
            channel,
            &locales,
            &facts,
        )?,
    };
    let from = bundle.policy.senders.get(&message.channel).cloned();
    Ok(RenderedMessage {
        from: from.unwrap_or_default(),
        text,
        facts,
        ..RenderedMessage::without_texts(message)
    })
}

/// What templates see.
fn facts(bundle: &Bundle, message: &Message, unsubscribe: Option<&String>) -> Value {
    let mut facts = serde_json::to_value(&message.facts).unwrap_or_default();
    // Numbers, flags, lists and maps stand beside the texts of before under their one name.
    if let Some(customer) = facts["customer"].as_object_mut()
        && let Some(Value::Object(typed)) = customer.remove("typed")
        && let Value::Object(traits) = customer.entry("traits").or_insert_with(|| json!({}))
    {
        traits.extend(typed);
    }
    Hosts::of(&bundle.policy).clean(&mut facts);
    facts["shop"] = json!({ "name": bundle.policy.name, "unsubscribe": unsubscribe });
    if let Some(offer) = &message.facts.offer {
        let day = jiff::Timestamp::from_millisecond(offer.expires_at.as_millis())
            .map(|at| at.to_zoned(bundle.policy.zone.clone()).date().to_string());
        facts["offer"]["expires_on"] = json!(day.unwrap_or_default());
    }
    facts
}
