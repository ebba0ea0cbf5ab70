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

/// Files of a folder that nothing reads, by their paths inside of it. A text about the folder is for people.
pub(crate) fn strays(folder: &Path, files: &Files) -> Result<Vec<String>, Error> {
    let is_read = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        name.ends_with(".yaml")
            || name.ends_with(".yml")
            || path.starts_with("shared/")
            || path.contains("templates/")
    };
    let mut found: Vec<String> = files
        .0
        .keys()
        .filter(|path| !is_read(path))
        .cloned()
        .collect();
    let mut open = vec![folder.to_owned()];
    while let Some(inner) = open.pop() {
        let entries = std::fs::read_dir(&inner)
            .map_err(|error| Error::Usage(format!("{}: {error}", inner.display())))?;
        for entry in entries.filter_map(Result::ok) {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_for_people = name.starts_with('.') || name.to_uppercase().starts_with("README");
            if is_for_people {
                continue;
            }
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let inside = path.strip_prefix(folder).unwrap_or(&path);
            let inside = inside.to_string_lossy().replace('\\', "/");
            if !files.0.contains_key(&inside) {
                found.push(inside);
            }
        }
    }
    found.sort();
    Ok(found)
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;

    #[test]
    fn files_that_nothing_reads_are_named() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../campaigns");
        let files = read(&folder).unwrap();
        assert_eq!(strays(&folder, &files).unwrap(), [""; 0]);
        let mut odd = files;
        for path in ["cart-left/reminder.email.en.mjml", "stray.txt"] {
            odd.0.insert(path.into(), String::new());
        }
        // Read, and not known any more: as a file of another ending is.
        odd.0.remove("cart-left/templates/offer.email.en.mjml");
        let found = strays(&folder, &odd).unwrap();
        assert_eq!(
            found,
            [
                "cart-left/reminder.email.en.mjml",
                "cart-left/templates/offer.email.en.mjml",
                "stray.txt"
            ]
        );
    }
}
