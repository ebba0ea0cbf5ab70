//! The cascade: exactly one entry word each. Blocks are laid flat into one list with jumps.

use std::collections::BTreeSet;

use super::{JUDGED, ON_EXIT, Scope, help};
use crate::condition::Wanted;
use crate::diagnostic::{Position, did_you_mean};
use crate::model::{Delay, Entry, Reaction, Unless};
use crate::yaml::campaign::{Branch, Entries, EntryPart};
use crate::yaml::values::{Patterns, percent};
use crate::yaml::{Spanned, position};

/// Fields and the entry words they go with.
const FITTING: &[(&str, &[&str])] = &[
    ("unless", &["wait", "until"]),
    ("for", &["await"]),
    ("otherwise", &["await"]),
    ("then", &["if"]),
    ("else", &["if"]),
    ("into", &["split"]),
    ("send", &["step"]),
    ("at", &["step"]),
    ("expires", &["step"]),
    ("show", &["step"]),
    ("recommend", &["step"]),
    ("template", &["step"]),
    ("offer", &["step"]),
    ("stay", &["step"]),
    ("task", &["step"]),
];

/// What is known while a cascade is laid out.
pub(super) struct Layout<'c> {
    pub(super) campaign: &'c str,
    pub(super) topic: &'c str,
    pub(super) entries: Vec<Entry>,
    pub(super) steps: BTreeSet<String>,
}

