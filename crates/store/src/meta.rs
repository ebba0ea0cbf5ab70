//! The meta of a partition: epoch, sequence, positions, high-water marks, active bundle, sweep.

use std::collections::{BTreeMap, BTreeSet};

use winback_contract::{BundleHash, Channel, Offset, Partition, Reason, Topic};

/// Next positions to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Positions {
    /// In `events`.
    pub events: Offset,
    /// In `decisions`.
    pub decisions: Offset,
    /// In `outcomes`.
    pub outcomes: Offset,
}

/// The last records that were applied, as marks of the log: a topic made anew is told by them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Marks {
    /// Of `events`.
    pub events: String,
    /// Of `decisions`.
    pub decisions: String,
    /// Of `outcomes`.
    pub outcomes: String,
}

/// What is kept of a partition beside its customers.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PartitionMeta {
    /// Grows with every owner.
    pub epoch: u64,
    /// Grows with every commit.
    pub sequence: u64,
    /// Id of the last commit.
    pub last_commit: Option<[u8; 16]>,
    /// Where to read on.
    pub positions: Positions,
    /// The records before these positions; empty where none was applied yet.
    pub marks: Marks,
    /// The newest applied (offset, index) of each stream of internal records.
    pub high_water: BTreeMap<(String, Partition), (Offset, u32)>,
    /// The bundle that decides.
    pub bundle: Option<BundleHash>,
    /// The running sweep's cursor; absent when none runs.
    pub sweep: Option<String>,
    /// Bundles other than the active one that journeys name: as the last activation's sweep has seen, and what was handed
    /// over since. `None` while that is not known.
    pub named: Option<BTreeSet<BundleHash>>,
    /// The same, as far as the running activation's sweep has got.
    pub naming: Option<BTreeSet<BundleHash>>,
    /// What sweeps are to do, the running one first.
    pub jobs: Vec<String>,
    /// The shop's announcements by name, as JSON.
    pub news: BTreeMap<String, String>,
    /// News of goods that watchers have yet to hear, by product, as JSON.
    pub goods: BTreeMap<String, String>,
    /// They were read from the one field of the release before: the next commit writes each into its own.
    pub goods_together: bool,
    /// What sells, as JSON; empty before the first order.
    pub sellers: String,
    /// The last day each schedule was called out for.
    pub called: BTreeMap<String, String>,
    /// Entries ever put into the outbox.
    pub pushed: u64,
    /// Entries ever taken out after Kafka had them.
    pub trimmed: u64,
    /// Triggers without a decision.
    pub open_triggers: u64,
    /// Messages without an outcome.
    pub in_flight: u64,
    /// The same by channel; those of before this was counted are missing.
    pub flights: BTreeMap<Channel, u64>,
    /// Held steps by reason.
    pub held: BTreeMap<Reason, u64>,
    /// What a person gave up, a line each; empty where nothing was.
    pub given_up: String,
    /// The store went back in time to this sequence, and it is not known yet what was sent meanwhile: nothing may be
    /// granted.
    pub recovering: Option<u64>,
}

/// Prefix of the fields of goods.
const GOODS: &str = "goods:";

/// Prefix of the fields of messages without an outcome, by channel.
const FLIGHT: &str = "flight:";

impl PartitionMeta {
    /// The topics that a partition reads, with the next position and the mark of the record before it.
    pub fn inputs(&self) -> [(Topic, Offset, &str); 3] {
        let (positions, marks) = (self.positions, &self.marks);
        [
            (Topic::Events, positions.events, &marks.events),
            (Topic::Decisions, positions.decisions, &marks.decisions),
            (Topic::Outcomes, positions.outcomes, &marks.outcomes),
        ]
    }

    /// One of them to be changed; none of any other topic.
    pub fn input(&mut self, topic: Topic) -> Option<(&mut Offset, &mut String)> {
        let (positions, marks) = (&mut self.positions, &mut self.marks);
        match topic {
            Topic::Events => Some((&mut positions.events, &mut marks.events)),
            Topic::Decisions => Some((&mut positions.decisions, &mut marks.decisions)),
            Topic::Outcomes => Some((&mut positions.outcomes, &mut marks.outcomes)),
            _ => None,
        }
    }

