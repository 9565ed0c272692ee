//! The cells of a run with their numbers, which they keep for ever: what is worked through, and what tables are put together from.

use super::cell_dir::{CellDir, write_json};
use crate::error::Result;
use crate::files::read_present;
use crate::spec::{Cell, Spec, Varied, identities};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

const PLAN: &str = "plan.json";

/// The cells of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// In the order of the specification; their numbers are those of their folders and tables.
    pub cells: Vec<Cell>,
    /// What each is by its specification and by that of the cells it goes back to.
    pub identities: Vec<String>,
    /// Cells of earlier versions of the study, which are not part of it any more.
    retired: Vec<Planned>,
}

/// `plan.json` of a run directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct PlanFile {
    /// Digest of all cells.
    identity: String,
    cells: Vec<Planned>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    retired: Vec<Planned>,
}

/// A cell in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Planned {
    cell: u64,
    identity: String,
    values: Varied,
    /// The cell that its training goes on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<u64>,
}

/// What became of the cells of a study that was edited.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Edit {
    /// Cells of before that are still part of it.
    pub kept: Vec<u64>,
    /// Cells that are new.
    pub new: Vec<u64>,
    /// Cells that are not part of it any more.
    pub retired: Vec<u64>,
}

impl Plan {
    /// The cells of a specification, numbered in their order.
    pub fn new(spec: &Spec) -> Self {
        let cells = spec.cells().expect("a parsed specification has valid cells");
        let identities = identities(&cells);
        Self { cells, identities, retired: Vec::new() }
    }

    /// The cells of a specification with the numbers that they have in a run directory.
    pub fn of_directory(folder: &Path, spec: &Spec) -> Self {
        Self::new(spec).numbered_as_in(folder)
    }

    /// With the numbers that the file of a run directory of the same cells says, if there is one.
    pub fn numbered_as_in(mut self, folder: &Path) -> Self {
        if let Some(file) = read(folder).filter(|file| file.cells.len() == self.cells.len()) {
            let cells = self.cells.iter_mut().zip(&file.cells);
            cells.for_each(|(cell, planned)| cell.index = planned.cell);
            self.retired = file.retired;
        }
        self
    }

    /// The cells of a specification that is an edited one: those that were there before, or ever, keep their numbers, and new ones
    /// have numbers that no cell had.
    pub fn edited(mut self, before: &Self) -> (Self, Edit) {
        let mut edit = Edit::default();
        let mut there: Vec<Planned> = [before.planned(), before.retired.clone()].concat();
        let mut next = there.iter().map(|planned| planned.cell + 1).max().unwrap_or(0);
        for (cell, identity) in self.cells.iter_mut().zip(&self.identities) {
            match there.iter().position(|planned| planned.identity == *identity) {
                Some(known) => {
                    cell.index = there.remove(known).cell;
                    edit.kept.push(cell.index);
                }
                None => {
                    cell.index = next;
                    edit.new.push(next);
                    next += 1;
                }
            }
        }
        let is_new = |planned: &&Planned| !before.retired.contains(planned);
        edit.retired = there.iter().filter(is_new).map(|planned| planned.cell).collect();
        self.retired = there;
        (self, edit)
    }

    /// Writes `plan.json`.
    ///
    /// # Errors
    /// [`crate::error::Error::Io`].
    pub fn write(&self, folder: &Path) -> Result<()> {
        let (cells, retired) = (self.planned(), self.retired.clone());
        write_json(&folder.join(PLAN), &PlanFile { identity: self.identity(), cells, retired })
    }

    /// Whether `plan.json` of a folder is this.
    pub fn is_in(&self, folder: &Path) -> bool {
        let same = |file: PlanFile| file.cells == self.planned() && file.retired == self.retired;
        read(folder).is_some_and(same)
    }

    /// Digest of the numbers and identities of all cells.
    pub fn identity(&self) -> String {
        let lines = self.cells.iter().zip(&self.identities);
        let lines: Vec<String> =
            lines.map(|(cell, identity)| format!("{} {identity}\n", cell.index)).collect();
        blake3::hash(lines.concat().as_bytes()).to_hex().to_string()
    }

    fn planned(&self) -> Vec<Planned> {
        let planned = |(cell, identity): (&Cell, &String)| Planned {
            cell: cell.index,
            identity: identity.clone(),
            values: cell.values.clone(),
            from: cell.start.map(|start| self.cells[start.position].index),
        };
        self.cells.iter().zip(&self.identities).map(planned).collect()
    }

    /// The folders of the cells; that of an only one is the run directory itself.
    pub fn folders(&self, run: &Path) -> Vec<CellDir> {
        match self.cells.len() {
            1 => vec![CellDir::new(run.to_owned())],
            _ => self.cells.iter().map(|cell| CellDir::new(folder(run, cell.index))).collect(),
        }
    }
}

fn folder(run: &Path, cell: u64) -> PathBuf {
    run.join(format!("cells/{cell:04}"))
}

fn read(folder: &Path) -> Option<PlanFile> {
    let text = read_present(&folder.join(PLAN)).ok()??;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(couplings: &str) -> Spec {
        let text = "version = 1\nseed = 1\nsample.hmc.trajectories = 2\n\
                    theory.phi4 = { extents = [4, 4], mass_squared = 1.0, coupling = 0.0 }\n";
        Spec::parse(&format!("{text}[study.vary]\n\"theory.phi4.coupling\" = {couplings}\n"), &[]).unwrap()
    }

    fn numbers(plan: &Plan) -> Vec<u64> {
        plan.cells.iter().map(|cell| cell.index).collect()
    }

    #[test]
    fn cells_keep_their_numbers_through_edits_and_none_is_used_twice() {
        let first = Plan::new(&spec("[1.0, 2.0, 3.0]"));
        assert_eq!(numbers(&first), [0, 1, 2]);
        let (second, edit) = Plan::new(&spec("[0.5, 1.0, 3.0]")).edited(&first);
        assert_eq!(numbers(&second), [3, 0, 2]);
        assert_eq!(edit, Edit { kept: vec![0, 2], new: vec![3], retired: vec![1] });
        // One that comes back is the same.
        let (third, edit) = Plan::new(&spec("[2.0, 4.0, 3.0]")).edited(&second);
        assert_eq!(numbers(&third), [1, 4, 2]);
        assert_eq!(edit, Edit { kept: vec![1, 2], new: vec![4], retired: vec![3, 0] });
        assert_ne!(first.identity(), second.identity());
    }

    #[test]
    fn a_plan_is_read_back_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let edited = spec("[0.5, 1.0, 3.0]");
        let (plan, _) = Plan::new(&edited).edited(&Plan::new(&spec("[1.0, 2.0, 3.0]")));
        assert!(!plan.is_in(folder.path()));
        plan.write(folder.path()).unwrap();
        assert!(plan.is_in(folder.path()));
        assert_eq!(Plan::of_directory(folder.path(), &edited), plan);
        std::fs::write(folder.path().join(PLAN), "{").unwrap();
        assert_eq!(numbers(&Plan::of_directory(folder.path(), &edited)), [0, 1, 2]);
    }
}
