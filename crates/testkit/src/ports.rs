//! Free ports on loopback.

use std::net::TcpListener;

/// A port that was free a moment ago.
///
/// # Errors
/// When loopback has none.
pub fn free() -> crate::Result<u16> {
    let listener =
        TcpListener::bind("127.0.0.1:0").map_err(|error| format!("no free port: {error}"))?;
    listener
        .local_addr()
        .map(|address| address.port())
        .map_err(|error| error.to_string())
}

/// Whether somebody listens there.
pub fn answers(port: u16) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
}
