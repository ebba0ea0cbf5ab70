//! One multiplexed connection that is replaced when it breaks. Nothing is resent behind the caller's back.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, Pipeline, RedisError};
use tokio::sync::Mutex;

use super::scripts::{self, Call, Mode};
use crate::error::Error;

/// How to reach the server.
#[derive(Clone)]
pub struct Options {
    /// `redis://` or `rediss://`, with user and password if any.
    pub url: String,
    /// Prefix of all keys, such as `wb:`.
    pub prefix: String,
    /// Functions or scripts.
    pub mode: Mode,
    /// Longest wait for an answer; a slow disk is not an error before that.
    pub response_timeout: Duration,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Options({}, {:?})", self.prefix, self.mode)
    }
}

#[derive(Debug)]
pub(crate) struct Connection {
    client: Client,
    config: AsyncConnectionConfig,
    mode: Mode,
    open: Mutex<Option<MultiplexedConnection>>,
}

impl Connection {
    pub(crate) fn new(options: Options) -> Result<Self, Error> {
        // The error of a malformed URL may hold the password: it is not passed on.
        let client = Client::open(options.url).map_err(|_| {
            Error::Fatal(
                "the address of Redis is malformed: write redis://host:port/db or rediss://…"
                    .into(),
            )
        })?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(3)))
            .set_response_timeout(Some(options.response_timeout))
            .set_pipeline_buffer_size(1_024);
        Ok(Self {
            client,
            config,
            mode: options.mode,
            open: Mutex::new(None),
        })
    }

    async fn get(&self) -> Result<MultiplexedConnection, Error> {
        let mut open = self.open.lock().await;
        if let Some(connection) = open.as_ref() {
            return Ok(connection.clone());
        }
        let mut fresh = self
            .client
            .get_multiplexed_async_connection_with_config(&self.config)
            .await
            .map_err(|error| self.sort(&error))?;
        if self.mode == Mode::Function {
            let loaded: Result<String, RedisError> = scripts::load().query_async(&mut fresh).await;
            if let Err(error) = loaded
                && !scripts::is_loaded_already(&error)
            {
                return Err(explain_load(self.sort(&error)));
            }
        }
        *open = Some(fresh.clone());
        Ok(fresh)
    }

    async fn failed(&self, error: RedisError) -> Error {
        let sorted = self.sort(&error);
        if matches!(sorted, Error::Unavailable(_)) || scripts::is_missing(&error) {
            *self.open.lock().await = None;
        }
        sorted
    }

    pub(crate) async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Error> {
        let mut connection = self.get().await?;
        match command.query_async(&mut connection).await {
            Ok(value) => Ok(value),
            Err(error) => Err(self.failed(error).await),
        }
    }

    pub(crate) async fn pipeline<T: FromRedisValue>(&self, batch: &Pipeline) -> Result<T, Error> {
        let mut connection = self.get().await?;
        match batch.query_async(&mut connection).await {
            Ok(value) => Ok(value),
            Err(error) => Err(self.failed(error).await),
        }
    }

    /// Names the server: whoever reads it looks there first. User and password are no part of the address.
    fn sort(&self, error: &RedisError) -> Error {
        sort(error, &self.client.get_connection_info().addr().to_string())
    }

    /// A call as part of a pipeline.
    pub(crate) fn command(&self, call: Call, keys: usize) -> Cmd {
        call.command(self.mode, keys)
    }

    pub(crate) async fn call<T: FromRedisValue>(
        &self,
        call: Call,
        keys: usize,
        fill: impl FnOnce(&mut Cmd) + Send,
    ) -> Result<T, Error> {
        let mut command = call.command(self.mode, keys);
        fill(&mut command);
        self.query(&command).await
    }
}

/// May it work later?
fn sort(error: &RedisError, place: &str) -> Error {
    use redis::{ErrorKind, ServerErrorKind as S};
    let code = error.code().unwrap_or_default().to_owned();
    let transient = error.is_timeout()
        || error.is_io_error()
        || error.is_connection_dropped()
        || error.is_unrecoverable_error()
        || scripts::is_missing(error)
        || matches!(
            error.kind(),
            ErrorKind::Server(
                S::BusyLoading | S::TryAgain | S::MasterDown | S::ClusterDown | S::ReadOnly
            )
        )
        || ["OOM", "MISCONF", "LOADING", "BUSY", "NOREPLICAS"].contains(&code.as_str());
    if matches!(error.kind(), ErrorKind::AuthenticationFailed)
        || ["NOAUTH", "WRONGPASS", "NOPERM"].contains(&code.as_str())
    {
        return Error::Fatal(format!(
            "Redis at {place} refuses the user: {}",
            error.detail().unwrap_or(&code)
        ));
    }
    let text = error.to_string();
    if transient {
        Error::Unavailable(format!("Redis at {place}: {text}"))
    } else {
        Error::Fatal(format!("Redis at {place} refuses a command: {text}"))
    }
}

fn explain_load(sorted: Error) -> Error {
    match sorted {
        Error::Fatal(text) => Error::Fatal(format!(
            "{text}. winback needs FUNCTION LOAD and FCALL (Redis 7); where they are not allowed, set store.scripts: eval"
        )),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_error_names_the_server_and_not_its_password() {
        let options = Options {
            // Discard: nothing listens there.
            url: "redis://shop:hunter2@127.0.0.1:9/3".into(),
            prefix: "wb:".into(),
            mode: Mode::Function,
            response_timeout: Duration::from_secs(1),
        };
        let connection = Connection::new(options).unwrap();
        let error = connection.query::<String>(&redis::cmd("PING")).await;
        let text = error.unwrap_err().to_string();
        assert!(text.contains("Redis at 127.0.0.1:9: "), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
