//! Direct sampling on the disk: weights and measurements as they are drawn, continued from where they were saved.

use super::arrays::{Arrays, identity};
use super::draws::Model;
use super::spool::{Mark, Spool};
use crate::error::{Error, Result};
use crate::files::remove_present;
use crate::rng::Stream;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Where draws are kept until all are there: `[log w, measurements]` of each.
pub struct DrawStore<'a> {
    file: PathBuf,
    spool: Spool,
    identity: String,
    /// Seconds spent on what is kept.
    pub(super) wall_s: f64,
    /// Whether the state is to be saved now.
    pub(super) is_due: &'a mut dyn FnMut() -> bool,
}

/// What is saved beside the draws.
#[derive(Serialize, Deserialize)]
struct Header {
    identity: String,
    wall_s: f64,
    kept: Mark,
}

impl<'a> DrawStore<'a> {
    /// The store of this name in a folder, for draws of one model from one stream.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::BadFile`] if it is damaged or holds others.
    pub fn open(
        folder: &Path,
        name: &str,
        model: &Model<'_>,
        stream: &Stream,
        is_due: &'a mut dyn FnMut() -> bool,
    ) -> Result<Self> {
        let [file, draws] = files(folder, name);
        let parameters = bytemuck::cast_slice(model.parameters);
        let identity = identity(&[model.action.describe().as_bytes(), stream.key(), parameters]);
        let header = Arrays::load(&file)?.map(|arrays| serde_json::from_value::<Header>(arrays.header));
        let header = header
            .transpose()
            .ok()
            .filter(|header| header.as_ref().is_none_or(|header| header.identity == identity));
        let header = header.ok_or_else(|| Error::BadFile {
            path: file.clone(),
            rule: "does not hold the draws of this run: another model, seed or specification wrote it".into(),
            hint: "remove it: they are drawn again".into(),
        })?;
        let mut spool = Spool::open(&draws, model.width() + 1)?;
        spool.cut_back(header.as_ref().map(|header| &header.kept))?;
        let wall_s = header.map_or(0.0, |header| header.wall_s);
        Ok(Self { file, spool, identity, wall_s, is_due })
    }

    /// Removes the store of this name from a folder, if there is one.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove(folder: &Path, name: &str) -> Result<()> {
        remove_present(files(folder, name))
    }

    /// Draws that are kept.
    pub fn count(&self) -> u64 {
        self.spool.count()
    }

    pub(super) fn draws(&mut self) -> &mut Spool {
        &mut self.spool
    }

    pub(super) fn save(&mut self, wall_s: f64) -> Result<()> {
        let header = Header { identity: self.identity.clone(), wall_s, kept: self.spool.mark()? };
        Arrays::new(serde_json::to_value(&header).expect("a header is plain data")).save(&self.file)
    }
}

/// The state, and the draws.
fn files(folder: &Path, name: &str) -> [PathBuf; 2] {
    [folder.join(format!("{name}.safetensors")), folder.join(format!("{name}.draws"))]
}
