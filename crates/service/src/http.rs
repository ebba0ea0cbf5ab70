//! `/livez`, `/readyz` and `/metrics`. Live means that this answers; ready is what [`Health`] says.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use axum::routing::get;
use prometheus::{GaugeVec, IntGaugeVec};

use crate::health::Health;
use crate::metrics::Metrics;
use crate::shutdown::Shutdown;

/// Binds the address, so that a taken port is an error at start.
///
/// # Errors
/// When the address can't be bound.
pub async fn bind(address: SocketAddr) -> std::io::Result<tokio::net::TcpListener> {
    tokio::net::TcpListener::bind(address).await
}

/// Serves until shutdown.
///
/// # Errors
/// When the listener fails.
pub async fn serve(
    listener: tokio::net::TcpListener,
    health: Health,
    metrics: Metrics,
    shutdown: Shutdown,
) -> std::io::Result<()> {
    let app = Router::new()
        .route("/livez", get(|| async { "live\n" }))
        .route("/readyz", get(readyz))
        .route("/healthz", get(readyz))
        .route("/metrics", get(scrape))
        .with_state(Scraped {
            ours: Parts::register(&metrics),
            health,
            metrics,
        });
    axum::serve(listener, app)
        .with_graceful_shutdown(async move { shutdown.wait().await })
        .await
}

/// Serves paths of a service's own until shutdown.
///
/// # Errors
/// When the listener fails.
pub async fn answer(
    listener: tokio::net::TcpListener,
    paths: Router,
    shutdown: Shutdown,
) -> std::io::Result<()> {
    axum::serve(listener, paths)
        .with_graceful_shutdown(async move { shutdown.wait().await })
        .await
}

/// How the parts of a process stand.
#[derive(Clone, Debug)]
pub struct Parts {
    ready: IntGaugeVec,
    age: GaugeVec,
}

impl Parts {
    /// Registers both gauges.
    pub fn register(metrics: &Metrics) -> Self {
        Self {
            ready: metrics.gauge("ready", "1 while a part of the process is ready", &["part"]),
            age: metrics.float_gauge(
                "loop_age_seconds",
                "seconds since a loop last went round, at the time of the scrape",
                &["part"],
            ),
        }
    }
}

/// What a request may ask for.
#[derive(Clone)]
struct Scraped {
    health: Health,
    metrics: Metrics,
    ours: Parts,
}

/// The format that Prometheus asks for, with its version.
const FORMAT: (HeaderName, &str) = (CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8");

async fn scrape(State(scraped): State<Scraped>) -> ([(HeaderName, &'static str); 1], String) {
    for one in scraped.health.standings() {
        let part = one.part.as_str();
        let ready = i64::from(one.problem.is_none());
        scraped.ours.ready.with_label_values(&[part]).set(ready);
        if let Some(age) = one.age {
            let seconds = age.as_secs_f64();
            scraped.ours.age.with_label_values(&[part]).set(seconds);
        }
    }
    ([FORMAT], scraped.metrics.text())
}

async fn readyz(State(scraped): State<Scraped>) -> (StatusCode, String) {
    let problems = scraped.health.problems();
    if problems.is_empty() {
        (StatusCode::OK, "ready\n".to_owned())
    } else {
        (
            StatusCode::SERVICE_UNAVAILABLE,
            format!("{}\n", problems.join("\n")),
        )
    }
}
