//! `flowqcd compare`.

use super::args::CompareArgs;
use super::output::print;
use super::table::{count, lines, with_error};
use crate::error::{Error, Result};
use crate::report::{self, CellComparison, Comparison, Estimate, Rate, RunInfo, Verdict};
use crate::theory::is_of_time;

/// Says what differs between two runs.
///
/// # Errors
/// [`Error::Disagree`] if a result does by more than is allowed.
pub fn compare(args: &CompareArgs) -> Result<()> {
    let found = report::compare(&args.a, &args.b, args.sigma)?;
    match args.json {
        true => print(&serde_json::to_string_pretty(&found).expect("plain data"))?,
        false => print(&text(&found))?,
    }
    if found.disagreeing == 0 {
        return Ok(());
    }
    Err(Error::Disagree {
        disagreeing: format!(
            "{} of {} differ by more than {} sigma, most of all {}",
            found.disagreeing,
            count(found.compared, "result"),
            found.limit,
            largest(&found)
        ),
        hint: match found.spec.is_empty() {
            true => {
                "the specifications are the same: `flowqcd verify` tells whether this machine computes right"
                    .into()
            }
            false => "see which of the keys that differ should change results; --sigma sets the limit".into(),
        },
    })
}

fn text(found: &Comparison) -> String {
    let mut parts = vec![heads(found), specs(found), bits(found)];
    let cells = found.cells.iter().map(|cell| of_cell(cell, found.cells.len() > 1));
    parts.push(cells.collect::<Vec<String>>().join("\n"));
    parts.push(alone(found));
    parts.push(verdict(found));
    parts.retain(|part| !part.is_empty());
    parts.join("\n\n")
}

/// Which runs these are.
fn heads(found: &Comparison) -> String {
    let head = |name: &str, run: &RunInfo| {
        let RunInfo { folder, version, git_commit, device, threads, .. } = run;
        let program = version.as_ref().zip(git_commit.as_ref());
        let program = program.map(|(version, commit)| format!(", flowqcd {version} ({commit})"));
        let device = device.as_ref().zip(*threads);
        let device = device.map(|(device, threads)| format!(", {device}, {}", count(threads, "thread")));
        (name.to_owned(), format!("{folder}{}{}", program.unwrap_or_default(), device.unwrap_or_default()))
    };
    lines(&[head("A", &found.a), head("B", &found.b)])
}

fn specs(found: &Comparison) -> String {
    if found.spec.is_empty() {
        return format!("The specifications are the same, seed {} included.", found.a.seed);
    }
    let shown = |text: Option<String>| text.unwrap_or_else(|| "(not set)".into());
    let rows = found.spec.iter().map(|change| {
        let [a, b] = change.texts().map(shown);
        [change.key.clone(), a, b]
    });
    table(std::iter::once(["specification", "A", "B"].map(str::to_owned)).chain(rows).collect())
}

/// Whether the runs are the same to the last digit.
fn bits(found: &Comparison) -> String {
    let differing = || found.cells.iter().flat_map(|cell| &cell.differing_tables);
    match (found.identical, found.spec.is_empty(), differing().next()) {
        (true, ..) => "All that both wrote is equal bit for bit, but for times.".into(),
        (false, true, Some(first)) => format!("Not equal bit for bit: {first} differs."),
        _ => String::new(),
    }
}

/// Everything of the one pair of cells; of many a line each, and what does not agree.
fn of_cell(cell: &CellComparison, is_one_of_many: bool) -> String {
    let largest = largest_of(cell).map_or(f64::INFINITY, Verdict::size);
    let is_shown = |result: &&Verdict| match is_one_of_many {
        true => !result.agrees,
        false => !result.agrees || result.size() >= largest.max(1.0) || !is_of_time(&result.quantity),
    };
    let shown: Vec<&Verdict> = cell.results.iter().filter(is_shown).collect();
    let mut parts = Vec::new();
    if is_one_of_many {
        parts.push(head(cell));
    }
    if !shown.is_empty() {
        let header = ["", "A", "B", "B - A"].map(str::to_owned);
        parts.push(table(std::iter::once(header).chain(shown.iter().map(|result| row(result))).collect()));
    }
    if !is_one_of_many {
        let hidden = cell.results.len() - shown.len();
        let hidden =
            (hidden > 0).then(|| format!("({} that depend on the time agree, too)", count(hidden, "result")));
        parts.extend(hidden);
        parts.extend(rates(&cell.rates));
    }
    let only = [("A", &cell.only_a), ("B", &cell.only_b)].into_iter().filter(|(_, only)| !only.is_empty());
    parts.extend(only.map(|(name, only)| format!("only in {name}: {}", some(only))));
    parts.join("\n")
}

/// `cell 0: coupling = 1.0 | 3: coupling = 1.0  13 results, largest +2.10 sigma (hmc chi_2)`.
fn head(cell: &CellComparison) -> String {
    let largest = largest_of(cell).map(|result| match result.size() {
        0.0 => ", all equal".into(),
        _ => format!(", largest {} ({} {})", difference(result.sigmas), result.method, result.quantity),
    });
    let rest = format!("{}{}", count(cell.results.len(), "result"), largest.unwrap_or_default());
    match cell.a == cell.b {
        true => format!("cell {}  {rest}", cell.a),
        false => format!("cell {} | {}  {rest}", cell.a, cell.b),
    }
}

