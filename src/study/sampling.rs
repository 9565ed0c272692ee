//! What a cell samples once its model is trained: by every method that is asked for, each resumable where it is long.

use super::context::Context;
use super::estimates::check_finite;
use super::experiment::{Experiment, OnTarget};
use crate::ensemble::{EnsembleWriter, Provenance};
use crate::error::{Error, Result};
use crate::rng::Stream;
use crate::sample::{
    ChainStore, DrawStore, Draws, Hmc, HmcChains, Independence, IndependenceChains, Model, direct,
};
use crate::spec::HmcSpec;
use crate::train::TrainState;
use rayon::prelude::*;
use std::path::Path;

/// Configurations of Hybrid Monte Carlo that are sent back through the flow, about, where none are asked for.
const TARGET_SAMPLES: u64 = 16_384;

/// The name of the files that draws are kept in.
const DIRECT_STORE: &str = "direct";

/// The name of the files that running chains of Hybrid Monte Carlo are kept in.
const HMC_STORE: &str = "hmc";

/// What sampling left behind.
pub struct Sampled {
    pub evaluation: Draws,
    pub direct: Option<Draws>,
    pub hmc: Option<HmcChains>,
    pub independence: Option<IndependenceChains>,
    pub on_target: Option<OnTarget>,
}

/// Removes from a cell's folder what only running direct sampling and Hybrid Monte Carlo need.
///
/// # Errors
/// [`Error::Io`].
pub fn forget_stores(folder: &Path) -> Result<()> {
    DrawStore::remove(folder, DIRECT_STORE)?;
    ChainStore::remove(folder, HMC_STORE)
}

impl Context<'_> {
    /// Every method that is asked for.
    ///
    /// # Errors
    /// Whatever stops it.
    pub fn sample(&self, experiment: &Experiment, state: &TrainState) -> Result<Sampled> {
        let (spec, progress) = (self.spec, self.progress);
        let observables = experiment.action.observables();
        let model = experiment.model(&state.parameters, self.device, Some(&*observables));
        let draw = |stream: &Stream, count: usize, store: Option<&mut DrawStore<'_>>| {
            let watch = self.watch(state.step, count as u64, "configurations");
            let draws = direct::draw(&model, stream, count as u64, store, &watch)?;
            check_finite(state, &draws.log_weights).map(|()| draws)
        };
        progress.begin(&format!("evaluating on {} fresh configurations", spec.evaluate.samples));
        let evaluation = draw(&self.seed().stream("evaluate/final"), spec.evaluate.samples, None)?;
        let mut on_target = experiment.judge(&model)?;
        let mut direct = None;
        if let Some(asked) = &spec.sample.direct {
            progress.begin(&format!("sampling {} configurations", asked.configurations));
            let (stream, mut is_due) = (self.seed().stream("sample/direct"), self.save_clock());
            let mut store = DrawStore::open(&self.checkpoints, DIRECT_STORE, &model, &stream, &mut is_due)?;
            if store.count() > 0 {
                progress.note(&format!("continuing after {} configurations", store.count()));
            }
            direct = Some(draw(&stream, asked.configurations, Some(&mut store))?);
        }
        let mut hmc = None;
        if let Some(asked) = &spec.sample.hmc {
            progress.begin(&format!("HMC: {} chains of {} trajectories", asked.chains, asked.trajectories));
            let (chains, judged) = self.hmc(asked, experiment, &model, state)?;
            on_target = on_target.or(Some(judged));
            hmc = Some(chains);
        }
        let mut independence = None;
        if let Some(asked) = &spec.sample.independence {
            progress.begin(&format!("independence Metropolis: {} proposals", asked.proposals));
            let file = self.checkpoints.join("independence.safetensors");
            let chain = Independence::new(&model, asked, self.seed());
            let watch = self.watch(state.step, asked.proposals, "proposals");
            independence = Some(chain.run(&file, self.save_clock(), &watch)?);
        }
        Ok(Sampled { evaluation, direct, hmc, independence, on_target })
    }

    /// The chains, and how the model does on configurations from all along them; these are saved where that is asked for.
    fn hmc(
        &self,
        spec: &HmcSpec,
        experiment: &Experiment,
        model: &Model<'_>,
        state: &TrainState,
    ) -> Result<(HmcChains, OnTarget)> {
        let action = &*experiment.action;
        let enough = (spec.trajectories * spec.chains as u64).div_ceil(TARGET_SAMPLES).min(spec.trajectories);
        let every = spec.save_every.unwrap_or(enough);
        let mut is_due = self.save_clock();
        let mut store = ChainStore::open(&self.checkpoints, HMC_STORE, model.numbers(), every, &mut is_due)?;
        let observables = action.observables();
        let chains = Hmc::new(action, spec, self.seed(), "sample/hmc").run(
            &*observables,
            Some(&mut store),
            &self.watch(state.step, spec.thermalization + spec.trajectories, "trajectories"),
        )?;

        let path = self.ensembles.join("hmc.npz");
        let mut writer = None;
        if spec.save_every.is_some() {
            std::fs::create_dir_all(&self.ensembles)
                .map_err(Error::io(&self.ensembles, "create the folder"))?;
            let (field, shape) = (action.field_name(), experiment.flow.field_shape());
            writer = Some(EnsembleWriter::create(&path, field, &shape, store.fields().count())?);
        }
        let bound = model.bind();
        let (mut all_log_q, mut all_actions) = (Vec::new(), Vec::new());
        store.fields().read(&mut |fields| {
            let log_q = model.log_prob(&bound, &fields)?;
            let actions = fields.par_chunks_exact(model.numbers()).map(|field| action.action_f64(field));
            let actions: Vec<f64> = actions.collect();
            writer.as_mut().map_or(Ok(()), |writer| writer.push(&fields, &log_q, &actions))?;
            all_log_q.extend(log_q);
            all_actions.extend(actions);
            self.go_on(state.step)
        })?;
        if let Some(writer) = writer {
            writer.finish(&Provenance { method: "hmc", spec: &self.spec.to_toml() })?;
            self.progress.note(&format!("{} configurations in {}", all_log_q.len(), path.display()));
        }
        Ok((chains, OnTarget::new(&all_log_q, &all_actions)))
    }
}
