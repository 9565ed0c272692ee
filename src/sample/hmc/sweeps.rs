//! Sweeps of local updates: heat bath and overrelaxation, where a theory knows them.

use super::moves::Moves;
use super::sums::TrajectorySums;
use super::trajectory::{Stop, Tile, Trajectories};
use crate::theory::Local;

/// A step is a heat bath on every number of a configuration, and so many sweeps of overrelaxation after it.
pub struct Sweeps<'a> {
    local: &'a dyn Local,
    overrelaxation: usize,
    /// Whose streams and jumps the chains have.
    chains: Trajectories<'a>,
}

impl<'a> Sweeps<'a> {
    pub fn new(local: &'a dyn Local, overrelaxation: usize, chains: Trajectories<'a>) -> Self {
        Self { local, overrelaxation, chains }
    }
}

impl Moves for Sweeps<'_> {
    fn start(&self, tile: usize) -> Tile {
        self.chains.start(tile)
    }

    fn place(&self, tile: usize) -> Tile {
        self.chains.empty(tile)
    }

    fn advance(&self, tile: &mut Tile, _: usize, index: u64, stop: Stop<'_>) -> Option<TrajectorySums> {
        if stop() {
            return None;
        }
        let mut sums = TrajectorySums::default();
        for chain in 0..tile.actions.len() {
            let (mut field, mut rng) = (tile.chain(chain), tile.generator(chain, index));
            self.local.heat_bath(&mut field, &mut rng);
            (0..self.overrelaxation).for_each(|_| self.local.overrelax(&mut field));
            tile.place(chain, field);
            sums.trajectories += 1;
            sums.accepted += 1;
        }
        self.chains.measure_actions(tile);
        Some(sums)
    }

    fn jump(&self, tile: &mut Tile, index: u64) -> TrajectorySums {
        self.chains.jump(tile, index)
    }

    fn flops(&self, sums: &TrajectorySums) -> f64 {
        let sweeps = (1 + self.overrelaxation) as f64;
        let actions = (sums.trajectories + sums.jumps) as f64;
        sums.trajectories as f64 * sweeps * self.local.sweep_flops()
            + actions * self.chains.dynamics().action_flops()
    }
}
