//! Logs to stderr, as text or JSON, one line an event. `RUST_LOG` wins over the configured level.
//!
//! A JSON line says which process it is of: lines of many are read in one place.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt;
use std::panic::PanicHookInfo;

use serde::{Deserialize, Serialize};
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Format as Formatter, Json, JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent};
use tracing_subscriber::registry::LookupSpan;

/// How logs look.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// Config of logs.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `text` or `json`.
    pub format: Format,
    /// A filter such as `info` or `winback=debug,warn`.
    pub level: String,
}

/// What every JSON line of a process says.
#[derive(Clone, Debug)]
pub struct Constants {
    /// Which service.
    pub service: &'static str,
    /// Of which shop.
    pub shop: String,
    /// Of which release.
    pub version: &'static str,
}

/// Starts logging; a second call is ignored.
pub fn start(config: &Config, constants: Constants) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(&config.level));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = match config.format {
        Format::Text => builder.with_target(false).try_init(),
        Format::Json => builder
            .fmt_fields(JsonFields::new())
            .event_format(Lines::of(&constants))
            .try_init(),
    };
    if let Err(error) = started {
        tracing::debug!(%error, "logging runs already");
    }
}

/// JSON lines with what all of them say in front.
struct Lines {
    inner: Formatter<Json>,
    /// `{"service":"…",…,`: the beginning of an object that goes on.
    head: String,
}

impl Lines {
    fn of(constants: &Constants) -> Self {
        let said = serde_json::json!({
            "service": constants.service,
            "shop": constants.shop,
            "version": constants.version,
            "host": std::env::var("HOSTNAME").ok(),
        });
        let said = said.to_string();
        let open = said.strip_suffix('}').unwrap_or(&said);
        Self {
            inner: Formatter::default().json().flatten_event(true),
            head: format!("{open},"),
        }
    }
}

impl<S: Subscriber + for<'l> LookupSpan<'l>> FormatEvent<S, JsonFields> for Lines {
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.inner
            .format_event(context, Writer::new(&mut line), event)?;
        match line.strip_prefix('{') {
            Some(rest) => write!(writer, "{}{rest}", self.head),
            None => writer.write_str(&line),
        }
    }
}

/// From now on a panic is a line of the log, like everything else. What was panicked with is told only where it is a text
/// of the program's own: a text that was put together may hold what a person said.
pub fn tell_panics() {
    std::panic::set_hook(Box::new(|panic: &PanicHookInfo<'_>| {
        let place = panic.location().map(ToString::to_string);
        let backtrace = Backtrace::capture();
        let backtrace =
            (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
        tracing::error!(
            thread = std::thread::current().name().unwrap_or_default(),
            place = place.unwrap_or_default(),
            said = panic.payload().downcast_ref::<&'static str>().copied(),
            backtrace,
            "panicked: a fault of winback's own"
        );
    }));
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_json_line_says_which_process_it_is_of() {
        let constants = Constants {
            service: "sessions",
            shop: "a \"quoted\" shop".into(),
            version: "1",
        };
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = tracing_subscriber::fmt()
            .fmt_fields(JsonFields::new())
            .event_format(Lines::of(&constants))
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(partition = 3, "it \n waits");
            tracing::info!("{{}}");
        });
        let text = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 2, "{text}");
        for line in &lines {
            assert_eq!(line["service"], "sessions");
            assert_eq!(line["shop"], "a \"quoted\" shop");
        }
        assert_eq!(
            (&lines[0]["partition"], &lines[0]["level"]),
            (&3.into(), &"WARN".into())
        );
        assert_eq!(lines[1]["message"], "{}");
    }
}
