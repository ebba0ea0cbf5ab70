//! One shop: its servers, its config, its services as child processes, and a storefront in Java.

use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use winback_testkit::files::Folder;
use winback_testkit::process::ended;
use winback_testkit::{Child, Kafka, Redis, Result, Smtp, ports, until};

/// The built binary, beside the test's own.
///
/// # Errors
/// When it is not built: `cargo build --workspace` comes first.
pub fn binary() -> Result<PathBuf> {
    let me = std::env::current_exe().map_err(|error| error.to_string())?;
    let folder = me
        .parent()
        .and_then(Path::parent)
        .ok_or("no target folder")?;
    let binary = folder.join("winback");
    if binary.exists() {
        Ok(binary)
    } else {
        Err(format!("{} is not built", binary.display()))
    }
}

/// Longest run of a command: one that must end, and does not, fails its test instead of holding up all of them.
const LONGEST: Duration = Duration::from_secs(120);

/// Runs the binary to its end: exit code, stdout, stderr.
///
/// # Errors
/// When it can't be started, or does not end; the message holds what it printed.
pub fn run(command: &mut Command) -> Result<(i32, String, String)> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| error.to_string())?;
    let out = drain(child.stdout.take());
    let err = drain(child.stderr.take());
    let ended = ended(&mut child, LONGEST, &format!("{command:?} ends"));
    if ended.is_err() {
        drop(child.kill());
        drop(child.wait());
    }
    let text = |reader: std::thread::JoinHandle<Vec<u8>>| {
        String::from_utf8_lossy(&reader.join().unwrap_or_default()).into_owned()
    };
    let (out, err) = (text(out), text(err));
    let status = ended.map_err(|problem| format!("{problem}\n{out}\n{err}"))?;
    Ok((status.code().unwrap_or(-1), out, err))
}

/// Reads a pipe to its end beside everything else: a full one would hold the process up.
#[allow(
    clippy::disallowed_methods,
    reason = "it ends with the process that writes"
)]
fn drain(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            drop(pipe.read_to_end(&mut bytes));
        }
        bytes
    })
}

/// A service that runs.
#[derive(Debug)]
pub struct Running {
    /// The process.
    pub child: Child,
    /// Its port of health and metrics.
    pub http: u16,
}

impl Running {
    /// The sum of all series of a metric with these labels, such as `winback_claims_total{answer="lag"}`, whatever other
    /// labels they have; `None` where it does not answer.
    pub fn sum(&self, series: &str) -> Option<u64> {
        let answer = get(self.http, "/metrics")?;
        Some(values(&answer, series).map(|value| value as u64).sum())
    }
}

/// See the module.
#[derive(Debug)]
pub struct Shop {
    /// The broker.
    pub kafka: Kafka,
    /// The store.
    pub redis: Redis,
    /// The mail server.
    pub smtp: Smtp,
    /// Logs and campaigns.
    pub folder: Folder,
    settings: Vec<(String, String)>,
}

impl Shop {
    /// Starts everything but the services, creates topics and publishes campaigns.
    ///
    /// # Errors
    /// When a part is missing or a command fails.
    pub fn open(
        policy: &str,
        campaigns: &[(&str, &str)],
        settings: &[(&str, &str)],
    ) -> Result<Self> {
        Self::open_on(Kafka::start()?, policy, campaigns, settings)
    }

    /// Changes a setting for whatever is started from now on.
    pub fn set(&mut self, key: &str, value: &str) {
        let key = format!("WINBACK__{key}");
        self.settings.retain(|(known, _)| *known != key);
        self.settings.push((key, value.to_owned()));
    }

    /// Lays a config file under the settings, for whatever is started from now on.
    pub fn file(&mut self, path: &str) {
        self.settings
            .push(("WINBACK_CONFIG".to_owned(), path.to_owned()));
    }

    /// The same on a broker that runs already.
    ///
    /// # Errors
    /// When a part is missing or a command fails.
    pub fn open_on(
        kafka: Kafka,
        policy: &str,
        campaigns: &[(&str, &str)],
        settings: &[(&str, &str)],
    ) -> Result<Self> {
        let mut shop = Self {
            kafka,
            redis: Redis::start()?,
            smtp: Smtp::start()?,
            folder: Folder::new("shop")?,
            settings: Vec::new(),
        };
        let smtp = shop.smtp.port().to_string();
        let folder = shop.folder.path().join("campaigns").display().to_string();
        for (key, value) in [
            ("KAFKA__BOOTSTRAP", shop.kafka.bootstrap()),
            ("KAFKA__PARTITIONS", "8"),
            ("KAFKA__PROPERTIES__SESSION_TIMEOUT_MS", "2000"),
            ("KAFKA__PROPERTIES__HEARTBEAT_INTERVAL_MS", "500"),
            ("STORE__URL", shop.redis.url()),
            ("DISPATCH__PROVIDER", "smtp"),
            ("DISPATCH__SMTP__HOST", "127.0.0.1"),
            ("DISPATCH__SMTP__PORT", &smtp),
            ("DISPATCH__SMTP__TIMEOUT", "2s"),
            ("CAMPAIGNS", &folder),
            ("SESSIONS__CLAIM_TIMEOUT", "3s"),
            ("SESSIONS__TRIGGER_RETRY", "1s"),
        ]
        .into_iter()
        .chain(settings.iter().copied())
        .map(|(key, value)| (key, value.to_owned()))
        .collect::<Vec<_>>()
        {
            shop.settings.push((format!("WINBACK__{key}"), value));
        }
        shop.folder.write("campaigns/policy.yaml", policy)?;
        for (path, text) in campaigns {
            shop.folder.write(&format!("campaigns/{path}"), text)?;
        }
        shop.expect(&["topics", "apply"])?;
        shop.expect(&["publish", &folder])?;
        Ok(shop)
    }

