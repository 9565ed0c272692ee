//! From weights and chains to numbers with errors: the rows of `ess.csv` and `observables.csv`.

use super::experiment::OnTarget;
use super::row::{EssRow, ObservableRow};
use crate::error::{Error, Result};
use crate::rng::Stream;
use crate::sample::{Method, MethodRun};
use crate::stats::{Bootstrap, Ensemble, Measured, ParetoShape, TauInt, free_energy, kullback_leibler};
use crate::theory::{Action, Derived};
use crate::train::TrainState;

/// The row of one evaluation.
///
/// # Errors
/// [`Error::Diverged`] if a weight is not a number: nothing computed from it could be trusted.
pub fn ess_row(
    stage: &'static str,
    state: &TrainState,
    run: &MethodRun,
    on_target: Option<OnTarget>,
    action: &dyn Action,
) -> Result<EssRow> {
    let log_weights = run.log_weights();
    check_finite(state, log_weights)?;
    let ess = run.ess().expect("configurations of the model have weights");
    let target = on_target.map(|judged| judged.ess);
    Ok(EssRow {
        stage,
        step: state.step,
        samples: state.cost.samples,
        n: log_weights.len(),
        ess: ess.value,
        ess_err: ess.error(),
        ess_low: ess.interval.low,
        ess_high: ess.interval.high,
        ess_low_95: ess.interval.low_95,
        ess_high_95: ess.interval.high_95,
        ess_median: ess.median,
        ess_quarter: ess.of_parts[0],
        ess_sixteenth: ess.of_parts[1],
        pareto_k: ess.tail.map(|tail| tail.k),
        pareto_k_err: ess.tail.map(|tail| tail.error),
        ess_target: target.map(|target| target.value),
        ess_target_err: target.map(|target| target.error()),
        ess_target_low: target.map(|target| target.interval.low),
        ess_target_high: target.map(|target| target.interval.high),
        ess_target_sigmas: target.map(|target| target.below(&ess)),
        nll_target: on_target.and_then(|judged| judged.nll),
        max_weight_share: ess.max_weight_share,
        kl: action.log_partition().map(|log_z| kullback_leibler(log_weights, log_z).value),
        acceptance: None,
    })
}

/// # Errors
/// [`Error::Diverged`] for a weight that is not a number.
pub fn check_finite(state: &TrainState, log_weights: &[f64]) -> Result<()> {
    let Some(&value) = log_weights.iter().find(|log_w| !log_w.is_finite()) else { return Ok(()) };
    let (quantity, optimizer) = ("log weight of a fresh configuration", state.optimizer.name);
    Err(Error::Diverged { step: state.step, quantity, value, checkpoint: "none of use".into(), optimizer })
}

/// The τ that an error is from.
const OF_CHAIN: &str = "chain";
const OF_WEIGHTS: &str = "weights";

/// An observable of one method, with what it costs to know it.
#[derive(Debug, Clone, PartialEq)]
pub struct MethodResult {
    pub row: ObservableRow,
    /// The τ that costs rest on, for chains.
    pub tau_int: Option<TauInt>,
    /// Whether it is a mean that costs are given for.
    pub primary: bool,
    /// What is missing if it is not zero, if it must be.
    pub must_vanish: Option<&'static str>,
}

/// Every observable of one method, F from weights among them; those that noise leaves undefined are left out. `resampling` is the
/// stream of the bootstrap.
pub fn method_results(
    run: &MethodRun,
    derived: &[Derived],
    action: &dyn Action,
    resampling: &Stream,
) -> Vec<MethodResult> {
    let (mut found, mut bootstrap) = (Vec::new(), None);
    let tail = run.ess().and_then(|ess| ess.tail);
    if let Ensemble::Weighted { log_weights, rows, width } = &run.ensemble {
        let resampled = Bootstrap::new(log_weights, rows, *width, resampling);
        let exact = action.log_partition().map(|log_z| -log_z);
        let row = ObservableRow {
            error_bootstrap: resampled.free_energy_error(),
            ..row(run.method, "free_energy", free_energy(log_weights), exact, tail)
        };
        found.push(MethodResult { row, tau_int: None, primary: false, must_vanish: None });
        bootstrap = Some(resampled);
    }
    let rows = derived.iter().filter_map(|observable| {
        let measured = run.measured(&*observable.value)?;
        let row = observable_row(run, observable, measured, bootstrap.as_ref(), tail);
        let Derived { primary, must_vanish, .. } = *observable;
        Some(MethodResult { row, tau_int: measured.tau_int_used(), primary, must_vanish })
    });
    found.extend(rows);
    found
}

fn observable_row(
    run: &MethodRun,
    observable: &Derived,
    measured: Measured,
    bootstrap: Option<&Bootstrap>,
    tail: Option<ParetoShape>,
) -> ObservableRow {
    let f = &*observable.value;
    let used = if measured.by_weights { OF_WEIGHTS } else { OF_CHAIN };
    ObservableRow {
        error_bootstrap: bootstrap.and_then(|bootstrap| bootstrap.error(f)),
        bias_bootstrap: bootstrap.and_then(|bootstrap| bootstrap.bias(f, measured.value)),
        tau_int_used: run.chain.as_ref().map(|_| used),
        ..row(run.method, &observable.name, measured, observable.exact, tail)
    }
}

fn row(
    method: Method,
    observable: &str,
    measured: Measured,
    exact: Option<f64>,
    tail: Option<ParetoShape>,
) -> ObservableRow {
    let Measured { value, error, error_plain, interval, tau_int, tau_int_exact, n, .. } = measured;
    let used = measured.tau_int_used().map(|tau| tau.interval);
    ObservableRow {
        method,
        observable: observable.into(),
        value,
        error,
        error_plain,
        low: interval.low,
        high: interval.high,
        low_95: interval.low_95,
        high_95: interval.high_95,
        error_bootstrap: None,
        bias_bootstrap: None,
        tau_int: tau_int.map(|(tau, _)| tau),
        tau_int_err: tau_int.map(|(_, error)| error),
        tau_int_exact: tau_int_exact.map(|tau| tau.value),
        tau_int_used: None,
        tau_int_low: used.map(|interval| interval.low),
        tau_int_high: used.map(|interval| interval.high),
        pareto_k: tail.map(|tail| tail.k),
        n,
        exact,
        pull: exact.filter(|_| error > 0.0).map(|exact| (value - exact) / error),
    }
}
