//! What a cell samples once its model is trained: by every method that is asked for, each resumable where it is long.

use super::context::Context;
use super::estimates::check_finite;
use super::experiment::{Experiment, OnTarget};
use crate::ensemble::{EnsembleWriter, Provenance, file_shape};
use crate::error::Result;
use crate::files::create_folder;
use crate::rng::Stream;
use crate::sample::{
    Chains, Independence, Method, MethodRun, Model, Records, Store, Watch, draw, draws_identity,
};
use crate::spec::{DirectSpec, HeatBathSpec, HmcSpec, IndependenceSpec};
use crate::theory::{Action, Theory};
use crate::train::TrainState;
use rayon::prelude::*;
use std::path::Path;

/// Configurations of Hybrid Monte Carlo that are sent back through the flow, about, where none are asked for.
const TARGET_SAMPLES: u64 = 16_384;

/// What sampling left behind.
pub struct Sampled {
    /// Fresh configurations of the model, to judge it by.
    pub evaluation: MethodRun,
    /// The methods that were asked for.
    pub asked_for: Vec<MethodRun>,
    pub on_target: Option<OnTarget>,
}

impl Sampled {
    /// The methods in the order of tables; the evaluation stands in for direct sampling.
    pub fn methods(&self) -> Vec<&MethodRun> {
        let has_direct = self.asked_for.iter().any(|run| run.method == Method::Direct);
        let evaluation = (!has_direct).then_some(&self.evaluation);
        let mut all: Vec<&MethodRun> = evaluation.into_iter().chain(&self.asked_for).collect();
        all.sort_by_key(|run| run.method);
        all
    }
}

/// The name of the files that a method is continued from.
fn store_name(method: Method) -> String {
    method.to_string()
}

/// Removes from a cell's folder what only running direct sampling and Hybrid Monte Carlo need; independence Metropolis may be asked
/// for more.
///
/// # Errors
/// [`crate::error::Error::Io`].
pub fn forget_stores(folder: &Path) -> Result<()> {
    [Method::Direct, Method::Hmc, Method::HeatBath]
        .into_iter()
        .try_for_each(|method| Store::remove(folder, &store_name(method)))
}

