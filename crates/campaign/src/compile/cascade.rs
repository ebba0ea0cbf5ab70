//! The cascade: exactly one entry word each; step names, channels, templates and offers exist.

use std::collections::BTreeSet;

use super::{Scope, help};
use crate::diagnostic::did_you_mean;
use crate::model::{Entry, Offer, Reaction, Step};
use crate::yaml::campaign::EntryPart;
use crate::yaml::{Spanned, position};
use winback_contract::{Channel, Span};

impl Scope<'_> {
    pub(super) fn cascade(
        &mut self,
        cascade: &Spanned<Vec<Spanned<EntryPart>>>,
        born_of_silence: bool,
        campaign: &str,
    ) -> Vec<Entry> {
        let mut names = BTreeSet::new();
        let mut entries = Vec::new();
        for part in &cascade.value {
            let at = position(part);
            match (&part.value.step, &part.value.wait) {
                (Some(name), None) => {
                    if !names.insert(name.value.clone()) {
                        self.error(
                            position(name),
                            format!("there are two steps named `{}`", name.value),
                            help("a step is known by its name"),
                        );
                    }
                    self.name(name);
                    // Silence has no hour of its own: its first message goes out at the shop's hour.
                    let hour = (born_of_silence && names.len() == 1).then_some(self.policy.hour);
                    let step = self.step(name, &part.value, hour, campaign);
                    entries.push(Entry::Step(step));
                }
                (None, Some(wait)) => {
                    for (word, given) in [
                        ("send", part.value.send.is_some()),
                        ("expires", part.value.expires.is_some()),
                        ("offer", part.value.offer.is_some()),
                    ] {
                        if given {
                            self.error(
                                at,
                                format!("`{word}` belongs to a step, not to a wait"),
                                None,
                            );
                        }
                    }
                    entries.push(Entry::Wait {
                        span: self.span(wait),
                        unless: self.unless(part.value.unless.as_ref()),
                    });
                }
                (Some(_), Some(wait)) => self.error(
                    position(wait),
                    "an entry has one word, `step` or `wait`, not both",
                    help("put the wait into an entry of its own, before or after the step"),
                ),
                (None, None) => self.error(at, "an entry needs `step` or `wait`", None),
            }
        }
        if names.is_empty() {
            self.error(
                position(cascade),
                "the cascade has no step",
                help("add `- { step: reminder, send: [email] }`"),
            );
        }
        entries
    }

    fn unless(&mut self, given: Option<&Spanned<crate::yaml::OneOrMany>>) -> Vec<Reaction> {
        let Some(given) = given else {
            return self.policy.reactions.clone();
        };
        let mut reactions = Vec::new();
        for word in &given.value.0 {
            match Reaction::ALL.iter().find(|(known, _)| known == word) {
                Some((_, reaction)) => reactions.push(*reaction),
                None => {
                    let known = Reaction::ALL.map(|(word, _)| word);
                    let hint = did_you_mean(word, known)
                        .unwrap_or_else(|| format!("reactions are: {}", known.join(", ")));
                    self.error(
                        position(given),
                        format!("unknown reaction `{word}`"),
                        Some(hint),
                    );
                }
            }
        }
        reactions
    }

    fn step(
        &mut self,
        name: &Spanned<String>,
        part: &EntryPart,
        hour: Option<jiff::civil::Time>,
        campaign: &str,
    ) -> Step {
        let mut send = Vec::new();
        match &part.send {
            None => self.error(
                position(name),
                format!("step `{}` does not say where to `send`", name.value),
                help("such as `send: [email]`"),
            ),
            Some(words) => {
                for word in &words.value.0 {
                    match Channel::parse(word) {
                        Some(channel) => send.push(channel),
                        None => {
                            let known = Channel::ALL.map(Channel::as_str);
                            let hint = did_you_mean(word, known)
                                .unwrap_or_else(|| format!("channels are: {}", known.join(", ")));
                            self.error(
                                position(words),
                                format!("unknown channel `{word}`"),
                                Some(hint),
                            );
                        }
                    }
                }
            }
        }
        if let Some(unless) = &part.unless {
            self.error(
                position(unless),
                "`unless` belongs to a wait, not to a step",
                None,
            );
        }
        let template = part.template.as_ref().unwrap_or(name);
        for channel in &send {
            if !self
                .templates
                .has(campaign_folder(self.path), &template.value, *channel)
            {
                let folder = campaign_folder(self.path);
                self.error(
                    position(template),
                    format!(
                        "there is no template for step `{}` of `{campaign}` on {channel}",
                        name.value
                    ),
                    Some(format!(
                        "add {folder}templates/{}.{channel}.{}.{}",
                        template.value,
                        self.policy.locale,
                        if *channel == Channel::Email {
                            "mjml"
                        } else {
                            "txt"
                        }
                    )),
                );
            }
        }
        if send.contains(&Channel::Email) && self.policy.email.is_none() {
            self.error(
                position(name),
                "Policy has no sender of email",
                help("add `senders: { email: { from: …, unsubscribe: … } }`"),
            );
        }
        let at = match &part.at {
            Some(text) => super::policy::clock(&text.value).or_else(|| {
                self.error(
                    position(text),
                    format!("`{}` is not a time of day", text.value),
                    help("write hours and minutes in quotes, such as \"10:00\""),
                );
                None
            }),
            None => hour,
        };
        let offer = part.offer.as_ref().map(|offer| Offer {
            coupon: self.known(&offer.value.coupon, "coupon", self.policy.coupons.keys()),
            valid: offer
                .value
                .valid
                .as_ref()
                .map_or(Span::from_days(14), |text| self.span(text).from),
        });
        Step {
            name: name.value.clone(),
            template: template.value.clone(),
            send,
            at,
            expires: part
                .expires
                .as_ref()
                .map_or(Span::from_hours(48), |text| self.span(text).from),
            offer,
        }
    }
}

/// The folder of a campaign file, with its slash; empty at the top.
pub(crate) fn campaign_folder(path: &str) -> &str {
    path.rfind('/').map_or("", |slash| &path[..=slash])
}
