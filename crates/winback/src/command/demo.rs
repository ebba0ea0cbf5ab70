//! `winback demo`: a lively shop in time-lapse, all services in this process, no network.
//!
//! A hundred days run through fast, then a week in about a minute. Deterministic by seed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use winback_campaign::{Bundle, Files};
use winback_contract::{SourceKind, Span, Timestamp};
use winback_scenario::{Options, generate};
use winback_service::clock;

use crate::config::Config;
use crate::error::Error;
use crate::output;
use crate::run::gallery::Gallery;
use crate::run::machine::Setup;
use crate::run::{Machine, report, story};

/// The campaigns that ship, so that the demo needs no files.
const SHIPPED: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// The part of them that a hundred days of one shop show best; the rest is in `campaigns/`.
const SHOWN: &[&str] = &[
    "browse-left",
    "cart-left",
    "lost-customer",
    "quiet-offer",
    "season-closed",
    "welcome-back",
];

/// Arguments of the demo.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Seed of the shop: the same seed, the same demo
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many people shop there
    #[arg(long, default_value_t = 400)]
    people: u64,
    /// Where the mails are written
    #[arg(long, default_value = "winback-demo")]
    out: PathBuf,
    /// Do not slow the last week down to a minute
    #[arg(long)]
    fast: bool,
    /// Plant faults (lost acknowledgements) with this seed: the result must be the same
    #[arg(long, hide = true)]
    faults: Option<u64>,
}

const DAYS: i64 = 100;
const WEEK: i64 = 7;

/// Runs it.
pub(crate) async fn run(arguments: Arguments) -> Result<(), Error> {
    let files = Files(
        SHIPPED
            .iter()
            .filter(|(path, _)| {
                let folder = path.split('/').next().unwrap_or(path);
                folder == *path || folder == "shared" || SHOWN.contains(&folder)
            })
            .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
            .collect(),
    );
    // Some hundred days that begin on a Monday; any other would do.
    let start = Timestamp::from_millis(1_767_571_200_000);
    let fast_until = start + Span::from_days(DAYS);
    let end = start + Span::from_days(DAYS + WEEK);
    let shop = generate(&Options {
        seed: arguments.seed,
        start,
        days: DAYS + WEEK,
        people: arguments.people,
    });
    let (channels, zone) = match Bundle::compile(&files) {
        Ok((bundle, _)) => (bundle.channels(), bundle.policy.zone),
        Err(report) => return Err(Error::Findings(report.to_string())),
    };
    let gallery = Arc::new(Gallery::new(&arguments.out));
    let setup = Setup {
        channels,
        config: Config::embedded()?,
        start,
        partitions: 4,
        provider: gallery.clone(),
        faults: arguments.faults,
        explain: false,
    };
    let names = setup.config.names();
    let mut machine = Machine::new(setup).await?;
    machine.publish(&files).await?;
    output::note(&format!(
        "{} people, {DAYS} days, then a week in about a minute",
        arguments.people
    ));
    let watch = clock::Stopwatch::start();
    let mut shown = start;
    for raw in shop {
        if raw.at > end {
            break;
        }
        machine.run_until(raw.at).await?;
        machine.arrive(
            SourceKind::Live,
            &raw.key,
            serde_json::to_vec(&raw.body)?,
            raw.at,
        )?;
        let every = if raw.at < fast_until {
            Span::from_days(10)
        } else {
            Span::from_hours(6)
        };
        if raw.at.since(shown) >= every {
            shown = raw.at;
            progress(&machine, &names, raw.at, start, &zone);
        }
        if !arguments.fast && raw.at > fast_until {
            keep_pace(&watch, raw.at.since(fast_until)).await;
        }
    }
    machine.run_until(end).await?;
    progress(&machine, &names, end, start, &zone);
    let records = report::journeys(&machine.log, &names);
    output::print(&report::text(&report::sums(&records)));
    if let Some(who) = story::choose(&records) {
        output::print(&format!("one customer's story ({})", &who.to_string()[..8]));
        output::print(&story::tell(&machine.log, &names, who, &records, &zone));
    }
    let index = gallery.write_index(&records, &zone)?;
    output::print(&format!("all mails at a glance: {}", index.display()));
    Ok(())
}

fn progress(
    machine: &Machine,
    names: &winback_contract::TopicNames,
    at: Timestamp,
    start: Timestamp,
    zone: &jiff::tz::TimeZone,
) {
    let sums = report::sums(&report::journeys(&machine.log, names));
    let sent: u64 = sums.values().flat_map(|sums| sums.sent.values()).sum();
    let entered: u64 = sums.values().map(|sums| sums.entered).sum();
    let stopped: u64 = sums
        .values()
        .filter_map(|sums| sums.ended.get(&winback_contract::Reason::Converted))
        .sum();
    let day = at.since(start).as_millis() / Span::from_days(1).as_millis() + 1;
    let moment = report::moment(at, zone);
    output::note(&format!(
        "day {day:>3}  {moment}  journeys {entered:>5}  mails {sent:>5}  stopped by a purchase {stopped:>5}"
    ));
}

/// A week of the shop in a minute of ours, counted from when the week began.
async fn keep_pace(watch: &clock::Stopwatch, into_the_week: Span) {
    thread_local! {
        static BEGAN: std::cell::Cell<Option<Duration>> = const { std::cell::Cell::new(None) };
    }
    let elapsed = watch.elapsed();
    let began = BEGAN.with(|began| {
        began.get().unwrap_or_else(|| {
            began.set(Some(elapsed));
            elapsed
        })
    });
    let share = into_the_week.as_millis() as f64 / Span::from_days(WEEK).as_millis() as f64;
    let wanted = began + Duration::from_secs_f64((60.0 * share).clamp(0.0, 60.0));
    if let Some(ahead) = wanted.checked_sub(elapsed) {
        clock::pause(ahead).await;
    }
}
