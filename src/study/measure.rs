//! Observables of an ensemble in a file, whoever drew it.

use super::estimates::{MethodResult, method_results};
use super::results::observable_summary;
use super::row::ObservableRow;
use super::summary::Summary;
use super::warnings::{self, Evidence, Weights};
use crate::ensemble::{EnsembleReader, MODEL, check_actions, file_shape};
use crate::error::{Error, Result};
use crate::files::write_atomically;
use crate::rng::Seed;
use crate::sample::{ChainInfo, Method, MethodCost, MethodRun};
use crate::spec::TheorySpec;
use crate::stats::{Ensemble, TimeSeries};
use crate::theory::{self, Derived};
use rayon::prelude::*;
use std::path::Path;

/// Bytes of a number of a field, at least.
const SMALLEST: f64 = 4.0;

/// What to measure.
pub struct Measure<'a> {
    /// The ensemble.
    pub file: &'a Path,
    /// The theory; what the file says if left out.
    pub theory: Option<TheorySpec>,
    /// Chains that gave one configuration each in turn; what the file says, or one, if left out.
    pub chains: Option<usize>,
    /// Configurations of every chain that are left out at its beginning.
    pub skip: Option<u64>,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Measurements {
    /// One line naming the theory.
    pub theory: String,
    /// Configurations used.
    pub n: u64,
    /// Chains; none for configurations of a model, which are reweighted.
    pub chains: Option<usize>,
    /// What was found.
    pub observables: Vec<ObservableRow>,
    /// What a reader has to know before trusting it.
    pub warnings: Vec<String>,
}