    /// As fields of a hash; one without a value is to be taken away, and `goods:` stands for all of its kind. Epoch and
    /// sequence are written by the commit itself. What is large or many is left out where it is as in `base`, which is
    /// there already.
    pub fn to_fields(&self, base: Option<&Self>) -> Vec<(String, String)> {
        let mut fields = vec![
            ("events".into(), self.positions.events.0.to_string()),
            ("decisions".into(), self.positions.decisions.0.to_string()),
            ("outcomes".into(), self.positions.outcomes.0.to_string()),
            ("pushed".into(), self.pushed.to_string()),
            ("trimmed".into(), self.trimmed.to_string()),
            ("open".into(), self.open_triggers.to_string()),
            ("flight".into(), self.in_flight.to_string()),
            (
                "bundle".into(),
                self.bundle.map(|hash| hash.to_string()).unwrap_or_default(),
            ),
            (
                "sweep".into(),
                self.sweep.clone().unwrap_or_else(|| "-".into()),
            ),
        ];
        for (name, now, before) in [
            ("named", &self.named, base.map(|base| &base.named)),
            ("naming", &self.naming, base.map(|base| &base.naming)),
        ] {
            if before != Some(now) {
                fields.push((name.into(), of_bundles(now.as_ref())));
            }
        }
        fields.push(("jobs".into(), self.jobs.join("\n")));
        if base.map_or("", |base| base.given_up.as_str()) != self.given_up {
            fields.push(("given_up".into(), self.given_up.clone()));
        }
        self.marked(base, &mut fields);
        if base.is_none_or(|base| base.recovering != self.recovering) {
            let behind = self.recovering.map(|sequence| sequence.to_string());
            fields.push(("recovering".into(), behind.unwrap_or_else(|| "-".into())));
        }
        self.goods(base, &mut fields);
        if base.is_none_or(|base| base.sellers != self.sellers) {
            fields.push(("sellers".into(), self.sellers.clone()));
        }
        self.listed(base, &mut fields);
        fields
    }

    fn marked(&self, base: Option<&Self>, fields: &mut Vec<(String, String)>) {
        let known = base.map(|base| &base.marks);
        for (name, mark, known) in [
            (
                "mark:events",
                &self.marks.events,
                known.map(|known| &known.events),
            ),
            (
                "mark:decisions",
                &self.marks.decisions,
                known.map(|known| &known.decisions),
            ),
            (
                "mark:outcomes",
                &self.marks.outcomes,
                known.map(|known| &known.outcomes),
            ),
        ] {
            if known != Some(mark) {
                fields.push((name.into(), mark.clone()));
            }
        }
    }

    fn goods(&self, base: Option<&Self>, fields: &mut Vec<(String, String)>) {
        // A field of each product: a feed of prices must not write all that waits anew with each of them.
        let together = base.is_some_and(|base| base.goods_together);
        let known = base.map(|base| &base.goods);
        for (product, json) in news(&self.goods, known.filter(|_| !together)) {
            fields.push((format!("{GOODS}{product}"), json.clone()));
        }
        for product in known.into_iter().flat_map(BTreeMap::keys) {
            if !self.goods.contains_key(product) {
                fields.push((format!("{GOODS}{product}"), String::new()));
            }
        }
        if together {
            fields.push(("goods".into(), String::new()));
        }
        if base.is_none() {
            // Which are there is not known: all that are not written now go.
            fields.push((GOODS.into(), String::new()));
        }
    }

