//! From a record to a text that can be sent, or to what is reported instead. Nothing is claimed here.
//!
//! Invariants: INV-8 (what can't be read goes to `failed`; what a newer release wrote waits for it).

use std::panic::{AssertUnwindSafe, catch_unwind};

use winback_bus::{Error, Record, dead_letter};
use winback_campaign::Bundle;
use winback_campaign::model::Mode;
use winback_campaign::template::Failure;
use winback_contract::version::{self, Unread};
use winback_contract::{
    FailedReason, FailedStage, Message, OutcomeStatus, Reason, Timestamp, Topic,
};

use super::Service;
use crate::compose::{RenderedMessage, compose};

/// A message, ready to be sent, or what to report instead.
pub(super) enum Ready {
    Rendered(Box<(Message, RenderedMessage, bool)>),
    Report(Box<Message>, OutcomeStatus, Reason),
}

/// What becomes of a record.
pub(super) enum Prepared {
    /// Its bundle is not here yet, or it is of a newer release.
    Waits,
    /// Nothing is left to do.
    Done,
    Ready(Ready),
}

impl Service {
    /// Reads and renders.
    pub(super) async fn prepare(&mut self, record: &Record) -> Result<Prepared, Error> {
        let payload = record.value.as_deref().unwrap_or_default();
        let mut message: Message = match version::read(payload) {
            Ok(message) => message,
            Err(Unread::Newer(version)) => {
                let why = format!(
                    "a message has version {version}, of a newer release: run that release"
                );
                return Ok(self.wait(why));
            }
            Err(Unread::Malformed(detail)) => {
                let reason = FailedReason::MalformedMessage;
                let failed = dead_letter(record, FailedStage::Dispatch, reason, detail);
                self.sender
                    .metrics
                    .dead_letters
                    .with_label_values(&["dispatch", FailedReason::MalformedMessage.as_str()])
                    .inc();
                let topic = self.sender.config.names.name(Topic::Failed);
                self.put(
                    &topic,
                    None,
                    record.key.clone(),
                    serde_json::to_vec(&failed),
                )?;
                return Ok(Prepared::Done);
            }
        };
        let Some(bundle) = self.bundles.get(message.bundle) else {
            let is_gone = self.bundles.was_gone(message.bundle, message.not_before);
            let now = Timestamp::from_millis(self.sender.clock.now_millis());
            if is_gone || message.not_after < now {
                // Nobody needs its texts any more, and what nobody names may be gone for good.
                let (status, reason) = (OutcomeStatus::Refused, Reason::Expired);
                let report = Ready::Report(Box::new(message), status, reason);
                return Ok(Prepared::Ready(report));
            }
            let why = format!("a message waits for bundle {}", message.bundle);
            return Ok(self.wait(why));
        };
        let shadow = self.sender.config.shadow
            || bundle
                .campaign(&message.campaign)
                .is_some_and(|campaign| campaign.mode == Mode::Shadow)
            || !self.sender.is_allowed(&message.address);
        if self.catalogue.refresh(&mut message.facts).await.is_err() {
            let (status, reason) = (OutcomeStatus::Refused, Reason::NoStock);
            let report = Ready::Report(Box::new(message), status, reason);
            return Ok(Prepared::Ready(report));
        }
        let composed = self.composed(bundle, &message, shadow);
        Ok(Prepared::Ready(match composed {
            Ok(mail) => Ready::Rendered(Box::new((message, mail, shadow))),
            Err(failure) => {
                let channel = self.sender.config.channel;
                let errors = &self.sender.metrics.template_errors;
                errors.with_label_values(&[channel.as_str()]).inc();
                tracing::error!(%failure, campaign = message.campaign, step = message.step, "a text could not be made");
                let (status, reason) = (OutcomeStatus::Refused, Reason::TemplateError);
                Ready::Report(Box::new(message), status, reason)
            }
        }))
    }

    /// The text of a message.
    fn composed(
        &self,
        bundle: &Bundle,
        message: &Message,
        shadow: bool,
    ) -> Result<RenderedMessage, Failure> {
        if !self.sender.provider.reads_texts() {
            return Ok(RenderedMessage::without_texts(message));
        }
        // Who looks at a file is not the customer: its links lead where they lead.
        let now = Timestamp::from_millis(self.sender.clock.now_millis());
        let to_a_file = shadow || self.sender.provider.name() == "file";
        let tracking = self.sender.config.tracking.as_ref();
        let tracking = tracking.filter(|_| !to_a_file);
        let tracking = tracking.map(|tracking| (tracking, now));
        // A text that panics costs its own message, not the process (INV-8).
        let composed = catch_unwind(AssertUnwindSafe(|| {
            #[cfg(test)]
            super::tests::planted(message);
            compose(bundle, message, tracking)
        }));
        composed.unwrap_or_else(|_| {
            Err(Failure {
                template: message.template.clone(),
                line: None,
                message: "it panics: this is a fault of winback".into(),
                is_missing: false,
            })
        })
    }

    fn wait(&mut self, why: String) -> Prepared {
        self.waiting.wait_for(why);
        Prepared::Waits
    }
}
