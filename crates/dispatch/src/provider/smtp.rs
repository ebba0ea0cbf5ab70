//! SMTP submission with phases: what fails before the content went out is definite, after that it is unknown.
//!
//! lettre's pooled transport can't tell the phases apart and trusts a connection whose send was cut off; so the
//! commands are sent one by one here, each under a timeout, and a connection that failed is never used again.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use async_trait::async_trait;
use lettre::Address;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail as MailFrom, Noop, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use serde::{Deserialize, Serialize};
use winback_service::clock::within;
use winback_service::secret::Secret;

use super::reply::{Stage, permanent};
use super::{Deadline, Provider, SendResult};
use crate::compose::RenderedMessage;

/// How the connection is protected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum TlsMode {
    /// Not at all: only for a relay on the same host or network.
    None,
    /// Plain first, then STARTTLS; refused if the server has none.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Tls,
}

/// Where mail is submitted.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpConfig {
    /// Host.
    pub host: String,
    /// Port: 587 for STARTTLS, 465 for TLS, 25 for a relay.
    pub port: u16,
    /// Protection.
    pub tls: TlsMode,
    /// User, if the server wants one.
    pub user: String,
    /// Password.
    pub password: Secret,
    /// Longest wait for any answer.
    #[serde(with = "winback_service::config::duration")]
    pub timeout: Duration,
    /// Connections kept open.
    pub pool: usize,
}

/// See the module.
pub struct SmtpProvider {
    config: SmtpConfig,
    idle: Mutex<Vec<AsyncSmtpConnection>>,
}

impl std::fmt::Debug for SmtpProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SmtpProvider({}:{})", self.config.host, self.config.port)
    }
}

/// A failure with what it means.
enum Failed {
    /// The connection was no good before anything was said on it: another one may be.
    Stale,
    Verdict(SendResult),
}

impl SmtpProvider {
    /// Connects when first used.
    pub fn new(config: SmtpConfig) -> Self {
        Self {
            config,
            idle: Mutex::default(),
        }
    }

    async fn connect(&self, deadline: Deadline) -> Result<AsyncSmtpConnection, SendResult> {
        let config = &self.config;
        let hello = ClientId::default();
        let parameters = || {
            TlsParameters::new(config.host.clone())
                .map_err(|_| not_now("tls: the host's name can't be used".into()))
        };
        let wrap = if config.tls == TlsMode::Tls {
            Some(parameters()?)
        } else {
            None
        };
        let address = (config.host.as_str(), config.port);
        let opening =
            AsyncSmtpConnection::connect_tokio1(address, Some(config.timeout), &hello, wrap, None);
        let mut connection = self.before(opening, deadline).await?;
        if config.tls == TlsMode::Starttls {
            let starting = connection.starttls(parameters()?, &hello);
            self.before(starting, deadline).await?;
        }
        if !config.user.is_empty() {
            let credentials =
                Credentials::new(config.user.clone(), config.password.expose().to_owned());
            let ways = [Mechanism::Plain, Mechanism::Login];
            let proving = connection.auth(&ways, &credentials);
            self.before(proving, deadline).await?;
        }
        Ok(connection)
    }

    /// A step before the content: whatever fails, the mail did not go out.
    async fn before<T>(
        &self,
        step: impl Future<Output = Result<T, SmtpError>>,
        deadline: Deadline,
    ) -> Result<T, SendResult> {
        match within(deadline.left(self.config.timeout), step).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(not_now(describe(&error))),
            Err(_) => Err(not_now("timeout before the content".into())),
        }
    }

    fn pooled(&self) -> Option<AsyncSmtpConnection> {
        self.idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop()
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.config.pool {
            idle.push(connection);
        }
    }

    async fn attempt(
        &self,
        connection: &mut AsyncSmtpConnection,
        reused: bool,
        message: &Message,
        deadline: Deadline,
    ) -> Result<SendResult, Failed> {
        let envelope = message.envelope();
        if reused {
            let alive = within(deadline.left(self.config.timeout), connection.command(Noop)).await;
            if !matches!(alive, Ok(Ok(_))) {
                return Err(Failed::Stale);
            }
        }
        let sender = MailFrom::new(envelope.from().cloned(), vec![]);
        self.command(connection.command(sender), Stage::Sender, deadline)
            .await?;
        for recipient in envelope.to() {
            self.command(
                connection.command(Rcpt::new(recipient.clone(), vec![])),
                Stage::Recipient,
                deadline,
            )
            .await?;
        }
        self.command(connection.command(Data), Stage::Content, deadline)
            .await?;
        // Once it is begun it must have time to end: a content that is cut off leaves open what became of it.
        if deadline.left(self.config.timeout).is_zero() {
            return Err(Failed::Verdict(not_now(
                "timeout before the content".into(),
            )));
        }
        let content = message.formatted();
        match within(
            deadline.left(self.config.timeout),
            connection.message(&content),
        )
        .await
        {
            Ok(Ok(response)) if response.is_positive() => {
                let first = response
                    .first_line()
                    .map(|line| line.chars().take(120).collect());
                Ok(SendResult::Accepted { provider_id: first })
            }
            Ok(Ok(response)) => Err(Failed::Verdict(SendResult::Unknown {
                detail: format!("answer {}", response.code()),
            })),
            Ok(Err(error)) if error.is_permanent() => Err(refused(&error, Stage::Content)),
            Ok(Err(error)) if error.is_transient() => {
                Err(Failed::Verdict(not_now(describe(&error))))
            }
            Ok(Err(_)) => Err(Failed::Verdict(SendResult::Unknown {
                detail: "connection lost after the content".into(),
            })),
            Err(_) => Err(Failed::Verdict(SendResult::Unknown {
                detail: "timeout after the content".into(),
            })),
        }
    }

    async fn command<T>(
        &self,
        step: impl Future<Output = Result<T, SmtpError>>,
        stage: Stage,
        deadline: Deadline,
    ) -> Result<T, Failed> {
        match within(deadline.left(self.config.timeout), step).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) if error.is_permanent() => Err(refused(&error, stage)),
            Ok(Err(error)) => Err(Failed::Verdict(not_now(describe(&error)))),
            Err(_) => Err(Failed::Verdict(not_now(
                "timeout before the content".into(),
            ))),
        }
    }
}

