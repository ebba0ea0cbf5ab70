//! A real Kafka broker in KRaft mode, from its published Java packages. `WINBACK_TEST_KAFKA` (host:port) wins.
//!
//! `tests/setup.sh` resolves the packages into a cache folder with Maven; `WINBACK_KAFKA_JARS` names another one.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::files::Folder;
use crate::ports;
use crate::process::{Child, until};
use crate::proxy::Proxy;

/// A broker, its folder, and how to reach it.
#[derive(Debug)]
pub struct Kafka {
    bootstrap: String,
    port: u16,
    controller: u16,
    folder: Option<Folder>,
    child: Option<Child>,
    /// A second broker, on a port of its own.
    other: Option<(u16, Option<Child>)>,
}

const JAVA: &[&str] = &[
    "-Xms64m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
];

/// The folder of the Java packages.
///
/// # Errors
/// When it is not there; the message says how to get it.
pub fn jars() -> crate::Result<PathBuf> {
    let cache = std::env::var("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|_| std::env::var("HOME").map(|home| PathBuf::from(home).join(".cache")));
    let folder = match std::env::var("WINBACK_KAFKA_JARS") {
        Ok(folder) => PathBuf::from(folder),
        Err(_) => cache
            .map_err(|_| "HOME is not set".to_owned())?
            .join("winback/kafka-4.3.1"),
    };
    if folder.join("done").exists() {
        return Ok(folder);
    }
    Err(format!(
        "{} does not hold Kafka's packages: run tests/setup.sh",
        folder.display()
    ))
}

/// A Java command with Kafka's packages on its class path.
///
/// # Errors
/// When the packages are not there.
pub fn java() -> crate::Result<Command> {
    let mut command = Command::new("java");
    command
        .args(JAVA)
        .arg("-cp")
        .arg(format!("{}/*", jars()?.display()));
    Ok(command)
}

impl Kafka {
    /// Starts a broker, or takes the one of the environment.
    ///
    /// # Errors
    /// When Java or the packages are missing, or the broker does not answer.
    pub fn start() -> crate::Result<Self> {
        Self::with("")
    }

    /// Starts a broker that has a second door behind a proxy, and names that door to whoever comes through it: what speaks
    /// to it meets the proxy's faults in every connection. The proxy's port is the way in.
    ///
    /// # Errors
    /// When Java or the packages are missing, the broker does not answer, or it is the environment's.
    pub fn behind_proxy() -> crate::Result<(Self, Proxy)> {
        if std::env::var("WINBACK_TEST_KAFKA").is_ok() {
            return Err("a broker of the environment has no door behind a proxy".into());
        }
        let (near, far) = (ports::free()?, ports::free()?);
        let proxy = Proxy::start(far)?;
        let door = proxy.port();
        let controller = ports::free()?;
        let listeners = format!(
            "\nlisteners=PLAINTEXT://127.0.0.1:{near},FAR://127.0.0.1:{far},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{near},FAR://127.0.0.1:{door}\n\
             listener.security.protocol.map=PLAINTEXT:PLAINTEXT,FAR:PLAINTEXT,CONTROLLER:PLAINTEXT\n"
        );
        Ok((Self::at((near, controller), &listeners)?, proxy))
    }

    /// The same with more properties, a line each. They say nothing to a broker of the environment.
    ///
    /// # Errors
    /// When Java or the packages are missing, or the broker does not answer.
    pub fn with(properties: &str) -> crate::Result<Self> {
        let more = properties;
        if let Ok(bootstrap) = std::env::var("WINBACK_TEST_KAFKA") {
            return Ok(Self {
                bootstrap,
                port: 0,
                controller: 0,
                folder: None,
                child: None,
                other: None,
            });
        }
        Self::at((ports::free()?, ports::free()?), more)
    }

    fn at((port, controller): (u16, u16), more: &str) -> crate::Result<Self> {
        let folder = Folder::new("kafka")?;
        let data = folder.path().join("data").display().to_string();
        let properties = include_str!("../kafka/server.properties")
            .replace("BROKER_PORT", &port.to_string())
            .replace("CONTROLLER_PORT", &controller.to_string())
            .replace("DATA_FOLDER", &data)
            + more;
        let file = folder.write("server.properties", &properties)?;
        format(&file)?;
        let mut kafka = Self {
            bootstrap: format!("127.0.0.1:{port}"),
            port,
            controller,
            folder: Some(folder),
            child: None,
            other: None,
        };
        kafka.run()?;
        Ok(kafka)
    }

    fn run(&mut self) -> crate::Result<()> {
        if let Some(folder) = &self.folder {
            self.child = Some(broker(folder, "server.properties", self.port)?);
        }
        Ok(())
    }

    /// Starts a second broker, or starts it again: what has one copy lies on one of them.
    ///
    /// # Errors
    /// When it does not answer, or the broker is the environment's.
    pub fn add_broker(&mut self) -> crate::Result<()> {
        let folder = self
            .folder
            .as_ref()
            .ok_or("a broker of the environment stays alone")?;
        let port = match &self.other {
            Some((port, _)) => *port,
            None => {
                let port = ports::free()?;
                let data = folder.path().join("data2").display().to_string();
                let properties = include_str!("../kafka/server.properties")
                    .replace("process.roles=broker,controller", "process.roles=broker")
                    .replace("node.id=1", "node.id=2")
                    .replace(",CONTROLLER://127.0.0.1:CONTROLLER_PORT\n", "\n")
                    .replace("BROKER_PORT", &port.to_string())
                    .replace("CONTROLLER_PORT", &self.controller.to_string())
                    .replace("DATA_FOLDER", &data);
                format(&folder.write("second.properties", &properties)?)?;
                port
            }
        };
        self.other = Some((port, None));
        self.other = Some((port, Some(broker(folder, "second.properties", port)?)));
        Ok(())
    }

    /// Kills the second broker; its files stay.
    pub fn kill_broker(&mut self) {
        if let Some((_, child)) = &mut self.other {
            *child = None;
        }
    }

    /// The process id; none of a broker of the environment.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Runs one of Kafka's own command line tools against the broker.
    ///
    /// # Errors
    /// When the tool fails; the message holds what it printed.
    pub fn tool(&self, class: &str, arguments: &[&str]) -> crate::Result<()> {
        self.tool_says(class, arguments).map(|_| ())
    }

    /// The same, and what it printed.
    ///
    /// # Errors
    /// When the tool fails; the message holds what it printed.
    pub fn tool_says(&self, class: &str, arguments: &[&str]) -> crate::Result<String> {
        let output = java()?
            .args([class, "--bootstrap-server", &self.bootstrap])
            .args(arguments)
            .output()
            .map_err(|error| error.to_string())?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() {
            Ok(text(&output.stdout))
        } else {
            Err(text(&output.stdout) + &text(&output.stderr))
        }
    }

    /// Whether it runs.
    pub fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(Child::runs)
    }

    /// `host:port`.
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Kills it; its files stay.
    pub fn kill(&mut self) {
        self.child = None;
    }

    /// Starts it again on the same port and files.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn restart(&mut self) -> crate::Result<()> {
        self.child = None;
        self.run()
    }
}

fn format(properties: &Path) -> crate::Result<()> {
    let tool = [
        "kafka.tools.StorageTool",
        "format",
        "-t",
        "MkU3OEVBNTcwNTJENDM2Qg",
        "-c",
    ];
    let formatted = java()?
        .args(tool)
        .arg(properties)
        .output()
        .map_err(|error| format!("java can't be started: {error}; install a JDK 17"))?;
    if formatted.status.success() {
        Ok(())
    } else {
        let why = String::from_utf8_lossy(&formatted.stderr);
        Err(format!("Kafka's storage: {why}"))
    }
}

fn broker(folder: &Folder, properties: &str, port: u16) -> crate::Result<Child> {
    let mut command = java()?;
    command
        .arg("kafka.Kafka")
        .arg(folder.path().join(properties));
    let log = folder.path().join(format!("{properties}.log"));
    let child = Child::start("kafka", &mut command, &log)?;
    until(Duration::from_secs(60), "kafka answers", || {
        ports::answers(port)
    })?;
    Ok(child)
}
