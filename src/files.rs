//! Files that are either whole or absent.

use crate::error::{Error, Result};
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// How temporary names begin.
const TEMPORARY: &str = ".tmp-";

/// Writes a whole file under a temporary name in the same folder, flushes it to the disk and renames it.
///
/// # Errors
/// [`Error::Io`]; the old file, if any, is then untouched.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = temporary(path)?;
    file.write_all(bytes).map_err(Error::io(path, "write"))?;
    put_in_place(file, path)
}

/// An empty file under a temporary name in the folder of `path`, gone again unless it is [put in place](put_in_place).
///
/// # Errors
/// [`Error::Io`].
pub fn temporary(path: &Path) -> Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    // Temporary files are private by default; these become the user's results.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.prefix(TEMPORARY).tempfile_in(folder).map_err(Error::io(path, "write"))
}

/// Removes temporary files that a killed process left in a folder which nobody else writes to, if there is such a folder.
///
/// # Errors
/// [`Error::Io`].
pub fn remove_leftovers(folder: &Path) -> Result<()> {
    if !folder.is_dir() {
        return Ok(());
    }
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder, "read"))?;
    let names = entries.filter_map(|entry| Some(entry.ok()?.file_name()));
    let leftovers = names.filter(|name| name.to_string_lossy().starts_with(TEMPORARY));
    remove_present(leftovers.map(|name| folder.join(name)))
}

/// Removes those of the files that there are, in this order.
///
/// # Errors
/// [`Error::Io`].
pub fn remove_present(files: impl IntoIterator<Item = PathBuf>) -> Result<()> {
    let mut present = files.into_iter().filter(|path| path.is_file());
    present.try_for_each(|path| std::fs::remove_file(&path).map_err(Error::io(&path, "remove")))
}

/// Flushes a temporary file to the disk and renames it.
///
/// # Errors
/// [`Error::Io`]; the old file, if any, is then untouched.
pub fn put_in_place(file: NamedTempFile, path: &Path) -> Result<()> {
    file.as_file().sync_all().map_err(Error::io(path, "write"))?;
    file.persist(path).map(|_| ()).map_err(|error| Error::io(path, "write")(error.error))
}
