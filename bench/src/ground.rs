//! A Kafka and a Redis of their own, with topics and campaigns, and services on them. Absent: load, and figures.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use winback_bus::Log;
use winback_bus::kafka::{KafkaLog, Options};
use winback_contract::Partition;
use winback_store::{RedisStore, Store as _};
use winback_testkit::files::Folder;
use winback_testkit::{Child, Kafka, Redis, Result, ports, until};

/// How many partitions a shop has here.
pub(crate) const PARTITIONS: u32 = 8;

/// See the module.
pub(crate) struct Ground {
    kafka: Kafka,
    redis: Redis,
    folder: Folder,
    pub(crate) log: Arc<dyn Log>,
    pub(crate) store: RedisStore,
}

impl Ground {
    /// Starts the servers, creates the topics and publishes the shipped campaigns, or those of `WINBACK_BENCH_CAMPAIGNS`.
    pub(crate) async fn open() -> Result<Self> {
        let (kafka, redis) = (Kafka::start()?, Redis::start()?);
        let log = KafkaLog::new(Options {
            bootstrap: kafka.bootstrap().to_owned(),
            properties: [].into(),
            client_id: "bench".into(),
        });
        let store = RedisStore::connect(winback_store::redis::Options {
            url: redis.url().to_owned(),
            prefix: "wb:".into(),
            mode: winback_store::redis::Mode::Function,
            response_timeout: Duration::from_secs(10),
        });
        let ground = Self {
            log: Arc::new(log.map_err(|error| error.to_string())?),
            store: store.await.map_err(|error| error.to_string())?,
            kafka,
            redis,
            folder: Folder::new("bench")?,
        };
        let campaigns = std::env::var_os("WINBACK_BENCH_CAMPAIGNS").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../campaigns"),
            PathBuf::from,
        );
        for arguments in [
            vec!["topics", "apply"],
            vec!["publish", campaigns.to_str().unwrap_or_default()],
        ] {
            let output = ground.winback(&arguments)?.output();
            let output = output.map_err(|error| error.to_string())?;
            if !output.status.success() {
                return Err(format!(
                    "winback {arguments:?}: {}",
                    String::from_utf8_lossy(&output.stderr)
                ));
            }
        }
        Ok(ground)
    }

    fn winback(&self, arguments: &[&str]) -> Result<Command> {
        let me = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(me.with_file_name("winback"));
        command
            .args(arguments)
            .env("WINBACK__KAFKA__BOOTSTRAP", self.kafka.bootstrap())
            .env("WINBACK__STORE__URL", self.redis.url())
            .env("WINBACK__KAFKA__PARTITIONS", PARTITIONS.to_string());
        Ok(command)
    }

    /// Starts a service and waits until it answers.
    pub(crate) fn serve(&self, service: &str) -> Result<Child> {
        let http = ports::free()?;
        let mut command = self.winback(&["serve", service])?;
        command.env("WINBACK__HTTP__ADDRESS", format!("127.0.0.1:{http}"));
        let log = self.folder.path().join(format!("{service}.log"));
        let child = Child::start(service, &mut command, &log)?;
        until(Duration::from_secs(30), "the service answers", || {
            ports::answers(http)
        })?;
        Ok(child)
    }

    /// How many events sessions has applied.
    pub(crate) async fn applied(&self) -> Result<i64> {
        let partitions: Vec<Partition> = (0..PARTITIONS).map(Partition).collect();
        let metas = self.store.metas(&partitions).await;
        let metas = metas.map_err(|error| error.to_string())?;
        let positions = metas.into_iter().flatten();
        Ok(positions.map(|meta| meta.positions.events.0).sum())
    }

    /// How many records a topic has.
    pub(crate) async fn end(&self, topic: &str) -> Result<i64> {
        let ends = self.log.ends(topic).await;
        let ends = ends.map_err(|error| error.to_string())?;
        Ok(ends.iter().map(|end| end.0).sum())
    }
}
