//! The registry that is handed down, and the only constructors of metrics. Names get the prefix `winback_`.
//!
//! Labels are bounded: never a profile, an address, a message id or a raw event name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{
    Encoder as _, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts,
    Registry, TextEncoder, core::Collector,
};

/// The metrics of one process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics {
    registry: Arc<Registry>,
    /// Counters by name: services in one process share those that tell them apart by a label.
    counters: Arc<Mutex<BTreeMap<String, IntCounterVec>>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A registry of its own, with the process's CPU and memory.
    pub fn new() -> Self {
        let registry = Registry::new();
        let process = prometheus::process_collector::ProcessCollector::for_self();
        if let Err(error) = registry.register(Box::new(process)) {
            tracing::warn!(%error, "process metrics are not available");
        }
        Self {
            registry: Arc::new(registry),
            counters: Arc::default(),
        }
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
