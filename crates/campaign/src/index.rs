//! What concerns what in a bundle: an event looks at the few starts, journeys and counters that its name concerns, not
//! at every campaign.
//!
//! It holds names and positions alone; the rules themselves stay where they are, in the campaigns. Every list is in
//! the order of the campaigns, so that going by it gives the same result as going through all of them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::model::{Campaign, Missed, Seen, Start, StartKind};
use crate::policy::Policy;

/// Starts, as campaign and index of the start.
pub(crate) type Starts = Vec<(String, usize)>;

/// What an event of one name concerns.
#[derive(Debug, Default)]
pub struct Concerns {
    /// Starts that it may begin.
    pub begins: Starts,
    /// Starts with `times` that count anew when it comes.
    pub recounts: Starts,
    listens: BTreeSet<String>,
    ends: BTreeSet<String>,
}

impl Concerns {
    /// Whether a journey of this campaign waits for the event, or is excused by it.
    pub fn listens(&self, campaign: &str) -> bool {
        has(&self.listens, campaign)
    }

    /// Whether it may end a journey of any campaign, or be its goal.
    pub fn ends_any(&self) -> bool {
        !self.ends.is_empty()
    }

    /// Whether it may end a journey of this campaign, or be its goal.
    pub fn ends(&self, campaign: &str) -> bool {
        has(&self.ends, campaign)
    }
}

/// The names of an event are few, most often none.
fn has(names: &BTreeSet<String>, name: &str) -> bool {
    !names.is_empty() && names.contains(name)
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Index {
    by_event: HashMap<String, Concerns>,
    /// Campaigns that begin after inactivity.
    pub(crate) idle: BTreeSet<String>,
    /// Starts by silence.
    pub(crate) silences: Starts,
    /// Whether one of them misses visits.
    pub(crate) misses_visits: bool,
    /// Starts by a date of the customer.
    pub(crate) dates: Starts,
    /// Starts by news of goods.
    pub(crate) goods: Starts,
    /// Ways of knowing goods that those ask for.
    pub(crate) watched: BTreeSet<Seen>,
    /// Starts by the end of a journey, by the campaign that ends.
    ended: HashMap<String, Starts>,
    none: Concerns,
}

impl Index {
    /// Of all campaigns of a bundle.
    pub(crate) fn of(campaigns: &BTreeMap<String, Campaign>, policy: &Policy) -> Self {
        let mut index = Self::default();
        for (name, campaign) in campaigns {
            for (place, start) in campaign.starts.iter().enumerate() {
                index.start(name, place, start);
            }
            let of_group = policy.groups.get(&campaign.group).and_then(Option::as_ref);
            let exits = campaign.exits.iter().map(|exit| &exit.pattern);
            let patterns = exits.chain(&campaign.goals);
            for event in patterns.flat_map(|pattern| &pattern.on).chain(of_group) {
                index.concern(event).ends.insert(name.clone());
            }
            for entry in &campaign.entries {
                for event in entry.patterns().iter().flat_map(|pattern| &pattern.on) {
                    index.concern(event).listens.insert(name.clone());
                }
            }
        }
        index
    }

    fn start(&mut self, name: &str, place: usize, start: &Start) {
        let here = || (name.to_owned(), place);
        let anew = start
            .times
            .as_ref()
            .and_then(|times| times.without.as_deref());
        if let Some(event) = anew {
            self.concern(event).recounts.push(here());
        }
        match &start.kind {
            StartKind::After { on, .. } | StartKind::Idle { on, .. } => {
                for event in on {
                    self.concern(event).begins.push(here());
                }
            }
            StartKind::Silence { without, .. } => {
                self.silences.push(here());
                self.misses_visits |= *without == Missed::Visit;
            }
            StartKind::Date { .. } => self.dates.push(here()),
            StartKind::Product { seen, .. } => {
                self.goods.push(here());
                self.watched.extend(seen);
            }
            StartKind::Ended { of, .. } => {
                for campaign in of {
                    let starts = self.ended.entry(campaign.clone()).or_default();
                    if starts.last() != Some(&here()) {
                        starts.push(here());
                    }
                }
            }
            StartKind::Schedule(_) | StartKind::Announced { .. } => {}
        }
        if start.kind.answers().idle.is_some() {
            self.idle.insert(name.to_owned());
        }
    }

    fn concern(&mut self, event: &str) -> &mut Concerns {
        self.by_event.entry(event.to_owned()).or_default()
    }

    pub(crate) fn concerns(&self, event: &str) -> &Concerns {
        self.by_event.get(event).unwrap_or(&self.none)
    }

    pub(crate) fn ended(&self, campaign: &str) -> &[(String, usize)] {
        self.ended.get(campaign).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use winback_contract::spec;

    use crate::model::{Entry, Pattern};
    use crate::{Bundle, Files};

    /// With all that ships, every event concerns what a look at all campaigns finds.
    #[test]
    fn it_says_what_a_look_at_everything_says() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../campaigns");
        let bundle = Bundle::compile(&Files::of_folder(&root)).map(|(bundle, _)| bundle);
        let Ok(bundle) = bundle else {
            panic!("the shipped campaigns do not compile");
        };
        assert!(bundle.campaigns.len() > 30);
        let own = [
            spec::CART_EMPTIED,
            spec::SESSION_STARTED,
            spec::PRICE_DROPPED,
            spec::BACK_IN_STOCK,
            "Something Else",
        ];
        let names: Vec<&str> = spec::events().map(|event| event.name).chain(own).collect();
        let mut hits = 0;
        for event in names {
            let on = |pattern: &Pattern| pattern.on.iter().any(|name| name == event);
            let concerns = bundle.concerns(event);
            let mut begins = Vec::new();
            let mut recounts = Vec::new();
            for (name, campaign) in &bundle.campaigns {
                let group = bundle.policy.groups.get(&campaign.group);
                let ends = group.and_then(Option::as_deref) == Some(event)
                    || campaign.exits.iter().any(|exit| on(&exit.pattern))
                    || campaign.goals.iter().any(on);
                assert_eq!(concerns.ends(name), ends, "{event} ends {name}");
                let listens = campaign.entries.iter().any(|entry| match entry {
                    Entry::Await { patterns, .. } => patterns.iter().any(on),
                    Entry::Wait { unless, .. } => unless.patterns.iter().any(on),
                    Entry::Step(_)
                    | Entry::If { .. }
                    | Entry::Split { .. }
                    | Entry::Jump(_)
                    | Entry::End(_) => false,
                });
                assert_eq!(concerns.listens(name), listens, "{name} listens to {event}");
                hits += u32::from(ends) + u32::from(listens);
                for (place, start) in campaign.starts.iter().enumerate() {
                    if start.kind.answers().events.iter().any(|name| name == event) {
                        begins.push((name.clone(), place));
                    }
                    let times = start.times.as_ref();
                    if times.and_then(|times| times.without.as_deref()) == Some(event) {
                        recounts.push((name.clone(), place));
                    }
                }
            }
            assert_eq!(concerns.begins, begins, "{event}");
            assert_eq!(concerns.recounts, recounts, "{event}");
        }
        assert!(hits > 30, "{hits}");
    }
}
