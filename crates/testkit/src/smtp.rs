//! A fake SMTP server: takes mails and remembers them, or misbehaves on demand.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What it does with the next mails.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Behaviour {
    /// Takes them.
    Accept,
    /// Takes them, and answers after so long.
    Slow(Duration),
    /// Answers `450` to the recipient.
    NotNow,
    /// Answers `550 5.1.1` to the recipient.
    NoSuchUser,
    /// Answers `554 5.7.1` to the recipient.
    RelayDenied,
    /// Takes the content and closes without an answer.
    DropAfterContent,
}

/// A mail that was taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Received {
    /// When.
    pub at: Instant,
    /// To whom.
    pub to: String,
    /// Header and body as they came.
    pub content: String,
}

impl Received {
    /// A header's value, if it stands on one line.
    pub fn header(&self, name: &str) -> Option<&str> {
        let start = format!("{}:", name.to_lowercase());
        let line = self
            .content
            .lines()
            .find(|line| line.to_lowercase().starts_with(&start))?;
        line.get(start.len()..).map(str::trim)
    }
}

#[derive(Debug)]
struct Shared {
    received: Mutex<Vec<Received>>,
    behaviour: Mutex<Behaviour>,
    stopped: AtomicBool,
}

/// A running server; stopped when dropped.
#[derive(Debug)]
pub struct Smtp {
    port: u16,
    shared: Arc<Shared>,
}

impl Smtp {
    /// Starts on a free port.
    ///
    /// # Errors
    /// When loopback has no free port.
    #[allow(
        clippy::disallowed_methods,
        reason = "a fake of the tests has its own threads"
    )]
    pub fn start() -> crate::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        let port = listener
            .local_addr()
            .map_err(|error| error.to_string())?
            .port();
        let shared = Arc::new(Shared {
            received: Mutex::default(),
            behaviour: Mutex::new(Behaviour::Accept),
            stopped: AtomicBool::new(false),
        });
        let state = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if state.stopped.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(stream), state) = (stream, state.clone()) else {
                    continue;
                };
                std::thread::spawn(move || drop(talk(stream, &state)));
            }
        });
        Ok(Self { port, shared })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on.
    pub fn behave(&self, behaviour: Behaviour) {
        *self
            .shared
            .behaviour
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = behaviour;
    }

    /// What it has taken so far.
    pub fn received(&self) -> Vec<Received> {
        self.shared
            .received
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "it notes when a mail came, and may be slow on purpose"
)]
fn talk(stream: TcpStream, state: &Shared) -> std::io::Result<()> {
    let mut out = stream.try_clone()?;
    let mut lines = BufReader::new(stream);
    out.write_all(b"220 fake\r\n")?;
    let mut to = String::new();
    let mut line = String::new();
    while {
        line.clear();
        lines.read_line(&mut line)? > 0
    } {
        let behaviour = *state
            .behaviour
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let word = line
            .split([' ', '\r', '\n'])
            .next()
            .unwrap_or_default()
            .to_uppercase();
        let answer = match word.as_str() {
            "EHLO" | "HELO" => "250 fake",
            "RCPT" if behaviour == Behaviour::NotNow => "450 later",
            "RCPT" if behaviour == Behaviour::NoSuchUser => "550 5.1.1 no such user",
            "RCPT" if behaviour == Behaviour::RelayDenied => "554 5.7.1 relay access denied",
            "RCPT" => {
                to = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                "250 ok"
            }
            "DATA" => {
                out.write_all(b"354 go\r\n")?;
                let content = content(&mut lines)?;
                let mail = Received {
                    at: Instant::now(),
                    to: std::mem::take(&mut to),
                    content,
                };
                state
                    .received
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(mail);
                match behaviour {
                    Behaviour::DropAfterContent => return Ok(()),
                    Behaviour::Slow(span) => std::thread::sleep(span),
                    _ => {}
                }
                "250 taken"
            }
            "QUIT" => {
                return out.write_all(b"221 bye\r\n");
            }
            _ => "250 ok",
        };
        out.write_all(answer.as_bytes())?;
        out.write_all(b"\r\n")?;
    }
    Ok(())
}

fn content(lines: &mut BufReader<TcpStream>) -> std::io::Result<String> {
    let (mut all, mut line) = (String::new(), String::new());
    while {
        line.clear();
        lines.read_line(&mut line)? > 0
    } {
        if line == ".\r\n" {
            break;
        }
        all.push_str(
            line.strip_prefix("..")
                .map_or(line.as_str(), |_| &line[1..]),
        );
    }
    Ok(all)
}
