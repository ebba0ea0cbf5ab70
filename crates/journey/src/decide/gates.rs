//! The gates of one step, in the order in which their reasons are told (INV-9, INV-11): the chain in [`judge`] is that order.
//!
//! A gate lets through, or says what becomes of the step. Absent: what is judged against other steps; see `arbitration`.

use std::cell::Cell;

use winback_campaign::Bundle;
use winback_campaign::model::{Campaign, Mode, Step};
use winback_campaign::policy::TopicRule;
use winback_contract::{Channel, DueStep, Reason, Span, Timestamp, Trigger, Verdict, is_paused};

use crate::customer::{Customer, zone};
use crate::decide::offer::{self, Judged};
use crate::decide::{caps, channel, quiet};
use crate::eligibility::ends_by_order;
use crate::facts::Facts;
use crate::state::Journey;

/// A step that would be sent this much after it was due, in a campaign that does not wait for lagging input.
const LAG_ALLOWED: Span = Span::from_mins(10);

/// What a kill switch holds is looked at again a minute later, and the longer it waits the later, up to a quarter of an
/// hour: a pause of everything must not make a decision of everybody every minute.
fn look_again(due: Timestamp, now: Timestamp) -> Timestamp {
    let waited = now.since(due).as_millis() / 4;
    now + Span::from_millis(waited.clamp(60_000, 900_000))
}

/// Lets through, or says what becomes of the step.
type Gate<T = ()> = Result<T, Verdict>;

/// One due step with everything that it is judged by.
pub(crate) struct Question<'q> {
    pub(crate) customer: &'q Customer,
    pub(crate) active: &'q Bundle,
    pub(crate) campaign: &'q Campaign,
    pub(crate) journey: &'q Journey,
    pub(crate) step: &'q DueStep,
    pub(crate) trigger: &'q Trigger,
}

/// The same with what its campaign and its topic say, and the facts that conditions ask for.
struct Asked<'q> {
    question: &'q Question<'q>,
    now: Timestamp,
    topic: &'q TopicRule,
    part: &'q Step,
    facts: Facts<'q>,
    /// Set when a condition asked for a sum of another currency.
    foreign: &'q Cell<bool>,
}

/// Judges a step as if it were alone.
pub(crate) fn judge(question: &Question<'_>) -> Verdict {
    let foreign = Cell::new(false);
    let chain = || {
        not_expired(question)?;
        not_paused(question)?;
        not_late(question)?;
        let asked = Asked::of(question, &foreign)?;
        in_audience(&asked)?;
        in_audience_of_topic(&asked)?;
        something_to_show(&asked)?;
        let channel = open_channel(&asked)?;
        channel_not_paused(&asked, channel)?;
        let (offer, without) = offered(&asked)?;
        let zone = zone(question.customer, &question.active.policy);
        not_quiet(&asked, channel, &zone)?;
        under_caps(&asked, channel)?;
        let times = (asked.now, question.step.expires);
        Ok(Verdict::Send {
            channel,
            not_before: asked.now,
            not_after: quiet::not_after(question.active, asked.topic, channel, &zone, times),
            offer,
            without,
        })
    };
    let verdict: Gate<Verdict> = chain();
    verdict.unwrap_or_else(|verdict| verdict)
}

impl<'q> Question<'q> {
    /// Not now. The hold that ends with the step itself: then it is judged once more, and expires.
    fn hold(&self, until: Timestamp, reason: Reason) -> Verdict {
        self.hold_because(until, reason, None)
    }

    fn hold_because(&self, until: Timestamp, reason: Reason, because: Option<String>) -> Verdict {
        Verdict::Hold {
            until: until.min(self.step.expires + Span::from_millis(1)),
            reason,
            because,
        }
    }
}

impl<'q> Asked<'q> {
    fn of(question: &'q Question<'q>, foreign: &'q Cell<bool>) -> Gate<Self> {
        let Question {
            customer,
            active,
            campaign,
            journey,
            step,
            trigger,
        } = question;
        let missing = || Verdict::skip(Reason::Error);
        let now = trigger.now;
        Ok(Self {
            question,
            now,
            topic: active
                .policy
                .topics
                .get(&campaign.topic)
                .ok_or_else(missing)?,
            part: campaign.step(&step.step).ok_or_else(missing)?,
            facts: Facts {
                journey: Some(journey),
                topic: Some(&campaign.topic),
                news: &trigger.news,
                foreign: Some(foreign),
                ..Facts::of(&active.policy, customer, trigger.customer, now)
            },
            foreign,
        })
    }
}