    /// What is kept by name: only what is not as it was.
    fn listed(&self, base: Option<&Self>, fields: &mut Vec<(String, String)>) {
        let known = base.map(|base| &base.news);
        for (name, json) in news(&self.news, known) {
            fields.push((format!("news:{name}"), json.clone()));
        }
        let known = base.map(|base| &base.called);
        for (schedule, day) in news(&self.called, known) {
            fields.push((format!("called:{schedule}"), day.clone()));
        }
        let known = base.map(|base| &base.high_water);
        for ((stream, partition), (offset, index)) in news(&self.high_water, known) {
            fields.push((
                format!("hw:{partition}:{stream}"),
                format!("{offset}.{index}"),
            ));
        }
        let known = base.map(|base| &base.flights);
        for (channel, count) in news(&self.flights, known) {
            fields.push((format!("{FLIGHT}{channel}"), count.to_string()));
        }
        let known = base.map(|base| &base.held);
        for (reason, count) in news(&self.held, known) {
            fields.push((format!("held:{reason}"), count.to_string()));
        }
    }

    /// From the fields of a hash; fields it does not know are left alone.
    pub fn from_fields(fields: &BTreeMap<String, String>) -> Self {
        let number = |name: &str| {
            fields
                .get(name)
                .and_then(|text| text.parse::<i64>().ok())
                .unwrap_or(0)
        };
        let count = |name: &str| {
            fields
                .get(name)
                .and_then(|text| text.parse::<u64>().ok())
                .unwrap_or(0)
        };
        let together = fields.get("goods").filter(|json| !json.is_empty());
        Self {
            epoch: count("epoch"),
            sequence: count("seq"),
            last_commit: fields
                .get("commit")
                .and_then(|text| winback_contract::MessageId::parse(text).ok())
                .map(|id| id.0),
            positions: Positions {
                events: Offset(number("events")),
                decisions: Offset(number("decisions")),
                outcomes: Offset(number("outcomes")),
            },
            marks: Marks {
                events: fields.get("mark:events").cloned().unwrap_or_default(),
                decisions: fields.get("mark:decisions").cloned().unwrap_or_default(),
                outcomes: fields.get("mark:outcomes").cloned().unwrap_or_default(),
            },
            high_water: high_water(fields),
            bundle: fields
                .get("bundle")
                .and_then(|text| BundleHash::parse(text).ok()),
            named: bundles(fields.get("named")),
            naming: bundles(fields.get("naming")),
            sweep: fields.get("sweep").filter(|cursor| *cursor != "-").cloned(),
            jobs: fields
                .get("jobs")
                .map(|jobs| jobs.lines().map(str::to_owned).collect())
                .unwrap_or_default(),
            news: with_prefix(fields, "news:"),
            goods: match together {
                Some(json) => serde_json::from_str(json).unwrap_or_default(),
                None => with_prefix(fields, GOODS),
            },
            goods_together: together.is_some(),
            sellers: fields.get("sellers").cloned().unwrap_or_default(),
            called: with_prefix(fields, "called:"),
            pushed: count("pushed"),
            trimmed: count("trimmed"),
            open_triggers: count("open"),
            in_flight: count("flight"),
            flights: Channel::ALL
                .into_iter()
                .filter(|channel| fields.contains_key(&format!("{FLIGHT}{channel}")))
                .map(|channel| (channel, count(&format!("{FLIGHT}{channel}"))))
                .collect(),
            given_up: fields.get("given_up").cloned().unwrap_or_default(),
            recovering: fields
                .get("recovering")
                .and_then(|text| text.parse::<u64>().ok()),
            held: Reason::ALL
                .iter()
                .filter(|reason| fields.contains_key(&format!("held:{reason}")))
                .map(|reason| (*reason, count(&format!("held:{reason}"))))
                .collect(),
        }
    }
}

/// The newest applied record of each stream.
fn high_water(fields: &BTreeMap<String, String>) -> BTreeMap<(String, Partition), (Offset, u32)> {
    let read = |(name, value): (&String, &String)| {
        let (partition, stream) = name.strip_prefix("hw:")?.split_once(':')?;
        let (offset, index) = value.split_once('.')?;
        let place = (stream.to_owned(), Partition(partition.parse().ok()?));
        Some((place, (Offset(offset.parse().ok()?), index.parse().ok()?)))
    };
    fields.iter().filter_map(read).collect()
}

