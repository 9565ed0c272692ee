//! What an independent configuration costs by each method, and from when on training has paid.

use super::context::Context;
use super::estimates::Method;
use super::row::CostRow;
use super::sampling::Sampled;
use crate::device;
use crate::flow::Flow;
use crate::stats::effective_sample_size;
use crate::theory::Action;
use crate::train::TrainState;

/// The cost decomposition of eqs. (4)-(7) of A22.
pub struct Costs<'a> {
    pub context: &'a Context<'a>,
    pub flow: &'a Flow,
    pub action: &'a dyn Action,
    pub state: &'a TrainState,
    pub stop_reason: &'a str,
    /// Whether training learned from configurations that somebody else has paid for.
    pub learned_from_data: bool,
}

/// What an independent configuration costs by one method.
struct Price<'a> {
    method: &'static str,
    observable: &'a str,
    setup_s: f64,
    n: u64,
    wall_s: f64,
    ess: (f64, f64),
    tau_int: Option<(f64, f64)>,
    flops: f64,
    setup_flops: f64,
}

impl Costs<'_> {
    /// The rows of `cost.csv`: direct sampling by its weights, chains by each observable that is a plain mean.
    pub fn rows(&self, sampled: &Sampled, methods: &[Method]) -> Vec<CostRow> {
        let mut prices = Vec::new();
        let draws = sampled.direct.as_ref().unwrap_or(&sampled.evaluation);
        let ess = effective_sample_size(&draws.log_weights);
        let trained = (self.state.cost.wall_s, self.state.cost.flops);
        prices.push(Price {
            method: "direct",
            observable: "weights",
            setup_s: trained.0,
            n: draws.log_weights.len() as u64,
            wall_s: draws.wall_s,
            ess: (ess.value, ess.error),
            tau_int: None,
            flops: self.flow.flops_per_sample(),
            setup_flops: trained.1,
        });
        for method in methods {
            for result in method.results.iter().filter(|result| result.primary) {
                let (Some(tau), Some(tau_err)) = (result.row.tau_int, result.row.tau_int_err) else {
                    continue;
                };
                let ess = (0.5 / tau, 0.5 / tau * tau_err / tau);
                let base = Price {
                    method: method.name,
                    observable: &result.row.observable,
                    setup_s: trained.0,
                    n: result.row.n,
                    wall_s: 0.0,
                    ess,
                    tau_int: Some((tau, tau_err)),
                    flops: self.flow.flops_per_sample(),
                    setup_flops: trained.1,
                };
                if let (Some(chains), "independence") = (&sampled.independence, method.name) {
                    prices.push(Price { wall_s: chains.wall_s, ..base });
                } else if let (Some(chains), "hmc") = (&sampled.hmc, method.name) {
                    let trajectory = chains.forces_per_trajectory * self.action.force_flops();
                    let thermalization =
                        self.context.spec.sample.hmc.as_ref().map_or(0, |hmc| hmc.thermalization);
                    prices.push(Price {
                        setup_s: chains.thermalization_s,
                        wall_s: chains.wall_s,
                        flops: trajectory,
                        setup_flops: trajectory * thermalization as f64 * chains.series.len() as f64,
                        ..base
                    });
                }
            }
        }
        let crossover = |price| crossover(price, &prices).filter(|_| !self.learned_from_data);
        prices.iter().map(|price| self.row(price, crossover(price))).collect()
    }

    fn row(&self, price: &Price<'_>, crossover_n_indep: Option<f64>) -> CostRow {
        let n_indep = price.n as f64 * price.ess.0;
        let is_flow = price.method != "hmc";
        CostRow {
            method: price.method,
            observable: price.observable.into(),
            n_train: if is_flow { self.state.cost.samples } else { 0 },
            setup_s: price.setup_s,
            train_s_per_sample: is_flow.then(|| price.setup_s / self.state.cost.samples as f64),
            sample_s_per_configuration: price.wall_s / price.n as f64,
            n_raw: price.n,
            ess_per_configuration: price.ess.0,
            ess_per_configuration_err: price.ess.1,
            tau_int: price.tau_int.map(|(tau, _)| tau),
            tau_int_err: price.tau_int.map(|(_, error)| error),
            n_indep,
            sample_s: price.wall_s,
            total_s: price.setup_s + price.wall_s,
            effective_samples_per_s: n_indep / price.wall_s,
            flops_per_sample: price.flops,
            setup_flops: price.setup_flops,
            crossover_n_indep,
            device: if is_flow { self.context.devices.clone() } else { "cpu".into() },
            threads: device::threads(),
            stop_reason: self.stop_reason.into(),
        }
    }
}

/// Number of independent configurations from which on `setup + N · seconds` is less than that of HMC for the same observable;
/// for direct sampling, for the observable that takes HMC longest.
fn crossover(price: &Price<'_>, all: &[Price<'_>]) -> Option<f64> {
    let per_independent = |price: &Price<'_>| price.wall_s / (price.n as f64 * price.ess.0);
    let hmc = all.iter().filter(|other| other.method == "hmc" && price.method != "hmc");
    let same = hmc.filter(|other| price.method == "direct" || other.observable == price.observable);
    let hmc = same.max_by(|a, b| per_independent(a).total_cmp(&per_independent(b)))?;
    let gain = per_independent(hmc) - per_independent(price);
    (gain > 0.0).then(|| ((price.setup_s - hmc.setup_s) / gain).max(0.0))
}
