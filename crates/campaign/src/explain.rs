//! A campaign in plain sentences, and as a Mermaid flowchart: what a marketer reads before it goes live.
//!
//! Entries are numbered as the compiled cascade has them, so that branches can be followed. Absent: opinions.

use std::fmt::Write as _;

use crate::model::{
    Campaign, Delay, Entry, GoodsChange, Missed, Mode, OfferKind, Pattern, Schedule, Seen, Start,
    StartKind, Step, Unless,
};
use crate::policy::Policy;

/// The sentences, a line each.
pub fn sentences(campaign: &Campaign, policy: &Policy) -> Vec<String> {
    let mut lines = vec![format!(
        "{} ({}): group {}, topic {}, priority {}.",
        campaign.title, campaign.name, campaign.group, campaign.topic, campaign.priority
    )];
    match campaign.mode {
        Mode::Live => {}
        Mode::Shadow => lines
            .push("It is in shadow: it decides and records, and its messages go to files.".into()),
        Mode::Paused => lines.push("It is paused: due steps wait until they expire.".into()),
    }
    for start in &campaign.starts {
        lines.push(format!("It begins {}.", begins(start)));
    }
    if let Some(audience) = &campaign.audience {
        lines.push(format!(
            "When a step is due it is sent only if {}.",
            audience.source()
        ));
    }
    if !campaign.replaces.is_empty() {
        lines.push(format!(
            "Of it and {} only one runs; this one goes first.",
            list(&campaign.replaces)
        ));
    }
    for exit in &campaign.exits {
        let word = if exit.converted {
            "converted"
        } else {
            "cancelled"
        };
        lines.push(format!(
            "It ends at once as {word} at {}.",
            pattern(&exit.pattern)
        ));
    }
    if let Some(event) = policy.groups.get(&campaign.group).and_then(Option::as_ref) {
        lines.push(format!(
            "{event} ends it too, as all of group {}.",
            campaign.group
        ));
    }
    if let Some(over) = &campaign.over_at {
        lines.push(format!("It is over at {}.", over.source()));
    }
    if campaign.holdout > 0 {
        let share = f64::from(campaign.holdout) / 100.0;
        lines.push(format!(
            "{share} % of the customers are kept without it, for comparison."
        ));
    }
    if let Some(at) = campaign.first_at {
        let at = at.strftime("%H:%M");
        lines.push(format!(
            "The first message goes out at {at} local time, if its step names no other."
        ));
    }
    lines.push("The cascade:".into());
    for (place, entry) in campaign.entries.iter().enumerate() {
        let last = campaign.entries.len();
        lines.push(format!("{:>3}. {}", place + 1, does(entry, last)));
    }
    lines
}

fn changes(change: &GoodsChange) -> String {
    match change {
        GoodsChange::PriceDrop { by: 0 } => "the price falls".to_owned(),
        GoodsChange::PriceDrop { by } => {
            format!("the price falls by {} % or more", f64::from(*by) / 100.0)
        }
        GoodsChange::BackInStock => "it is back in stock".to_owned(),
    }
}

