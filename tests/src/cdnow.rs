//! Real purchases for backtests, and the oracles that count them without the product's code.

#![allow(clippy::unwrap_used, reason = "a test panics where it fails")]

use std::path::{Path, PathBuf};
use std::process::Command;

use winback_testkit::files::Folder;

/// The purchases: the file of the environment, else the one beside the checkout, else from the Python package.
///
/// # Panics
/// When there is none.
pub fn transactions(folder: &Folder) -> PathBuf {
    if let Ok(file) = std::env::var("CDNOW_FILE") {
        return file.into();
    }
    let beside =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/cdnow/transactions.txt");
    if beside.exists() {
        return beside;
    }
    let target = folder.path().join("lifetimes");
    let pip = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
        .arg(&target)
        .arg("lifetimes==0.11.3")
        .status();
    assert!(
        pip.is_ok_and(|status| status.success()),
        "pip can't fetch lifetimes 0.11.3; set CDNOW_FILE"
    );
    target.join("lifetimes/datasets/CDNOW_master.txt")
}

/// Runs an oracle; its stdout.
///
/// # Panics
/// When it fails.
pub fn python(script: &str, arguments: &[&str]) -> Vec<u8> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("oracles")
        .join(script);
    let output = Command::new("python3")
        .arg(script)
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}
