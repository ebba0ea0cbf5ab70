//! What the server says about itself, held against what winback promises.

use redis::{InfoDict, cmd};

use super::connection::Connection;
use crate::error::Error;
use crate::port::Problem;

pub(super) async fn run_id(connection: &Connection) -> Result<String, Error> {
    let mut command = cmd("INFO");
    command.arg("server");
    let info: InfoDict = connection.query(&command).await?;
    Ok(info.get::<String>("run_id").unwrap_or_default())
}

pub(super) async fn fullness(connection: &Connection) -> Result<f64, Error> {
    let mut command = cmd("INFO");
    command.arg("memory");
    let info: InfoDict = connection.query(&command).await?;
    let bytes = |name: &str| info.get::<f64>(name).unwrap_or(0.0);
    let most = bytes("maxmemory");
    Ok(if most > 0.0 {
        bytes("used_memory") / most
    } else {
        0.0
    })
}

pub(super) async fn problems(connection: &Connection) -> Result<Vec<Problem>, Error> {
    let info: InfoDict = connection.query(&cmd("INFO")).await?;
    let text = |name: &str| info.get::<String>(name).unwrap_or_default();
    let mut problems = Vec::new();
    let major = text("redis_version")
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok())
        .unwrap_or(0);
    if major < 7 {
        problems.push(Problem::Unfit(format!(
            "Redis {} is too old: winback needs 7 or newer",
            text("redis_version")
        )));
    }
    let policy = text("maxmemory_policy");
    if policy != "noeviction" {
        problems.push(Problem::Unfit(format!(
            "maxmemory-policy is {policy}: Redis would silently delete customers and timers; set it to noeviction"
        )));
    }
    if text("aof_enabled") != "1" {
        problems.push(Problem::Durability(
            "the append-only file is off: a restart would forget state; set appendonly yes and appendfsync always, or store.durability: best_effort"
                .into(),
        ));
        return Ok(problems);
    }
    let mut command = cmd("CONFIG");
    command.arg("GET").arg("appendfsync");
    // The application's user need not have CONFIG: what can't be read is not held against the server, but told.
    let configured: Result<Vec<String>, Error> = connection.query(&command).await;
    if let Ok([_, value]) = configured.as_deref()
        && value != "always"
    {
        problems.push(Problem::Durability(format!(
                "appendfsync is {value}: a power cut may lose acknowledged commits; set it to always, or store.durability: best_effort"
            )));
    }
    if configured.is_err() {
        tracing::warn!(
            "whether Redis has each commit on disk before it says so can't be read, CONFIG is not allowed: see to appendfsync always yourself, \
             or set store.durability: best_effort"
        );
    }
    Ok(problems)
}