fn begins(start: &Start) -> String {
    let mut text = match &start.kind {
        StartKind::After { on, delay } => match delay {
            Delay::Fixed(range) if range.to.as_millis() == 0 => format!("at {}", list(on)),
            Delay::Fixed(_) | Delay::Computed(_) => format!("{} after {}", span(delay), list(on)),
        },
        StartKind::Idle { on, span } => format!("{} of inactivity after {}", range(span), list(on)),
        StartKind::Silence { without, span } => {
            let what = match without {
                Missed::Order => "an order",
                Missed::Visit => "a visit",
            };
            format!("{} without {what}, counted from the last one", range(span))
        }
        StartKind::Date {
            moment,
            before,
            yearly,
        } => {
            let every = if *yearly { ", every year" } else { "" };
            let before = if before.as_millis() > 0 {
                format!("{before} before ")
            } else {
                "at ".into()
            };
            format!("{before}{}{every}", moment.source())
        }
        StartKind::Schedule(schedule) => format!("for everybody {}", days(schedule)),
        StartKind::Announced { on } => format!("for everybody at {}", list(on)),
        StartKind::Product {
            change,
            seen,
            within,
            delay,
        } => {
            let change = changes(change);
            let words = Seen::ALL.iter().filter(|(_, kind)| seen.contains(kind));
            let words: Vec<&str> = words.map(|(word, _)| *word).collect();
            let after = match delay {
                Delay::Fixed(range) if range.to.as_millis() == 0 => String::new(),
                Delay::Fixed(_) | Delay::Computed(_) => format!("{} after ", span(delay)),
            };
            format!(
                "{after}when {change}, of a product {} within {within}",
                words.join(" or ")
            )
        }
        StartKind::Ended { of, delay } => match delay {
            Delay::Fixed(range) if range.to.as_millis() == 0 => {
                format!("when a journey of {} has ended", list(of))
            }
            Delay::Fixed(_) | Delay::Computed(_) => {
                format!("{} after a journey of {} has ended", span(delay), list(of))
            }
        },
    };
    if let Some(times) = &start.times {
        let _ = write!(text, ", the {}th time within {}", times.count, times.within);
    }
    if let Some(when) = &start.when {
        let _ = write!(text, ", if {}", when.source());
    }
    if let Some(key) = &start.key {
        let _ = write!(text, ", once per {}", key.source());
    }
    if let Some(each) = &start.each {
        let _ = write!(text, ", for each of {}", each.source());
    }
    match start.reentry {
        Some(least) if least.as_millis() > 0 => {
            let _ = write!(text, "; again after {least} at the earliest");
        }
        Some(_) => {}
        None => text.push_str("; once in a life"),
    }
    text
}

/// Where a jump leads, as the list numbers it.
fn place(to: u16, last: usize) -> String {
    let to = usize::from(to);
    if to < last {
        format!("at {}", to + 1)
    } else {
        "to the end".to_owned()
    }
}

fn does(entry: &Entry, last: usize) -> String {
    match entry {
        Entry::Step(step) => sends(step),
        Entry::Wait {
            delay,
            unless,
            until,
        } => {
            let wait = if *until {
                format!("Waits until {}", span(delay))
            } else {
                format!("Waits {}", span(delay))
            };
            format!("{wait}.{}", excuses(unless))
        }
        Entry::Await {
            patterns,
            within,
            came,
        } => format!(
            "Waits for {}, at most {}. When it comes: goes on {}.",
            patterns
                .iter()
                .map(pattern)
                .collect::<Vec<_>>()
                .join(" or "),
            span(within),
            place(*came, last)
        ),
        Entry::If {
            when, otherwise, ..
        } => format!(
            "If {}: goes on here; if not: {}.",
            when.source(),
            place(*otherwise, last)
        ),
        Entry::Split { name, branches, .. } => {
            let parts = branches.iter().map(|(branch, share, to)| {
                format!(
                    "{} % `{branch}` {}",
                    f64::from(*share) / 100.0,
                    place(*to, last)
                )
            });
            format!(
                "Splits by `{name}`: {}.",
                parts.collect::<Vec<_>>().join(", ")
            )
        }
        Entry::Jump(to) => format!("Goes on {}.", place(*to, last)),
        Entry::End(name) => format!("Ends as `{name}`."),
    }
}

fn sends(step: &Step) -> String {
    let channels: Vec<&str> = step.send.iter().map(|channel| channel.as_str()).collect();
    let mut text = format!("Sends `{}` by {}", step.name, channels.join(", else by "));
    if step.preferred {
        text.push_str(", the channel the customer reacts to first");
    }
    if let Some(at) = step.at {
        let _ = write!(text, ", at {} local time", at.strftime("%H:%M"));
    }
    if let Some(recommend) = &step.recommend {
        let _ = write!(
            text,
            ", with {} products ({})",
            recommend.count,
            recommend.kind.word()
        );
    }
    if let Some(offer) = &step.offer {
        let what = match &offer.kind {
            OfferKind::Coupon(pool) => format!("a code of {pool}"),
            OfferKind::Points(points) => format!("{points} points"),
            OfferKind::FreeDelivery => "free delivery".into(),
            OfferKind::Gift(name) => format!("the gift {name}"),
            OfferKind::Terms(name) => format!("the terms {name}"),
        };
        let guard = if offer.outside_guard {
            ""
        } else {
            ", if the offer guard allows it"
        };
        let upon = offer
            .upon
            .as_ref()
            .map(|event| format!(", earned by {event}"));
        let upon = upon.unwrap_or_default();
        let _ = write!(text, ", with {what}{upon} for {}{guard}", offer.valid);
    }
    let _ = write!(text, ". Given up {} after it was due.", step.expires);
    text
}

