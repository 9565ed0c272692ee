//! Chains on the disk: their state, checksummed, and configurations from all along them.

use super::chains::State;
use super::{Hmc, Tally};
use crate::error::{Error, Result};
use crate::files::remove_present;
use crate::kernel::quartic::CHAINS;
use crate::sample::arrays::{Arrays, identity};
use crate::sample::spool::{Mark, Spool};
use crate::stats::Series;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Where running chains are kept.
pub struct ChainStore<'a> {
    file: PathBuf,
    spool: Spool,
    /// Trajectories of a chain between two configurations that are kept.
    pub(super) every: u64,
    /// Whether the state is to be saved now.
    pub(super) is_due: &'a mut dyn FnMut() -> bool,
}

/// What is saved beside arrays.
#[derive(Serialize, Deserialize)]
struct Header {
    identity: String,
    done: u64,
    steps: usize,
    too_few: usize,
    thermalization_s: f64,
    wall_s: f64,
    kept: Mark,
}

impl<'a> ChainStore<'a> {
    /// The store of this name in a folder, for configurations of so many numbers.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn open(
        folder: &Path,
        name: &str,
        numbers: usize,
        every: u64,
        is_due: &'a mut dyn FnMut() -> bool,
    ) -> Result<Self> {
        let [file, fields] = files(folder, name);
        Ok(Self { file, spool: Spool::open(&fields, numbers)?, every, is_due })
    }

    /// Removes the store of this name from a folder, if there is one.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove(folder: &Path, name: &str) -> Result<()> {
        remove_present(files(folder, name))
    }

    /// The configurations that were kept, `[time][chain][number]`.
    pub fn fields(&mut self) -> &mut Spool {
        &mut self.spool
    }

    pub(super) fn keep(&mut self, fields: &[f64]) -> Result<()> {
        self.spool.append(fields)
    }

    /// What the chains and the kept configurations depend on.
    fn identity(&self, hmc: &Hmc<'_>) -> String {
        let spec = serde_json::to_string(hmc.spec).expect("plain data");
        let target = hmc.action.describe();
        let numbers = [hmc.seed.0, self.every].map(u64::to_le_bytes);
        identity(&[target.as_bytes(), spec.as_bytes(), hmc.name.as_bytes(), &numbers.concat()])
    }

    pub(super) fn save(&mut self, hmc: &Hmc<'_>, state: &State) -> Result<()> {
        let header = Header {
            identity: self.identity(hmc),
            done: state.done,
            steps: state.steps,
            too_few: state.too_few,
            thermalization_s: state.thermalization_s,
            wall_s: state.wall_s,
            kept: self.spool.mark()?,
        };
        let mut arrays = Arrays::new(serde_json::to_value(&header).expect("a header is plain data"));
        arrays.push("round", state.round.to_numbers());
        arrays.push("tally", state.tally.to_numbers());
        for (index, tile) in state.tiles.iter().enumerate() {
            arrays.push(format!("field.{index}"), tile.field.clone());
            arrays.push(format!("action.{index}"), tile.action.to_vec());
        }
        for (chain, series) in state.series.iter().enumerate() {
            arrays.push(format!("series.{chain}"), series.to_numbers());
        }
        arrays.save(&self.file)
    }

    /// The state that was saved, if one was; the kept configurations are cut back to it.
    pub(super) fn load(&mut self, hmc: &Hmc<'_>, width: usize) -> Result<Option<State>> {
        let Some(mut arrays) = Arrays::load(&self.file)? else {
            self.spool.cut_back(None)?;
            return Ok(None);
        };
        let same = arrays.header["identity"] == self.identity(hmc);
        let restored = restore(hmc, width, &mut arrays).filter(|_| same);
        let (state, mark) = restored.ok_or_else(|| Error::BadFile {
            path: self.file.clone(),
            rule: "does not hold the chains of this run: another model, seed or specification wrote it"
                .into(),
            hint: "remove it: the chains are run again".into(),
        })?;
        self.spool.cut_back(Some(&mark))?;
        Ok(Some(state))
    }
}

/// The state, and the configurations.
fn files(folder: &Path, name: &str) -> [PathBuf; 2] {
    [folder.join(format!("{name}.safetensors")), folder.join(format!("{name}.fields"))]
}

fn restore(hmc: &Hmc<'_>, width: usize, arrays: &mut Arrays) -> Option<(State, Mark)> {
    let header: Header = serde_json::from_value(arrays.header.clone()).ok()?;
    let mut state = hmc.begin(width);
    for (index, tile) in state.tiles.iter_mut().enumerate() {
        tile.field = arrays.take(&format!("field.{index}")).filter(|f| f.len() == tile.field.len())?;
        tile.action = <[f64; CHAINS]>::try_from(arrays.take(&format!("action.{index}"))?).ok()?;
    }
    for (chain, series) in state.series.iter_mut().enumerate() {
        let saved = Series::from_numbers(&arrays.take(&format!("series.{chain}"))?)?;
        *series = Some(saved).filter(|saved| saved.width() == width)?;
    }
    state.round = Tally::from_numbers(&arrays.take("round")?)?;
    state.tally = Tally::from_numbers(&arrays.take("tally")?)?;
    let Header { done, steps, too_few, thermalization_s, wall_s, kept, .. } = header;
    Some((State { done, steps, too_few, thermalization_s, wall_s, ..state }, kept))
}
