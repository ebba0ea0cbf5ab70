//! A TCP proxy before a server: passes on, cuts, goes silent, or swallows replies, as networks do.
//!
//! A connection that was made under a fault keeps it until the fault ends; cutting ends what is open.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What becomes of bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// They pass.
    Open,
    /// They pass, so much later.
    Slow(Duration),
    /// Neither direction passes, and no connection ends: a cable that was pulled.
    Silent,
    /// What is asked passes, what is answered does not: it was done, and nobody knows.
    NoReplies,
    /// Connections are refused, and those that are open end.
    Cut,
}

#[derive(Debug)]
struct Shared {
    target: u16,
    way: Mutex<Way>,
    open: Mutex<Vec<TcpStream>>,
    is_stopped: Mutex<bool>,
}

/// A running proxy; stopped when dropped.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// Starts before a port of this machine.
    ///
    /// # Errors
    /// When loopback has no free port.
    #[allow(
        clippy::disallowed_methods,
        reason = "a fake of the tests has its own threads"
    )]
    pub fn start(target: u16) -> crate::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let shared = Arc::new(Shared {
            target,
            way: Mutex::new(Way::Open),
            open: Mutex::default(),
            is_stopped: Mutex::new(false),
        });
        let state = shared.clone();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if *lock(&state.is_stopped) {
                    return;
                }
                if let Ok(client) = client {
                    join(&state, client);
                }
            }
        });
        Ok(Self {
            port: address.port(),
            shared,
        })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on, for connections that are open too.
    pub fn go(&self, way: Way) {
        *lock(&self.shared.way) = way;
        if way == Way::Cut {
            for stream in lock(&self.shared.open).drain(..) {
                drop(stream.shutdown(Shutdown::Both));
            }
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        *lock(&self.shared.is_stopped) = true;
        self.go(Way::Cut);
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "a fake of the tests has its own threads"
)]
fn join(shared: &Arc<Shared>, client: TcpStream) {
    if *lock(&shared.way) == Way::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(("127.0.0.1", shared.target)) else {
        return;
    };
    let (Ok(asks), Ok(answers)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    for stream in [&client, &server] {
        if let Ok(stream) = stream.try_clone() {
            lock(&shared.open).push(stream);
        }
    }
    let (forth, back) = (shared.clone(), shared.clone());
    std::thread::spawn(move || pass(&forth, asks, server, false));
    std::thread::spawn(move || pass(&back, answers, client, true));
}

#[allow(clippy::disallowed_methods, reason = "bytes wait as the fault says")]
fn pass(shared: &Shared, mut from: TcpStream, mut to: TcpStream, is_reply: bool) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count) = from.read(&mut bytes) {
        if count == 0 {
            break;
        }
        loop {
            let way = *lock(&shared.way);
            match way {
                Way::Open => break,
                Way::Slow(by) => {
                    std::thread::sleep(by);
                    break;
                }
                Way::NoReplies if !is_reply => break,
                // What is swallowed is lost: the connection is of no use after it, and nobody says so.
                Way::NoReplies | Way::Silent => std::thread::sleep(Duration::from_millis(10)),
                Way::Cut => return,
            }
        }
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Both));
}
