//! Checkpoints: one safetensors file with weights under their names, optimizer moments and the state of the loop.

use super::optimizer::Optimizer;
use super::state::TrainState;
use super::target::TargetState;
use crate::cost::Cost;
use crate::error::{Error, Result};
use crate::files::{Mark, names, write_atomically};
use crate::flow::{Layout, Slot};
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
    /// What they cost; base samples continue at `before.samples + cost.samples`.
    pub cost: Cost,
    /// What the trainings cost that this one goes on from.
    #[serde(default)]
    pub before: Cost,
    /// Digest of the model that this training goes on from, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_digest: Option<String>,
    /// Updates the optimizer made.
    #[serde(alias = "adam_updates")]
    pub updates: u64,
    /// How far every table had come.
    #[serde(alias = "table_bytes")]
    pub tables: BTreeMap<String, Mark>,
    /// Why training ended, if it has.
    pub stop_reason: Option<String>,
    /// Digest of the ensemble that is learned from, if one is.
    #[serde(default)]
    pub data_digest: Option<String>,
    /// Whether the evaluation after the last step was stopped, and is to be made before the next.
    #[serde(default)]
    pub evaluation_due: bool,
}

const ESS_WINDOW: &str = "train.ess_window";

/// Trajectories, integration steps and given configurations of chains of the target; their fields; their actions.
const TARGET: [&str; 3] = ["train.target.counts", "train.target.fields", "train.target.actions"];

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
    let mut tensors = by_slot("", &state.parameters, layout);
    for moment in &state.optimizer.moments {
        tensors.extend(by_slot(&moment_prefix(state.optimizer.name, moment.name), &moment.values, layout));
    }
    tensors.push((ESS_WINDOW.into(), Dtype::F64, vec![window.len()], bytemuck::cast_slice(&window)));
    let counts = state.target.as_ref().map_or([0; 3], |target| [target.made, target.steps, target.given]);
    if let Some(target) = &state.target {
        let all = [(Dtype::U64, 3, bytemuck::cast_slice(&counts))].into_iter();
        let fields = [&target.fields, &target.actions];
        let all = all.chain(fields.map(|f| (Dtype::F64, f.len(), bytemuck::cast_slice(f))));
        tensors.extend(
            TARGET
                .iter()
                .zip(all)
                .map(|(&name, (dtype, count, data))| (name.into(), dtype, vec![count], data)),
        );
    }

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

/// A tensor to be written: name, type, shape, bytes.
type Entry<'a> = (String, Dtype, Vec<usize>, &'a [u8]);

/// A number per parameter, as a tensor for each slot of the layout.
fn by_slot<'a>(prefix: &str, values: &'a [f32], layout: &Layout) -> Vec<Entry<'a>> {
    let slots = layout.slots().iter();
    let entry = |slot: &Slot| {
        let data = bytemuck::cast_slice(&values[slot.range.clone()]);
        (format!("{prefix}{}", slot.name), Dtype::F32, slot.shape.clone(), data)
    };
    slots.map(entry).collect()
}

/// What the names of a moment's tensors begin with, e.g. `adam.first_moment.`.
fn moment_prefix(optimizer: &str, moment: &str) -> String {
    format!("{optimizer}.{moment}.")
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

/// The state of a checkpoint, and its header.
///
/// # Errors
/// [`Error::Io`], or [`Error::BadFile`] if the file is damaged or holds another flow or optimizer.
pub fn load(
    path: &Path,
    layout: &Layout,
    optimizer: &dyn Optimizer,
    smoothing_window: usize,
) -> Result<(Header, TrainState)> {
    let bytes = std::fs::read(path).map_err(Error::io(path, "read the checkpoint"))?;
    let (header, tensors) = verified(path, &bytes)?;
    let not_this = |rule| bad(path, format!("not this flow: {rule}"));
    let parameters = read_by_slot(&tensors, "", layout).map_err(not_this)?;
    let mut moments = optimizer.start(layout.len());
    moments.updates = header.updates;
    for moment in &mut moments.moments {
        let prefix = moment_prefix(optimizer.name(), moment.name);
        moment.values = read_by_slot(&tensors, &prefix, layout).map_err(not_this)?;
    }
    let window = tensors.tensor(ESS_WINDOW).map_err(|error| not_this(error.to_string()))?;
    let window: Vec<f64> = bytemuck::pod_collect_to_vec(window.data());
    let state = TrainState {
        step: header.step,
        cost: header.cost,
        before: header.before,
        optimizer: moments,
        parameters,
        ess: RollingMean::new(smoothing_window, window),
        target: read_target(&tensors).map_err(not_this)?,
    };
    Ok((header, state))
}

/// Where chains of the target stand, if some run; else why that cannot be read.
fn read_target(tensors: &SafeTensors<'_>) -> Result<Option<TargetState>, String> {
    if !tensors.names().contains(&TARGET[0]) {
        return Ok(None);
    }
    let read = |name: &str| tensors.tensor(name).map_err(|error| error.to_string());
    let counts: Vec<u64> = bytemuck::pod_collect_to_vec(read(TARGET[0])?.data());
    let &[made, steps, given] = &counts[..] else {
        return Err(format!("{} counts of {}", counts.len(), TARGET[0]));
    };
    let [fields, actions] =
        [read(TARGET[1])?, read(TARGET[2])?].map(|view| bytemuck::pod_collect_to_vec(view.data()));
    Ok(Some(TargetState { made, steps, given, fields, actions }))
}

/// A number per parameter from the tensors of all slots, or from one vector, as older versions kept moments; else why not.
fn read_by_slot(tensors: &SafeTensors<'_>, prefix: &str, layout: &Layout) -> Result<Vec<f32>, String> {
    let read = |name: &str, shape: &[usize]| -> Result<Vec<f32>, String> {
        let view = tensors.tensor(name).map_err(|error| error.to_string())?;
        match view.shape() == shape {
            true => Ok(bytemuck::pod_collect_to_vec(view.data())),
            false => Err(format!("{name} has shape {:?}, not {shape:?}", view.shape())),
        }
    };
    let whole = prefix.trim_end_matches('.');
    if tensors.names().contains(&whole) {
        return read(whole, &[layout.len()]);
    }
    let slots = layout.slots().iter().map(|slot| read(&format!("{prefix}{}", slot.name), &slot.shape));
    slots.collect::<Result<Vec<_>, _>>().map(|parts| parts.concat())
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
    optimizer: &dyn Optimizer,
    smoothing_window: usize,
    remark: impl Fn(&str),
) -> Result<Option<Loaded>> {
    for path in list(folder)?.into_iter().rev() {
        match load(&path, layout, optimizer, smoothing_window) {
            Ok((header, state)) => return Ok(Some(Loaded { path, header, state })),
            Err(error) => remark(&passed_over(&error)),
        }
    }
    Ok(None)
}

/// What is said of a checkpoint that an older one stands in for.
fn passed_over(error: &Error) -> String {
    match error {
        Error::BadFile { path, rule, .. } => format!("{}: passed over: {rule}", path.display()),
        Error::Io { path, action, source } => {
            format!("{}: passed over: cannot {action}: {source}", path.display())
        }
        other => format!("passed over: {}", other.to_string().trim_start_matches("error: ")),
    }
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
    let names = names(folder).map_err(Error::io(folder, "list the checkpoints"))?;
    let mut files: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
    files.retain(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.starts_with("step-") && name.ends_with(".safetensors") && path.is_file()
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
