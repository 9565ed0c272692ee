//! Tables for people.

use super::progress::duration;
use crate::study::Summary;

/// Lines of name and value, values aligned.
pub fn lines(rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines: Vec<String> = rows.iter().map(|(name, value)| format!("{name:width$}  {value}")).collect();
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
    for (name, value, error, exact) in &summary.observables {
        let exact = exact.map(|exact| format!("  (exact {exact:.8})")).unwrap_or_default();
        rows.push(row(name, with_error(*value, *error) + &exact));
    }
    rows.push(row("configurations/s", format!("{:.0}", summary.configurations_per_s)));
    rows.push(row("effective samples/s", format!("{:.0}", summary.effective_samples_per_s)));
    lines(&rows)
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