impl Context<'_> {
    /// Every method that is asked for.
    ///
    /// # Errors
    /// Whatever stops it.
    pub fn sample(&self, experiment: &Experiment, state: &TrainState) -> Result<Sampled> {
        let (spec, evaluate, progress) = (self.spec, &self.spec.evaluate, self.progress);
        let model = experiment.model(&state.parameters, self.device, Some(&*experiment.theory.observables));
        progress.begin(&format!("evaluating on {} fresh configurations", evaluate.samples));
        let stream = self.seed().stream("evaluate/final");
        let evaluation = self.draw(&model, &stream, evaluate.samples, None, state)?;
        let mut on_target = experiment.judge(&model)?;
        let mut asked_for = Vec::new();
        if let Some(asked) = &spec.sample.direct {
            asked_for.push(self.direct(asked, &model, state)?);
        }
        if let Some(asked) = &spec.sample.hmc {
            let (run, judged) = self.hmc(asked, experiment, &model, state)?;
            on_target = on_target.or(Some(judged));
            asked_for.push(run);
        }
        if let Some(asked) = &spec.sample.heat_bath {
            asked_for.push(self.heat_bath(asked, &experiment.theory, state.step)?);
        }
        if let Some(asked) = &spec.sample.independence {
            asked_for.push(self.independence(asked, experiment, &model, state)?);
        }
        Ok(Sampled { evaluation, asked_for, on_target })
    }

    fn draw(
        &self,
        model: &Model<'_>,
        stream: &Stream,
        count: usize,
        store: Option<&mut Store<'_>>,
        state: &TrainState,
    ) -> Result<MethodRun> {
        let hear = self.watch(state.step, count as u64, "configurations");
        let watch = Watch { hear: &hear, ..Watch::NOBODY };
        let run = draw(model, stream, count as u64, store, watch)?;
        check_finite(state, run.log_weights()).map(|()| run)
    }

    fn direct(&self, asked: &DirectSpec, model: &Model<'_>, state: &TrainState) -> Result<MethodRun> {
        self.progress.begin(&format!("sampling {} configurations", asked.configurations));
        let (stream, mut is_due) = (self.seed().stream("sample/direct"), self.save_clock());
        let (identity, width) = (draws_identity(model, &stream), Some(model.width() + 1));
        let name = store_name(Method::Direct);
        let mut store = Store::open(&self.checkpoints, &name, identity, width, &mut is_due)?;
        let count = store.records().count();
        if count > 0 {
            self.progress.note(&format!("continuing after {count} configurations"));
        }
        self.draw(model, &stream, asked.configurations, Some(&mut store), state)
    }

    fn independence(
        &self,
        asked: &IndependenceSpec,
        experiment: &Experiment,
        model: &Model<'_>,
        state: &TrainState,
    ) -> Result<MethodRun> {
        self.progress.begin(&format!("independence Metropolis: {} proposals", asked.proposals));
        let chains = Independence::new(model, &experiment.theory, asked, self.seed());
        let (name, mut is_due) = (store_name(Method::Independence), self.save_clock());
        let mut store = Store::open(&self.checkpoints, &name, chains.identity(), None, &mut is_due)?;
        self.note_continued(&store);
        let interrupt = self.interrupt;
        let watch = Watch {
            hear: &self.watch(state.step, asked.proposals, "proposals"),
            is_stopped: &|| interrupt.signal().is_some(),
        };
        chains.run(Some(&mut store), watch)
    }

    /// The chains of a specification without a model; their configurations are saved where that is asked for.
    ///
    /// # Errors
    /// Whatever stops them.
    pub fn sample_baseline(&self, theory: &Theory) -> Result<Vec<MethodRun>> {
        let sample = &self.spec.sample;
        let mut found = Vec::new();
        if let Some(asked) = &sample.hmc {
            found.push(self.hmc_alone(asked, theory)?);
        }
        if let Some(asked) = &sample.heat_bath {
            found.push(self.heat_bath(asked, theory, 0)?);
        }
        Ok(found)
    }

    fn hmc_alone(&self, spec: &HmcSpec, theory: &Theory) -> Result<MethodRun> {
        let mut is_due = self.save_clock();
        let (run, mut store) = self.trajectories(spec, theory, spec.save_every, 0, &mut is_due)?;
        let Some(path) = spec.save_every.map(|_| self.ensembles.join("hmc.npz")) else { return Ok(run) };
        let (action, fields) = (&*theory.action, store.records());
        let mut writer = self.writer(&path, action, fields.count())?;
        fields.read(&mut |fields| {
            writer.push(&fields, &[], &actions_of(action, &fields))?;
            self.go_on(0)
        })?;
        self.finish_ensemble(writer, &path, fields.count())?;
        Ok(run)
    }

    /// Chains of heat bath and overrelaxation.
    fn heat_bath(&self, spec: &HeatBathSpec, theory: &Theory, step: u64) -> Result<MethodRun> {
        self.progress.begin(&format!("heat bath: {} chains of {} sweeps", spec.chains, spec.sweeps));
        let chains = Chains::heat_bath(theory, spec, self.seed(), None);
        let chains = chains.expect("a specification asks for local updates where there are some");
        let chains = chains.among(self.device.crew());
        let mut is_due = self.save_clock();
        let mut store = self.store(Method::HeatBath, &chains, None, &mut is_due)?;
        self.run_chains(&chains, &mut store, step, "sweeps")
    }

    fn note_continued(&self, store: &Store<'_>) {
        if store.has_state() {
            self.progress.note("continuing the chains that were saved");
        }
    }

    fn store<'s>(
        &self,
        method: Method,
        chains: &Chains<'_>,
        width: Option<usize>,
        is_due: &'s mut dyn FnMut() -> bool,
    ) -> Result<Store<'s>> {
        Store::open(&self.checkpoints, &store_name(method), chains.identity(), width, is_due)
    }

    fn run_chains(
        &self,
        chains: &Chains<'_>,
        store: &mut Store<'_>,
        step: u64,
        unit: &'static str,
    ) -> Result<MethodRun> {
        self.note_continued(store);
        let interrupt = self.interrupt;
        let watch = Watch {
            hear: &self.watch(step, chains.steps(), unit),
            is_stopped: &|| interrupt.signal().is_some(),
        };
        chains.run(Some(store), watch)
    }

    /// Chains of Hybrid Monte Carlo with the configurations that they keep.
    fn trajectories<'s>(
        &self,
        spec: &HmcSpec,
        theory: &Theory,
        every: Option<u64>,
        step: u64,
        is_due: &'s mut dyn FnMut() -> bool,
    ) -> Result<(MethodRun, Store<'s>)> {
        self.progress.begin(&format!("HMC: {} chains of {} trajectories", spec.chains, spec.trajectories));
        let hmc = Chains::hmc(theory, spec, self.seed(), every).among(self.device.crew());
        let width = every.map(|_| theory.dynamics.numbers());
        let mut store = self.store(Method::Hmc, &hmc, width, is_due)?;
        let run = self.run_chains(&hmc, &mut store, step, "trajectories")?;
        Ok((run, store))
    }

    /// The chains, and how the model does on configurations from all along them; these are saved where that is asked for.
    fn hmc(
        &self,
        spec: &HmcSpec,
        experiment: &Experiment,
        model: &Model<'_>,
        state: &TrainState,
    ) -> Result<(MethodRun, OnTarget)> {
        let enough = (spec.trajectories * spec.chains as u64).div_ceil(TARGET_SAMPLES).min(spec.trajectories);
        let every = spec.save_every.unwrap_or(enough);
        let mut is_due = self.save_clock();
        let (run, mut store) =
            self.trajectories(spec, &experiment.theory, Some(every), state.step, &mut is_due)?;
        let path = spec.save_every.map(|_| self.ensembles.join("hmc.npz"));
        Ok((run, self.judge((store.records(), spec.chains), path.as_deref(), experiment, model, state)?))
    }

    /// How the model does on configurations of so many chains, which are written to a file where one is named.
    fn judge(
        &self,
        (fields, chains): (&mut Records, usize),
        path: Option<&Path>,
        experiment: &Experiment,
        model: &Model<'_>,
        state: &TrainState,
    ) -> Result<OnTarget> {
        let (action, count) = (&*experiment.theory.action, fields.count());
        let mut writer = path.map(|path| self.writer(path, action, count)).transpose()?;
        let bound = model.bind();
        let (mut all_log_q, mut all_actions) = (Vec::new(), Vec::new());
        fields.read(&mut |fields| {
            let log_q = model.log_prob(&bound, &fields)?;
            let actions = actions_of(action, &fields);
            writer.as_mut().map_or(Ok(()), |writer| writer.push(&fields, &log_q, &actions))?;
            all_log_q.extend(log_q);
            all_actions.extend(actions);
            self.go_on(state.step)
        })?;
        if let (Some(writer), Some(path)) = (writer, path) {
            self.finish_ensemble(writer, path, count)?;
        }
        Ok(OnTarget::new(&all_log_q, &all_actions, chains))
    }

    fn writer(&self, path: &Path, action: &dyn Action, count: u64) -> Result<EnsembleWriter> {
        create_folder(&self.ensembles)?;
        EnsembleWriter::create(path, action.field_name(), &file_shape(action), count)
    }

    fn finish_ensemble(&self, writer: EnsembleWriter, path: &Path, count: u64) -> Result<()> {
        let method = Method::Hmc.to_string();
        writer.finish(&Provenance { method: &method, spec: &self.spec.to_toml() })?;
        self.progress.note(&format!("{count} configurations in {}", path.display()));
        Ok(())
    }
}

/// The actions of configurations `[configuration][number]`.
fn actions_of(action: &dyn Action, fields: &[f64]) -> Vec<f64> {
    let numbers = file_shape(action).iter().product();
    fields.par_chunks_exact(numbers).map(|field| action.action_f64(field)).collect()
}
