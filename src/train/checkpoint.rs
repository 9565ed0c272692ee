//! Checkpoints: one safetensors file with weights under their names, optimizer moments and the state of the loop.

use super::{AdamState, TrainState};
use crate::cost::Cost;
use crate::error::{Error, Result};
use crate::files::write_atomically;
use crate::flow::Layout;
use crate::stats::RollingMean;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

/// The JSON header of a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// Digest of the resolved specification.
    pub spec_digest: String,
    /// The resolved specification itself.
    pub spec: String,
    /// Finished steps.
    pub step: u64,
    /// What they cost; base samples continue at `cost.samples`.
    pub cost: Cost,
    /// Updates the optimizer made.
    pub adam_updates: u64,
    /// Bytes of every table written so far.
    pub table_bytes: BTreeMap<String, u64>,
    /// Why training ended, if it has.
    pub stop_reason: Option<String>,
    /// Digest of the ensemble that is learned from, if one is.
    #[serde(default)]
    pub data_digest: Option<String>,
}

const ADAM_FIRST: &str = "adam.first_moment";
const ADAM_SECOND: &str = "adam.second_moment";
const ESS_WINDOW: &str = "train.ess_window";

/// File name of the checkpoint after a step.
pub fn file_name(step: u64) -> String {
    format!("step-{step:010}.safetensors")
}

/// Writes a checkpoint to a temporary name in the same folder and renames it.
///
/// # Errors
/// [`Error::Io`].
pub fn save(path: &Path, header: &Header, state: &TrainState, layout: &Layout) -> Result<()> {
    let window: Vec<f64> = state.ess.values().collect();
    let count = vec![state.parameters.len()];
    let mut tensors: Vec<(String, Dtype, Vec<usize>, &[u8])> = layout
        .slots()
        .iter()
        .map(|slot| {
            let values = bytemuck::cast_slice(&state.parameters[slot.range.clone()]);
            (slot.name.clone(), Dtype::F32, slot.shape.clone(), values)
        })
        .collect();
    let moments = [(ADAM_FIRST, &state.adam.first_moment), (ADAM_SECOND, &state.adam.second_moment)];
    for (name, values) in moments {
        tensors.push((name.into(), Dtype::F32, count.clone(), bytemuck::cast_slice(values)));
    }
    tensors.push((ESS_WINDOW.into(), Dtype::F64, vec![window.len()], bytemuck::cast_slice(&window)));

    let json = serde_json::to_string(header).expect("a header is plain data");
    let digest = digest(&json, tensors.iter().map(|(name, _, _, data)| (name.as_str(), *data)));
    let metadata = HashMap::from([("flowqcd".to_owned(), json), ("blake3".to_owned(), digest)]);
    let views: Vec<(String, TensorView<'_>)> = tensors
        .into_iter()
        .map(|(name, dtype, shape, data)| {
            (name, TensorView::new(dtype, shape, data).expect("data has the size of its shape"))
        })
        .collect();
    let bytes = safetensors::serialize(views, Some(metadata)).expect("names are distinct");
    write_atomically(path, &bytes)
}

/// Reads the header of a checkpoint and checks that every byte of the file is as it was written.
///
/// # Errors
/// [`Error::Io`], or [`Error::BadFile`] if the file is damaged.
pub fn read_header(path: &Path) -> Result<Header> {
    let bytes = std::fs::read(path).map_err(Error::io(path, "read the checkpoint"))?;
    verified(path, &bytes).map(|(header, _)| header)
}

/// The header and the tensors of a file whose checksum fits.
fn verified<'a>(path: &Path, bytes: &'a [u8]) -> Result<(Header, SafeTensors<'a>)> {
    let damaged = |what: &dyn std::fmt::Display| bad(path, format!("damaged checkpoint: {what}"));
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| damaged(&error))?;
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| damaged(&error))?;
    let field = |key: &str| {
        let found = metadata.metadata().as_ref().and_then(|map| map.get(key));
        found.ok_or_else(|| damaged(&format!("no `{key}` in its header")))
    };
    let (json, expected) = (field("flowqcd")?, field("blake3")?);
    let names = tensors.names();
    let views: Vec<(&str, TensorView<'_>)> =
        names.iter().filter_map(|name| Some((*name, tensors.tensor(name).ok()?))).collect();
    if digest(json, views.iter().map(|(name, view)| (*name, view.data()))) != *expected {
        return Err(damaged(&"the checksum does not match its content"));
    }
    let header = serde_json::from_str(json).map_err(|error| damaged(&error))?;
    Ok((header, tensors))
}

