//! The Policy: zones, hours, words and names are checked, shares and durations become numbers.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::civil::Time;
use jiff::tz::TimeZone;
use winback_contract::{Channel, Currency, Span, Timestamp};

use crate::calendar;
use crate::condition::{Condition, Wanted};
use crate::diagnostic::{Position, Report, did_you_mean};
use crate::duration;
use crate::model::Reaction;
use crate::names::Kind;
use crate::policy::{
    Cap, ConsentRule, Coupon, Days, EmailSender, Policy, QuietRule, Setting, TopicRule,
};
use crate::yaml::policy::{
    Cap as CapPart, Consent, Coupon as CouponPart, Email, PolicyFile, Quiet, Senders, SettingPart,
    Topic,
};
use crate::yaml::{OneOrMany, Spanned, position, values::percent};

/// Reads `"10:00"`.
pub(super) fn clock(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let valid = (1..=2).contains(&hour.len()) && minute.len() == 2;
    if valid {
        Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
    } else {
        None
    }
}

pub(super) struct Reader<'a> {
    pub(super) path: &'a str,
    pub(super) report: &'a mut Report,
    /// Settings by name, with their types.
    pub(super) kinds: HashMap<String, Kind>,
    pub(super) calendar: BTreeMap<String, Days>,
}

/// The types of Policy's settings, as conditions see them.
pub(super) fn kinds(policy: &Policy) -> HashMap<String, Kind> {
    of_settings(&policy.settings)
}

fn of_settings(settings: &BTreeMap<String, Setting>) -> HashMap<String, Kind> {
    settings
        .iter()
        .map(|(name, setting)| {
            let kind = match setting {
                Setting::Number(_) => Kind::Number,
                Setting::Span(_) => Kind::Duration,
                Setting::Text(_) => Kind::Text,
            };
            (name.clone(), kind)
        })
        .collect()
}

/// ISO 3166-1 alpha-2.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
     CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH \
     GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB \
     LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM \
     PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG \
     TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

/// What topics and segments may ask.
const OF_CUSTOMER: &[&str] = &[
    "settings", "now", "news", "cart", "order", "orders", "customer", "points", "session",
    "sessions",
];

pub(super) fn compile(path: &str, file: PolicyFile, report: &mut Report) -> Option<Policy> {
    let mut reader = Reader {
        path,
        report,
        kinds: HashMap::new(),
        calendar: BTreeMap::new(),
    };
    let spec = file.spec;
    let zone = reader.zone(&spec.shop.zone);
    let currency = reader.currency(&spec.shop.currency);
    let country = spec.shop.country.as_ref();
    let country = country.and_then(|text| reader.country(text));
    let hour = spec.shop.hour.as_ref();
    let hour = hour.map_or_else(|| clock("10:00"), |text| reader.clock(text));
    let settings = spec.settings.iter();
    let settings: BTreeMap<_, _> = settings
        .map(|(name, part)| (name.clone(), reader.setting(part)))
        .collect();
    reader.kinds = of_settings(&settings);
    let calendar = spec.calendar.iter();
    reader.calendar = calendar
        .filter_map(|(name, part)| Some((name.clone(), reader.days(part)?)))
        .collect();
    let segments = reader.segments(&spec.segments);
    let guard = reader.guard(spec.guard.as_ref());
    let scoring = reader.scoring(spec.scoring.as_ref());
    let topics = spec.topics.iter();
    let topics: BTreeMap<_, _> = topics
        .map(|(name, topic)| (name.clone(), reader.topic(topic)))
        .collect();
    let reactions = match &spec.reactions {
        None => vec![Reaction::Clicked, Reaction::Replied, Reaction::Visited],
        Some(words) => reader.reactions(words),
    };
    let quiet: Vec<QuietRule> = spec.quiet.iter().map(|rule| reader.quiet(rule)).collect();
    let caps = spec.caps.iter().map(|cap| reader.cap(&cap.value)).collect();
    let holdout = spec.holdout.as_ref();
    let holdout = holdout.map_or(0, |text| reader.holdout(text));
    let arbitration = spec.arbitration.as_ref();
    let arbitration = arbitration.map_or(Span::from_hours(1), |text| reader.span(text));
    let email = spec.senders.email.as_ref();
    let email = email.map(|sender| reader.sender(&sender.value));
    let groups = spec
        .groups
        .into_iter()
        .map(|(name, group)| (name, group.ended_by.map(|event| reader.event(&event))))
        .collect();
    let links = spec.links.iter();
    let links = links.filter_map(|host| reader.host(host)).collect();
    let coupons = reader.coupons(spec.coupons);
    let policy = Policy {
        name: file.metadata.name.value,
        zone: zone?,
        locale: spec.shop.locale.value,
        country,
        currency: currency?,
        hour: hour?,
        settings,
        topics,
        groups,
        reactions,
        back_office: reader.names(&spec.back_office),
        quiet,
        caps,
        holdout,
        arbitration,
        guard,
        segments,
        calendar: reader.calendar.clone(),
        scoring,
        links,
        coupons,
        email,
        senders: senders(spec.senders),
    };
    reader.caps_name_what_exists(&policy);
    reader.some_time_is_free(&policy, spec.quiet.first().and_then(position));
    Some(policy)
}

