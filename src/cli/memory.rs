//! Whether the machine has the memory that a specification needs, before anything is allocated or written.

use crate::device::{ComputeDevice, Memory, memory};
use crate::error::{Error, Problem, Result};
use crate::spec::{Need, Spec};
use std::path::Path;

/// Checks every cell.
///
/// # Errors
/// [`Error::Spec`] with what needs more than there is.
pub fn check(file: &Path, spec: &Spec, device: &ComputeDevice) -> Result<()> {
    let suited = |kept: f64| device.micro_batch(kept, kept);
    let on_host: Option<&dyn Fn(f64) -> usize> = if device.is_cpu() { Some(&suited) } else { None };
    let (has, mut problems) = (memory(), Vec::<Problem>::new());
    for cell in spec.cells().expect("a parsed specification has valid cells") {
        let phases = [cell.spec.training_needs(on_host), cell.spec.sampling_needs()];
        let found = phases.iter().flat_map(|needs| too_much(needs, has));
        problems.extend(found.filter(|problem| !problems.contains(problem)).collect::<Vec<Problem>>());
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::Spec { file: file.to_owned(), problems }) }
}

/// Checks that the weights of so many configurations can be held.
///
/// # Errors
/// [`Error::Usage`] if not.
pub fn check_number(number: u64) -> Result<()> {
    let (has, needs) = (memory(), 8.0 * number as f64);
    if needs <= has.bytes as f64 {
        return Ok(());
    }
    let there_is = format!("{} {} of memory", has.owner, bytes(has.bytes as f64));
    Err(Error::Usage {
        message: format!("--number = {number}: needs {} for the weights, but {there_is}", bytes(needs)),
        hint: "draw fewer at a time into several files: --first says where the next one begins".into(),
    })
}

/// What of things needed at the same time is too much: each by itself, or else the largest together with the others.
fn too_much(needs: &[Need], has: Memory) -> Vec<Problem> {
    let room = has.bytes as f64;
    let there_is = format!("{} {} of memory", has.owner, bytes(room));
    let problem = |need: &Need, takes: String| {
        Problem::new(&need.key, format!("needs {takes} for {}, but {there_is}", need.what)).value(&need.value)
    };
    let alone: Vec<&Need> = needs.iter().filter(|need| need.bytes > room).collect();
    let together: f64 = needs.iter().map(|need| need.bytes).sum();
    let largest = needs.iter().max_by(|a, b| a.bytes.total_cmp(&b.bytes));
    match largest.filter(|_| alone.is_empty() && together > room) {
        Some(largest) => {
            let takes = format!("{} ({} with what else is asked for)", bytes(largest.bytes), bytes(together));
            vec![problem(largest, takes)]
        }
        None => alone.into_iter().map(|need| problem(need, bytes(need.bytes))).collect(),
    }
}

/// `1.5 MB`, `2.0e9 TB`.
fn bytes(count: f64) -> String {
    match count {
        ..1e6 => format!("{:.1} kB", count / 1e3),
        ..1e9 => format!("{:.1} MB", count / 1e6),
        ..1e12 => format!("{:.1} GB", count / 1e9),
        ..1e16 => format!("{:.1} TB", count / 1e12),
        _ => format!("{:.1e} TB", count / 1e12),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_unit_that_suits() {
        let shown = [1.5e6, 2e9, 64e12, 2e21].map(bytes);
        assert_eq!(shown, ["1.5 MB", "2.0 GB", "64.0 TB", "2.0e9 TB"]);
    }

    #[test]
    fn what_fits_alone_but_not_with_the_rest_is_too_much() {
        let need = |key: &str, bytes| Need { key: key.into(), value: "1".into(), what: "x", bytes };
        let has = Memory { bytes: 10_000_000, owner: "this machine has" };
        let found = |a, b| {
            let problems = too_much(&[need("a", a), need("b", b)], has);
            problems.iter().map(Problem::to_string).collect::<Vec<String>>().join("; ")
        };
        assert_eq!(found(4e6, 5e6), "");
        let both = "b = 1: needs 6.0 MB (11.0 MB with what else is asked for) for x, \
                    but this machine has 10.0 MB of memory";
        assert_eq!(found(5e6, 6e6), both);
        assert_eq!(found(5e6, 2e7), "b = 1: needs 20.0 MB for x, but this machine has 10.0 MB of memory");
    }
}
