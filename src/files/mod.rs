//! Files that are either whole or absent, also after a loss of power, and files that grow and are known up to a mark.

mod folder;
mod mark;

pub use folder::{create_folder, names, remove_folder, remove_leftovers, remove_present, sync_folder};
pub use mark::Mark;

use crate::error::{Error, Result};
use std::io::Write;
use std::path::Path;
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
    let mut builder = tempfile::Builder::new();
    // Temporary files are private by default; these become the user's results.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.prefix(TEMPORARY).tempfile_in(folder_of(path)).map_err(Error::io(path, "write"))
}

/// Flushes a temporary file to the disk, renames it, and flushes the folder: once this has returned, the file outlives a loss of power.
///
/// # Errors
/// [`Error::Io`]; the old file, if any, is then untouched, unless it is the folder that cannot be flushed.
pub fn put_in_place(file: NamedTempFile, path: &Path) -> Result<()> {
    file.as_file().sync_all().map_err(Error::io(path, "write"))?;
    file.persist(path).map_err(|error| Error::io(path, "write")(error.error))?;
    sync_folder(folder_of(path))
}

/// The folder of a file.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The text of a file, if there is one; something else of that name (a pipe would wait for a writer) is none.
///
/// # Errors
/// [`Error::Io`].
pub fn read_present(path: &Path) -> Result<Option<String>> {
    if !path.is_file() {
        return Ok(None);
    }
    let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}