fn bad(path: &Path, rule: String) -> Error {
    let hint = "delete the file to go on from an earlier checkpoint, or start over with --fresh".into();
    Error::BadFile { path: path.to_owned(), rule, hint }
}

/// Reads a checkpoint and checks that every byte is as it was written.
///
/// # Errors
/// [`Error::Io`], or [`Error::BadFile`] if the file is damaged or holds another flow.
pub fn load(path: &Path, layout: &Layout, smoothing_window: usize) -> Result<(Header, TrainState)> {
    let bytes = std::fs::read(path).map_err(Error::io(path, "read the checkpoint"))?;
    let (header, tensors) = verified(path, &bytes)?;
    let bad = |rule: String| bad(path, rule);
    let tensor = |name: &str, shape: &[usize]| -> Result<Vec<u8>> {
        let view = tensors.tensor(name).map_err(|error| bad(format!("not this flow: {error}")))?;
        match view.shape() == shape || shape.is_empty() {
            true => Ok(view.data().to_vec()),
            false => Err(bad(format!("not this flow: {name} has shape {:?}, not {shape:?}", view.shape()))),
        }
    };
    let floats = |bytes: Vec<u8>| -> Vec<f32> { bytemuck::pod_collect_to_vec(&bytes) };
    let mut parameters = Vec::with_capacity(layout.len());
    for slot in layout.slots() {
        parameters.extend(floats(tensor(&slot.name, &slot.shape)?));
    }
    let window: Vec<f64> = bytemuck::pod_collect_to_vec(&tensor(ESS_WINDOW, &[])?);
    let state = TrainState {
        step: header.step,
        cost: header.cost,
        adam: AdamState {
            updates: header.adam_updates,
            first_moment: floats(tensor(ADAM_FIRST, &[layout.len()])?),
            second_moment: floats(tensor(ADAM_SECOND, &[layout.len()])?),
        },
        parameters,
        ess: RollingMean::new(smoothing_window, window),
    };
    Ok((header, state))
}

/// A checkpoint that was read.
pub struct Loaded {
    /// Its file.
    pub path: PathBuf,
    /// Its header.
    pub header: Header,
    /// The state to go on from.
    pub state: TrainState,
}

/// The newest checkpoint of a folder that can be read; `remark` hears of every damaged one passed over.
///
/// # Errors
/// [`Error::Io`] if the folder cannot be listed.
pub fn newest(
    folder: &Path,
    layout: &Layout,
    smoothing_window: usize,
    remark: impl Fn(&str),
) -> Result<Option<Loaded>> {
    for path in list(folder)?.into_iter().rev() {
        match load(&path, layout, smoothing_window) {
            Ok((header, state)) => return Ok(Some(Loaded { path, header, state })),
            Err(error) => remark(&error.to_string()),
        }
    }
    Ok(None)
}

/// Removes all but the newest `keep` checkpoints.
///
/// # Errors
/// [`Error::Io`].
pub fn prune(folder: &Path, keep: usize) -> Result<()> {
    let files = list(folder)?;
    for path in files.iter().take(files.len().saturating_sub(keep)) {
        std::fs::remove_file(path).map_err(Error::io(path, "remove the old checkpoint"))?;
    }
    Ok(())
}

/// The checkpoints of a folder, oldest first.
///
/// # Errors
/// [`Error::Io`].
pub fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder, "list the checkpoints"))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("step-") && name.ends_with(".safetensors")
    });
    files.sort();
    Ok(files)
}

/// Digest over the header and all tensors, independent of their order in the file.
fn digest<'a>(json: &str, tensors: impl Iterator<Item = (&'a str, &'a [u8])>) -> String {
    let tensors: BTreeMap<&str, &[u8]> = tensors.collect();
    let mut hasher = blake3::Hasher::new();
    hasher.update(json.as_bytes());
    for (name, data) in tensors {
        hasher.update(name.as_bytes()).update(&(data.len() as u64).to_le_bytes()).update(data);
    }
    hasher.finalize().to_hex().to_string()
}