fn excuses(unless: &Unless) -> String {
    let mut words: Vec<String> = unless
        .reactions
        .iter()
        .map(|reaction| format!("{reaction:?}").to_lowercase())
        .collect();
    words.extend(unless.patterns.iter().map(pattern));
    if words.is_empty() {
        String::new()
    } else {
        format!(" Whoever {} meanwhile is left alone.", words.join(" or "))
    }
}

fn pattern(pattern: &Pattern) -> String {
    match &pattern.when {
        None => list(&pattern.on),
        Some(when) => format!("{} if {}", list(&pattern.on), when.source()),
    }
}

fn list(words: &[String]) -> String {
    words.join(" or ")
}

fn range(range: &crate::model::SpanRange) -> String {
    if range.from == range.to {
        range.from.to_string()
    } else {
        format!("{} to {}", range.from, range.to)
    }
}

fn span(delay: &Delay) -> String {
    match delay {
        Delay::Fixed(fixed) => range(fixed),
        Delay::Computed(expression) => expression.source().to_owned(),
    }
}

fn days(schedule: &Schedule) -> String {
    match schedule {
        Schedule::Week(days) => {
            let days: Vec<String> = days.iter().map(|day| format!("{day:?}")).collect();
            format!("every {}", days.join(" and "))
        }
        Schedule::Month(days) => {
            let days: Vec<String> = days.iter().map(ToString::to_string).collect();
            format!("every month on day {}", days.join(" and "))
        }
        Schedule::Days(days) => {
            let days: Vec<String> = days
                .iter()
                .map(|day| format!("{:02}-{:02}", day.month, day.day))
                .collect();
            format!("on {}", days.join(" and "))
        }
        Schedule::Span(days) => {
            let days: Vec<String> = days
                .iter()
                .map(|day| format!("{:02}-{:02}", day.month, day.day))
                .collect();
            format!("when the days from {} begin", days.join(" and "))
        }
    }
}

/// The cascade as a Mermaid flowchart.
pub fn mermaid(campaign: &Campaign) -> String {
    let mut text = String::from("flowchart TD\n");
    let starts: Vec<String> = campaign.starts.iter().map(begins).collect();
    let _ = writeln!(
        text,
        "  start([\"{}\"]) --> e0",
        quoted(&starts.join(" / "))
    );
    let end = campaign.entries.len();
    for (place, entry) in campaign.entries.iter().enumerate() {
        let label = quoted(&does(entry, campaign.entries.len()));
        let next = place + 1;
        let shape = match entry {
            Entry::Step(_) => format!("  e{place}[\"{label}\"]"),
            Entry::Wait { .. } | Entry::Await { .. } => format!("  e{place}[/\"{label}\"/]"),
            Entry::If { .. } | Entry::Split { .. } => format!("  e{place}{{\"{label}\"}}"),
            Entry::Jump(_) | Entry::End(_) => format!("  e{place}((\"{label}\"))"),
        };
        let _ = writeln!(text, "{shape}");
        let arrows: Vec<(usize, &str)> = match entry {
            Entry::Step(_) | Entry::Wait { .. } => vec![(next, "")],
            Entry::Await { came, .. } => vec![(usize::from(*came), "came"), (next, "did not come")],
            Entry::If { otherwise, .. } => vec![(next, "yes"), (usize::from(*otherwise), "no")],
            Entry::Split { branches, .. } => branches
                .iter()
                .map(|(name, _, to)| (usize::from(*to), name.as_str()))
                .collect(),
            Entry::Jump(to) => vec![(usize::from(*to), "")],
            Entry::End(_) => vec![(end, "")],
        };
        for (to, word) in arrows {
            let arrow = if word.is_empty() {
                "-->".to_owned()
            } else {
                format!("-->|{}|", quoted(word))
            };
            let _ = writeln!(text, "  e{place} {arrow} e{to}");
        }
    }
    let _ = writeln!(text, "  e{end}([\"end\"])");
    text
}

fn quoted(text: &str) -> String {
    text.replace('"', "#quot;").replace(['\n', '\r'], " ")
}
