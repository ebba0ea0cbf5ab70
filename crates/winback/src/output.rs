//! What people and scripts read: results on stdout, everything else on stderr. A closed pipe is no panic.

use std::io::Write as _;

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
