//! What an independent configuration costs by each method, and from when on training has paid.

use super::estimates::MethodResult;
use super::row::CostRow;
use crate::cost::Cost;
use crate::sample::{Method, MethodRun};
use crate::stats::{Ensemble, TauInt};

/// The cost decomposition of eqs. (4)-(7) of A22.
pub struct Costs<'a> {
    /// What training took.
    pub training: Cost,
    /// What the trainings took that it went on from.
    pub before: Cost,
    /// Where models compute.
    pub device: &'a str,
    /// Threads of the CPU, of all processes.
    pub threads: usize,
    pub stop_reason: &'a str,
    /// Whether training learned from configurations that somebody else has paid for.
    pub learned_from_data: bool,
}

/// What an independent configuration costs by one method.
struct Price<'a> {
    run: &'a MethodRun,
    observable: &'a str,
    setup: Cost,
    n: u64,
    ess: (f64, f64),
    tau_int: Option<TauInt>,
}

impl Price<'_> {
    fn seconds_per_independent(&self) -> f64 {
        self.run.cost.wall_s / (self.n as f64 * self.ess.0)
    }
}

impl Costs<'_> {
    /// The rows of `cost.csv`: configurations of the model by their weights, chains by each observable that is a plain mean.
    pub fn rows(&self, methods: &[(&MethodRun, Vec<MethodResult>)]) -> Vec<CostRow> {
        let prices: Vec<Price<'_>> =
            methods.iter().flat_map(|(run, results)| self.prices(run, results)).collect();
        let crossover = |price| crossover(price, self.before, &prices).filter(|_| !self.learned_from_data);
        prices.iter().map(|price| self.row(price, crossover(price))).collect()
    }

    fn prices<'a>(&self, run: &'a MethodRun, results: &'a [MethodResult]) -> Vec<Price<'a>> {
        let setup = run.cost.setup.unwrap_or(self.training);
        if let (Ensemble::Weighted { .. }, Some(ess)) = (&run.ensemble, run.ess()) {
            let (ess, n) = ((ess.value, ess.error()), run.ensemble.count());
            return vec![Price { run, observable: "weights", setup, n, ess, tau_int: None }];
        }
        let price = |result: &'a MethodResult| {
            let tau = result.tau_int?;
            let ess = (0.5 / tau.value, tau.interval.map(|tau| 0.5 / tau).reach(0.5 / tau.value));
            let (observable, n) = (&result.row.observable, result.row.n);
            Some(Price { run, observable, setup, n, ess, tau_int: Some(tau) })
        };
        results.iter().filter(|result| result.primary).filter_map(price).collect()
    }

    fn row(&self, price: &Price<'_>, crossover_n_indep: Option<f64>) -> CostRow {
        let (run, cost) = (price.run, price.run.cost);
        let n_indep = price.n as f64 * price.ess.0;
        let trained = cost.setup.is_none().then_some(self.training);
        CostRow {
            method: run.method,
            observable: price.observable.into(),
            n_train: trained.map_or(0, |training| training.samples),
            setup_s: price.setup.wall_s,
            train_s_per_sample: trained
                .filter(|training| training.samples > 0)
                .map(|training| training.wall_s / training.samples as f64),
            sample_s_per_configuration: cost.wall_s / price.n as f64,
            n_raw: price.n,
            ess_per_configuration: price.ess.0,
            ess_per_configuration_err: price.ess.1,
            tau_int: price.tau_int.map(|tau| tau.value),
            tau_int_err: price.tau_int.map(|tau| tau.error()),
            n_indep,
            sample_s: cost.wall_s,
            total_s: price.setup.wall_s + cost.wall_s,
            effective_samples_per_s: n_indep / cost.wall_s,
            flops_per_sample: cost.flops_per_configuration,
            setup_flops: price.setup.flops,
            crossover_n_indep,
            device: if trained.is_some() { self.device.into() } else { "cpu".into() },
            threads: self.threads,
            stop_reason: self.stop_reason.into(),
            n_train_before: trained.map_or(0, |_| self.before.samples),
            setup_before_s: trained.map_or(0.0, |_| self.before.wall_s),
        }
    }
}

/// Number of independent configurations from which on `setup + N · seconds`, trainings `before` included, is less than that of HMC
/// for the same observable; for direct sampling, for the observable that takes HMC longest.
fn crossover(price: &Price<'_>, before: Cost, all: &[Price<'_>]) -> Option<f64> {
    let method = price.run.method;
    let is_of_flow = matches!(method, Method::Direct | Method::Independence);
    let hmc = all.iter().filter(|other| other.run.method == Method::Hmc && is_of_flow);
    let same = hmc.filter(|other| method == Method::Direct || other.observable == price.observable);
    let hmc = same.max_by(|a, b| a.seconds_per_independent().total_cmp(&b.seconds_per_independent()))?;
    let gain = hmc.seconds_per_independent() - price.seconds_per_independent();
    let setup = before.wall_s + price.setup.wall_s - hmc.setup.wall_s;
    (gain > 0.0).then(|| (setup / gain).max(0.0))
}
