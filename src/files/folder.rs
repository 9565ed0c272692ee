//! Folders: made and flushed so that they outlive a loss of power, listed, cleared.

use super::{TEMPORARY, folder_of};
use crate::error::{Error, Result};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

/// Makes a folder and those that it is in, where there are none, each flushed into the one above.
///
/// # Errors
/// [`Error::Io`].
pub fn create_folder(path: &Path) -> Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    let above = folder_of(path);
    create_folder(above)?;
    match std::fs::create_dir(path) {
        Ok(()) => sync_folder(above),
        // Another process was faster.
        Err(_) if path.is_dir() => Ok(()),
        Err(error) => Err(Error::io(path, "create the folder")(error)),
    }
}

/// Flushes a folder to the disk: which files it has, not what they hold.
///
/// # Errors
/// [`Error::Io`].
#[cfg(unix)]
pub fn sync_folder(path: &Path) -> Result<()> {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    let flushed = std::fs::File::open(path).and_then(|folder| folder.sync_all());
    match flushed {
        // Some network file systems cannot flush a folder, and one that may be written to need not be one that may be listed.
        Err(error) if ![InvalidInput, PermissionDenied, Unsupported].contains(&error.kind()) => {
            Err(Error::io(path, "flush the folder")(error))
        }
        _ => Ok(()),
    }
}

/// Where folders cannot be flushed, the system sees to it.
#[cfg(not(unix))]
pub fn sync_folder(_path: &Path) -> Result<()> {
    Ok(())
}

/// The names in a folder, in no order.
///
/// # Errors
/// Those of the system.
#[cfg(unix)]
pub fn names(folder: &Path) -> io::Result<Vec<OsString>> {
    use std::os::unix::ffi::OsStringExt;
    // The standard library panics where a folder cannot be closed.
    let mut folder = rustix::fs::Dir::new(std::fs::File::open(folder)?)?;
    let mut names = Vec::new();
    while let Some(entry) = folder.read() {
        let name = entry?.file_name().to_bytes().to_owned();
        names.extend((name != b"." && name != b"..").then(|| OsString::from_vec(name)));
    }
    Ok(names)
}

/// The names in a folder, in no order.
///
/// # Errors
/// Those of the system.
#[cfg(not(unix))]
pub fn names(folder: &Path) -> io::Result<Vec<OsString>> {
    std::fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect()
}

/// Removes temporary files that a killed process left in a folder which nobody else writes to, if there is such a folder.
///
/// # Errors
/// [`Error::Io`].
pub fn remove_leftovers(folder: &Path) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    let names = names(folder).map_err(Error::io(folder, "read"))?.into_iter();
    let leftovers = names.filter(|name| name.to_string_lossy().starts_with(TEMPORARY));
    remove_present(leftovers.map(|name| folder.join(name)))
}

/// Removes those of the files that there are, in this order; others may remove them, too.
///
/// # Errors
/// [`Error::Io`].
pub fn remove_present(files: impl IntoIterator<Item = PathBuf>) -> Result<()> {
    let mut present = files.into_iter().filter(|path| path.is_file());
    present.try_for_each(|path| removed(&path, std::fs::remove_file(&path)))
}

/// Removes what is there: a folder with everything in it, a file, or a link and not what it leads to.
///
/// # Errors
/// [`Error::Io`].
pub fn remove_folder(folder: &Path) -> Result<()> {
    let is_link = folder.symlink_metadata().is_ok_and(|there| there.is_symlink());
    if is_link || !folder.is_dir() {
        return removed(folder, std::fs::remove_file(folder));
    }
    // The standard library does the same, but panics where a folder cannot be closed.
    for name in names(folder).map_err(Error::io(folder, "read"))? {
        remove_folder(&folder.join(name))?;
    }
    removed(folder, std::fs::remove_dir(folder))
}

/// What is not there need not be removed.
fn removed(path: &Path, outcome: io::Result<()>) -> Result<()> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome.map_err(Error::io(path, "remove")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_made_and_their_names_are_those_they_have() {
        let sandbox = tempfile::tempdir().unwrap();
        let folder = sandbox.path().join("a/b/c");
        create_folder(&folder).unwrap();
        create_folder(&folder).unwrap();
        assert!(names(&folder).unwrap().is_empty());
        for name in ["x", ".tmp-y", "z"] {
            std::fs::write(folder.join(name), "").unwrap();
        }
        remove_leftovers(&folder).unwrap();
        let mut found = names(&folder).unwrap();
        found.sort();
        assert_eq!(found, ["x", "z"]);
        #[cfg(unix)]
        {
            let elsewhere = sandbox.path().join("elsewhere");
            create_folder(&elsewhere).unwrap();
            std::os::unix::fs::symlink(&elsewhere, sandbox.path().join("a/link")).unwrap();
            remove_folder(&sandbox.path().join("a/link")).unwrap();
            assert!(elsewhere.is_dir() && !sandbox.path().join("a/link").exists());
        }
        assert!(matches!(create_folder(&folder.join("x/y")), Err(Error::Io { .. })), "x is a file");
        assert_eq!(names(&folder.join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
        (0..2).for_each(|_| remove_folder(&sandbox.path().join("a")).unwrap());
        assert!(!sandbox.path().join("a").exists());
    }
}
