//! Child processes: output to a file, stopped by process id, waited for by condition.

use std::fs::File;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// A running child; killed when dropped.
#[derive(Debug)]
pub struct Child {
    name: String,
    child: std::process::Child,
}

/// Waits until `condition` holds, asking every 20 ms.
///
/// # Errors
/// When it does not hold within `limit`; `what` says what was waited for.
#[allow(clippy::disallowed_methods, reason = "tests wait for real processes")]
pub fn until(
    limit: Duration,
    what: &str,
    mut condition: impl FnMut() -> bool,
) -> crate::Result<()> {
    let start = Instant::now();
    while !condition() {
        if start.elapsed() > limit {
            return Err(format!("{what}: not within {limit:?}"));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Waits until a process ends.
///
/// # Errors
/// When it does not end within `limit`; `what` says what was waited for.
pub fn ended(
    child: &mut std::process::Child,
    limit: Duration,
    what: &str,
) -> crate::Result<ExitStatus> {
    let mut status = None;
    until(limit, what, || {
        status = child.try_wait().ok().flatten();
        status.is_some()
    })?;
    status.ok_or_else(|| format!("{what}: its end is not known"))
}

impl Child {
    /// Starts a command with its output in `log`.
    ///
    /// # Errors
    /// When it can't be started; the message names the program.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> crate::Result<Self> {
        let open = || {
            File::options()
                .create(true)
                .append(true)
                .open(log)
                .map_err(|error| error.to_string())
        };
        let child = command
            .stdin(Stdio::null())
            .stdout(open()?)
            .stderr(open()?)
            .spawn()
            .map_err(|error| format!("{name} can't be started: {error}"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
        })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL, and waits for its end.
    pub fn kill(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }

    /// SIGTERM, and its exit code.
    ///
    /// # Errors
    /// When it does not end within `limit`.
    pub fn terminate(&mut self, limit: Duration) -> crate::Result<Option<i32>> {
        signal(self.id(), "TERM")?;
        let what = format!("{} ends on SIGTERM", self.name);
        Ok(ended(&mut self.child, limit, &what)?.code())
    }
}

/// Sends a signal to a process.
///
/// # Errors
/// When `kill` does not know it.
pub fn signal(id: u32, name: &str) -> crate::Result<()> {
    let status = Command::new("kill")
        .arg(format!("-{name}"))
        .arg(id.to_string())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        other => Err(format!("kill -{name} {id}: {other:?}")),
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

/// No file that a process writes may grow beyond so many bytes: to it the disk is full.
///
/// # Errors
/// When `prlimit` fails.
pub fn limit_files(id: u32, bytes: u64) -> crate::Result<()> {
    let status = Command::new("prlimit")
        .args(["--pid", &id.to_string(), &format!("--fsize={bytes}:")])
        .status()
        .map_err(|error| format!("prlimit: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("prlimit of {id}: {status}"))
    }
}