/// A list of bundles as a field; one that is not known is not the same as an empty one.
fn of_bundles(list: Option<&BTreeSet<BundleHash>>) -> String {
    match list {
        // A field without a value would be taken away.
        Some(list) => list
            .iter()
            .fold(" ".to_owned(), |text, hash| format!("{text}{hash} ")),
        None => "-".into(),
    }
}

/// From a field; `None` where one of them can't be read.
fn bundles(field: Option<&String>) -> Option<BTreeSet<BundleHash>> {
    let hashes = field?.split_whitespace();
    hashes.map(|hash| BundleHash::parse(hash).ok()).collect()
}

/// Entries that are not as they were.
fn news<'m, K: Ord, V: PartialEq>(
    map: &'m BTreeMap<K, V>,
    known: Option<&'m BTreeMap<K, V>>,
) -> impl Iterator<Item = (&'m K, &'m V)> {
    let is_new = move |(key, value): &(&K, &V)| {
        known.is_none_or(|known| known.get(*key).is_none_or(|before| before != *value))
    };
    map.iter().filter(is_new)
}

fn with_prefix(fields: &BTreeMap<String, String>, prefix: &str) -> BTreeMap<String, String> {
    fields
        .iter()
        .filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_owned(), value.clone())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_round_trip() {
        let mut meta = PartitionMeta {
            pushed: 7,
            trimmed: 5,
            sweep: Some("0".into()),
            open_triggers: 3,
            jobs: vec!["activate".into(), "news:News Published".into()],
            news: [("News Published".into(), "{}".into())].into(),
            called: [("holiday:0".into(), "2026-12-25".into())].into(),
            held: [(Reason::QuietHours, 2)].into(),
            goods: [("p1".into(), "{}".into()), ("p2".into(), "[]".into())].into(),
            flights: [(Channel::Email, 3)].into(),
            sellers: "[]".into(),
            recovering: Some(4),
            ..PartitionMeta::default()
        };
        meta.positions.events = Offset(42);
        meta.marks.events = "0123456789abcdef".into();
        meta.high_water
            .insert(("raw:raw:x".into(), Partition(3)), (Offset(9), 2));
        let mut fields = BTreeMap::new();
        put(&mut fields, meta.to_fields(None));
        assert_eq!(PartitionMeta::from_fields(&fields), meta);

        // What has not changed stays as it is there.
        let before = meta.clone();
        meta.positions.events = Offset(43);
        meta.recovering = None;
        meta.goods.remove("p1");
        meta.held.insert(Reason::QuietHours, 3);
        let changes = meta.to_fields(Some(&before));
        let names: Vec<&str> = changes.iter().map(|(name, _)| name.as_str()).collect();
        assert!(names.contains(&"goods:p1") && names.contains(&"held:quiet_hours"));
        assert!(
            !names.contains(&"sellers")
                && !names
                    .iter()
                    .any(|name| name.contains(':')
                        && !["held:quiet_hours", "goods:p1"].contains(name))
        );
        put(&mut fields, changes);
        assert_eq!(PartitionMeta::from_fields(&fields), meta);

        // The release before kept all news of goods in one field.
        fields.retain(|name, _| !name.starts_with("goods"));
        fields.insert("goods".into(), r#"{"p2":"[]"}"#.into());
        let before = PartitionMeta::from_fields(&fields);
        let mut meta = before.clone();
        assert!(meta.goods_together && meta.goods.contains_key("p2"));
        meta.goods_together = false;
        put(&mut fields, meta.to_fields(Some(&before)));
        assert_eq!(PartitionMeta::from_fields(&fields), meta);
    }

    /// As a commit does.
    fn put(fields: &mut BTreeMap<String, String>, changes: Vec<(String, String)>) {
        for (name, value) in changes {
            if value.is_empty() {
                fields.remove(&name);
            } else {
                fields.insert(name, value);
            }
        }
    }
}
