//! `winback reference`: lists that are made of the types, for docs/ and for whoever asks a binary what it knows.
//!
//! A test compares what is printed with what is committed. Absent: prose; it stands in docs/.

use std::fmt::Write as _;

use serde_json::Value;
use winback_campaign::yaml::schema::{self, Kind};
use winback_contract::{Channel, Topic};
use winback_service::{Metrics, http};

use crate::command::serve;
use crate::config;
use crate::error::Error;
use crate::output;

/// What is listed.
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// Every metric, with its labels
    Metrics,
    /// Every topic, with who writes and who reads it
    Topics,
    /// Every key of the config, with its default
    Config,
    /// Every field of campaign.yaml and policy.yaml
    Campaigns,
}

/// Arguments of reference.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// What to list, as Markdown
    #[arg(value_enum)]
    what: What,
}

/// Prints it.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Error> {
    output::print(
        match arguments.what {
            What::Metrics => metrics(),
            What::Topics => topics(),
            What::Config => configuration(),
            What::Campaigns => campaigns(),
        }
        .trim_end(),
    );
    Ok(())
}

/// A cell of a table holds no bar and no line break.
fn cell(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

fn metrics() -> String {
    let registry = Metrics::new();
    let _parts = http::Parts::register(&registry);
    let _ingest = winback_ingest::metrics::Metrics::register(&registry);
    let _sessions = winback_sessions::metrics::Metrics::register(&registry);
    let _evaluator = winback_evaluator::metrics::Metrics::register(&registry);
    let _dispatch = winback_dispatch::metrics::Metrics::register(&registry);
    let _gateway = winback_gateway::metrics::Metrics::register(&registry);
    serve::build_info(&registry, serve::Service::All);
    let mut out = String::from(
        "# Metrics\n\nMade by `winback reference metrics`. Every series also carries `shop`; histograms have buckets from one \
         millisecond to an hour. Times are in seconds. Process metrics (`process_*`) stand beside them.\n\n\
         | metric | kind | labels | what it says |\n|---|---|---|---|\n",
    );
    for (name, described) in registry.described() {
        let labels = described.labels.iter().map(|label| format!("`{label}`"));
        let labels = Vec::from_iter(labels).join(", ");
        let help = cell(&described.help);
        // Writing to a String can't fail.
        let _done = writeln!(out, "| `{name}` | {} | {labels} | {help} |", described.kind);
    }
    out
}

fn topics() -> String {
    let mut out = String::from(
        "# Topics\n\nMade by `winback reference topics`. Names carry the prefix of `kafka.prefix`. *Keyed* topics have the count of \
         `kafka.partitions`, fixed for life; a compacted topic keeps the newest record of each key. `winback topics apply` makes \
         them, `winback topics plan` shows what differs.\n\n\
         | topic | written by | read by | keyed | kept | largest record |\n|---|---|---|---|---|---|\n",
    );
    let channels = Channel::ALL.into_iter().map(Topic::Dispatch);
    let before = [
        Topic::Raw,
        Topic::Events,
        Topic::Triggers,
        Topic::Decisions,
        Topic::Journeys,
    ];
    let behind = [
        Topic::Outcomes,
        Topic::Catalogue,
        Topic::Campaigns,
        Topic::Failed,
    ];
    for topic in before.into_iter().chain(channels).chain(behind) {
        let layout = topic.layout();
        let kept = layout
            .retention
            .map_or_else(|| "compacted".to_owned(), |span| span.to_string());
        let _done = writeln!(
            out,
            "| `{}` | {} | {} | {} | {kept} | {} KiB |",
            topic.suffix(),
            layout.written_by,
            layout.read_by,
            if layout.keyed { "yes" } else { "no" },
            layout.max_message_bytes / 1_024,
        );
    }
    out
}

fn configuration() -> String {
    format!(
        "# Config\n\nMade by `winback reference config`: the embedded defaults, every key there is. A file (`--config`), \
         `WINBACK__SECTION__KEY` in the environment and `--set section.key=value` win over them, in this order. \
         `winback config show` prints what holds, without secrets; `winback config check` what is wrong.\n\n```yaml\n{}```\n",
        config::DEFAULTS
    )
}

fn campaigns() -> String {
    let mut out = String::from(
        "# Fields of campaign files\n\nMade by `winback reference campaigns` from the types that read them. What a campaign \
         means is told in `docs/campaigns.md`; `winback check --schema campaign` gives the same to editors.\n",
    );
    for (file, kind) in [
        ("campaign.yaml", Kind::Campaign),
        ("policy.yaml", Kind::Policy),
    ] {
        let schema = schema::of(kind);
        let _done = write!(out, "\n## {file}\n");
        part(&mut out, "the file", &schema);
        let parts = schema.get("$defs").and_then(Value::as_object);
        for (name, schema) in parts.into_iter().flatten() {
            part(&mut out, name, schema);
        }
    }
    out
}

/// A table of the fields of one part; nothing of those that have none.
fn part(out: &mut String, name: &str, schema: &Value) {
    let Some(fields) = schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    let says = |schema: &Value| {
        let text = schema.get("description").and_then(Value::as_str);
        cell(text.unwrap_or_default())
    };
    let about = says(schema);
    let _done = write!(
        out,
        "\n### {name}\n\n{about}{}| field | is | says |\n|---|---|---|\n",
        if about.is_empty() { "" } else { "\n\n" }
    );
    let required = schema.get("required").and_then(Value::as_array);
    for (field, schema) in fields {
        let is_needed = required.is_some_and(|names| names.iter().any(|name| name == field));
        let needed = if is_needed { ", needed" } else { "" };
        let _done = writeln!(
            out,
            "| `{field}` | {}{needed} | {} |",
            kind_of(schema),
            says(schema)
        );
    }
}

/// What a field holds: a kind of JSON, or another part.
fn kind_of(schema: &Value) -> String {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    if let Some(part) = schema.get("$ref").and_then(Value::as_str) {
        return part.rsplit('/').next().unwrap_or(part).to_owned();
    }
    for word in ["anyOf", "oneOf"] {
        if let Some(kinds) = schema.get(word).and_then(Value::as_array) {
            return together(kinds.iter().map(kind_of));
        }
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        let words = words.iter().filter_map(text);
        return together(words.map(|word| format!("`{word}`")));
    }
    if let Some(word) = schema.get("const").and_then(Value::as_str) {
        return format!("`{word}`");
    }
    let kinds = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().filter_map(text).collect(),
        Some(kind) => text(kind).into_iter().collect(),
        None => vec!["anything".to_owned()],
    };
    let items = schema.get("items").map(kind_of);
    together(kinds.into_iter().map(|kind| match (&*kind, &items) {
        ("array", Some(of)) => format!("list of {of}"),
        ("array", None) => "list".to_owned(),
        ("object", _) => "map".to_owned(),
        _ => kind,
    }))
}

/// Kinds side by side; that something may be left out is no kind.
fn together(kinds: impl Iterator<Item = String>) -> String {
    let kinds: Vec<String> = kinds
        .filter(|kind| !kind.is_empty() && kind != "null")
        .collect();
    kinds.join(" or ")
}
