//! Tables for people.

use super::progress::duration;
use crate::study::{CellRecord, Summary};

/// Lines of name and value, values aligned.
pub fn lines(rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<String> =
        rows.iter().map(|(name, value)| format!("{name:width$}  {value}").trim_end().to_owned()).collect();
    lines.join("\n")
}

/// The final table of a run.
pub fn summary(summary: &Summary) -> String {
    let row = |name: &str, value: String| (name.to_owned(), value);
    let mut rows = vec![
        row("stopped by", summary.stop_reason.clone()),
        row(
            "training",
            format!(
                "{} steps, {} samples, {}",
                summary.steps,
                summary.train_samples,
                duration(summary.train_s)
            ),
        ),
        row("ESS, training (smoothed)", format!("{:.4}", summary.ess_smoothed)),
        row("ESS, fresh samples", with_error(summary.ess, summary.ess_err)),
        row("largest weight", format!("{:.3}%", 100.0 * summary.max_weight_share)),
    ];
    if let Some((kl, error)) = summary.kl {
        rows.push(row("D_KL(q|p)", with_error(kl, error)));
    }
    if let Some(target) = summary.ess_target {
        rows.push(row("ESS, target samples", format!("{target:.4}")));
    }
    let several = summary.methods.len() > 1;
    // What depends on the time has many lines, and is in observables.csv.
    let of_times = |name: &str| name.starts_with("two_point_") || name.starts_with("effective_mass_");
    let shown = summary.observables.iter().filter(|o| !of_times(&o.observable));
    for found in shown {
        let exact = found.exact.map(|exact| format!("  (exact {exact:.8})")).unwrap_or_default();
        let tau =
            found.tau_int.map(|(tau, error)| format!("  tau {}", with_error(tau, error))).unwrap_or_default();
        let method = if several { format!("{} ", found.method) } else { String::new() };
        rows.push((method + &found.observable, with_error(found.value, found.error) + &tau + &exact));
    }
    for method in &summary.methods {
        let acceptance = method.acceptance.map(|a| format!(", acceptance {a:.3}")).unwrap_or_default();
        let crossover = method.crossover_n_indep.map(|n| {
            format!("; cheaper than HMC from {n:.3e} independent configurations on, training included")
        });
        let text = format!(
            "{:.0}/s, effective {:.0}/s ({}){acceptance}{}",
            method.per_s,
            method.effective_per_s,
            method.observable,
            crossover.unwrap_or_default()
        );
        rows.push((format!("{} configurations", method.method), text));
    }
    lines(&rows)
}

/// The final table of a study: a line per cell.
pub fn study(cells: &[CellRecord]) -> String {
    let line = |cell: &CellRecord| {
        let values: Vec<String> = cell.values.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        let summary = &cell.summary;
        let mut parts = vec![format!("ESS {}", with_error(summary.ess, summary.ess_err))];
        for method in &summary.methods {
            let acceptance = method.acceptance.map(|a| format!("acceptance {a:.3}, ")).unwrap_or_default();
            parts.push(format!("{} {acceptance}effective {:.0}/s", method.method, method.effective_per_s));
        }
        (values.join(", "), parts.join("; "))
    };
    lines(&cells.iter().map(line).collect::<Vec<_>>())
}

/// `0.12345 +- 0.00067`, with two digits of the error.
pub fn with_error(value: f64, error: f64) -> String {
    let digits = if error > 0.0 { (1 - error.log10().floor() as i32).clamp(0, 12) as usize } else { 6 };
    format!("{value:.digits$} +- {error:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::with_error;

    #[test]
    fn errors_have_two_digits() {
        assert_eq!(with_error(0.123456, 0.00067), "0.12346 +- 0.00067");
        assert_eq!(with_error(-16.49, 0.0123), "-16.490 +- 0.012");
        assert_eq!(with_error(1.0, 0.0), "1.000000 +- 0.000000");
    }
}
