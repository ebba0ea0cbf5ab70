//! A step: channels, templates, products, offer, task; everything it names exists.

use super::{JUDGED, Scope, help};
use crate::condition::Wanted;
use crate::diagnostic::did_you_mean;
use crate::model::{Offer, OfferKind, Otherwise, Recommend, RecommendKind, Step, Task};
use crate::yaml::campaign::{EntryPart, OfferPart, Recommend as RecommendPart};
use crate::yaml::{Spanned, position};
use winback_contract::{Channel, Span};

/// Channels that carry no text of the campaign's.
const WITHOUT_TEXT: [Channel; 2] = [Channel::Ads, Channel::Webhook];

impl Scope<'_> {
    pub(super) fn step(
        &mut self,
        name: &Spanned<String>,
        part: &EntryPart,
        campaign: &str,
    ) -> Step {
        let template = part.template.as_ref().unwrap_or(name);
        let (send, preferred) = self.send(name, part);
        for channel in send
            .iter()
            .filter(|channel| !WITHOUT_TEXT.contains(channel))
        {
            self.has_template(name, template, *channel, campaign);
        }
        if send.contains(&Channel::Email) && self.policy.email.is_none() {
            let hint = "add `senders: { email: { from: …, unsubscribe: … } }`";
            self.error(position(name), "Policy has no sender of email", help(hint));
        }
        let at = part.at.as_ref().and_then(|text| {
            super::policy::clock(&text.value).or_else(|| {
                let hint = "write hours and minutes in quotes, such as \"10:00\"";
                self.error(
                    position(text),
                    format!("`{}` is not a time of day", text.value),
                    help(hint),
                );
                None
            })
        });
        let recommend = part.recommend.as_ref().map(|part| self.recommend(part));
        let offer = part.offer.as_ref().and_then(|offer| self.offer(offer));
        let task = part.task.as_ref().map(|task| Task {
            team: task.value.team.value.clone(),
            due: task
                .value
                .due
                .as_ref()
                .map_or(Span::from_days(1), |text| self.span(text).from),
            may_offer: task
                .value
                .may_offer
                .as_ref()
                .map(|words| words.value.0.clone())
                .unwrap_or_default(),
        });
        Step {
            name: name.value.clone(),
            template: template.value.clone(),
            send,
            preferred,
            at,
            expires: part
                .expires
                .as_ref()
                .map_or(Span::from_hours(48), |text| self.span(text).from),
            show: part
                .show
                .as_ref()
                .and_then(|text| self.expression(text, JUDGED, Wanted::List)),
            recommend,
            offer,
            stay: part
                .stay
                .as_ref()
                .map_or(Span::from_days(14), |text| self.span(text).from),
            task,
        }
    }

    fn recommend(&mut self, part: &Spanned<RecommendPart>) -> Recommend {
        let word = &part.value.kind;
        let known = RecommendKind::ALL
            .iter()
            .find(|(name, _)| *name == word.value);
        if known.is_none() {
            let names = RecommendKind::ALL.map(|(name, _)| name);
            let hint = did_you_mean(&word.value, names)
                .unwrap_or_else(|| format!("it is one of {}", names.join(", ")));
            let message = format!("unknown kind of recommendation `{}`", word.value);
            self.error(position(word), message, Some(hint));
        }
        let count = part.value.count.as_ref();
        if let Some(count) = count.filter(|count| !(1..=12).contains(&count.value)) {
            self.error(position(count), "`count` is a number from 1 to 12", None);
        }
        Recommend {
            kind: known.map_or(RecommendKind::Popular, |(_, kind)| *kind),
            count: count.map_or(4, |count| count.value as usize),
        }
    }

    fn send(&mut self, name: &Spanned<String>, part: &EntryPart) -> (Vec<Channel>, bool) {
        let Some(words) = &part.send else {
            let message = format!("step `{}` does not say where to `send`", name.value);
            self.error(position(name), message, help("such as `send: [email]`"));
            return (Vec::new(), false);
        };
        let (mut send, mut preferred) = (Vec::new(), false);
        for word in &words.value.0 {
            match Channel::parse(word) {
                Some(channel) => send.push(channel),
                None if word == "preferred" => preferred = true,
                None => {
                    let known = Channel::ALL.map(Channel::as_str);
                    let hint = did_you_mean(word, known).unwrap_or_else(|| {
                        format!("channels are: {}, preferred", known.join(", "))
                    });
                    self.error(
                        position(words),
                        format!("unknown channel `{word}`"),
                        Some(hint),
                    );
                }
            }
        }
        if send.is_empty() && preferred {
            let hint = "such as `send: [preferred, email, sms]`: the channel the customer reacts to comes first";
            self.error(
                position(words),
                "`preferred` needs the channels to choose from",
                help(hint),
            );
        }
        (send, preferred)
    }

    fn has_template(
        &mut self,
        name: &Spanned<String>,
        template: &Spanned<String>,
        channel: Channel,
        campaign: &str,
    ) {
        let folder = campaign_folder(self.path).to_owned();
        if self.templates.has(&folder, &template.value, channel) {
            return;
        }
        let extension = if channel == Channel::Email {
            "mjml"
        } else {
            "txt"
        };
        self.error(
            position(template),
            format!(
                "there is no template for step `{}` of `{campaign}` on {channel}",
                name.value
            ),
            Some(format!(
                "add {folder}templates/{}.{channel}.{}.{extension}",
                template.value, self.policy.locale
            )),
        );
    }

    fn offer(&mut self, offer: &Spanned<OfferPart>) -> Option<Offer> {
        let part = &offer.value;
        let mut kinds = Vec::new();
        if let Some(pool) = &part.coupon {
            let pools = self.policy.coupons.keys().cloned().collect::<Vec<_>>();
            kinds.push(OfferKind::Coupon(self.known(pool, "coupon", pools.iter())));
        }
        if let Some(points) = &part.points {
            if points.value == 0 {
                self.error(position(points), "an offer of no points is no offer", None);
            }
            kinds.push(OfferKind::Points(points.value));
        }
        if part.free_delivery.as_ref().is_some_and(|flag| flag.value) {
            kinds.push(OfferKind::FreeDelivery);
        }
        kinds.extend(
            part.gift
                .as_ref()
                .map(|gift| OfferKind::Gift(gift.value.clone())),
        );
        kinds.extend(
            part.terms
                .as_ref()
                .map(|terms| OfferKind::Terms(terms.value.clone())),
        );
        if kinds.len() != 1 {
            let hint =
                "one of coupon: POOL, points: 300, free_delivery: true, gift: name, terms: name";
            self.error(position(offer), "an offer is exactly one thing", help(hint));
        }
        let otherwise = self.word(
            part.otherwise.as_ref(),
            "otherwise",
            Otherwise::Without,
            &[
                ("without", Otherwise::Without),
                ("skip", Otherwise::Skip),
                ("end", Otherwise::End),
            ],
        );
        Some(Offer {
            kind: kinds.into_iter().next()?,
            valid: part
                .valid
                .as_ref()
                .map_or(Span::from_days(14), |text| self.span(text).from),
            upon: part.upon.as_ref().map(|event| {
                super::event_name(&event.value, (self.path, position(event)), self.report)
            }),
            outside_guard: part.outside_guard.as_ref().is_some_and(|flag| flag.value),
            otherwise,
        })
    }
}

/// The folder of a campaign file, with its slash; empty at the top.
pub(crate) fn campaign_folder(path: &str) -> &str {
    path.rfind('/').map_or("", |slash| &path[..=slash])
}
