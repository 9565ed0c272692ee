//! From weights and chains to numbers with errors: the rows of `ess.csv` and `observables.csv`.

use super::experiment::OnTarget;
use super::row::{EssRow, ObservableRow};
use crate::error::{Error, Result};
use crate::rng::Stream;
use crate::sample::{Method, MethodRun};
use crate::stats::{
    Bootstrap, Ensemble, Estimate, Measured, effective_sample_size, exact_tau_int, free_energy,
    kullback_leibler,
};
use crate::theory::{Action, Derived};
use crate::train::TrainState;

/// The row of one evaluation.
///
/// # Errors
/// [`Error::Diverged`] if a weight is not a number: nothing computed from it could be trusted.
pub fn ess_row(
    stage: &'static str,
    state: &TrainState,
    log_weights: &[f64],
    on_target: Option<OnTarget>,
    action: &dyn Action,
) -> Result<EssRow> {
    check_finite(state, log_weights)?;
    let ess = effective_sample_size(log_weights);
    Ok(EssRow {
        stage,
        step: state.step,
        samples: state.cost.samples,
        n: log_weights.len(),
        ess: ess.value,
        ess_err: ess.error,
        ess_target: on_target.map(|judged| judged.ess),
        nll_target: on_target.map(|judged| judged.nll),
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

/// An observable of one method, with what it costs to know it.
#[derive(Debug, Clone, PartialEq)]
pub struct MethodResult {
    pub row: ObservableRow,
    /// Whether it is a mean that costs are given for.
    pub primary: bool,
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
    if let Ensemble::Weighted { log_weights, rows, width } = &run.ensemble {
        let resampled = Bootstrap::new(log_weights, rows, *width, resampling);
        let row = free_energy_row(run.method, log_weights, &resampled, action);
        found.push(MethodResult { row, primary: false });
        bootstrap = Some(resampled);
    }
    let rows = derived.iter().filter_map(|observable| {
        let row = observable_row(run, observable, bootstrap.as_ref())?;
        Some(MethodResult { row, primary: observable.primary })
    });
    found.extend(rows);
    found
}

fn observable_row(
    run: &MethodRun,
    observable: &Derived,
    bootstrap: Option<&Bootstrap>,
) -> Option<ObservableRow> {
    let Measured { value, error, tau_int, n } = run.ensemble.measured(&*observable.value)?;
    let proposals = run.chain.as_ref().and_then(|chain| chain.proposals.as_ref());
    Some(ObservableRow {
        method: run.method,
        observable: observable.name.clone(),
        value,
        error,
        error_bootstrap: bootstrap.and_then(|bootstrap| bootstrap.error(&*observable.value)),
        tau_int: tau_int.map(|(tau, _)| tau),
        tau_int_err: tau_int.map(|(_, error)| error),
        tau_int_exact: proposals.filter(|_| observable.primary).and_then(|of| implied_tau(of, observable)),
        n,
        exact: observable.exact,
        pull: pull(value, error, observable.exact),
    })
}

/// The autocorrelation time that the weights of proposals imply.
fn implied_tau(proposals: &Ensemble, observable: &Derived) -> Option<f64> {
    let Ensemble::Weighted { log_weights, rows, width } = proposals else { return None };
    let values: Vec<f64> = rows.chunks_exact((*width).max(1)).map(|row| (observable.value)(row)).collect();
    exact_tau_int(log_weights, &values)
}

fn free_energy_row(
    method: Method,
    log_weights: &[f64],
    bootstrap: &Bootstrap,
    action: &dyn Action,
) -> ObservableRow {
    let Estimate { value, error } = free_energy(log_weights);
    let exact = action.log_partition().map(|log_z| -log_z);
    ObservableRow {
        method,
        observable: "free_energy".into(),
        value,
        error,
        error_bootstrap: bootstrap.free_energy_error(),
        tau_int: None,
        tau_int_err: None,
        tau_int_exact: None,
        n: log_weights.len() as u64,
        exact,
        pull: pull(value, error, exact),
    }
}

fn pull(value: f64, error: f64, exact: Option<f64>) -> Option<f64> {
    exact.filter(|_| error > 0.0).map(|exact| (value - exact) / error)
}
