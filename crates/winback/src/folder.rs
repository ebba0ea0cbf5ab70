//! A folder of campaigns, read into memory: the only part of checking that touches the disk.

use std::path::Path;

use winback_campaign::{Bundle, Files, Report};

use crate::error::Error;

/// Largest file that is read.
const LARGEST: u64 = 1024 * 1024;

/// All `.yaml`, `.mjml` and `.txt` files below a folder, by their path inside it.
pub(crate) fn read(folder: &Path) -> Result<Files, Error> {
    let mut files = Files::default();
    walk(folder, folder, &mut files)?;
    if files.0.is_empty() {
        return Err(Error::Usage(format!(
            "{} holds no campaign files",
            folder.display()
        )));
    }
    Ok(files)
}

fn walk(root: &Path, folder: &Path, files: &mut Files) -> Result<(), Error> {
    let at =
        |path: &Path, error: std::io::Error| Error::Usage(format!("{}: {error}", path.display()));
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .map_err(|error| at(folder, error))?
        .filter_map(Result::ok)
        .collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        if hidden {
            continue;
        }
        if path.is_dir() {
            walk(root, &path, files)?;
            continue;
        }
        let known = path
            .extension()
            .and_then(|end| end.to_str())
            .is_some_and(|end| ["yaml", "yml", "mjml", "txt"].contains(&end));
        if !known {
            continue;
        }
        let size = entry.metadata().map_err(|error| at(&path, error))?.len();
        if size > LARGEST {
            return Err(Error::Usage(format!(
                "{} is larger than 1 MiB",
                path.display()
            )));
        }
        let text = std::fs::read_to_string(&path).map_err(|error| at(&path, error))?;
        let inside = path
            .strip_prefix(root)
            .unwrap_or(&path)
            .to_string_lossy()
            .replace('\\', "/");
        files.0.insert(inside, text);
    }
    Ok(())
}

/// A compiled bundle with its warnings, or what is wrong with it.
pub(crate) type Compiled = Result<(Bundle, Report), Report>;

/// Reads and compiles.
pub(crate) fn compile(folder: &Path) -> Result<(Files, Compiled), Error> {
    let files = read(folder)?;
    let compiled = Bundle::compile(&files);
    Ok((files, compiled))
}
