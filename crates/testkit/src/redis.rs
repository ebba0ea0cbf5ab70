//! A real Redis, durable as the shipped one. `WINBACK_TEST_REDIS` (an URL) wins over starting one.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::files::Folder;
use crate::ports;
use crate::process::{self, Child, until};

/// A server, its folder, and how to reach it.
#[derive(Debug)]
pub struct Redis {
    url: String,
    port: u16,
    folder: Option<Folder>,
    child: Option<Child>,
    extra: Vec<String>,
    /// Whether its clock can be shifted.
    has_clock: bool,
}

/// Durable as the shipped one.
const DURABLE: [&str; 6] = [
    "--appendonly",
    "yes",
    "--appendfsync",
    "always",
    "--maxmemory-policy",
    "noeviction",
];

impl Redis {
    /// Starts a server with `appendfsync always` and `noeviction`, or takes the one of the environment.
    ///
    /// # Errors
    /// When `redis-server` is missing or does not answer.
    pub fn start() -> crate::Result<Self> {
        if let Ok(url) = std::env::var("WINBACK_TEST_REDIS") {
            return Ok(Self {
                url,
                port: 0,
                folder: None,
                child: None,
                extra: Vec::new(),
                has_clock: false,
            });
        }
        Self::with(&DURABLE)
    }

    /// Starts a server with these arguments.
    ///
    /// # Errors
    /// When `redis-server` is missing or does not answer.
    pub fn with(arguments: &[&str]) -> crate::Result<Self> {
        Self::started(arguments, false)
    }

    /// As [`Redis::start`], with a clock that [`Redis::shift`] moves.
    ///
    /// # Errors
    /// When `redis-server` or a C compiler is missing, or it does not answer.
    pub fn with_clock() -> crate::Result<Self> {
        Self::started(&DURABLE, true)
    }

    /// Its clock is so many seconds off from now on.
    ///
    /// # Errors
    /// When the file that says so can't be written.
    pub fn shift(&self, seconds: i64) -> crate::Result<()> {
        let folder = self
            .folder
            .as_ref()
            .ok_or("the clock of the environment's server stays")?;
        folder.write("clock", &format!("{seconds:+}\n")).map(|_| ())
    }

    fn started(arguments: &[&str], has_clock: bool) -> crate::Result<Self> {
        let port = ports::free()?;
        let mut redis = Self {
            url: format!("redis://127.0.0.1:{port}/0"),
            port,
            folder: Some(Folder::new("redis")?),
            child: None,
            extra: arguments
                .iter()
                .map(|argument| (*argument).to_owned())
                .collect(),
            has_clock,
        };
        if has_clock {
            redis.shift(0)?;
        }
        redis.run()?;
        Ok(redis)
    }

    fn run(&mut self) -> crate::Result<()> {
        let Some(folder) = &self.folder else {
            return Ok(());
        };
        let mut command = Command::new("sh");
        // A disk that is full is an error, as on a real one, and not a signal that ends it.
        let ignoring = "trap '' XFSZ; exec redis-server \"$@\"";
        command.args(["-c", ignoring, "redis-server"]);
        command.args([
            "--port",
            &self.port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
        ]);
        command.arg("--dir").arg(folder.path()).args(&self.extra);
        if self.has_clock {
            let library = folder.path().join("clock.so");
            let source = folder.write("clock.c", include_str!("../clock/clock.c"))?;
            compile(&source, &library)?;
            command
                .env("LD_PRELOAD", library)
                .env("WINBACK_TEST_CLOCK", folder.path().join("clock"));
        }
        let child = Child::start("redis-server", &mut command, &folder.path().join("log"))
            .map_err(|error| format!("{error}; install it: apt-get install redis-server"))?;
        self.child = Some(child);
        let port = self.port;
        until(Duration::from_secs(10), "redis-server answers", || {
            ports::answers(port)
        })
    }

    /// Its port; 0 of a server of the environment.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The process id; none of a server of the environment.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// How to reach it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The last line of the answer to a command, as the server writes it.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn ask(&self, command: &str) -> crate::Result<String> {
        use std::io::{Read as _, Write as _};
        let address = self.url.trim_start_matches("redis://");
        let address = address.split('/').next().unwrap_or(address);
        let talk = || {
            let mut stream = std::net::TcpStream::connect(address)?;
            stream.write_all(format!("{command}\r\nQUIT\r\n").as_bytes())?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).map(|_| answer)
        };
        let answer = talk().map_err(|error: std::io::Error| error.to_string())?;
        let answer = answer.trim_end().strip_suffix("+OK").unwrap_or_default();
        let last = answer.trim_end().lines().last();
        last.map(str::to_owned)
            .ok_or_else(|| format!("no answer to {command}"))
    }

    /// Copies its files as they are now, for a later [`Redis::roll_back`].
    ///
    /// # Errors
    /// When they can't be copied.
    pub fn snapshot(&self) -> crate::Result<()> {
        self.copy("appendonlydir", "snapshot")
    }

    /// Kills it, puts the snapshot back and starts it: a power cut or a failover that lost commits.
    ///
    /// # Errors
    /// When the files can't be copied, or it does not answer.
    pub fn roll_back(&mut self) -> crate::Result<()> {
        self.child = None;
        self.copy("snapshot", "appendonlydir")?;
        self.run()
    }

    fn copy(&self, from: &str, to: &str) -> crate::Result<()> {
        let folder = self
            .folder
            .as_ref()
            .ok_or("a server of the environment can't be rolled back")?;
        let (from, to) = (folder.path().join(from), folder.path().join(to));
        drop(std::fs::remove_dir_all(&to));
        std::fs::create_dir_all(&to).map_err(|error| error.to_string())?;
        for entry in std::fs::read_dir(&from).map_err(|error| error.to_string())? {
            let entry = entry.map_err(|error| error.to_string())?;
            std::fs::copy(entry.path(), to.join(entry.file_name()))
                .map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Its disk takes nothing more, until it is started anew.
    ///
    /// # Errors
    /// When that can't be arranged, as for a server of the environment.
    pub fn fill_disk(&self) -> crate::Result<()> {
        let folder = self.folder.as_ref().ok_or("a server of the environment")?;
        let files = folder.path().join("appendonlydir");
        let files = std::fs::read_dir(files).map_err(|error| error.to_string())?;
        let sizes = files.filter_map(|file| Some(file.ok()?.metadata().ok()?.len()));
        process::limit_files(
            self.id().ok_or("it does not run")?,
            sizes.max().unwrap_or(0),
        )
    }

    /// Whether it runs.
    pub fn runs(&mut self) -> bool {
        self.child.as_mut().is_some_and(Child::runs)
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

fn compile(source: &Path, library: &Path) -> crate::Result<()> {
    let made = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([library, source])
        .output()
        .map_err(|error| format!("cc can't be started: {error}; install a C toolchain"))?;
    if made.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&made.stderr).into_owned())
    }
}
