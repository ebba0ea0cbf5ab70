//! The Lua of winback as a Function library, or as scripts where functions are not allowed.

use std::sync::LazyLock;

use redis::{Cmd, ErrorKind, RedisError, ServerErrorKind, cmd};
use winback_contract::ids::digest;

const BODY: &str = include_str!("winback.lua");

/// Part of every function's name. It is made from the text: a release never runs, nor replaces, another one's functions.
static LIBRARY: LazyLock<String> = LazyLock::new(|| {
    let hash = digest("lua", &[BODY.as_bytes()]);
    format!("winback_{}", hex(&hash[..6]))
});

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How Lua is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// As Functions (Redis 7): they survive restarts and replicate.
    #[default]
    Function,
    /// As scripts, sent in full when the server has forgotten them.
    Eval,
}

/// The functions, by their names in the file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Call {
    Commit,
    Acquire,
    Claim,
    Count,
    Renew,
}

impl Call {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Acquire => "acquire",
            Self::Claim => "claim",
            Self::Count => "count",
            Self::Renew => "renew",
        }
    }

    /// The command up to and including the number of keys.
    pub(crate) fn command(self, mode: Mode, keys: usize) -> Cmd {
        match mode {
            Mode::Function => {
                let mut command = cmd("FCALL");
                command
                    .arg(format!("{}_{}", *LIBRARY, self.name()))
                    .arg(keys);
                command
            }
            Mode::Eval => {
                let mut command = cmd("EVAL");
                command.arg(self.script()).arg(keys);
                command
            }
        }
    }

    fn script(self) -> String {
        format!("#!lua\n{BODY}\nreturn {}(KEYS, ARGV)\n", self.name())
    }
}

/// Loads the library if it is not there.
pub(crate) fn load() -> Cmd {
    let mut source = format!("#!lua name={}\n{BODY}\n", *LIBRARY);
    for call in [
        Call::Commit,
        Call::Acquire,
        Call::Claim,
        Call::Count,
        Call::Renew,
    ] {
        source.push_str(&format!(
            "redis.register_function('{1}_{0}', {0})\n",
            call.name(),
            *LIBRARY
        ));
    }
    let mut command = cmd("FUNCTION");
    command.arg("LOAD").arg(source);
    command
}

/// Whether the answer to [`load`] means that the library was there already.
pub(crate) fn is_loaded_already(error: &RedisError) -> bool {
    error.to_string().contains("already exists")
}

/// Whether a call failed because the library is not loaded.
pub(crate) fn is_missing(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Server(ServerErrorKind::ResponseError | ServerErrorKind::NoScript)
    ) && error.to_string().contains("Function not found")
}
