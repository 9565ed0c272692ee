//! Tables for people.

use super::progress::duration;
use crate::report;
use crate::stats::{Interval, ParetoShape, Trust};
use crate::study::{CellRecord, ModelSummary, ObservableSummary, Summary};
use crate::theory::is_of_time;

/// Lines of name and value, values aligned.
pub fn lines(rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<String> =
        rows.iter().map(|(name, value)| format!("{name:width$}  {value}").trim_end().to_owned()).collect();
    lines.join("\n")
}

/// `1 thread`, `2 threads`.
pub fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// The final table of a run.
pub fn summary(summary: &Summary) -> String {
    let mut rows = summary.model.as_ref().map(of_model).unwrap_or_default();
    let several = summary.methods.len() > 1;
    for found in summary.observables.iter().filter(|found| is_shown(found)) {
        let method = if several { format!("{} ", found.method) } else { String::new() };
        let value =
            measured((found.value, found.error), found.tau_int.zip(Some(found.tau_int_exact)), found.exact);
        rows.push((method + &found.observable, value));
    }
    for method in &summary.methods {
        let acceptance = method.acceptance.map(|a| format!(", acceptance {a:.3}")).unwrap_or_default();
        let crossover = method.crossover_n_indep.map(|n| {
            format!("; cheaper than HMC from {n:.3e} independent configurations on, training included")
        });
        let text = format!(
            "{}/s, effective {}/s ({}){acceptance}{}",
            rate(method.per_s),
            rate(method.effective_per_s),
            method.observable,
            crossover.unwrap_or_default()
        );
        rows.push((format!("{} configurations", method.method), text));
    }
    lines(&rows)
}

/// Whole numbers, but small ones with three digits.
fn rate(per_s: f64) -> String {
    let decimals = if per_s >= 100.0 { 0 } else { (2.0 - per_s.max(1e-9).log10().floor()) as usize };
    format!("{per_s:.decimals$}")
}

/// A value with its error, the autocorrelation time of the chain with its error and that of the weights, the exact value.
pub fn measured(
    (value, error): (f64, f64),
    tau: Option<((f64, f64), Option<f64>)>,
    exact: Option<f64>,
) -> String {
    // Where weights have a say, the error of τ is no number but an interval, which is in observables.csv.
    let tau = tau.map(|((tau, error), by_weights)| match by_weights {
        Some(by_weights) => format!("  tau {:.2}", by_weights.max(tau)),
        None => format!("  tau {}", with_error(tau, error)),
    });
    let exact = exact.map(|exact| format!("  (exact {exact:.8})"));
    with_error(value, error) + &tau.unwrap_or_default() + &exact.unwrap_or_default()
}

/// Training and quality of the model.
fn of_model(summary: &ModelSummary) -> Vec<(String, String)> {
    let row = |name: &str, value: String| (name.to_owned(), value);
    let mut rows = vec![
        row("stopped by", summary.stop_reason.clone()),
        row(
            "training",
            format!(
                "{} steps, {} samples, {}{}",
                summary.steps,
                summary.train_samples,
                duration(summary.train_s),
                match summary.train_samples_before {
                    0 => String::new(),
                    before => format!(" (after {before} samples of the model it started from)"),
                }
            ),
        ),
    ];
    rows.extend(summary.ess_smoothed.map(|ess| row("ESS, training (smoothed)", format!("{ess:.4}"))));
    rows.push(row(
        "ESS, fresh samples",
        with_error(summary.ess, summary.ess_err) + &of_parts(summary.ess_of_parts),
    ));
    if let Some((median, interval)) = summary.ess_median.zip(summary.ess_interval) {
        rows.push(row("ESS, with its tail", format!("{median:.4}{}", within(&interval))));
    }
    rows.extend(summary.pareto.map(|shape| row("tail of the weights", of_tail(&shape))));
    rows.push(row("largest weight", format!("{:.3}%", 100.0 * summary.max_weight_share)));
    if let Some((kl, error)) = summary.kl {
        rows.push(row("D_KL(q|p)", with_error(kl, error)));
    }
    if let Some(target) = summary.ess_target {
        let interval = summary.ess_target_interval.as_ref().map(within).unwrap_or_default();
        let sigmas = summary.ess_target_sigmas.map(|sigmas| match sigmas {
            0.0.. => format!(", {sigmas:.1} standard errors below"),
            _ => format!(", {:.1} standard errors above", -sigmas),
        });
        rows.push(row("ESS, target samples", format!("{target:.4}{interval}{}", sigmas.unwrap_or_default())));
    }
    rows
}