fn not_now(detail: String) -> SendResult {
    SendResult::not_now(detail)
}

/// A permanent reply, judged by its codes; its text is passed on to nobody.
fn refused(error: &SmtpError, stage: Stage) -> Failed {
    use std::error::Error as _;
    let text = error.source().map(ToString::to_string).unwrap_or_default();
    let code = error.status().map_or(0, u16::from);
    Failed::Verdict(permanent(stage, code, &text))
}

/// The code of the answer, or the class of the failure: answers may quote the address, so they are not passed on.
fn describe(error: &SmtpError) -> String {
    match error.status() {
        Some(code) => format!("answer {code}"),
        None if error.is_tls() => "tls".into(),
        None if error.is_client() => {
            "the server lacks what is needed (STARTTLS or a way to authenticate)".into()
        }
        None => "connection".into(),
    }
}

/// Why no mail can be made of it.
enum Unfit {
    /// The address of the recipient.
    Recipient,
    /// What the shop says of itself: no fault of the customer.
    Shop(&'static str),
    Content,
}

impl From<Unfit> for SendResult {
    fn from(unfit: Unfit) -> Self {
        let refused = |detail: &str, address_is_bad| Self::Refused {
            detail: detail.into(),
            address_is_bad,
        };
        match unfit {
            Unfit::Recipient => refused("not an address", true),
            Unfit::Shop(detail) => Self::not_now(detail),
            Unfit::Content => refused("the mail can't be assembled", false),
        }
    }
}

fn message(mail: &RenderedMessage) -> Result<Message, Unfit> {
    let header = |name: &'static str, value: String| {
        HeaderValue::new(HeaderName::new_from_ascii_str(name), value)
    };
    let from: Mailbox = mail
        .from
        .parse()
        .map_err(|_| Unfit::Shop("the sender of Policy is not an address"))?;
    let to: Address = mail.to.parse().map_err(|_| Unfit::Recipient)?;
    let mut builder = Message::builder()
        .from(from)
        .to(Mailbox::new(None, to))
        .subject(&mail.subject)
        .message_id(Some(mail.message_id.clone()))
        .raw_header(header("Auto-Submitted", "auto-generated".into()))
        .raw_header(header("Precedence", "bulk".into()))
        .raw_header(header(
            "Feedback-ID",
            format!("{}:winback", mail.label.replace('/', ":")),
        ));
    if let Some(reply_to) = &mail.reply_to {
        builder = builder.reply_to(
            reply_to
                .parse()
                .map_err(|_| Unfit::Shop("reply_to of Policy is not an address"))?,
        );
    }
    if !mail.unsubscribe.is_empty() {
        builder = builder.raw_header(header("List-Unsubscribe", mail.unsubscribe.join(", ")));
    }
    if mail.one_click {
        builder = builder.raw_header(header(
            "List-Unsubscribe-Post",
            "List-Unsubscribe=One-Click".into(),
        ));
    }
    builder
        .date_now()
        .multipart(MultiPart::alternative_plain_html(
            mail.text.clone(),
            mail.html.clone(),
        ))
        .map_err(|_| Unfit::Content)
}

#[async_trait]
impl Provider for SmtpProvider {
    fn name(&self) -> &'static str {
        "smtp"
    }

    async fn send(&self, mail: &RenderedMessage, deadline: Deadline) -> SendResult {
        let message = match message(mail) {
            Ok(message) => message,
            Err(unfit) => return unfit.into(),
        };
        loop {
            let (mut connection, reused) = match self.pooled() {
                Some(connection) => (connection, true),
                None => match self.connect(deadline).await {
                    Ok(connection) => (connection, false),
                    Err(sent) => return sent,
                },
            };
            let attempt = self.attempt(&mut connection, reused, &message, deadline);
            match attempt.await {
                Ok(sent) => {
                    self.keep(connection);
                    return sent;
                }
                Err(Failed::Stale) => {}
                Err(Failed::Verdict(sent)) => return sent,
            }
        }
    }
}
