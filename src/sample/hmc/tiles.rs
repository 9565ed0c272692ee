//! Tiles of chains on their way: step after step, with the jumps that are due and the measurements.

use super::moves::Moves;
use super::sums::TrajectorySums;
use super::trajectory::{Stop, Tile};
use crate::stats::TimeSeries;
use crate::theory::Theory;
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Time that chains run without being saved, if need be, and without being heard of.
const AT_ONCE: Duration = Duration::from_secs(2);

/// What moves tiles, and when.
pub struct Mover<'a> {
    /// Whose chains they are.
    pub theory: &'a Theory,
    /// What a step is.
    pub moves: Box<dyn Moves + 'a>,
    /// Chains that were asked for.
    pub chains: usize,
    /// Steps before the first measured one.
    pub thermalization: u64,
    /// Steps between two jumps; none if zero.
    pub jump_every: u64,
    /// Steps between two configurations of a chain that are kept, if some are.
    pub every: Option<u64>,
}

/// A tile on its way: it may be ahead of the others, if these were stopped.
#[derive(Debug, Clone)]
pub struct RunningTile {
    /// Where it is.
    pub tile: Tile,
    /// Steps that it has made.
    pub made: u64,
    /// Since all tiles were at the same step.
    pub sums: TrajectorySums,
    /// Configurations kept since then, `[time][chain][number]`.
    pub kept: Vec<f64>,
}

/// How far all tiles go.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Leg {
    /// Steps of integration of a trajectory.
    pub steps: usize,
    /// Steps that are made at its end.
    pub last: u64,
}

impl Mover<'_> {
    /// One step of every chain of a tile, with the jump that is due after it; nothing, and the tile as it was, if it was stopped.
    pub fn step(&self, tile: &mut Tile, steps: usize, index: u64, stop: Stop<'_>) -> Option<TrajectorySums> {
        let sums = self.moves.advance(tile, steps, index, stop)?;
        let is_due = self.jump_every > 0 && (index + 1).is_multiple_of(self.jump_every);
        Some(if is_due { sums.add(self.moves.jump(tile, index)) } else { sums })
    }

    /// The steps of the tile of this number, as far as it is not stopped, with what was measured on the way.
    ///
    /// # Shapes
    /// → `[step][chain][width]`, of the steps after thermalisation and the chains that were asked for
    pub fn advance(&self, number: usize, running: &mut RunningTile, leg: Leg, stop: Stop<'_>) -> Vec<f64> {
        let observables = &*self.theory.observables;
        let (width, start, mut rows) = (observables.width(), Instant::now(), Vec::new());
        // Tiles may be ahead of each other, so that one can always stop here: to be saved where steps take long.
        while running.made < leg.last && start.elapsed() < AT_ONCE {
            let index = running.made;
            let Some(sums) = self.step(&mut running.tile, leg.steps, index, stop) else { break };
            running.sums = running.sums.add(sums);
            running.made += 1;
            let Some(measured) = running.made.checked_sub(self.thermalization).filter(|&m| m > 0) else {
                continue;
            };
            let is_kept = self.every.is_some_and(|every| measured.is_multiple_of(every));
            for chain in 0..self.used(number) {
                let field = running.tile.chain(chain);
                let place = rows.len();
                rows.resize(place + width, 0.0);
                observables.measure(&field, running.tile.actions[chain], &mut rows[place..]);
                if is_kept {
                    running.kept.extend(field);
                }
            }
        }
        rows
    }

    /// Adds what was measured on the chains of a tile to their series.
    pub fn record(&self, number: usize, rows: &[f64], series: &mut [TimeSeries]) {
        let width = self.theory.observables.width();
        for (index, row) in rows.chunks_exact(width).enumerate() {
            series[index % self.used(number)].push(row, 1);
        }
    }

    /// Chains of a tile that were asked for.
    pub fn used(&self, number: usize) -> usize {
        let side_by_side = self.theory.dynamics.chains();
        side_by_side.min(self.chains - number * side_by_side)
    }

    /// Tiles; the last one may hold more chains than were asked for.
    pub fn tiles(&self) -> usize {
        self.chains.div_ceil(self.theory.dynamics.chains())
    }
}