impl Scope<'_> {
    pub(super) fn cascade(
        &mut self,
        cascade: &Spanned<Entries>,
        mut layout: Layout<'_>,
    ) -> Vec<Entry> {
        self.block(&cascade.value, &mut layout);
        if layout.steps.is_empty() {
            let hint = "add `- { step: reminder, send: [email] }`";
            self.error(position(cascade), "the cascade has no step", help(hint));
        }
        if layout.entries.len() > 200 {
            self.error(position(cascade), "a cascade has at most 200 entries", None);
        }
        layout.entries
    }

    fn block(&mut self, block: &[Spanned<EntryPart>], layout: &mut Layout<'_>) {
        let mut ended = false;
        for part in block {
            let at = position(part);
            if ended {
                self.error(
                    at,
                    "this entry is never reached: the journey has ended before it",
                    None,
                );
                break;
            }
            let Some(word) = self.word_of(&part.value, at) else {
                continue;
            };
            self.entry_fitting(word, &part.value);
            ended = word == "end";
            self.entry(word, &part.value, at, layout);
        }
    }

    fn word_of(&mut self, part: &EntryPart, at: Option<Position>) -> Option<&'static str> {
        let words: Vec<&'static str> = [
            ("step", part.step.is_some()),
            ("wait", part.wait.is_some()),
            ("until", part.until.is_some()),
            ("await", part.await_.is_some()),
            ("if", part.if_.is_some()),
            ("split", part.split.is_some()),
            ("end", part.end.is_some()),
        ]
        .into_iter()
        .filter(|(_, given)| *given)
        .map(|(word, _)| word)
        .collect();
        match words.as_slice() {
            [word] => Some(word),
            [] => {
                self.error(
                    at,
                    "an entry needs `step`, `wait`, `until`, `await`, `if`, `split` or `end`",
                    None,
                );
                None
            }
            [first, second, ..] => {
                let message = format!("an entry has one word, `{first}` or `{second}`, not both");
                self.error(at, message, help("put each into an entry of its own"));
                None
            }
        }
    }

    fn entry_fitting(&mut self, word: &str, part: &EntryPart) {
        let given = [
            ("unless", part.unless.as_ref().map(position)),
            ("for", part.for_.as_ref().map(position)),
            ("otherwise", part.otherwise.as_ref().map(position)),
            ("then", part.then.as_ref().map(position)),
            ("else", part.else_.as_ref().map(position)),
            ("into", part.into.as_ref().map(position)),
            ("send", part.send.as_ref().map(position)),
            ("at", part.at.as_ref().map(position)),
            ("expires", part.expires.as_ref().map(position)),
            ("show", part.show.as_ref().map(position)),
            ("recommend", part.recommend.as_ref().map(position)),
            ("template", part.template.as_ref().map(position)),
            ("offer", part.offer.as_ref().map(position)),
            ("stay", part.stay.as_ref().map(position)),
            ("task", part.task.as_ref().map(position)),
        ];
        for (field, place) in given {
            let owners = FITTING
                .iter()
                .find(|(name, _)| *name == field)
                .map_or(&[][..], |(_, owners)| *owners);
            if let (Some(place), false) = (place, owners.contains(&word)) {
                let message = format!("`{field}` belongs to {}, not to `{word}`", a_list(owners));
                self.error(place, message, None);
            }
        }
    }

    fn entry(
        &mut self,
        word: &str,
        part: &EntryPart,
        at: Option<Position>,
        layout: &mut Layout<'_>,
    ) {
        match word {
            "step" => {
                let Some(name) = &part.step else { return };
                if !layout.steps.insert(name.value.clone()) {
                    let message = format!("there are two steps named `{}`", name.value);
                    self.error(position(name), message, help("a step is known by its name"));
                }
                self.name(name);
                let step = self.step(name, part, layout.campaign);
                layout.entries.push(Entry::Step(step));
            }
            "wait" | "until" => {
                let (Some(text), until) =
                    (part.wait.as_ref().or(part.until.as_ref()), word == "until")
                else {
                    return;
                };
                let delay = if until {
                    self.expression(text, JUDGED, Wanted::Moment)
                        .map(Delay::Computed)
                } else {
                    Some(self.delay(text, JUDGED))
                };
                let unless = self.unless(part.unless.as_ref(), layout.topic);
                if let Some(delay) = delay {
                    layout.entries.push(Entry::Wait {
                        delay,
                        unless,
                        until,
                    });
                }
            }
            "await" => self.awaiting(part, at, layout),
            "if" => self.branching(part, at, layout),
            "split" => self.splitting(part, at, layout),
            _ => {
                if let Some(name) = &part.end {
                    self.outcome_name(name);
                    layout.entries.push(Entry::End(name.value.clone()));
                }
            }
        }
    }

    fn outcome_name(&mut self, name: &Spanned<String>) {
        let plain = !name.value.is_empty()
            && name.value.len() <= 40
            && name
                .value
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-');
        let known = winback_contract::Reason::ALL
            .iter()
            .any(|reason| reason.as_str() == name.value);
        if !plain || known {
            let hint = "small letters, digits, `-` and `_`, and no reason of winback's own";
            self.error(
                position(name),
                format!("`{}` can't be the name of an end", name.value),
                help(hint),
            );
        }
    }

    fn awaiting(&mut self, part: &EntryPart, at: Option<Position>, layout: &mut Layout<'_>) {
        let Some(patterns) = &part.await_ else { return };
        let Some(within) = &part.for_ else {
            self.error(
                at,
                "`await` needs `for`: nothing is awaited for ever",
                help("such as `for: 7d`"),
            );
            return;
        };
        let patterns = self.patterns(patterns, ON_EXIT);
        let within = self.delay(within, JUDGED);
        let place = layout.entries.len();
        layout.entries.push(Entry::Await {
            patterns,
            within,
            came: 0,
        });
        if let Some(otherwise) = &part.otherwise {
            self.block(&otherwise.value, layout);
        }
        let behind = index(layout.entries.len());
        if let Some(Entry::Await { came, .. }) = layout.entries.get_mut(place) {
            *came = behind;
        }
    }

    fn branching(&mut self, part: &EntryPart, at: Option<Position>, layout: &mut Layout<'_>) {
        let Some(when) = part
            .if_
            .as_ref()
            .and_then(|text| self.expression(text, JUDGED, Wanted::Answer))
        else {
            // It goes nowhere now, and what is in it is looked at all the same.
            for block in [&part.then, &part.else_].into_iter().flatten() {
                self.block(&block.value, layout);
            }
            return;
        };
        if part.then.is_none() && part.else_.is_none() {
            self.error(at, "`if` needs `then`", None);
        }
        let place = layout.entries.len();
        layout.entries.push(Entry::If {
            when,
            otherwise: 0,
            behind: 0,
        });
        if let Some(then) = &part.then {
            self.block(&then.value, layout);
        }
        let jump = part.else_.as_ref().map(|_| {
            layout.entries.push(Entry::Jump(0));
            layout.entries.len() - 1
        });
        let start_of_else = index(layout.entries.len());
        if let Some(otherwise) = &part.else_ {
            self.block(&otherwise.value, layout);
        }
        let end = index(layout.entries.len());
        if let Some(Entry::Jump(to)) = jump.and_then(|jump| layout.entries.get_mut(jump)) {
            *to = end;
        }
        if let Some(Entry::If {
            otherwise, behind, ..
        }) = layout.entries.get_mut(place)
        {
            *otherwise = start_of_else;
            *behind = end;
        }
    }

    fn splitting(&mut self, part: &EntryPart, at: Option<Position>, layout: &mut Layout<'_>) {
        let (Some(name), Some(into)) = (&part.split, &part.into) else {
            self.error(
                at,
                "`split` needs `into`",
                help("such as into: { a: { share: 50%, then: [ … ] }, b: { share: 50% } }"),
            );
            return;
        };
        self.name(name);
        let place = layout.entries.len();
        layout.entries.push(Entry::Jump(0));
        let (mut branches, mut jumps, mut sum) = (Vec::new(), Vec::new(), 0);
        for (branch_name, branch) in &into.value {
            let Branch { share, then } = branch;
            let hundredths = percent(&share.value).unwrap_or_else(|message| {
                self.error(position(share), message, None);
                0
            });
            sum += hundredths;
            branches.push((branch_name.clone(), hundredths, index(layout.entries.len())));
            self.block(then, layout);
            layout.entries.push(Entry::Jump(0));
            jumps.push(layout.entries.len() - 1);
        }
        if sum > 10_000 {
            self.error(
                position(into),
                "the shares are more than 100% together",
                None,
            );
        }
        let end = index(layout.entries.len());
        for jump in jumps {
            layout.entries[jump] = Entry::Jump(end);
        }
        layout.entries[place] = Entry::Split {
            name: name.value.clone(),
            branches,
            rest: end,
        };
    }

    fn unless(&mut self, given: Option<&Spanned<Patterns>>, topic: &str) -> Unless {
        let Some(given) = given else {
            let of_topic = self
                .policy
                .topics
                .get(topic)
                .and_then(|topic| topic.unless.clone());
            return Unless {
                reactions: of_topic.unwrap_or_else(|| self.policy.reactions.clone()),
                patterns: Vec::new(),
            };
        };
        let mut unless = Unless::default();
        let mut rest = Patterns::default();
        for pattern in &given.value.0 {
            let mut events = Vec::new();
            for word in &pattern.on.0 {
                match Reaction::ALL.iter().find(|(known, _)| known == word) {
                    Some((_, reaction)) if pattern.when.is_none() => {
                        unless.reactions.push(*reaction)
                    }
                    // Events begin with a capital; a small word was meant to be a reaction.
                    None if word.starts_with(|c: char| c.is_ascii_lowercase()) => {
                        let known = Reaction::ALL.map(|(word, _)| word);
                        let hint = did_you_mean(word, known).unwrap_or_else(|| {
                            format!(
                                "reactions are: {}; or an event by its name",
                                known.join(", ")
                            )
                        });
                        self.error(
                            position(given),
                            format!("unknown reaction `{word}`"),
                            Some(hint),
                        );
                    }
                    _ => events.push(word.clone()),
                }
            }
            if !events.is_empty() {
                let mut pattern = pattern.clone();
                pattern.on.0 = events;
                rest.0.push(pattern);
            }
        }
        unless.patterns = self.pattern_list(&rest, position(given), ON_EXIT);
        unless
    }
}

fn index(length: usize) -> u16 {
    u16::try_from(length).unwrap_or(u16::MAX)
}

fn a_list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(" or ")
}
