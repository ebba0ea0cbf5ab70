//! The registry that is handed down, and the only constructors of metrics. Names get the prefix `winback_`.
//!
//! Labels are bounded: never a profile, an address, a message id or a raw event name.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{
    Encoder as _, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts,
    Registry, TextEncoder, core::Collector,
};

/// Begins the series of a counter at 0: what is born with its first count looks like no increase (SRE workbook).
pub fn begin(counter: &IntCounterVec, labels: &[&str]) {
    counter.with_label_values(labels).inc_by(0);
}

/// A gauge of which series come and go. What is gone is removed, and what stays is never missing between two writes: a
/// scrape in between would see it end.
#[derive(Clone, Debug)]
pub struct Changing {
    gauge: IntGaugeVec,
    shown: Arc<Mutex<BTreeSet<Vec<String>>>>,
}

impl Changing {
    /// Of a gauge that nobody else writes.
    pub fn new(gauge: IntGaugeVec) -> Self {
        Self {
            gauge,
            shown: Arc::default(),
        }
    }

    /// These series, and no others.
    pub fn show(&self, series: impl IntoIterator<Item = (Vec<String>, i64)>) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = BTreeSet::new();
        for (labels, value) in series {
            let words: Vec<&str> = labels.iter().map(String::as_str).collect();
            self.gauge.with_label_values(&words).set(value);
            now.insert(labels);
        }
        for gone in shown.difference(&now) {
            let words: Vec<&str> = gone.iter().map(String::as_str).collect();
            let _absent = self.gauge.remove_label_values(&words);
        }
        *shown = now;
    }
}

/// The metrics of one process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    /// Counters by name: services in one process share those that tell them apart by a label.
    counters: Arc<Mutex<BTreeMap<String, IntCounterVec>>>,
    described: Arc<Mutex<BTreeMap<String, Described>>>,
}

/// What a metric is, for the reference.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Described {
    /// `counter`, `gauge` or `histogram`.
    pub kind: &'static str,
    /// Beside `shop`.
    pub labels: Vec<String>,
    /// What it counts or measures.
    pub help: String,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A registry of its own, with the process's CPU and memory. For tests and offline runs: nobody scrapes it.
    pub fn new() -> Self {
        Self::on(Registry::new())
    }

    /// A registry whose every series carries the shop: two installations on one Prometheus never hide each other.
    pub fn of(shop: &str) -> Self {
        let labels = HashMap::from([("shop".to_owned(), shop.to_owned())]);
        match Registry::new_custom(None, Some(labels)) {
            Ok(registry) => Self::on(registry),
            // Only a prefix can be wrong, and there is none.
            Err(error) => unreachable!("a registry can't be made: {error}"),
        }
    }

    fn on(registry: Registry) -> Self {
        let process = prometheus::process_collector::ProcessCollector::for_self();
        if let Err(error) = registry.register(Box::new(process)) {
            tracing::warn!(%error, "process metrics are not available");
        }
        Self {
            registry: Arc::new(registry),
            counters: Arc::default(),
            described: Arc::default(),
        }
    }

    /// Every metric that was made here, by its whole name.
    pub fn described(&self) -> BTreeMap<String, Described> {
        let described = self.described.lock();
        described.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn describe(&self, kind: &'static str, name: &str, help: &str, labels: &[&str]) {
        let described = Described {
            kind,
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            help: help.to_owned(),
        };
        let mut all = self
            .described
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        all.insert(format!("winback_{name}"), described);
    }

    fn keep<T: Collector + Clone + 'static>(&self, made: prometheus::Result<T>) -> T {
        match made.and_then(|metric| {
            self.registry
                .register(Box::new(metric.clone()))
                .map(|()| metric)
        }) {
            Ok(metric) => metric,
            // Names are constants of ours: a clash or a bad name is found by the first test that starts a service.
            Err(error) => unreachable!("metric can't be registered: {error}"),
        }
    }

    /// A counter; `name` without the prefix, ending in `_total`.
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place that makes metrics"
    )]
    pub fn counter(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(made) = counters.get(name) {
            return made.clone();
        }
        self.describe("counter", name, help, labels);
        let made = self.keep(IntCounterVec::new(
            Opts::new(format!("winback_{name}"), help),
            labels,
        ));
        counters.insert(name.to_owned(), made.clone());
        made
    }

    /// A gauge of whole numbers.
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place that makes metrics"
    )]
    pub fn gauge(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.describe("gauge", name, help, labels);
        self.keep(IntGaugeVec::new(
            Opts::new(format!("winback_{name}"), help),
            labels,
        ))
    }

    /// A gauge of seconds or shares.
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place that makes metrics"
    )]
    pub fn float_gauge(&self, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
        self.describe("gauge", name, help, labels);
        self.keep(GaugeVec::new(
            Opts::new(format!("winback_{name}"), help),
            labels,
        ))
    }

    /// A histogram of seconds, from one millisecond to an hour.
    #[allow(
        clippy::disallowed_methods,
        reason = "the one place that makes metrics"
    )]
    pub fn seconds(&self, name: &str, help: &str, labels: &[&str]) -> HistogramVec {
        self.describe("histogram", name, help, labels);
        let buckets = vec![
            0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 120.0, 600.0, 3600.0,
        ];
        self.keep(HistogramVec::new(
            HistogramOpts::new(format!("winback_{name}"), help).buckets(buckets),
            labels,
        ))
    }

    /// The text that Prometheus reads.
    pub fn text(&self) -> String {
        let mut out = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut out) {
            tracing::error!(%error, "metrics can't be written");
        }
        String::from_utf8_lossy(&out).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_series_carries_the_shop_and_begins_at_nothing() {
        let metrics = Metrics::of("second");
        let counter = metrics.counter("things_total", "things", &["what"]);
        begin(&counter, &["lost"]);
        let text = metrics.text();
        let mut lines = text
            .lines()
            .filter(|line| line.starts_with("winback_things_total{"));
        let lost = lines.next().unwrap();
        assert!(
            lost.contains(r#"what="lost""#) && lost.ends_with(" 0"),
            "{lost}"
        );
        let ours = text.lines().filter(|line| !line.starts_with('#'));
        assert!(
            ours.into_iter()
                .all(|line| line.contains(r#"shop="second""#)),
            "{text}"
        );
    }

    #[test]
    fn what_is_gone_is_removed_and_what_stays_is_always_there() {
        let metrics = Metrics::new();
        let changing = Changing::new(metrics.gauge("held", "held", &["reason"]));
        let of = |words: &[&str]| {
            let series = words.iter().map(|word| (vec![(*word).to_owned()], 1));
            changing.show(series.collect::<Vec<_>>());
            let text = metrics.text();
            ["a", "b"].map(|word| text.contains(&format!("{{reason=\"{word}\"}}")))
        };
        assert_eq!(of(&["a", "b"]), [true, true]);
        assert_eq!(of(&["b"]), [false, true]);
        assert_eq!(of(&[]), [false, false]);
    }
}
