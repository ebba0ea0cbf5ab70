//! `winback check`: everything that is wrong in a folder of campaigns, with file, line, column and a way out.

use std::path::PathBuf;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Severity,
};
use winback_campaign::{Diagnostic, Files, Report};

use crate::error::Error;
use crate::folder;
use crate::output;

/// How findings are printed.
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For scripts.
    Json,
}

/// Arguments of check.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The folder with policy.yaml and a folder per campaign
    folder: PathBuf,
    /// How findings are printed
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Error> {
    let (files, compiled) = folder::compile(&arguments.folder)?;
    let (report, summary) = match &compiled {
        Ok((bundle, warnings)) => (
            warnings,
            Some(format!(
                "{} campaigns are good to go (bundle {})",
                bundle.campaigns.len(),
                bundle.hash
            )),
        ),
        Err(report) => (report, None),
    };
    match arguments.output {
        Format::Json => output::print(&serde_json::to_string_pretty(report)?),
        Format::Text => {
            output::print(&text(report, &files));
            if let Some(summary) = &summary {
                output::print(summary);
            }
        }
    }
    if compiled.is_err() {
        return Err(Error::Findings(format!(
            "{} findings in {}",
            report.findings.len(),
            arguments.folder.display()
        )));
    }
    Ok(())
}

/// All findings with their lines, without colours.
pub(crate) fn text(report: &Report, files: &Files) -> String {
    report
        .findings
        .iter()
        .map(|finding| one(finding, files))
        .collect()
}

fn one(finding: &Diagnostic, files: &Files) -> String {
    let severity = match finding.severity {
        winback_campaign::Severity::Error => Severity::Error,
        winback_campaign::Severity::Warning => Severity::Warning,
    };
    let mut diagnostic = MietteDiagnostic::new(&finding.message).with_severity(severity);
    if let Some(help) = &finding.help {
        diagnostic = diagnostic.with_help(help);
    }
    let place = match finding.position {
        Some(position) => format!("{}:{}:{}", finding.file, position.line, position.column),
        None => finding.file.clone(),
    };
    let source = files.0.get(&finding.file).zip(finding.position);
    let report = match source {
        Some((text, position)) => {
            let (offset, length) = bytes(text, position);
            let label = LabeledSpan::new(None, offset, length);
            miette::Report::new(diagnostic.with_label(label))
                .with_source_code(NamedSource::new(&finding.file, text.clone()))
        }
        None => miette::Report::new(diagnostic),
    };
    let mut out = format!("{place}\n");
    let handler = GraphicalReportHandler::new_themed(GraphicalTheme::unicode_nocolor())
        .with_width(100)
        .with_links(false)
        .with_context_lines(1);
    // A finding that can't be drawn is still named.
    if handler.render_report(&mut out, report.as_ref()).is_err() {
        out.push_str(&finding.message);
    }
    out.push('\n');
    out
}

/// Byte offset and length of the word at a line and column.
fn bytes(text: &str, position: winback_campaign::diagnostic::Position) -> (usize, usize) {
    let start: usize = text
        .split_inclusive('\n')
        .take(position.line.saturating_sub(1))
        .map(str::len)
        .sum();
    let line = text[start..].lines().next().unwrap_or_default();
    let inside = line
        .char_indices()
        .nth(position.column.saturating_sub(1))
        .map_or(line.len(), |(index, _)| index);
    let rest = &line[inside..];
    let length = rest
        .find([' ', ',', '}', ']', ':'])
        .unwrap_or(rest.len())
        .max(usize::from(!rest.is_empty()));
    (start + inside, length)
}
