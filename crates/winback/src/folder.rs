//! A folder of campaigns, read into memory: the only part of checking that touches the disk.

use std::path::Path;

use winback_campaign::{Bundle, Files, Report};

use crate::error::Error;

/// Largest file that is read.
const LARGEST: u64 = 1024 * 1024;

/// All `.yaml`, `.mjml` and `.txt` files below a folder, by their path inside it.
pub(crate) fn read(folder: &Path) -> Result<Files, Error> {
    let mut files = Files::default();
    walk(folder, folder, &mut |path, inside| {
        let known = path
            .extension()
            .and_then(|end| end.to_str())
            .is_some_and(|end| ["yaml", "yml", "mjml", "txt"].contains(&end));
        if !known {
            return Ok(());
        }
        let size = std::fs::metadata(path)
            .map_err(|error| at(path, &error))?
            .len();
        if size > LARGEST {
            return Err(Error::Usage(format!(
                "{} is larger than 1 MiB",
                path.display()
            )));
        }
        let text = std::fs::read_to_string(path).map_err(|error| at(path, &error))?;
        files.0.insert(inside, text);
        Ok(())
    })?;
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
        path.ends_with(".yaml")
            || path.ends_with(".yml")
            || path.starts_with("shared/")
            || path.contains("templates/")
    };
    let mut found: Vec<String> = files
        .0
        .keys()
        .filter(|path| !is_read(path))
        .cloned()
        .collect();
    walk(folder, folder, &mut |path, inside| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_for_people = name.to_uppercase().starts_with("README");
        if !is_for_people && !files.0.contains_key(&inside) {
            found.push(inside);
        }
        Ok(())
    })?;
    found.sort();
    Ok(found)
}

fn at(path: &Path, error: &std::io::Error) -> Error {
    Error::Usage(format!("{}: {error}", path.display()))
}

/// Every file but the hidden ones, in order of names, with its path inside the folder.
fn walk(
    root: &Path,
    folder: &Path,
    each: &mut dyn FnMut(&Path, String) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut entries: Vec<_> = std::fs::read_dir(folder)
        .map_err(|error| at(folder, &error))?
        .filter_map(Result::ok)
        .collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if path.is_dir() {
            walk(root, &path, each)?;
            continue;
        }
        let inside = path.strip_prefix(root).unwrap_or(&path);
        let inside = inside.to_string_lossy().replace('\\', "/");
        each(&path, inside)?;
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
