//! `flowqcd verify`.

use super::args::VerifyArgs;
use super::print;
use crate::device;
use crate::error::{Error, Result};
use crate::verify::{self, Check};

/// A check that is off by more standard errors has failed: one in two million by chance.
const LARGEST_PULL: f64 = 5.0;

/// Runs the self-test and prints measured, exact and pull.
///
/// # Errors
/// [`Error::Verify`] naming the checks that failed.
pub fn verify(args: &VerifyArgs) -> Result<()> {
    let device = args.device.select()?;
    eprintln!("verifying on {}, {} threads", device.name(), device::threads());
    let checks = verify::all(&device, &|text| eprintln!("{text}"))?;
    match args.device.json {
        true => print(&serde_json::to_string_pretty(&checks).expect("plain data"))?,
        false => print(&text(&checks))?,
    }
    let failed: Vec<String> =
        checks.iter().filter(|check| !passed(check)).map(|check| check.name.clone()).collect();
    if failed.is_empty() { Ok(()) } else { Err(Error::Verify { failed: failed.join("; ") }) }
}

/// A pull that is not a number has failed too.
fn passed(check: &Check) -> bool {
    check.pull().abs() <= LARGEST_PULL
}

fn text(checks: &[Check]) -> String {
    let width = checks.iter().map(|check| check.name.len()).max().unwrap_or(0);
    let head = format!("{:width$}  {:>13}  {:>13}  {:>6}", "check", "measured", "exact", "pull");
    let line = |check: &Check| {
        let Check { name, measured, exact, .. } = check;
        let mark = if passed(check) { "" } else { "  FAILED" };
        format!("{name:width$}  {measured:13.6}  {exact:13.6}  {:6.2}{mark}", check.pull())
    };
    [vec![head], checks.iter().map(line).collect()].concat().join("\n")
}
