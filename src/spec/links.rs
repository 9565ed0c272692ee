//! What a cell and the one that it goes on from must have in common, and what identifies a cell by all that it comes from.

use super::cell::{Cell, CellStart};
use super::train::OptimizerStart;
use crate::error::Problem;

/// Links between cells that cannot be made.
pub fn problems_of_links(cells: &[Cell]) -> Vec<Problem> {
    let linked = cells.iter().filter_map(|cell| Some((cell, cell.start?)));
    linked.flat_map(|(cell, start)| problems(cell, &cells[start.position], start)).collect()
}

fn problems(cell: &Cell, before: &Cell, start: CellStart) -> Vec<Problem> {
    let at = |key: &str, rule: String| {
        Problem::new(format!("study, cell {} (from cell {}): {key}", cell.index, before.index), rule)
    };
    let (Some(model), Some(of_before)) = (cell.spec.model(), before.spec.model()) else {
        let rule = "needs [flow] and [train] in both: without a model there is nothing to go on from";
        return vec![at("start", rule.into())];
    };
    let mut problems = Vec::new();
    if !model.flow.has_weights_of(of_before.flow) {
        problems
            .push(at("flow", "must be that of the cell it goes on from, but for its initial weights".into()));
    }
    let [dimensions, of_start] = [cell, before].map(|cell| cell.spec.theory.extents().len());
    if dimensions != of_start {
        let rule = format!(
            "must have as many as in the cell it goes on from, {of_start}: weights fit one number of dimensions"
        );
        problems.push(at("extents", rule).value(format!("{:?}", cell.spec.theory.extents())));
    }
    let [here, there] = [cell, before].map(|cell| cell.spec.theory.extents());
    if model.flow.is_of_one_lattice() && here != there {
        let rule = format!(
            "must be {there:?} as in the cell it goes on from: a learned spectrum is that of one lattice"
        );
        problems.push(at("extents", rule).value(format!("{here:?}")));
    }
    let [own, of_start] = [&model, &of_before].map(|model| &model.train.optimizer);
    let (rule, of_start, fits) = (own.name(), of_start.name(), own.carries_on(of_start));
    if start.optimizer == OptimizerStart::Carried && !fits {
        let problem = at(
            "train.optimizer",
            format!("must have the moments of `{of_start}` there for them to be carried over"),
        );
        problems
            .push(problem.value(rule).hint("or start with new ones: optimizer = \"reset\" beside the start"));
    }
    problems
}

/// What a cell is by its specification and by that of every cell that its training goes back to; equal for cells that give the
/// same results.
pub fn identities(cells: &[Cell]) -> Vec<String> {
    let mut found: Vec<String> = Vec::with_capacity(cells.len());
    for cell in cells {
        let own = cell.spec.digest();
        found.push(match cell.start {
            None => own,
            Some(CellStart { position, optimizer, .. }) => {
                let text = format!("{own}\nfrom {}\noptimizer {optimizer:?}", found[position]);
                blake3::hash(text.as_bytes()).to_hex().to_string()
            }
        });
    }
    found
}
