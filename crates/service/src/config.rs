//! Layered config: embedded defaults < file < environment (`WINBACK__SECTION__KEY`) < flags. Unknown keys are refused.
//!
//! A secret may come from a file: `…_FILE` in the environment names it. Dotted keys of maps such as
//! `kafka.properties` are written with underscores in the environment: `WINBACK__KAFKA__PROPERTIES__SASL_MECHANISM`.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use config::{Config, Environment, File, FileFormat};
use serde::de::DeserializeOwned;

/// What is wrong with the config, and where.
#[derive(Debug, thiserror::Error)]
#[error("config: {0}")]
pub struct Error(String);

/// The sources of one load.
#[derive(Debug, Default)]
pub struct Layers<'a> {
    /// Embedded YAML.
    pub defaults: &'a str,
    /// A file, if one is named; it must exist then.
    pub file: Option<&'a Path>,
    /// The environment, usually that of the process.
    pub environment: BTreeMap<String, String>,
    /// `section.key` and value.
    pub flags: Vec<(String, String)>,
    /// Maps whose keys hold dots, as `section.key`.
    pub dotted: &'a [&'a str],
}

/// Loads and types the config.
///
/// # Errors
/// [`Error`] naming the key and the layer.
pub fn load<T: DeserializeOwned>(layers: Layers<'_>) -> Result<T, Error> {
    let mut builder =
        Config::builder().add_source(File::from_str(layers.defaults, FileFormat::Yaml));
    if let Some(path) = layers.file {
        builder = builder.add_source(File::from(path).format(FileFormat::Yaml).required(true));
    }
    let mut plain: HashMap<String, String> = HashMap::new();
    let mut dotted: BTreeMap<String, HashMap<String, String>> = BTreeMap::new();
    for (name, value) in layers.environment {
        let Some(key) = name.strip_prefix("WINBACK__") else {
            continue;
        };
        let (key, value) = match key.strip_suffix("_FILE") {
            Some(key) => {
                let secret = std::fs::read_to_string(&value).map_err(|error| {
                    Error(format!(
                        "{name} names a file that can't be read: {}",
                        error.kind()
                    ))
                })?;
                (key.to_owned(), secret.trim_end().to_owned())
            }
            None => (key.to_owned(), value),
        };
        let path = key.to_lowercase().replace("__", ".");
        match in_map(layers.dotted, &path) {
            Some((map, key)) => {
                dotted
                    .entry(map.to_owned())
                    .or_default()
                    .insert(key.replace('_', "."), value);
            }
            None => {
                plain.insert(format!("WINBACK__{key}"), value);
            }
        }
    }
    let environment = Environment::with_prefix("WINBACK")
        .prefix_separator("__")
        .separator("__")
        .source(Some(plain));
    builder = builder.add_source(environment);
    let wrong = |error: config::ConfigError| Error(error.to_string());
    let mut flags = Vec::new();
    for (key, value) in layers.flags {
        match in_map(layers.dotted, &key) {
            Some((map, key)) => {
                let values = dotted.entry(map.to_owned()).or_default();
                values.insert(key.to_owned(), value);
            }
            None => flags.push((key, value)),
        }
    }
    for (map, values) in dotted {
        builder = builder.set_override(map, values).map_err(wrong)?;
    }
    for (key, value) in flags {
        builder = builder.set_override(key, value).map_err(wrong)?;
    }
    builder
        .build()
        .and_then(Config::try_deserialize)
        .map_err(wrong)
}

/// The map with dots in its keys that a path lies in, and the key there.
fn in_map<'m, 'p>(maps: &[&'m str], path: &'p str) -> Option<(&'m str, &'p str)> {
    maps.iter().find_map(|map| {
        let key = path.strip_prefix(map)?.strip_prefix('.')?;
        Some((*map, key))
    })
}

/// Durations in config: `30s`, `5m`, `72h`.
pub mod duration {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    /// Writes it as people read it.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*span))
    }

    /// Reads it.
    ///
    /// # Errors
    /// When it is no duration.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text).map_err(|_| {
            D::Error::custom(format!("`{text}` is not a duration: write 30s, 5m or 72h"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Whole {
        kafka: Kafka,
        #[serde(with = "duration")]
        wait: std::time::Duration,
    }

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Kafka {
        bootstrap: String,
        #[serde(default)]
        properties: BTreeMap<String, String>,
    }

    const DEFAULTS: &str =
        "kafka: { bootstrap: a:1, properties: { client.rack: r1 } }\nwait: 30s\n";

    fn check(environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Whole, String> {
        load(Layers {
            defaults: DEFAULTS,
            environment: environment
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            flags: flags
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            dotted: &["kafka.properties"],
            ..Layers::default()
        })
        .map_err(|error| error.to_string())
    }

    #[test]
    fn layers_win_in_order() {
        let whole = check(&[("WINBACK__KAFKA__BOOTSTRAP", "b:1")], &[]).unwrap();
        assert_eq!(whole.kafka.bootstrap, "b:1");
        let whole = check(
            &[("WINBACK__KAFKA__BOOTSTRAP", "b:1")],
            &[("kafka.bootstrap", "c:1")],
        )
        .unwrap();
        assert_eq!(whole.kafka.bootstrap, "c:1");
        assert_eq!(whole.wait.as_secs(), 30);
    }

    #[test]
    fn dotted_keys_come_through() {
        let whole = check(
            &[("WINBACK__KAFKA__PROPERTIES__SASL_MECHANISM", "PLAIN")],
            &[],
        )
        .unwrap();
        assert_eq!(whole.kafka.properties["sasl.mechanism"], "PLAIN");
        assert_eq!(whole.kafka.properties["client.rack"], "r1");
        // A flag is nearer than the environment here too.
        let flag = [("kafka.properties.sasl.mechanism", "SCRAM-SHA-512")];
        let near = check(
            &[("WINBACK__KAFKA__PROPERTIES__SASL_MECHANISM", "PLAIN")],
            &flag,
        );
        assert_eq!(
            near.unwrap().kafka.properties["sasl.mechanism"],
            "SCRAM-SHA-512"
        );
    }

    #[test]
    fn unknown_keys_and_bad_values_are_refused() {
        assert!(
            check(&[("WINBACK__KAFKA__BOOTSTRAPP", "b:1")], &[])
                .unwrap_err()
                .contains("bootstrapp")
        );
        assert!(
            check(&[("WINBACK__WAIT", "soon")], &[])
                .unwrap_err()
                .contains("not a duration")
        );
        assert!(
            check(
                &[("WINBACK__KAFKA__BOOTSTRAP_FILE", "/nowhere/at/all")],
                &[]
            )
            .unwrap_err()
            .contains("can't be read")
        );
    }
}
