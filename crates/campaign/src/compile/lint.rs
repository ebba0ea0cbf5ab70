//! Mistakes that YAML itself would pass over in silence.

use crate::diagnostic::{Position, Report};

/// Fields whose value must not be empty: YAML reads `audience: !x` as a tag and an empty value.
const CONDITIONS: [&str; 9] = [
    "audience", "when", "if", "key", "each", "date", "until", "show", "at",
];

/// A condition that YAML reads as nothing.
pub(super) fn empty_values(path: &str, text: &str, report: &mut Report) {
    for (number, line) in text.lines().enumerate() {
        for field in CONDITIONS {
            for (place, _) in line.match_indices(&format!("{field}:")) {
                let before = line[..place].chars().next_back();
                let begins = before.is_none_or(|c| c == ' ' || c == '{' || c == '-');
                // What stands in quotes or behind a comment is no field.
                let quoted = line[..place].matches('"').count() % 2 == 1
                    || line[..place].contains(" #")
                    || line.trim_start().starts_with('#');
                let value = line[place + field.len() + 1..].trim_start();
                let nothing = value.is_empty() || value.starts_with(['#', ',', '}']);
                let is_block = nothing
                    && text.lines().nth(number + 1).is_some_and(|next| {
                        let indent = |line: &str| line.len() - line.trim_start().len();
                        !next.trim().is_empty() && indent(next) > indent(line)
                    });
                if !begins || quoted || is_block || !(nothing || value.starts_with('!')) {
                    continue;
                }
                let at = Some(Position {
                    line: number + 1,
                    column: place + 1,
                });
                let (message, help) = if nothing {
                    (
                        format!("`{field}` is empty"),
                        "write its value, or leave it out",
                    )
                } else {
                    (
                        format!(
                            "`{field}` begins with `!`: YAML reads that as a tag, and the value as nothing"
                        ),
                        "put the condition in quotes, such as \"!customer.complaint_open\"",
                    )
                };
                report.error(path, at, message, Some(help.to_owned()));
            }
        }
    }
}

/// A campaign is found by its name: its folder has the same.
pub(super) fn folder(path: &str, name: &str, at: Option<Position>, report: &mut Report) {
    let folder = path.rsplit('/').nth(1);
    if folder.is_some_and(|folder| folder != name) {
        let message = format!("the campaign is named `{name}`, and its folder is not");
        let help = format!("name the folder `{name}`: texts and tests are found by it");
        report.error(path, at, message, Some(help));
    }
}
