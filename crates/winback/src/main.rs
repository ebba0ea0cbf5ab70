//! winback: the command line. Exit codes: 0 ok, 1 findings, 2 usage, 3 environment.

mod command;
mod config;
mod error;
mod folder;
mod output;
mod publish;
mod run;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Wins carts and customers back: events from Kafka, campaigns from files, messages that stop when the customer buys.
#[derive(Parser, Debug)]
#[command(name = "winback", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// A lively shop in time-lapse, in one process, without a network
    Demo(command::demo::Arguments),
    /// Check campaign files
    Check(command::check::Arguments),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            output::note(&format!("winback: no runtime: {error}"));
            return ExitCode::from(3);
        }
    };
    let result = runtime.block_on(async {
        match cli.command {
            Command::Demo(arguments) => command::demo::run(arguments).await,
            Command::Check(arguments) => command::check::run(&arguments),
        }
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(&format!("winback: {error}"));
            error.code()
        }
    }
}
