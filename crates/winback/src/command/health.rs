//! `winback health`: asks the service of this config whether it is ready. For containers, which have no shell.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use winback_service::clock::within;

use crate::config::Config;
use crate::error::Error;
use crate::output;

/// Runs it.
pub(crate) async fn run(config: &Config) -> Result<(), Error> {
    let mut address = config.http.address;
    if address.ip().is_unspecified() {
        address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), address.port());
    }
    let ask = async {
        let mut stream = tokio::net::TcpStream::connect(address).await?;
        stream
            .write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok::<String, std::io::Error>(answer)
    };
    let answer = within(Duration::from_secs(3), ask)
        .await
        .map_err(|error| Error::Environment(format!("{address}: {error}")))?
        .map_err(|error| Error::Environment(format!("{address}: {error}")))?;
    let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default().trim();
    if answer.starts_with("HTTP/1.1 200") {
        output::print(body);
        return Ok(());
    }
    Err(Error::Findings(format!("{address} is not ready: {body}")))
}