    /// A command of the binary with this shop's config.
    ///
    /// # Errors
    /// When the binary is not built.
    pub fn command(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(binary()?);
        command.args(arguments).envs(self.settings.iter().cloned());
        Ok(command)
    }

    /// Runs a command that must succeed; its stdout.
    ///
    /// # Errors
    /// When it does not; the message holds what it printed.
    pub fn expect(&self, arguments: &[&str]) -> Result<String> {
        let (code, out, err) = run(&mut self.command(arguments)?)?;
        if code == 0 {
            Ok(out)
        } else {
            Err(format!(
                "winback {arguments:?} ended with {code}\n{out}\n{err}"
            ))
        }
    }

    /// Starts a service and waits until it is ready.
    ///
    /// # Errors
    /// When it is not ready in time; the message holds its log.
    pub fn serve(&self, service: &str) -> Result<Running> {
        let running = self.start(service)?;
        self.ready(running, service)
    }

    /// Starts a service without waiting.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn start(&self, service: &str) -> Result<Running> {
        let http = ports::free()?;
        let mut command = self.command(&["serve", service])?;
        command.env("WINBACK__HTTP__ADDRESS", format!("127.0.0.1:{http}"));
        let child = Child::start(service, &mut command, &self.log(service))?;
        Ok(Running { child, http })
    }

    /// Waits until a service is ready.
    ///
    /// # Errors
    /// When it is not ready in time; the message holds its log.
    pub fn ready(&self, mut running: Running, service: &str) -> Result<Running> {
        let port = running.http;
        let mut ended = false;
        let waited = until(
            Duration::from_secs(60),
            &format!("{service} is ready"),
            || {
                ended = !running.child.runs();
                ended || get(port, "/readyz").is_some_and(|answer| answer.contains("200 OK"))
            },
        );
        match waited {
            Ok(()) if !ended => Ok(running),
            other => Err(format!("{service}: {other:?}\n{}", self.text(service))),
        }
    }

    fn log(&self, service: &str) -> PathBuf {
        self.folder.path().join(format!("{service}.log"))
    }

    /// What a service has logged so far.
    pub fn text(&self, service: &str) -> String {
        std::fs::read_to_string(self.log(service)).unwrap_or_default()
    }

    /// A storefront: a Java program whose stdin takes `key TAB json` lines.
    ///
    /// # Errors
    /// When Java can't be started.
    pub fn storefront(&self) -> Result<Storefront> {
        self.storefront_with(&[])
    }

    /// The same; with a transactional id it sends all lines in one transaction, and again in an aborted one.
    ///
    /// # Errors
    /// When Java can't be started.
    pub fn storefront_with(&self, arguments: &[&str]) -> Result<Storefront> {
        let source =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/testkit/kafka/Storefront.java");
        let mut command = winback_testkit::kafka::java()?;
        command
            // What a producer says of a broker that is away fills pages.
            .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=error")
            .arg(source)
            .arg(self.kafka.bootstrap())
            .arg("winback.raw")
            .args(arguments);
        let mut child = command
            .stdin(Stdio::piped())
            .spawn()
            .map_err(|error| error.to_string())?;
        let input = child.stdin.take().ok_or("no stdin")?;
        Ok(Storefront {
            child,
            input: Some(input),
        })
    }
}

/// A running storefront.
#[derive(Debug)]
pub struct Storefront {
    child: std::process::Child,
    input: Option<std::process::ChildStdin>,
}

impl Storefront {
    /// Publishes one record.
    ///
    /// # Errors
    /// When the program is gone.
    pub fn send(&mut self, key: &str, body: &serde_json::Value) -> Result<()> {
        let input = self.input.as_mut().ok_or("closed")?;
        writeln!(input, "{key}\t{body}")
            .and_then(|()| input.flush())
            .map_err(|error| error.to_string())
    }

    /// Publishes one line as it is.
    ///
    /// # Errors
    /// When the program is gone.
    pub fn send_text(&mut self, key: &str, text: &str) -> Result<()> {
        let input = self.input.as_mut().ok_or("closed")?;
        writeln!(input, "{key}\t{text}").map_err(|error| error.to_string())
    }

    /// Waits until everything is acknowledged.
    ///
    /// # Errors
    /// When a record was not taken.
    pub fn close(mut self) -> Result<()> {
        self.input = None;
        let status = ended(&mut self.child, LONGEST, "the storefront ends")?;
        if status.success() {
            Ok(())
        } else {
            Err(format!("the storefront ended with {status}"))
        }
    }
}

impl Drop for Storefront {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The values of all series of a metric with these labels, whatever other labels they have.
pub fn values<'t>(text: &'t str, series: &str) -> impl Iterator<Item = f64> + use<'t> {
    let (name, labels) = series
        .trim()
        .split_once('{')
        .unwrap_or_else(|| (series.trim(), ""));
    let name = name.to_owned();
    let labels: Vec<String> = labels
        .trim_end_matches('}')
        .split(',')
        .filter(|label| !label.is_empty())
        .map(str::to_owned)
        .collect();
    text.lines().filter_map(move |line| {
        let (told, value) = line.rsplit_once(' ')?;
        let rest = told.strip_prefix(&name)?;
        let is_it = rest.is_empty() || rest.starts_with('{');
        (is_it && labels.iter().all(|label| rest.contains(label))).then(|| value.parse().ok())?
    })
}

/// A GET on loopback; the whole answer.
pub fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}
