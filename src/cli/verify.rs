//! `flowqcd verify`.

use super::args::VerifyArgs;
use super::output::{print, say};
use super::table::count;
use crate::device;
use crate::error::{Error, Result};
use crate::verify::{self, Check};
use serde::Serialize;

/// A check as `--json` prints it.
#[derive(Serialize)]
struct Judged<'a> {
    #[serde(flatten)]
    check: &'a Check,
    /// `null` if it is not a number.
    pull: f64,
    passed: bool,
}

/// Runs the self-test and prints measured, error, exact and pull.
///
/// # Errors
/// [`Error::Verify`] naming the checks that failed.
pub fn verify(args: &VerifyArgs) -> Result<()> {
    let device = args.device.select()?;
    say(&format!("verifying on {}, {}", device.name(), count(device::threads(), "thread")));
    let checks = verify::all(&device, &say)?;
    match args.device.json {
        true => print(&json(&checks))?,
        false => print(&text(&checks))?,
    }
    let failed: Vec<String> =
        checks.iter().filter(|check| !check.passed()).map(|check| check.name.clone()).collect();
    if failed.is_empty() { Ok(()) } else { Err(Error::Verify { failed: failed.join("; ") }) }
}

fn json(checks: &[Check]) -> String {
    let judged = |check| Judged { check, pull: Check::pull(check), passed: Check::passed(check) };
    serde_json::to_string_pretty(&checks.iter().map(judged).collect::<Vec<_>>()).expect("plain data")
}

fn text(checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let head =
        format!("{:width$}  {:>13}  {:>9}  {:>13}  {:>6}", "check", "measured", "error", "exact", "pull");
    let line = |check: &Check| {
        let Check { name, measured, exact, error } = check;
        let mark = if check.passed() { "" } else { "  FAILED" };
        format!("{name:width$}  {measured:13.6}  {error:9.6}  {exact:13.6}  {:6.2}{mark}", check.pull())
    };
    let failed = checks.iter().filter(|check| !check.passed()).count();
    let verdict = match failed {
        0 => format!("passed: {} checks", checks.len()),
        _ => format!("FAILED: {failed} of {} checks", checks.len()),
    };
    [vec![head], checks.iter().map(line).collect(), vec![verdict]].concat().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks() -> [Check; 2] {
        let good = Check { name: "good".into(), measured: 1.1, exact: 1.0, error: 0.1 };
        let bad = Check { name: "bad".into(), measured: f64::NAN, ..good.clone() };
        [good, bad]
    }

    #[test]
    fn the_last_line_is_the_verdict() {
        let lines = |checks: &[Check]| -> Vec<String> { text(checks).lines().map(str::to_owned).collect() };
        assert_eq!(lines(&checks()[..1]).last().unwrap(), "passed: 1 checks");
        let all = lines(&checks());
        assert_eq!(all.last().unwrap(), "FAILED: 1 of 2 checks");
        assert!(all[1].contains("1.100000   0.100000") && all[2].ends_with("FAILED"), "{all:?}");
    }

    #[test]
    fn json_has_pull_and_verdict_of_every_check() {
        let found: serde_json::Value = serde_json::from_str(&json(&checks())).unwrap();
        let (good, bad) = (&found[0], &found[1]);
        assert!((good["pull"].as_f64().unwrap() - 1.0).abs() < 1e-12 && good["passed"] == true, "{good}");
        assert!(bad["pull"].is_null() && bad["passed"] == false, "{bad}");
    }
}