fn not_expired(question: &Question<'_>) -> Gate {
    match question.trigger.now > question.step.expires {
        true => Err(Verdict::skip(Reason::Expired)),
        false => Ok(()),
    }
}

/// Pausing is for now, not for the version the journey began with.
fn not_paused(question: &Question<'_>) -> Gate {
    let (campaign, now) = (question.campaign, question.trigger.now);
    let newest = question.active.campaign(&campaign.name);
    if newest.map_or(campaign.mode, |newest| newest.mode) == Mode::Paused {
        return Err(question.hold(now + Span::from_hours(1), Reason::Paused));
    }
    switched_off(question, None)
}

/// The kill switch, of a campaign, or of a channel as well.
fn switched_off(question: &Question<'_>, channel: Option<Channel>) -> Gate {
    let Question { trigger, step, .. } = question;
    match is_paused(&trigger.paused, &question.campaign.name, channel) {
        true => Err(question.hold(look_again(step.due, trigger.now), Reason::Paused)),
        false => Ok(()),
    }
}

fn not_late(question: &Question<'_>) -> Gate {
    let ready = crate::due::ready_at(question.journey);
    match question.campaign.lag_expires && question.trigger.now.since(ready) > LAG_ALLOWED {
        true => Err(Verdict::skip(Reason::InputLag)),
        false => Ok(()),
    }
}

fn in_audience(asked: &Asked<'_>) -> Gate {
    let Some(audience) = &asked.question.campaign.audience else {
        return Ok(());
    };
    match audience.holds(&asked.facts) {
        Ok(true) => Ok(()),
        // Sums of two currencies are not compared, and that is said.
        Err(_) if asked.foreign.get() => Err(Verdict::skip(Reason::OtherCurrency)),
        Ok(false) | Err(_) => Err(Verdict::Skip {
            reason: Reason::Audience,
            because: audience.because(&asked.facts),
        }),
    }
}

/// What keeps the whole topic away may pass, as an open complaint does.
fn in_audience_of_topic(asked: &Asked<'_>) -> Gate {
    let Some(audience) = &asked.topic.audience else {
        return Ok(());
    };
    if audience.holds(&asked.facts).unwrap_or(false) {
        return Ok(());
    }
    let until = asked.now + Span::from_hours(1);
    let because = audience.because(&asked.facts);
    let hold = asked
        .question
        .hold_because(until, Reason::Audience, because);
    Err(hold)
}

fn something_to_show(asked: &Asked<'_>) -> Gate {
    let Some(show) = &asked.part.show else {
        return Ok(());
    };
    match show.list(&asked.facts).is_ok_and(|list| !list.is_empty()) {
        true => Ok(()),
        false => Err(Verdict::skip(Reason::NoStock)),
    }
}

fn open_channel(asked: &Asked<'_>) -> Gate<Channel> {
    let Question {
        customer,
        active,
        campaign,
        journey,
        ..
    } = asked.question;
    let channels = channel::order(customer, asked.part);
    let rule = (campaign.topic.as_str(), asked.topic);
    let stops = ends_by_order(campaign, active);
    channel::choose(customer, journey, &channels, rule, stops).map_err(Verdict::skip)
}

fn channel_not_paused(asked: &Asked<'_>, channel: Channel) -> Gate {
    switched_off(asked.question, Some(channel))
}

/// Whether the step's offer goes along, and if not, why.
fn offered(asked: &Asked<'_>) -> Gate<(bool, Option<Reason>)> {
    let Some(offer) = &asked.part.offer else {
        return Ok((false, None));
    };
    let Question {
        customer,
        journey,
        trigger,
        ..
    } = asked.question;
    match offer::judge(offer, customer, journey, &asked.facts, &trigger.dry) {
        Judged::Given => Ok((true, None)),
        Judged::Without(reason) => Ok((false, Some(reason))),
        Judged::Refused(reason) => Err(Verdict::skip(reason)),
    }
}

fn not_quiet(asked: &Asked<'_>, channel: Channel, zone: &jiff::tz::TimeZone) -> Gate {
    match quiet::held_until(asked.question.active, asked.topic, channel, zone, asked.now) {
        Some(until) => Err(asked.question.hold(until, Reason::QuietHours)),
        None => Ok(()),
    }
}

fn under_caps(asked: &Asked<'_>, channel: Channel) -> Gate {
    let Question {
        customer,
        active,
        campaign,
        ..
    } = asked.question;
    if asked.topic.caps_exempt {
        return Ok(());
    }
    match caps::free_at(active, customer, campaign, channel, asked.now) {
        Some(until) => Err(asked.question.hold(until, Reason::Capped)),
        None => Ok(()),
    }
}