impl Measure<'_> {
    /// Reads the configurations and measures them.
    ///
    /// # Errors
    /// [`Error::Usage`] if they are not of this theory, [`Error::BadFile`] if the file is damaged.
    pub fn run(&self) -> Result<Measurements> {
        let spec = match &self.theory {
            Some(theory) => theory.clone(),
            None => {
                EnsembleReader::spec_of(self.file)?
                    .ok_or_else(|| {
                        self.refuse("the file does not say of which theory", "name one with --spec")
                    })?
                    .theory
            }
        };
        self.may_hold(&spec)?;
        let theory = theory::build(&spec);
        let (action, observables) = (&*theory.action, &*theory.observables);
        let shape = file_shape(action);
        let mut reader = EnsembleReader::open(self.file, action.field_name(), &shape)?;
        let (numbers, width) = (shape.iter().product::<usize>(), observables.width());
        let (mut actions, mut rows) = (Vec::<f64>::new(), Vec::<f64>::new());
        reader.fields(&mut |part| {
            let count = part.len() / numbers;
            let (mut found, mut measured) = (vec![0.0; count], vec![0.0; count * width]);
            let places = found.par_iter_mut().zip(measured.par_chunks_mut(width));
            part.par_chunks_exact(numbers).zip(places).for_each(|(field, (own, row))| {
                *own = action.action_f64(field);
                observables.measure(field, *own, row);
            });
            actions.extend(found);
            rows.extend(measured);
            Ok(())
        })?;
        check_actions(self.file, &mut reader, &actions)?;
        let is_model = reader.method().is_some_and(|method| method == MODEL);
        let (method, ensemble, chain) = if is_model {
            let log_q = reader.array("log_q")?.filter(|log_q| log_q.len() == actions.len());
            let log_q = log_q.filter(|log_q| log_q.iter().all(|value| value.is_finite()));
            let log_q = log_q.ok_or_else(|| {
                self.refuse("configurations of a model need a finite log_q each", "draw them again")
            })?;
            if self.chains.is_some() || self.skip.is_some() {
                let rule = "holds independent configurations of a model, no chains";
                return Err(self.refuse(rule, "leave out --chains and --skip"));
            }
            let log_weights = actions.iter().zip(log_q).map(|(action, log_q)| -action - log_q).collect();
            (Method::Direct, Ensemble::Weighted { log_weights, rows, width }, None)
        } else {
            let chains = self.chains.or_else(|| reader.chains()).unwrap_or(1);
            let series = self.series(&rows, width, chains)?;
            // Nothing is known of how they were drawn.
            let chain = ChainInfo { acceptance: 1.0, thermalization: Some(u64::MAX), ..ChainInfo::default() };
            (Method::Hmc, Ensemble::Chains(series), Some(chain))
        };
        let cost = MethodCost { setup: None, flops_per_configuration: 0.0, wall_s: 0.0 };
        let run = MethodRun::new(method, ensemble, cost, chain);
        let resampling = Seed(0).stream("stats/bootstrap");
        let derived = observables.derived();
        let results = method_results(&run, &derived, action, &resampling);
        let warnings = self.warnings(&run, &results, &derived);
        Ok(Measurements {
            theory: action.describe(),
            n: run.ensemble.count(),
            chains: run.chain.as_ref().map(|_| run.series().len()),
            observables: results.into_iter().map(|result| result.row).collect(),
            warnings,
        })
    }

    /// Whether the ensemble is as large as one configuration, which is found out before lists of all sites are made.
    fn may_hold(&self, theory: &TheorySpec) -> Result<()> {
        let sites: f64 = theory.extents().iter().map(|&extent| extent as f64).product();
        let needs = SMALLEST * sites * theory.components() as f64;
        let held = EnsembleReader::bytes_of(self.file)?;
        match needs <= held as f64 {
            true => Ok(()),
            false => Err(self.refuse(
                &format!(
                    "has {held} bytes, but a configuration on {:?} sites takes {needs}",
                    theory.extents()
                ),
                "name the theory that it is of with --spec",
            )),
        }
    }

    fn warnings(&self, run: &MethodRun, results: &[MethodResult], derived: &[Derived]) -> Vec<String> {
        let summary = Summary {
            model: None,
            observables: results.iter().map(observable_summary).collect(),
            methods: Vec::new(),
            warnings: Vec::new(),
        };
        let weights = run.weights().zip(run.ess()).map(|(weights, ess)| Weights {
            of: "configurations",
            key: "their number",
            n: weights.len(),
            ess,
        });
        let evidence = Evidence {
            weights: weights.into_iter().collect(),
            runs: &[run],
            derived,
            target_samples: None,
            threads: 1,
        };
        warnings::of(&summary, &evidence).iter().map(ToString::to_string).collect()
    }

    /// The measurements of each chain.
    fn series(&self, rows: &[f64], width: usize, chains: usize) -> Result<Vec<TimeSeries>> {
        let (count, skip) = (rows.len() / width, self.skip.unwrap_or(0));
        let skipped = (skip as usize).saturating_mul(chains);
        if !count.is_multiple_of(chains) {
            let rule = format!("{count} configurations are no multiple of {chains} chains");
            return Err(self.refuse(&rule, "see --chains: every chain gives one configuration in turn"));
        }
        if skipped.saturating_add(2 * chains) > count {
            let rule =
                format!("{count} configurations are too few for {chains} chains without their first {skip}");
            return Err(self.refuse(&rule, "see --chains and --skip"));
        }
        let mut series = vec![TimeSeries::of_chains(width, chains); chains];
        for (index, row) in rows.chunks_exact(width).enumerate().skip(skipped) {
            series[index % chains].push(row, 1);
        }
        Ok(series)
    }

    fn refuse(&self, rule: &str, hint: &str) -> Error {
        Error::Usage { message: format!("{}: {rule}", self.file.display()), hint: hint.into() }
    }
}

impl Measurements {
    /// Writes the rows of `observables.csv`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        let rows = self.observables.iter().try_for_each(|row| writer.serialize(row));
        rows.map_err(|error| Error::io(path, "write")(error.into()))?;
        let bytes = writer.into_inner().map_err(|error| Error::io(path, "write")(error.into_error()))?;
        write_atomically(path, &bytes)
    }
}