/// The result of a cell that differs most among those that must agree.
fn largest_of(cell: &CellComparison) -> Option<&Verdict> {
    let judged = cell.results.iter().filter(|result| result.judged);
    judged.max_by(|one, other| one.size().total_cmp(&other.size()))
}

fn row(result: &Verdict) -> [String; 4] {
    let mark = match (result.agrees, result.judged) {
        (false, _) => "  DISAGREES",
        (true, false) => "  (another model)",
        (true, true) => "",
    };
    let name = format!("{} {}", result.method, result.quantity);
    [name, estimate(&result.a), estimate(&result.b), difference(result.sigmas) + mark]
}

/// With both sides of the error where these differ by more than their rounding.
fn estimate(estimate: &Estimate) -> String {
    let Estimate { value, below, above } = *estimate;
    if (below - above).abs() <= 0.1 * below.max(above) {
        return with_error(value, below.max(above));
    }
    let least = if below > 0.0 && above > 0.0 { below.min(above) } else { below.max(above) };
    let digits = (1 - least.log10().floor() as i32).clamp(0, 12) as usize;
    format!("{value:.digits$} -{below:.digits$} +{above:.digits$}")
}

fn difference(sigmas: Option<f64>) -> String {
    match sigmas {
        Some(0.0) => "0".into(),
        Some(sigmas) => format!("{sigmas:+.2} sigma"),
        None => "differ without errors".into(),
    }
}

/// Numbers without errors, with their ratio.
fn rates(rates: &[Rate]) -> Option<String> {
    let ratio = |rate: &Rate| if rate.a == 0.0 { String::new() } else { format!("{:.3}", rate.b / rate.a) };
    let row = |rate: &Rate| {
        [format!("{} {}", rate.method, rate.quantity), number(rate.a), number(rate.b), ratio(rate)]
    };
    let header = ["without errors", "A", "B", "B / A"].map(str::to_owned);
    (!rates.is_empty())
        .then(|| format!("\n{}", table(std::iter::once(header).chain(rates.iter().map(row)).collect())))
}

/// Whole if it is, else four digits.
fn number(value: f64) -> String {
    match value.fract() == 0.0 && value.abs() < 1e15 {
        true => format!("{value}"),
        false if (1e-3..1e6).contains(&value.abs()) => {
            let decimals = (3 - value.abs().log10().floor() as i32).max(0) as usize;
            format!("{value:.decimals$}")
        }
        false => format!("{value:.3e}"),
    }
}

/// The first of them, and how many there are.
fn some(names: &[String]) -> String {
    const MOST: usize = 6;
    let shown = names.iter().take(MOST).map(String::as_str).collect::<Vec<&str>>().join(", ");
    if names.len() > MOST { format!("{shown}, and {} more", names.len() - MOST) } else { shown }
}

fn alone(found: &Comparison) -> String {
    let of = |name: &str, cells: &[String]| {
        let lines = cells.iter().map(|cell| format!("  {cell}"));
        let head = format!("{} only in {name}:", count(cells.len(), "cell"));
        (!cells.is_empty()).then(|| std::iter::once(head).chain(lines).collect::<Vec<String>>().join("\n"))
    };
    [of("A", &found.only_a), of("B", &found.only_b)].into_iter().flatten().collect::<Vec<String>>().join("\n")
}

fn verdict(found: &Comparison) -> String {
    let counted =
        format!("{} in {} compared", count(found.compared, "result"), count(found.cells.len(), "cell"));
    let limit = found.limit;
    match (found.disagreeing, &found.largest) {
        (0, None) => format!("{counted}: none that must agree"),
        (0, Some(most)) if most.sigmas == Some(0.0) => {
            format!("{counted}: all agree within {limit} sigma, all are equal")
        }
        (0, Some(_)) => {
            format!("{counted}: all agree within {limit} sigma, the largest is {}", largest(found))
        }
        (many, _) => format!(
            "{counted}: {many} DISAGREE by more than {limit} sigma, the largest is {}",
            largest(found)
        ),
    }
}

fn largest(found: &Comparison) -> String {
    let Some(largest) = &found.largest else { return String::new() };
    let cell = if found.cells.len() > 1 { format!(" in cell {}", largest.cell) } else { String::new() };
    format!("{}{cell}: {}", largest.result, difference(largest.sigmas))
}

/// Columns aligned, the first to the left, the last as it comes.
fn table<const N: usize>(rows: Vec<[String; N]>) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(&widths).map(|(text, width)| format!("{text:width$}"));
        cells.collect::<Vec<String>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect::<Vec<String>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_two_sides_where_these_differ() {
        let shown = |below: f64, above: f64| estimate(&Estimate { value: 0.593, below, above });
        assert_eq!(shown(0.028, 0.028), "0.593 +- 0.028");
        assert_eq!(shown(0.12, 0.028), "0.593 -0.120 +0.028");
        assert_eq!(shown(0.12, 0.0), "0.59 -0.12 +0.00");
    }

    #[test]
    fn numbers_and_differences_are_short() {
        assert_eq!([1500.0, 0.123456, 9851.37, 3e-7].map(number), ["1500", "0.1235", "9851", "3.000e-7"]);
        assert_eq!(
            [Some(0.0), Some(-1.234), None].map(difference),
            ["0", "-1.23 sigma", "differ without errors"]
        );
    }
}
