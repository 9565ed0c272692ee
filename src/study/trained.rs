//! A trained model from a checkpoint, and ensembles drawn from it.

use super::assist::CellCall;
use super::experiment::Experiment;
use super::progress::{Interrupt, Progress};
use super::start::{checkpoint_file, spec_of};
use crate::device::{ComputeDevice, memory};
use crate::error::{Error, Result};
use crate::rng::Seed;
use crate::sample::{DrawnEnsemble, WantedEnsemble};
use crate::spec::Spec;
use crate::stats::{Ess, Interval, ParetoShape};
use crate::train::{TrainState, build_optimizer, checkpoint};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The model of a checkpoint with what it was trained for.
pub struct Trained {
    /// The checkpoint.
    pub path: PathBuf,
    /// The specification of the cell that trained it.
    pub spec: Spec,
    /// Training steps.
    pub step: u64,
    experiment: Experiment,
    state: TrainState,
}

/// Which configurations to draw, and where they go.
pub struct Draw<'a> {
    /// Seed of their stream.
    pub seed: u64,
    /// Number of the first one in the stream.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// The file.
    pub file: &'a Path,
}

/// An ensemble that was drawn.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drawn {
    /// Configurations.
    pub count: u64,
    /// ESS per configuration, eq. (A7) of A22.
    pub ess: f64,
    /// From the value to the farther end of its interval of 68.3%.
    pub ess_err: f64,
    /// Where the true ESS is.
    pub ess_interval: Interval,
    /// Shape of the tail of the weights.
    pub pareto: Option<ParetoShape>,
    /// Share of the total weight that the largest weight carries.
    pub max_weight_share: f64,
    /// Seconds, writing included.
    pub wall_s: f64,
    /// Size of the file or files.
    pub bytes: u64,
}

impl Trained {
    /// Reads a checkpoint; of a folder the newest one, and of a run directory the newest of its `checkpoints`.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is none, [`Error::BadFile`] if it is damaged.
    pub fn load(path: &Path) -> Result<Self> {
        let path = checkpoint_file(path)?;
        let header = checkpoint::read_header(&path)?;
        let spec = spec_of(&path, &header.spec)?;
        fits(&path, &spec)?;
        // The specification of a study is that of all cells; a checkpoint holds its own.
        let experiment = Experiment::without_data(&spec);
        let train = spec.train.as_ref().expect("what was trained says how");
        let (layout, optimizer) = (experiment.flow.layout(), build_optimizer(&train.optimizer));
        let (header, state) = checkpoint::load(&path, layout, &*optimizer, train.smoothing_window)?;
        Ok(Self { path, spec, step: header.step, experiment, state })
    }

    /// One line naming the target.
    pub fn describe(&self) -> String {
        self.experiment.theory.action.describe()
    }

    /// Draws items of the stream `sample/ensemble` into a file, a batch at a time; several processes into one each, of which an index
    /// beside them makes one ensemble.
    ///
    /// # Errors
    /// [`Error::Interrupted`], [`Error::Diverged`] for a weight that is not a number, [`Error::Device`], [`Error::Io`]; no
    /// file is left behind.
    pub fn draw(
        &self,
        draw: &Draw<'_>,
        device: &ComputeDevice,
        progress: &dyn Progress,
        interrupt: &Interrupt,
    ) -> Result<Drawn> {
        let start = Instant::now();
        CellCall::tell_trained(device.crew(), &self.spec)?;
        let model = self.experiment.model(&self.state.parameters, device, None);
        let (stream, spec) = (Seed(draw.seed).stream("sample/ensemble"), self.spec.to_toml());
        let items = draw.first..draw.first + draw.count;
        let wanted = WantedEnsemble { stream: &stream, items, file: draw.file, spec: &spec };
        let mut done = 0;
        let drawn = model.draw_ensemble(&model.bind(), &wanted, &mut |log_weights| {
            self.check(log_weights)?;
            done += log_weights.len() as u64;
            progress.done(done, draw.count, "configurations");
            interrupt
                .signal()
                .filter(|_| done < draw.count)
                .map_or(Ok(()), |signal| Err(Error::InterruptedDraw { signal, done, count: draw.count }))
        })?;
        let DrawnEnsemble { file, archives, bytes, log_weights } = drawn;
        if file != draw.file {
            progress.note(&format!("{archives} archives, of which {} says in what order", file.display()));
        }
        let ess = Ess::of(&log_weights);
        Ok(Drawn {
            count: draw.count,
            ess: ess.value,
            ess_err: ess.error(),
            ess_interval: ess.interval,
            pareto: ess.tail,
            max_weight_share: ess.max_weight_share,
            wall_s: start.elapsed().as_secs_f64(),
            bytes,
        })
    }

    /// # Errors
    /// [`Error::Diverged`] for a weight that is not a number.
    fn check(&self, log_weights: &[f64]) -> Result<()> {
        let Some(&value) = log_weights.iter().rev().find(|weight| !weight.is_finite()) else { return Ok(()) };
        Err(Error::Diverged {
            step: self.step,
            quantity: "log weight of a configuration",
            value,
            checkpoint: self.path.display().to_string(),
            optimizer: self.state.optimizer.name,
        })
    }
}

/// Whether this machine can hold a model, which is found out before it is built.
///
/// # Errors
/// [`Error::BadFile`].
fn fits(path: &Path, spec: &Spec) -> Result<()> {
    let needs: f64 = spec.training_needs(Some(&|_| 1)).iter().map(|need| need.bytes).sum();
    let has = memory();
    if needs <= has.bytes as f64 {
        return Ok(());
    }
    Err(Error::BadFile {
        path: path.to_owned(),
        rule: format!(
            "holds a model that needs {:.1} GB of memory, but {} {:.1} GB",
            needs / 1e9,
            has.owner,
            has.bytes as f64 / 1e9
        ),
        hint: "use it on a machine that has them".into(),
    })
}
