//! `flowqcd status`.

use super::args::RunDirArgs;
use super::output::print;
use super::table::{count, lines};
use crate::error::Result;
use crate::study::{CellStatus, Overview, Progression};

/// Says how far the cells of a run have come.
pub fn status(args: &RunDirArgs) -> Result<()> {
    let overview = Overview::open(&args.run)?;
    let cells = overview.cells()?;
    if args.json {
        let all = serde_json::json!({ "identity": overview.identity(), "cells": cells });
        return print(&serde_json::to_string_pretty(&all).expect("plain data"));
    }
    let rows = cells.iter().map(|cell| (format!("{}: {}", cell.cell, cell.values), state(&cell.progression)));
    let table = lines(&rows.collect::<Vec<_>>());
    print(&format!("{table}\n\n{}: {}", count(cells.len(), "cell"), sums(&cells)))
}

/// In words.
pub fn state(progression: &Progression) -> String {
    let at_step = |step: &Option<u64>| step.map_or(String::new(), |step| format!(", step {step} saved"));
    match progression {
        Progression::Waiting { for_cell: Some(cell), .. } => format!("waiting for cell {cell}"),
        Progression::Waiting { step, .. } => format!("waiting{}", at_step(step)),
        Progression::Running { owner, step } => {
            format!(
                "running since {} in process {} on {}{}",
                owner.since,
                owner.pid,
                owner.host,
                at_step(step)
            )
        }
        Progression::Done { .. } => "done".into(),
        Progression::Failed { reason, .. } => {
            format!("failed: {}", reason.lines().next().unwrap_or_default())
        }
    }
}

/// How many cells are in which state.
pub fn sums(cells: &[CellStatus]) -> String {
    let in_state = |is: fn(&Progression) -> bool| cells.iter().filter(|cell| is(&cell.progression)).count();
    let states = [
        (in_state(|state| matches!(state, Progression::Done { .. })), "done"),
        (in_state(|state| matches!(state, Progression::Running { .. })), "running"),
        (in_state(|state| matches!(state, Progression::Waiting { .. })), "waiting"),
        (in_state(|state| matches!(state, Progression::Failed { .. })), "failed"),
    ];
    let some = states.iter().filter(|(count, _)| *count > 0);
    some.map(|(count, state)| format!("{count} {state}")).collect::<Vec<String>>().join(", ")
}
