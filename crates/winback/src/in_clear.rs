//! Secrets that the config would send over a connection without protection: told at start, and by `winback config check`.
//!
//! Told, not refused: inside one network that may be meant. Connections to this machine are nobody else's business.

use std::net::IpAddr;

use url::Url;
use winback_dispatch::provider::TlsMode;

use crate::config::{Config, ProviderConfig, ProviderKind};

/// A line for each, without the secret.
pub(crate) fn secrets(config: &Config) -> Vec<String> {
    let mut found = Vec::new();
    let smtp = &config.dispatch.smtp;
    let mails = config.dispatch.provider == ProviderKind::Smtp
        || config
            .dispatch
            .channels
            .values()
            .any(|channel| match channel.provider {
                ProviderConfig::Smtp => true,
                // It refuses what is not https itself.
                ProviderConfig::Http(_) | ProviderConfig::File => false,
            });
    if mails && smtp.tls == TlsMode::None && !smtp.user.is_empty() && !is_here(&smtp.host) {
        found.push(format!(
            "dispatch.smtp: the password goes to {} in the clear: set dispatch.smtp.tls to starttls or tls",
            smtp.host
        ));
    }
    if let Ok(url) = Url::parse(config.store.url.expose())
        && url.scheme() == "redis"
        && url.password().is_some()
        && let Some(host) = url.host_str().filter(|host| !is_here(host))
    {
        found.push(format!(
            "store.url: the password goes to {host} in the clear: use rediss:// where the network is not yours alone"
        ));
    }
    let property = |name: &str| {
        let properties = &config.kafka.properties;
        properties
            .get(name)
            .map(|value| value.expose().to_lowercase())
    };
    let is_plain = property("security.protocol").as_deref() == Some("sasl_plaintext");
    // SCRAM and GSSAPI never send the password itself; librdkafka's default is GSSAPI.
    let says_all = property("sasl.mechanism")
        .or_else(|| property("sasl.mechanisms"))
        .is_some_and(|mechanism| ["plain", "oauthbearer"].contains(&mechanism.as_str()));
    let elsewhere = config.kafka.bootstrap.split(',').find(|server| {
        let host = server
            .trim()
            .rsplit_once(':')
            .map_or(*server, |(host, _)| host);
        !is_here(host)
    });
    if let (true, true, Some(server)) = (is_plain, says_all, elsewhere) {
        found.push(format!(
            "kafka.properties: the password goes to {} in the clear: set security.protocol to SASL_SSL, or sasl.mechanism to SCRAM-SHA-512",
            server.trim()
        ));
    }
    found
}

/// Whether a host is this machine by its name alone; nothing is looked up.
fn is_here(host: &str) -> bool {
    let host = host.trim().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use winback_service::config::{Layers, load};

    use super::*;

    fn told(flags: &[(&str, &str)]) -> Vec<String> {
        let flag = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        let config: Config = load(Layers {
            defaults: include_str!("default.yaml"),
            flags: flags.iter().map(flag).collect(),
            dotted: &["kafka.properties"],
            ..Layers::default()
        })
        .unwrap();
        secrets(&config)
    }

    #[test]
    fn a_password_in_the_clear_is_told_and_never_shown() {
        let smtp = |host: &'static str, tls: &'static str, user: &'static str| {
            told(&[
                ("dispatch.provider", "smtp"),
                ("dispatch.smtp.host", host),
                ("dispatch.smtp.tls", tls),
                ("dispatch.smtp.user", user),
                ("dispatch.smtp.password", "canary"),
            ])
        };
        assert_eq!(smtp("mail.example", "none", "shop").len(), 1);
        for (host, tls, user) in [
            ("mail.example", "starttls", "shop"),
            ("mail.example", "none", ""),
            ("127.0.0.1", "none", "shop"),
        ] {
            assert_eq!(smtp(host, tls, user), [""; 0]);
        }
        assert_eq!(smtp("127.0.0.1.evil.example", "none", "shop").len(), 1);
        for (url, count) in [
            ("redis://:canary@cache:6379/0", 1),
            ("rediss://:canary@cache:6379/0", 0),
            ("redis://cache:6379/0", 0),
            ("redis://:canary@[::1]:6379/0", 0),
        ] {
            let told = told(&[("store.url", url)]);
            assert_eq!(told.len(), count, "{url}");
            assert!(!told.concat().contains("canary"));
        }
        let kafka = |protocol: &str, mechanism: &str, at: &str| {
            told(&[
                ("kafka.bootstrap", at),
                ("kafka.properties.security.protocol", protocol),
                ("kafka.properties.sasl.mechanism", mechanism),
                ("kafka.properties.sasl.password", "canary"),
            ])
            .len()
        };
        assert_eq!(
            kafka("SASL_PLAINTEXT", "PLAIN", "localhost:9092,b2:9092"),
            1
        );
        assert_eq!(kafka("SASL_PLAINTEXT", "SCRAM-SHA-512", "b2:9092"), 0);
        assert_eq!(kafka("SASL_SSL", "PLAIN", "b2:9092"), 0);
        assert_eq!(kafka("SASL_PLAINTEXT", "PLAIN", "localhost:9092"), 0);
        assert_eq!(told(&[]), [""; 0]);
    }
}
