//! What librdkafka's clients say by themselves, told at a level that fits who must act, and what their errors mean.
//!
//! Absent: errors of an operation; they are returned to whoever asked for it.

use std::sync::{Mutex, PoisonError};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use winback_service::outage::Outage;

/// Sends librdkafka's own words to the log at a level that fits who must act.
#[derive(Debug, Default)]
pub(crate) struct QuietClient {
    errors: ErrorLog,
}

/// Errors of a client: each try to reach a broker that is away is one, so they are told once a minute.
#[derive(Debug, Default)]
pub(crate) struct ErrorLog(Mutex<Outage>);

impl ErrorLog {
    pub(crate) fn tell(&self, who: &str, error: &KafkaError, reason: &str) {
        let mut errors = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(untold) = errors.failed() {
            tracing::warn!(%error, reason, untold, "kafka {who}");
        }
    }
}

impl ClientContext for QuietClient {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        log_line(level, facility, message);
    }
    fn error(&self, error: KafkaError, reason: &str) {
        let is_end =
            error.rdkafka_error_code() == Some(rdkafka::types::RDKafkaErrorCode::PartitionEOF);
        if !is_end && !matches!(error, KafkaError::PartitionEOF(_)) {
            self.errors.tell("client", &error, reason);
        }
    }
    fn stats_raw(&self, _json: &[u8]) {}
}

impl ConsumerContext for QuietClient {}

/// What an error of a consumer says of the cluster.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reachability {
    /// One connection of many broke: the client mends it by itself.
    Passing,
    /// No broker can be reached.
    Away,
    /// It is about something else.
    Other,
}

impl Reachability {
    pub(crate) fn of(error: &KafkaError) -> Self {
        use rdkafka::types::RDKafkaErrorCode as Code;
        match error.rdkafka_error_code() {
            Some(Code::AllBrokersDown) => Self::Away,
            Some(
                Code::BrokerTransportFailure
                | Code::Resolve
                | Code::OperationTimedOut
                | Code::RequestTimedOut
                | Code::NetworkException,
            ) => Self::Passing,
            _ => Self::Other,
        }
    }
}

pub(crate) fn log_line(level: RDKafkaLogLevel, facility: &str, message: &str) {
    if facility == "CONFWARN" {
        // One set of properties serves producers and consumers; each ignores what is the other's.
        tracing::debug!(facility, message, "kafka client");
        return;
    }
    match level {
        RDKafkaLogLevel::Emerg
        | RDKafkaLogLevel::Alert
        | RDKafkaLogLevel::Critical
        | RDKafkaLogLevel::Error => {
            tracing::warn!(facility, message, "kafka client");
        }
        RDKafkaLogLevel::Warning | RDKafkaLogLevel::Notice => {
            tracing::info!(facility, message, "kafka client")
        }
        RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => {
            tracing::debug!(facility, message, "kafka client")
        }
    }
}
