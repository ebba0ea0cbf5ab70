//! Lists the campaigns that ship, so that the demo needs no files: `SHIPPED` is path and text of each.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../campaigns");
    println!("cargo::rerun-if-changed={}", root.display());
    let mut files = Vec::new();
    walk(&root, &mut files)?;
    files.sort();
    let mut list = String::from("&[\n");
    for file in files {
        let inside = file
            .strip_prefix(&root)
            .unwrap_or(&file)
            .display()
            .to_string();
        let place = file.display().to_string();
        if writeln!(list, "    ({inside:?}, include_str!({place:?})),").is_err() {
            return Err(std::io::Error::other("the list can't be written"));
        }
    }
    list.push(']');
    let out =
        std::env::var_os("OUT_DIR").ok_or_else(|| std::io::Error::other("OUT_DIR is not set"))?;
    std::fs::write(PathBuf::from(out).join("shipped.rs"), list)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let known = path
            .extension()
            .and_then(|end| end.to_str())
            .is_some_and(|end| ["yaml", "mjml", "txt"].contains(&end));
        if path.is_dir() {
            println!("cargo::rerun-if-changed={}", path.display());
            walk(&path, files)?;
        } else if known {
            files.push(path);
        }
    }
    Ok(())
}
