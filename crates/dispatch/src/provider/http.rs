//! The generic HTTP provider: address, headers, body and the meaning of answers come from the config.
//!
//! Invariant: INV-4. Only what surely did not arrive is tried again; an answer that was lost stays unknown. It follows
//! no redirect: the address of the config is the only one it talks to.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::json;

use super::{Deadline, Provider, SendResult, retry_after};
use crate::compose::RenderedMessage;

/// How to reach a provider over HTTP.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// `https://…`; `http://` only to this machine.
    pub url: String,
    /// POST or PUT.
    #[serde(default = "post")]
    pub method: String,
    /// Headers; their values are secrets and never shown.
    #[serde(default, serialize_with = "redacted")]
    pub headers: BTreeMap<String, SecretString>,
    /// The body: minijinja with every value written as JSON.
    pub body: String,
    /// Statuses that mean success.
    #[serde(default = "success")]
    pub accept: Vec<u16>,
    /// Statuses that mean that the address is bad.
    #[serde(default)]
    pub bad_address: Vec<u16>,
    /// Statuses that mean that this message will never be taken, beside 400, 410, 422 and the like.
    #[serde(default)]
    pub refused: Vec<u16>,
    /// Where the provider's id is in its answer, as a JSON pointer (RFC 6901).
    #[serde(default)]
    pub id: Option<String>,
    /// Longest wait for an answer, in milliseconds.
    #[serde(default = "ten_seconds")]
    pub timeout_ms: u64,
}

fn post() -> String {
    "POST".into()
}

fn success() -> Vec<u16> {
    vec![200, 201, 202, 204]
}

fn ten_seconds() -> u64 {
    10_000
}

fn redacted<S: Serializer>(
    headers: &BTreeMap<String, SecretString>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(headers.keys().map(|name| (name, "(redacted)")))
}

/// See the module.
pub struct HttpProvider {
    config: HttpConfig,
    client: reqwest::Client,
    body: Environment<'static>,
}

impl std::fmt::Debug for HttpProvider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpProvider")
    }
}

impl HttpProvider {
    /// Checks the config.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn new(config: HttpConfig) -> Result<Self, String> {
        if !is_allowed(&config.url) {
            return Err(
                "its `url` must begin with https://, or with http:// to this machine, and name no user"
                    .into(),
            );
        }
        if !["POST", "PUT"].contains(&config.method.as_str()) {
            return Err("its `method` must be POST or PUT".into());
        }
        let mut body = Environment::new();
        body.set_undefined_behavior(UndefinedBehavior::SemiStrict);
        body.set_auto_escape_callback(|_| AutoEscape::Json);
        body.add_template_owned("body", config.body.clone())
            .map_err(|error| format!("its `body` can't be read: {error}"))?;
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_millis(config.timeout_ms))
            .connect_timeout(Duration::from_millis(config.timeout_ms.min(5_000)))
            .pool_max_idle_per_host(8)
            .no_proxy()
            .build()
            .map_err(|error| format!("no HTTP client: {error}"))?;
        Ok(Self {
            config,
            client,
            body,
        })
    }

    fn request(
        &self,
        mail: &RenderedMessage,
        deadline: Deadline,
    ) -> Result<reqwest::Request, SendResult> {
        let refused = |detail: &str| SendResult::Refused {
            detail: detail.into(),
            address_is_bad: false,
        };
        let values = json!({
            "to": mail.to,
            "from": mail.from,
            "text": mail.text,
            "subject": mail.subject,
            "label": mail.label,
            "message_id": mail.message_id,
            "facts": mail.facts,
        });
        let body = self
            .body
            .get_template("body")
            .and_then(|template| template.render(Serde(&values)))
            .map_err(|error| refused(&format!("body: {}", error.kind())))?;
        let method = if self.config.method == "PUT" {
            reqwest::Method::PUT
        } else {
            reqwest::Method::POST
        };
        let mut request = self
            .client
            .request(method, &self.config.url)
            .timeout(deadline.left(Duration::from_millis(self.config.timeout_ms)))
            .header("content-type", "application/json")
            .header("idempotency-key", &mail.message_id)
            .body(body);
        for (name, value) in &self.config.headers {
            request = request.header(name, value.expose_secret());
        }
        request
            .build()
            .map_err(|_| refused("the request can't be made"))
    }
}

/// Most that is read of an answer, in bytes: only the provider's id is wanted of it.
const ANSWER: usize = 64 * 1024;

/// The beginning of an answer's body. What is longer is left unread, and its connection closed.
async fn beginning(mut answer: reqwest::Response) -> Vec<u8> {
    let mut text = Vec::new();
    // An answer that breaks off has said its status already.
    while let Ok(Some(chunk)) = answer.chunk().await {
        let room = ANSWER - text.len();
        text.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if text.len() == ANSWER {
            break;
        }
    }
    text
}

/// `https://` anywhere, `http://` to this machine only. Names that merely begin like this machine's are others.
fn is_allowed(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else {
        return false;
    };
    let names_nobody = url.username().is_empty() && url.password().is_none();
    let is_here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    names_nobody && url.has_host() && (url.scheme() == "https" || url.scheme() == "http" && is_here)
}

#[async_trait]
impl Provider for HttpProvider {
    fn name(&self) -> &'static str {
        "http"
    }

    async fn send(&self, mail: &RenderedMessage, deadline: Deadline) -> SendResult {
        let request = match self.request(mail, deadline) {
            Ok(request) => request,
            Err(refused) => return refused,
        };
        let answer = match self.client.execute(request).await {
            Ok(answer) => answer,
            // Nothing was sent before there was a connection.
            Err(error) if error.is_connect() => {
                return SendResult::not_now("no connection");
            }
            Err(error) => {
                let what = if error.is_timeout() {
                    "timeout"
                } else {
                    "connection lost"
                };
                return SendResult::Unknown {
                    detail: what.into(),
                };
            }
        };
        let status = answer.status().as_u16();
        if self.config.accept.contains(&status) {
            let text = beginning(answer).await;
            let id = self.config.id.as_deref().and_then(|pointer| {
                let answer: serde_json::Value = serde_json::from_slice(&text).ok()?;
                match answer.pointer(pointer)? {
                    serde_json::Value::String(id) => Some(id.chars().take(128).collect()),
                    serde_json::Value::Number(id) => Some(id.to_string()),
                    _ => None,
                }
            });
            return SendResult::Accepted { provider_id: id };
        }
        let detail = format!("status {status}");
        let header = |name: &str| answer.headers().get(name)?.to_str().ok();
        // A date in it is read against the provider's own clock.
        let retry_after =
            header("retry-after").and_then(|text| retry_after::parse(text, header("date")));
        let address_is_bad = self.config.bad_address.contains(&status);
        match status {
            // The config knows this provider better than the list below.
            _ if address_is_bad || self.config.refused.contains(&status) => SendResult::Refused {
                detail,
                address_is_bad,
            },
            // Too many, not ready, not for us (an expired key, an unpaid bill, a moved address): it says itself that it took nothing, and
            // none of it is about this message (INV-4).
            300..=399 | 401..=405 | 407..=409 | 421 | 425 | 429 | 503 => SendResult::NotNow {
                detail,
                retry_after,
            },
            500..=599 => SendResult::Unknown { detail },
            _ => SendResult::Refused {
                detail,
                address_is_bad,
            },
        }
    }
}
