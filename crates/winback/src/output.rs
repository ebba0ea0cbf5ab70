//! What people and scripts read: results on stdout, everything else on stderr. A closed pipe is no panic.

use std::io::{IsTerminal as _, Write as _};

/// A result, with a line end.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| {
        if text.ends_with('\n') {
            Ok(())
        } else {
            out.write_all(b"\n")
        }
    });
    // Whoever closed the pipe has read enough.
    drop(written);
}

/// Progress, hints and warnings.
pub(crate) fn note(text: &str) {
    let mut err = std::io::stderr().lock();
    drop(err.write_all(format!("{text}\n").as_bytes()));
}

/// How far a long run has got: a bar for a person, a line now and then for a log.
#[derive(Debug)]
pub(crate) struct Progress {
    total: usize,
    shown: usize,
    bar: bool,
}

impl Progress {
    /// Cells of the bar.
    const CELLS: usize = 30;

    /// Nothing done of so many.
    pub(crate) fn new(total: usize) -> Self {
        Self {
            total: total.max(1),
            shown: 0,
            bar: std::io::stderr().is_terminal(),
        }
    }

    /// So many are done; `place` says where that is.
    pub(crate) fn show(&mut self, done: usize, place: &str) {
        let steps = if self.bar { 100 } else { 10 };
        let step = done * steps / self.total;
        if step <= self.shown {
            return;
        }
        self.shown = step;
        let percent = step * 100 / steps;
        let text = format!("{percent:>3} %  {place}  {done} of {} events", self.total);
        if !self.bar {
            note(&text);
            return;
        }
        let full = percent * Self::CELLS / 100;
        let line = format!(
            "\r[{}{}] {text}",
            "#".repeat(full),
            ".".repeat(Self::CELLS - full)
        );
        let end = if step == steps { "\n" } else { "" };
        let mut err = std::io::stderr().lock();
        drop(err.write_all(format!("{line}{end}").as_bytes()));
    }
}
