//! Metrics of dispatch.

use prometheus::{HistogramVec, IntCounterVec};
use winback_contract::{Channel, FailedReason};
use winback_service::Metrics as Registry;
use winback_service::metrics::begin;

/// All of them.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Counter: claims by answer.
    pub claims: IntCounterVec,
    /// Counter: attempts by what the provider said.
    pub responses: IntCounterVec,
    /// Counter: messages that could not be read.
    pub dead_letters: IntCounterVec,
    /// Counter: texts that could not be made.
    pub template_errors: IntCounterVec,
    /// Counter: fuses that have blown.
    pub fuses: IntCounterVec,
    /// Histogram: seconds of one send.
    pub send_seconds: HistogramVec,
    /// Histogram: seconds from decided to accepted.
    pub end_to_end: HistogramVec,
}

impl Metrics {
    /// Registers all.
    pub fn register(registry: &Registry) -> Self {
        let made = Self {
            claims: registry.counter(
                "claims_total",
                "claims of grants by answer",
                &["channel", "answer"],
            ),
            responses: registry.counter(
                "provider_responses_total",
                "what providers said",
                &["channel", "provider", "class"],
            ),
            dead_letters: registry.counter(
                "dead_letters_total",
                "records sent to failed",
                &["stage", "reason"],
            ),
            template_errors: registry.counter(
                "template_errors_total",
                "texts that could not be made",
                &["channel"],
            ),
            fuses: registry.counter(
                "fuses_blown_total",
                "channels stopped because of too many messages in an hour",
                &["channel"],
            ),
            send_seconds: registry.seconds(
                "message_send_duration_seconds",
                "duration of sends",
                &["channel", "provider"],
            ),
            end_to_end: registry.seconds(
                "message_end_to_end_seconds",
                "from decided to accepted",
                &["channel", "provider"],
            ),
        };
        let reason = FailedReason::MalformedMessage.as_str();
        begin(&made.dead_letters, &["dispatch", reason]);
        made
    }

    /// Counters of a channel that begin at nothing.
    pub fn begin_channel(&self, channel: Channel) {
        begin(&self.fuses, &[channel.as_str()]);
        begin(&self.template_errors, &[channel.as_str()]);
    }
}