impl Reader<'_> {
    fn zone(&mut self, text: &Spanned<String>) -> Option<TimeZone> {
        let zone = calendar::zone(&text.value);
        if zone.is_none() {
            let message = format!("unknown time zone `{}`", text.value);
            let help = "zones are IANA names, such as Europe/Kyiv";
            self.error(position(text), message, help);
        }
        zone
    }

    fn currency(&mut self, text: &Spanned<String>) -> Option<Currency> {
        match Currency::parse(&text.value) {
            Ok(currency) => Some(currency),
            Err(error) => {
                self.error(position(text), error.to_string(), "such as UAH");
                None
            }
        }
    }

    fn holdout(&mut self, text: &Spanned<String>) -> u32 {
        percent(&text.value).unwrap_or_else(|message| {
            let at = position(text);
            self.report.error(self.path, at, message, None);
            0
        })
    }

    fn names(&mut self, events: &[Spanned<String>]) -> BTreeSet<String> {
        events.iter().map(|event| self.event(event)).collect()
    }

    fn country(&mut self, text: &Spanned<String>) -> Option<String> {
        let code = text.value.to_ascii_uppercase();
        if COUNTRIES.split(' ').any(|known| known == code) {
            return Some(code);
        }
        let message = format!("`{}` is no country", text.value);
        let help = "countries are two letters of ISO 3166-1, such as UA";
        self.error(position(text), message, help);
        None
    }

    fn event(&mut self, event: &Spanned<String>) -> String {
        super::event_name(&event.value, (self.path, position(event)), self.report)
    }

    /// A host of `links`.
    fn host(&mut self, host: &Spanned<String>) -> Option<String> {
        let name = host.value.trim().to_ascii_lowercase();
        let is_host = name.contains('.')
            && name.split('.').all(|label| {
                !label.is_empty()
                    && label
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            });
        if !is_host {
            self.error(
                position(host),
                format!("`{}` is not a host", host.value),
                "write the name alone, such as shop.example; what is under it is included",
            );
        }
        is_host.then_some(name)
    }

    fn sender(&mut self, sender: &Email) -> EmailSender {
        for address in &sender.unsubscribe.value.0 {
            if !address.starts_with("mailto:") && !address.starts_with("https://") {
                self.error(
                    position(&sender.unsubscribe),
                    format!("`{address}` is not an unsubscribe address"),
                    "write `mailto:out@shop.example` and/or `https://…`",
                );
            }
        }
        if !sender.from.value.contains('@') || sender.from.value.contains(['\r', '\n']) {
            let hint = "such as \"Shop <hello@shop.example>\"";
            self.error(position(&sender.from), "the sender is not an address", hint);
        }
        EmailSender {
            from: sender.from.value.clone(),
            reply_to: sender.reply_to.clone(),
            unsubscribe: sender.unsubscribe.value.0.clone(),
        }
    }

    fn some_time_is_free(&mut self, policy: &Policy, at: Option<Position>) {
        let some_day = Timestamp::from_millis(1_767_225_600_000);
        let closed = Channel::ALL
            .into_iter()
            .find(|c| !calendar::has_free_time(policy, *c, some_day));
        if let Some(channel) = closed {
            let message = format!("it is always quiet on {channel}: nothing could ever go out");
            self.error(at, message, "leave some hours of some days free");
        }
    }

    /// A condition about a customer alone.
    pub(super) fn condition(&mut self, text: &Spanned<String>) -> Option<Condition> {
        match Condition::compile(&text.value, OF_CUSTOMER) {
            Ok(condition) => {
                if let Some(why) = condition.mistyped(Wanted::Answer, &self.kinds) {
                    let message = format!("`{}` has the wrong type: {why}", text.value.trim());
                    self.error(position(text), message, "a condition is yes or no");
                }
                Some(condition)
            }
            Err(problems) => {
                for problem in problems {
                    self.report
                        .error(self.path, position(text), problem.message, problem.help);
                }
                None
            }
        }
    }

    fn segments(
        &mut self,
        texts: &BTreeMap<String, Spanned<String>>,
    ) -> BTreeMap<String, Condition> {
        let mut segments = BTreeMap::new();
        for (name, text) in texts {
            let Some(condition) = self.condition(text) else {
                continue;
            };
            if condition.calls("segment") {
                let message = "a segment can't ask for a segment";
                self.error(position(text), message, "write its condition out");
            }
            segments.insert(name.clone(), condition);
        }
        segments
    }

    fn cap(&mut self, cap: &CapPart) -> Cap {
        Cap {
            channels: cap
                .channels
                .as_ref()
                .map(|words| self.channels(words))
                .unwrap_or_default(),
            topics: words(cap.topics.as_ref()),
            groups: words(cap.groups.as_ref()),
            at_most: cap.at_most.value,
            per: self.span(&cap.per),
        }
    }

    fn coupons(&mut self, parts: BTreeMap<String, CouponPart>) -> BTreeMap<String, Coupon> {
        let mut coupons = BTreeMap::new();
        for (name, part) in parts {
            if name.is_empty()
                || name.len() > 64
                || name.chars().any(|c| c.is_control() || c == ' ')
            {
                self.error(
                    None,
                    format!("coupon pool `{name}` has no proper name"),
                    "1 to 64 letters, digits and dashes",
                );
            }
            let coupon = Coupon {
                code: part.code,
                low: part.low.unwrap_or(0),
                worth: part.worth,
            };
            coupons.insert(name, coupon);
        }
        coupons
    }

    fn caps_name_what_exists(&mut self, policy: &Policy) {
        for cap in &policy.caps {
            for name in cap
                .topics
                .iter()
                .filter(|name| !policy.topics.contains_key(*name))
            {
                self.error(
                    None,
                    format!("a cap names the topic `{name}`, which Policy does not have"),
                    "",
                );
            }
            for name in cap
                .groups
                .iter()
                .filter(|name| !policy.groups.contains_key(*name))
            {
                self.error(
                    None,
                    format!("a cap names the group `{name}`, which Policy does not have"),
                    "",
                );
            }
        }
    }

    pub(super) fn error(&mut self, at: Option<Position>, message: impl Into<String>, hint: &str) {
        let hint = (!hint.is_empty()).then(|| hint.to_owned());
        self.report.error(self.path, at, message, hint);
    }

    pub(super) fn span(&mut self, text: &Spanned<String>) -> Span {
        duration::parse(&text.value).unwrap_or_else(|message| {
            self.report.error(self.path, position(text), message, None);
            Span::ZERO
        })
    }

    fn clock(&mut self, text: &Spanned<String>) -> Option<Time> {
        let time = clock(&text.value);
        if time.is_none() {
            self.error(
                position(text),
                format!("`{}` is not a time of day", text.value),
                "write hours and minutes in quotes, such as \"10:00\"",
            );
        }
        time
    }

    fn setting(&mut self, part: &Spanned<SettingPart>) -> Setting {
        match &part.value {
            SettingPart::Number(number) => Setting::Number(*number),
            SettingPart::Text(text) if text.starts_with(|c: char| c.is_ascii_digit()) => {
                match duration::parse_range(text) {
                    Ok(range) => Setting::Span(range),
                    Err(message) => {
                        self.report.error(self.path, position(part), message, None);
                        Setting::Text(text.clone())
                    }
                }
            }
            SettingPart::Text(text) => Setting::Text(text.clone()),
        }
    }

    fn topic(&mut self, topic: &Spanned<Topic>) -> TopicRule {
        let at = position(topic);
        let mut rule = |word: &str| match word {
            "granted" => ConsentRule::Granted,
            "not_denied" => ConsentRule::NotDenied,
            other => {
                self.error(
                    at,
                    format!("consent can't be `{other}`"),
                    "it is granted or not_denied",
                );
                ConsentRule::Granted
            }
        };
        let mut by_channel = BTreeMap::new();
        let mut consent = ConsentRule::Granted;
        match &topic.value.consent {
            Consent::All(word) => consent = rule(word),
            Consent::ByChannel(words) => {
                let mut unknown = Vec::new();
                for (name, word) in words {
                    let value = rule(word);
                    match Channel::parse(name) {
                        Some(channel) => {
                            by_channel.insert(channel, value);
                        }
                        None if name == "default" => consent = value,
                        None => unknown.push(name.clone()),
                    }
                }
                for name in unknown {
                    self.error(
                        at,
                        format!("unknown channel `{name}`"),
                        "channels are email, sms, whatsapp …, and `default` for the others",
                    );
                }
            }
        }
        let mut exempt = |given: &Option<Spanned<String>>, what: &str| match given {
            None => false,
            Some(word) if word.value == "exempt" => true,
            Some(word) => {
                self.error(
                    position(word),
                    format!("`{what}` can't be `{}`", word.value),
                    "it is `exempt`, or absent",
                );
                false
            }
        };
        let caps_exempt = exempt(&topic.value.caps, "caps");
        let quiet_exempt = exempt(&topic.value.quiet, "quiet");
        let audience = topic
            .value
            .audience
            .as_ref()
            .and_then(|text| self.condition(text));
        let unless = topic
            .value
            .unless
            .as_ref()
            .map(|words| self.reactions(words));
        TopicRule {
            consent,
            by_channel,
            caps_exempt,
            quiet_exempt,
            audience,
            unless,
        }
    }

    fn reactions(&mut self, words: &Spanned<OneOrMany>) -> Vec<Reaction> {
        let mut found = Vec::new();
        for word in &words.value.0 {
            match Reaction::ALL.iter().find(|(known, _)| known == word) {
                Some((_, reaction)) => found.push(*reaction),
                None => self.error(
                    position(words),
                    format!("unknown reaction `{word}`"),
                    "reactions are delivered, opened, clicked, replied, visited",
                ),
            }
        }
        found
    }

    fn channels(&mut self, words: &Spanned<OneOrMany>) -> Vec<Channel> {
        let mut found = Vec::new();
        for word in &words.value.0 {
            match Channel::parse(word) {
                Some(channel) => found.push(channel),
                None => {
                    let known = Channel::ALL.map(Channel::as_str);
                    let hint = did_you_mean(word, known)
                        .unwrap_or_else(|| format!("channels are: {}", known.join(", ")));
                    self.error(position(words), format!("unknown channel `{word}`"), &hint);
                }
            }
        }
        found
    }

    fn quiet(&mut self, rule: &Spanned<Quiet>) -> QuietRule {
        let part = &rule.value;
        let (from, to) = (
            part.from.as_ref().and_then(|t| self.clock(t)),
            part.to.as_ref().and_then(|t| self.clock(t)),
        );
        if part.from.is_some() != part.to.is_some() {
            self.error(
                position(rule),
                "quiet hours need both `from` and `to`",
                "such as from: \"22:00\", to: \"07:00\"",
            );
        }
        if from.is_some() && from == to {
            self.error(
                position(rule),
                "quiet hours end when they begin",
                "use `days` for whole days",
            );
        }
        let (mut days, mut dates) = (Vec::new(), Vec::new());
        for word in part.days.iter().flat_map(|words| &words.value.0) {
            match (super::schedule::weekday(word), self.calendar.get(word)) {
                (Some(day), _) => days.push(day),
                (None, Some(named)) => dates.push(named.clone()),
                (None, None) => self.error(
                    position(rule),
                    format!("unknown day `{word}`"),
                    "days are monday … sunday, or a name of `calendar`",
                ),
            }
        }
        let shop_zone = match part.zone.as_ref().map(|z| z.value.as_str()) {
            None | Some("customer") => false,
            Some("shop") => true,
            Some(other) => {
                let message = format!("`zone` of quiet hours can't be `{other}`");
                self.error(position(rule), message, "it is customer or shop");
                false
            }
        };
        let channels = part
            .channels
            .as_ref()
            .map(|words| self.channels(words))
            .unwrap_or_default();
        QuietRule {
            channels,
            from,
            to,
            days,
            dates,
            shop_zone,
        }
    }
}

fn senders(senders: Senders) -> BTreeMap<Channel, String> {
    [
        (Channel::Sms, senders.sms),
        (Channel::Whatsapp, senders.whatsapp),
        (Channel::Telegram, senders.telegram),
        (Channel::Viber, senders.viber),
        (Channel::Push, senders.push),
    ]
    .into_iter()
    .filter_map(|(channel, sender)| Some((channel, sender?.from)))
    .collect()
}

fn words(given: Option<&Spanned<OneOrMany>>) -> Vec<String> {
    given.map(|words| words.value.0.clone()).unwrap_or_default()
}
