//! The paths of the gateway: `/c/…` leads on, `/o/…` is a picture, `/u/…` is where one says no.
//!
//! Invariants: INV-11 (a "no" that is answered with yes is in the log), and nothing leads where no message of the shop led:
//! what is not signed by a key of the shop leads to a page that says so. No answer holds anything that came in, but the
//! address that was signed.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_TYPE, HeaderName, LOCATION, REFERRER_POLICY, USER_AGENT,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use winback_contract::{BadLink, Link, LinkKind, OutcomeStatus};

use crate::grade::{Asked, Heard, What};
use crate::page::{Shown, page};
use crate::service::Shared;

/// A picture of one clear point (GIF 89a).
const POINT: &[u8] = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;";

pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/c/{link}", get(click))
        .route("/o/{link}", get(open))
        .route("/u/{link}", get(ask).post(unsubscribe))
        .fallback(nothing)
        .with_state(shared)
}

fn header<'h>(headers: &'h HeaderMap, name: &HeaderName) -> &'h str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

/// No copy of it is kept, nobody is told where one came from, and no page frames it.
fn plain(status: StatusCode, kind: &'static str, body: impl Into<axum::body::Body>) -> Response {
    let headers = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (
            axum::http::header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'",
        ),
    ];
    (status, headers, body.into()).into_response()
}

fn shown(status: StatusCode, what: Shown, headers: &HeaderMap) -> Response {
    let text = page(what, header(headers, &ACCEPT_LANGUAGE));
    plain(status, "text/html; charset=utf-8", text)
}

async fn nothing(headers: HeaderMap) -> Response {
    shown(StatusCode::NOT_FOUND, Shown::Unknown, &headers)
}

/// A link of the wanted kind; otherwise it is counted, and the answer says so.
fn link(
    shared: &Shared,
    text: &str,
    (word, is_wanted): (&str, fn(&LinkKind) -> bool),
    headers: &HeaderMap,
) -> Result<Link, Box<Response>> {
    let (result, status) = match shared.keys().verify(text) {
        Ok(link) if is_wanted(&link.kind) => return Ok(link),
        Ok(_) | Err(BadLink::Malformed) => ("malformed", StatusCode::NOT_FOUND),
        Err(BadLink::Forged) => ("forged", StatusCode::NOT_FOUND),
    };
    shared.metrics().count(word, result);
    Err(Box::new(shown(status, Shown::Unknown, headers)))
}

async fn click(
    State(shared): State<Arc<Shared>>,
    Path(text): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let wanted: (&str, fn(&LinkKind) -> bool) =
        ("click", |kind| matches!(kind, LinkKind::Click(_)));
    let link = match link(&shared, &text, wanted, &headers) {
        Ok(link) => link,
        Err(answer) => return *answer,
    };
    let LinkKind::Click(target) = &link.kind else {
        return nothing(headers).await;
    };
    let asked = Asked {
        agent: header(&headers, &USER_AGENT),
        is_head: method == Method::HEAD,
    };
    let at = shared.now();
    let report = shared.outcome(&link, OutcomeStatus::Clicked, at);
    shared.heard(Heard {
        message: link.message,
        what: What::Link(target.clone()),
        made_at: link.made_at,
        at,
        by_machine: asked.is_machine(),
        report: Some(report),
    });
    match HeaderValue::from_str(&in_a_header(target)) {
        Ok(location) => {
            let mut answer = plain(StatusCode::FOUND, "text/plain", "");
            answer.headers_mut().insert(LOCATION, location);
            answer
        }
        Err(_) => nothing(headers).await,
    }
}

/// As it stands in a header: what is no plain sign of an address is written as its bytes (RFC 3986, section 2.1).
fn in_a_header(target: &str) -> String {
    let mut out = String::with_capacity(target.len());
    for byte in target.bytes() {
        let is_plain = byte.is_ascii_graphic()
            && !matches!(
                byte,
                b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}'
            );
        if is_plain {
            out.push(char::from(byte));
        } else {
            let digits = "0123456789ABCDEF".as_bytes();
            out.push('%');
            out.push(char::from(digits[usize::from(byte >> 4)]));
            out.push(char::from(digits[usize::from(byte & 15)]));
        }
    }
    out
}

async fn open(
    State(shared): State<Arc<Shared>>,
    Path(text): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let wanted: (&str, fn(&LinkKind) -> bool) = ("open", |kind| *kind == LinkKind::Open);
    if let Ok(link) = link(&shared, &text, wanted, &headers) {
        let asked = Asked {
            agent: header(&headers, &USER_AGENT),
            is_head: method == Method::HEAD,
        };
        let at = shared.now();
        shared.heard(Heard {
            message: link.message,
            what: What::Picture,
            made_at: link.made_at,
            at,
            by_machine: asked.is_prefetch(),
            report: Some(shared.outcome(&link, OutcomeStatus::Opened, at)),
        });
    }
    // A mail shows no broken picture, whatever was asked for.
    plain(StatusCode::OK, "image/gif", POINT)
}

const NO: (&str, fn(&LinkKind) -> bool) = ("unsubscribe", |kind| *kind == LinkKind::Unsubscribe);

async fn ask(
    State(shared): State<Arc<Shared>>,
    Path(text): Path<String>,
    headers: HeaderMap,
) -> Response {
    match link(&shared, &text, NO, &headers) {
        Ok(link) => {
            shared.heard(Heard {
                message: link.message,
                what: What::Page,
                made_at: link.made_at,
                at: shared.now(),
                by_machine: false,
                report: None,
            });
            shared.metrics().count("page", "ok");
            shown(StatusCode::OK, Shown::Ask, &headers)
        }
        Err(answer) => *answer,
    }
}

/// By the button, or by a mail program (RFC 8058): what the body says makes no difference.
async fn unsubscribe(
    State(shared): State<Arc<Shared>>,
    Path(text): Path<String>,
    headers: HeaderMap,
) -> Response {
    let link = match link(&shared, &text, NO, &headers) {
        Ok(link) => link,
        Err(answer) => return *answer,
    };
    if shared.refused(&link).await {
        shared.metrics().count("unsubscribe", "ok");
        shown(StatusCode::OK, Shown::Done, &headers)
    } else {
        shared.metrics().count("unsubscribe", "away");
        shown(StatusCode::SERVICE_UNAVAILABLE, Shown::Away, &headers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_in_a_header_is_of_plain_signs() {
        assert_eq!(
            in_a_header("https://a.example/ü?q=a b"),
            "https://a.example/%C3%BC?q=a%20b"
        );
        assert_eq!(
            in_a_header("https://a.example/%20\r\nX: y"),
            "https://a.example/%20%0D%0AX:%20y"
        );
    }
}
