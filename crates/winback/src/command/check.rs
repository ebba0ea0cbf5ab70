//! `winback check`: everything that is wrong in a folder of campaigns, with file, line, column and a way out.

use std::path::{Path, PathBuf};

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource, Severity,
};
use winback_campaign::{Bundle, Diagnostic, Files, Report};

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
    /// Annotations of GitHub Actions
    Github,
}

/// Kinds of files.
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// campaign.yaml
    Campaign,
    /// policy.yaml
    Policy,
}

impl From<Kind> for winback_campaign::yaml::schema::Kind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Campaign => Self::Campaign,
            Kind::Policy => Self::Policy,
        }
    }
}

/// Arguments of check.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// The folder with policy.yaml and a folder per campaign, or the file of a mapping (`kind: Map`)
    #[arg(required_unless_present = "schema")]
    folder: Option<PathBuf>,
    /// Print the JSON Schema of a kind of file instead, for editors
    #[arg(long, value_enum)]
    schema: Option<Kind>,
    /// How findings are printed
    #[arg(short, long, value_enum, default_value_t = Format::Text)]
    output: Format,
}

/// Runs it.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Error> {
    if let Some(schema) = arguments.schema {
        let schema = winback_campaign::yaml::schema::of(schema.into());
        output::print(&serde_json::to_string_pretty(&schema)?);
        return Ok(());
    }
    let Some(folder) = &arguments.folder else {
        return Err(Error::Usage("which folder?".into()));
    };
    if folder.is_file() {
        let (mapping, warnings) = super::map::mapping(folder)?;
        match arguments.output {
            Format::Json => output::print(&serde_json::to_string_pretty(&warnings)?),
            Format::Github => output::print(&annotations(&warnings, Path::new(""))),
            Format::Text => {
                for warning in &warnings.findings {
                    output::print(&warning.to_string());
                }
                output::print(&format!("{}: {mapping}", folder.display()));
            }
        }
        return Ok(());
    }
    let (files, compiled) = folder::compile(folder)?;
    let (mut report, summary) = match &compiled {
        Ok((bundle, warnings)) => (
            warnings.clone(),
            Some(format!(
                "{} campaigns are good to go (bundle {})",
                bundle.campaigns.len(),
                bundle.hash
            )),
        ),
        Err(report) => (report.clone(), None),
    };
    super::test::look(&files, &mut report);
    for path in folder::strays(folder, &files)? {
        let help = "files are policy.yaml, <campaign>/campaign.yaml, <campaign>/tests.yaml, templates/*.mjml and *.txt, and shared/";
        report.warning(&path, None, "nothing reads this file", help.to_owned());
    }
    report.sort();
    match arguments.output {
        Format::Json => output::print(&serde_json::to_string_pretty(&report)?),
        Format::Github => output::print(&annotations(&report, folder)),
        Format::Text => {
            output::print(&text(&report, &files));
            if let Some(summary) = summary.filter(|_| !report.has_errors()) {
                output::print(&summary);
            }
        }
    }
    if report.has_errors() {
        return Err(Error::Findings(format!(
            "{} findings in {}",
            report.findings.len(),
            folder.display()
        )));
    }
    Ok(())
}

/// A folder that must compile, with its warnings. Its findings are printed, and `otherwise` says what that means here.
pub(crate) fn compiled(folder: &Path, otherwise: &str) -> Result<(Files, Bundle, Report), Error> {
    let (files, compiled) = folder::compile(folder)?;
    match compiled {
        Ok((bundle, warnings)) => Ok((files, bundle, warnings)),
        Err(report) => {
            output::print(&text(&report, &files));
            Err(Error::Findings(otherwise.to_owned()))
        }
    }
}

/// Whether a folder has the one campaign that is asked for.
pub(crate) fn has(bundle: &Bundle, folder: &Path, only: Option<&str>) -> Result<(), Error> {
    match only.filter(|only| bundle.campaign(only).is_none()) {
        None => Ok(()),
        Some(only) => Err(Error::Usage(format!(
            "there is no campaign `{only}` in {}",
            folder.display()
        ))),
    }
}

/// Workflow commands of GitHub Actions, a line each: `::error file=…,line=…,col=…::message`.
fn annotations(report: &Report, folder: &Path) -> String {
    // The characters that end a property or a command.
    let escape = |text: &str, property: bool| {
        let text = text
            .replace('%', "%25")
            .replace('\r', "%0D")
            .replace('\n', "%0A");
        if property {
            text.replace(':', "%3A").replace(',', "%2C")
        } else {
            text
        }
    };
    let mut out = String::new();
    for finding in &report.findings {
        let word = match finding.severity {
            winback_campaign::Severity::Error => "error",
            winback_campaign::Severity::Warning => "warning",
        };
        let file = folder.join(&finding.file).display().to_string();
        let place = finding.position.map_or(String::new(), |position| {
            format!(",line={},col={}", position.line, position.column)
        });
        let message = match &finding.help {
            Some(help) => format!("{} ({help})", finding.message),
            None => finding.message.clone(),
        };
        out.push_str(&format!(
            "::{word} file={}{place}::{}\n",
            escape(&file, true),
            escape(&message, false)
        ));
    }
    out
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn annotations_are_workflow_commands() {
        let mut report = Report::default();
        let at = winback_campaign::diagnostic::Position { line: 3, column: 5 };
        report.error(
            "a,b/x.yaml",
            Some(at),
            "50% is\nwrong",
            Some("do: this".to_owned()),
        );
        report.warning("policy.yaml", None, "look", None);
        let text = annotations(&report, Path::new("shop"));
        assert_eq!(
            text,
            "::error file=shop/a%2Cb/x.yaml,line=3,col=5::50%25 is%0Awrong (do: this)\n::warning file=shop/policy.yaml::look\n"
        );
    }
}
