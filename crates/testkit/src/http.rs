//! A small HTTP server on loopback that answers as it is told and keeps what it got.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What to do with the next request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A status, headers of its own, and a body.
    Status(u16, String, String),
    /// Reads the request and hangs up.
    HangUp,
}

/// A request as it came.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// `POST /path`.
    pub line: String,
    /// Header lines, names in small letters.
    pub headers: Vec<String>,
    /// The body.
    pub body: String,
}

/// See the module. It ends with the process of the test.
#[derive(Debug)]
pub struct HttpFake {
    port: u16,
    got: Arc<Mutex<Vec<Request>>>,
}

impl HttpFake {
    /// Answers requests with these, one after the other, the last one for ever.
    ///
    /// # Errors
    /// When no port is free.
    #[allow(
        clippy::disallowed_methods,
        reason = "a fake of a provider: it ends with the test"
    )]
    pub fn start(answers: Vec<Answer>) -> crate::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        let port = listener
            .local_addr()
            .map_err(|error| error.to_string())?
            .port();
        let got: Arc<Mutex<Vec<Request>>> = Arc::default();
        let kept = got.clone();
        std::thread::spawn(move || {
            let mut answers = answers.into_iter();
            let mut answer = answers.next();
            for stream in listener.incoming().flatten() {
                if let Some(current) = &answer {
                    serve(stream, current, &kept);
                }
                answer = answers.next().or(answer);
            }
        });
        Ok(Self { port, got })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What came so far.
    pub fn got(&self) -> Vec<Request> {
        self.got
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn serve(stream: TcpStream, answer: &Answer, got: &Mutex<Vec<Request>>) {
    drop(stream.set_read_timeout(Some(Duration::from_secs(5))));
    let mut reader = BufReader::new(&stream);
    let mut request = Request::default();
    let mut length = 0;
    for number in 0.. {
        let mut line = String::new();
        if reader.read_line(&mut line).is_err() || line.trim().is_empty() {
            break;
        }
        let line = line.trim().to_owned();
        if number == 0 {
            request.line = line;
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        let name = name.to_lowercase();
        if name == "content-length" {
            length = value.trim().parse().unwrap_or(0);
        }
        request.headers.push(format!("{name}: {}", value.trim()));
    }
    let mut body = vec![0; length];
    if reader.read_exact(&mut body).is_ok() {
        request.body = String::from_utf8_lossy(&body).into_owned();
    }
    got.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(request);
    if let Answer::Status(status, headers, body) = answer {
        let mut stream = &stream;
        let sent = write!(
            stream,
            "HTTP/1.1 {status} x\r\nContent-Length: {}\r\nConnection: close\r\n{headers}\r\n{body}",
            body.len()
        );
        drop(sent);
    }
}
