//! winback: the command line. Exit codes: 0 ok, 1 findings, 2 usage, 3 environment.

mod command;
mod config;
mod error;
mod folder;
mod in_clear;
mod output;
mod providers;
mod publish;
mod pulse;
mod run;
mod wiring;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Small objects by the million come and go in sessions and ingest; see docs/operations.md for figures.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Wins carts and customers back: events from Kafka, campaigns from files, messages that stop when the customer buys.
#[derive(Parser, Debug)]
#[command(name = "winback", version)]
struct Cli {
    /// Config file; WINBACK__SECTION__KEY in the environment and --set win over it
    #[arg(long, global = true, env = "WINBACK_CONFIG")]
    config: Option<PathBuf>,
    /// One key of the config, such as kafka.bootstrap=host:9092
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    set: Vec<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// A lively shop in time-lapse, in one process, without a network
    Demo(command::demo::Arguments),
    /// Run a service, or all of them
    Serve(command::serve::Arguments),
    /// Check campaign files
    Check(command::check::Arguments),
    /// Run the cases beside campaigns
    Test(command::test::Arguments),
    /// What a shop's stream looks like to winback: names, fields, identities; the first command a new shop runs
    Events(command::events::Arguments),
    /// What the file of a mapping makes of records of any shape
    Map(command::map::Arguments),
    /// One person's line of time for given events
    Simulate(command::simulate::Arguments),
    /// A campaign in plain sentences
    Explain(command::explain::Arguments),
    /// The texts of a step, as a sample customer gets them
    Preview(command::preview::Arguments),
    /// One real message of a sample customer, to an address of yours
    SendTest(command::send_test::Arguments),
    /// Check a folder of campaigns and make it live
    Publish(command::publish::Arguments),
    /// Run campaigns over past events, without sending
    Backtest(command::backtest::Arguments),
    /// Hold everything, a campaign or a channel at once, without a publication
    Pause(command::pause::Arguments),
    /// The format in which states and records are written
    #[command(subcommand)]
    Upgrade(command::upgrade::Arguments),
    /// End a pause
    Resume(command::pause::Arguments),
    /// Single-use codes of coupon pools
    #[command(subcommand)]
    Coupons(command::coupons::Arguments),
    /// What was decided about one person, and why
    Why(command::why::Arguments),
    /// What is kept of one person
    #[command(subcommand)]
    Customer(command::customer::Arguments),
    /// What could not be applied
    #[command(subcommand)]
    Failed(command::failed::Arguments),
    /// What can't be repaired, and the way on
    Recover(command::recover::Arguments),
    /// Take in existing customers
    Import(command::import::Arguments),
    /// Ask a running service whether it is ready: the probe of containers
    Health,
    /// The topics of winback
    #[command(subcommand)]
    Topics(command::topics::Arguments),
    /// The effective config
    #[command(subcommand)]
    Config(command::config::Arguments),
    /// Lists made of the types: metrics, topics, config, fields of campaign files
    Reference(command::reference::Arguments),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            output::note(&format!("winback: no runtime: {error}"));
            return ExitCode::from(3);
        }
    };
    let result = runtime.block_on(run(cli));
    // A blocking question to a broker that is away must not hold the process.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(&format!("winback: {error}"));
            error.code()
        }
    }
}

async fn run(cli: Cli) -> Result<(), error::Error> {
    // Commands that need no network need no config either.
    match cli.command {
        Command::Demo(arguments) => return command::demo::run(arguments).await,
        Command::Check(arguments) => return command::check::run(&arguments),
        Command::Backtest(arguments) if !arguments.needs_config() => {
            return command::backtest::run(arguments, None).await;
        }
        Command::Events(arguments) if !arguments.needs_config() => {
            return command::events::run(arguments, None).await;
        }
        Command::Map(arguments) => return command::map::run(&arguments),
        Command::Reference(arguments) => return command::reference::run(&arguments),
        Command::Test(arguments) => return command::test::run(arguments).await,
        Command::Simulate(arguments) => return command::simulate::run(arguments).await,
        Command::Explain(arguments) => return command::explain::run(&arguments),
        Command::Preview(arguments) => return command::preview::run(&arguments),
        _ => {}
    }
    let mut flags = Vec::new();
    for pair in &cli.set {
        let (key, value) = pair.split_once('=').ok_or_else(|| {
            error::Error::Usage(format!(
                "--set {pair}: write KEY=VALUE, such as kafka.bootstrap=host:9092"
            ))
        })?;
        flags.push((key.to_owned(), value.to_owned()));
    }
    let config = config::Config::load(cli.config.as_deref(), flags)?;
    match cli.command {
        Command::Serve(arguments) => command::serve::run(arguments, config).await,
        Command::SendTest(arguments) => command::send_test::run(arguments, &config).await,
        Command::Publish(arguments) => command::publish::run(arguments, &config).await,
        Command::Upgrade(arguments) => command::upgrade::run(arguments, &config).await,
        Command::Pause(arguments) => command::pause::run(arguments, true, &config).await,
        Command::Resume(arguments) => command::pause::run(arguments, false, &config).await,
        Command::Coupons(arguments) => command::coupons::run(arguments, &config).await,
        Command::Backtest(arguments) => command::backtest::run(arguments, Some(&config)).await,
        Command::Events(arguments) => command::events::run(arguments, Some(&config)).await,
        Command::Health => command::health::run(&config).await,
        Command::Why(arguments) => command::why::run(arguments, &config).await,
        Command::Customer(arguments) => command::customer::run(arguments, &config).await,
        Command::Failed(arguments) => command::failed::run(arguments, &config).await,
        Command::Recover(arguments) => command::recover::run(arguments, &config).await,
        Command::Import(arguments) => command::import::run(arguments, &config).await,
        Command::Topics(arguments) => command::topics::run(arguments, &config).await,
        Command::Config(arguments) => command::config::run(arguments, &config).await,
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    /// Arguments of a command that contradict each other are found when it is run, by a panic: all are looked at here.
    #[test]
    fn every_command_can_be_parsed() {
        super::Cli::command().debug_assert();
    }
}