/// What smaller ensembles would have said.
fn of_parts([quarter, sixteenth]: [Option<f64>; 2]) -> String {
    let parts = [(quarter, "a quarter"), (sixteenth, "a sixteenth")];
    let parts = parts.into_iter().filter_map(|(ess, part)| Some(format!("{:.4} from {part}", ess?)));
    let parts: Vec<String> = parts.collect();
    if parts.is_empty() { String::new() } else { format!("  ({})", parts.join(", ")) }
}

fn within(interval: &Interval) -> String {
    format!("  (68%: {:.4} to {:.4})", interval.low, interval.high)
}

/// The shape of a tail, and what it implies.
pub fn of_tail(shape: &ParetoShape) -> String {
    let meaning = match shape.trust() {
        Trust::Errors => "errors as printed",
        Trust::SlowErrors => "errors shrink more slowly than with the root of the number of configurations",
        Trust::Unknown => "too few weights to exclude a tail whose means cannot be trusted",
        Trust::Nothing => "not to be trusted",
    };
    format!("Pareto shape k = {}: {meaning}", with_error(shape.k, shape.error))
}

/// What depends on the time has many lines, and is in observables.csv.
fn is_shown(found: &ObservableSummary) -> bool {
    !is_of_time(&found.observable)
}

/// The final table of a study: a line per cell, and for every observable a line per cell.
pub fn study(cells: &[CellRecord]) -> String {
    let mut rows: Vec<(String, String)> =
        cells.iter().map(|cell| (place(cell), quality(&cell.summary))).collect();
    let mut names: Vec<&str> = Vec::new();
    for found in cells.iter().flat_map(|cell| &cell.summary.observables).filter(|found| is_shown(found)) {
        if !names.contains(&found.observable.as_str()) {
            names.push(&found.observable);
        }
    }
    for name in names {
        rows.push((String::new(), String::new()));
        rows.push((name.to_owned(), String::new()));
        rows.extend(cells.iter().map(|cell| (place(cell), by_method(&cell.summary, name))));
    }
    lines(&rows)
}

/// Number and varied keys of a cell.
fn place(cell: &CellRecord) -> String {
    format!("{}: {}", cell.cell, cell.values)
}

fn quality(summary: &Summary) -> String {
    let ess = |model: &ModelSummary| format!("ESS {}", with_error(model.ess, model.ess_err));
    let mut parts: Vec<String> = summary.model.iter().map(ess).collect();
    for method in &summary.methods {
        let acceptance = method.acceptance.map(|a| format!("acceptance {a:.3}, ")).unwrap_or_default();
        parts.push(format!("{} {acceptance}effective {}/s", method.method, rate(method.effective_per_s)));
    }
    parts.join("; ")
}

/// What every method found of an observable.
fn by_method(summary: &Summary, name: &str) -> String {
    let found: Vec<&ObservableSummary> =
        summary.observables.iter().filter(|found| found.observable == name).collect();
    let values =
        found.iter().map(|found| format!("{} {}", found.method, with_error(found.value, found.error)));
    let exact = found.iter().find_map(|found| found.exact).map(|exact| format!("exact {exact:.8}"));
    values.chain(exact).collect::<Vec<String>>().join("; ")
}

/// `0.12345 +- 0.00067`, with two digits of the error.
pub fn with_error(value: f64, error: f64) -> String {
    report::with_error(value, error, "+-")
}
