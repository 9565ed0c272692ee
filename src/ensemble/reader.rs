//! An ensemble that is read: an archive, or several of which an index says that they are one.

use super::archive::Archive;
use super::index::Index;
use crate::error::{Error, Result};
use crate::spec::Spec;
use std::path::{Path, PathBuf};

/// An ensemble that was opened, with the number of configurations it holds.
pub struct EnsembleReader {
    path: PathBuf,
    archives: Vec<Archive>,
}

impl EnsembleReader {
    /// Opens an archive, or all that an index names, and checks that they hold configurations of this field and shape.
    ///
    /// # Errors
    /// [`Error::Usage`], or [`Error::BadFile`] if an archive is not the one that an index was written for.
    pub fn open(path: &Path, field: &str, shape: &[usize]) -> Result<Self> {
        let archives = archives(path)?.into_iter().map(|path| Archive::open(&path, field, shape));
        Ok(Self { path: path.to_owned(), archives: archives.collect::<Result<_>>()? })
    }

    /// Configurations.
    pub fn count(&self) -> u64 {
        self.archives.iter().map(Archive::count).sum()
    }

    /// The method that drew the ensemble, if it says.
    pub fn method(&mut self) -> Option<String> {
        self.archives.first_mut()?.text("method")
    }

    /// The specification that an ensemble carries, if it does.
    ///
    /// # Errors
    /// As of [`Self::open`]; whether an archive is that of its index is looked at there.
    pub fn spec_of(path: &Path) -> Result<Option<Spec>> {
        let Some(first) = paths(path)?.into_iter().next() else { return Ok(None) };
        let text = Archive::for_texts(&first)?.text("spec");
        Ok(text.and_then(|text| Spec::parse(&text, &[]).ok()))
    }

    /// Bytes of the archive, or of all that an index names; what is wrong with them is said where they are opened.
    ///
    /// # Errors
    /// [`Error::Usage`] for an index that cannot be read.
    pub fn bytes_of(path: &Path) -> Result<u64> {
        let bytes = |path: &PathBuf| std::fs::metadata(path).map_or(u64::MAX, |file| file.len());
        Ok(paths(path)?.iter().map(bytes).fold(0, u64::saturating_add))
    }

    /// The chains of Hybrid Monte Carlo that drew it, if it says.
    pub fn chains(&mut self) -> Option<usize> {
        let spec = Spec::parse(&self.archives.first_mut()?.text("spec")?, &[]).ok()?;
        spec.sample.hmc.map(|hmc| hmc.chains)
    }

    /// An array of one number for every configuration (`action`, `log_q`), if there is one.
    ///
    /// # Errors
    /// [`Error::BadFile`] for a damaged file.
    pub fn array(&mut self, name: &str) -> Result<Option<Vec<f64>>> {
        let mut parts = self.archives.iter_mut().map(|archive| archive.array(name));
        let Some(mut all) = parts.next().transpose()?.flatten() else { return Ok(None) };
        for part in parts {
            let Some(part) = part? else { return Ok(None) };
            all.extend(part);
        }
        Ok(Some(all))
    }

    /// Calls `each` with the configurations in order, a part at a time.
    ///
    /// # Shapes
    /// `[configuration][component, site]`
    ///
    /// # Errors
    /// What `each` returns, or [`Error::BadFile`] for a damaged file.
    pub fn fields(&mut self, each: &mut dyn FnMut(&[f64]) -> Result<()>) -> Result<()> {
        self.archives.iter_mut().try_for_each(|archive| archive.fields(each))
    }

    /// BLAKE3 of the archive, or of the index, which holds those of its archives.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn digest(&self) -> Result<String> {
        let mut hasher = blake3::Hasher::new();
        let file = std::fs::File::open(&self.path).map_err(Error::io(&self.path, "read"))?;
        hasher.update_reader(file).map_err(Error::io(&self.path, "read"))?;
        Ok(hasher.finalize().to_hex().to_string())
    }
}

/// The archives of an ensemble.
fn archives(path: &Path) -> Result<Vec<PathBuf>> {
    match Index::is_at(path) {
        true => Index::load(path)?.archives(path),
        false => Ok(vec![path.to_owned()]),
    }
}

/// The same, unchecked.
fn paths(path: &Path) -> Result<Vec<PathBuf>> {
    match Index::is_at(path) {
        true => Ok(Index::load(path)?.paths(path)),
        false => Ok(vec![path.to_owned()]),
    }
}
