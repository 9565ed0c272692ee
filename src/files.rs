//! Files that are either whole or absent.

use crate::error::{Error, Result};
use std::io::Write;
use std::path::Path;

/// Writes a whole file under a temporary name in the same folder, flushes it to the disk and renames it.
///
/// # Errors
/// [`Error::Io`]; the old file, if any, is then untouched.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let write = || -> std::io::Result<()> {
        let mut builder = tempfile::Builder::new();
        // Temporary files are private by default; these become the user's results.
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.prefix(".tmp-").tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    write().map_err(Error::io(path, "write"))
}
