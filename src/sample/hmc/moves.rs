//! What moves chains side by side, whatever it is.

use super::sums::TrajectorySums;
use super::trajectory::{Stop, Tile, Trajectories};

/// A step of all chains of a tile that leaves the target distribution as it is.
pub trait Moves: Sync {
    /// Where the chains of a tile start.
    fn start(&self, tile: usize) -> Tile;

    /// A tile whose chains are nowhere yet.
    fn place(&self, tile: usize) -> Tile;

    /// The next step of every chain, with so many steps of integration where it has some; nothing, and the tile as it was, if it was
    /// stopped.
    fn advance(&self, tile: &mut Tile, steps: usize, index: u64, stop: Stop<'_>) -> Option<TrajectorySums>;

    /// A jump of every chain, where the theory knows one.
    fn jump(&self, tile: &mut Tile, index: u64) -> TrajectorySums;

    /// Counted floating-point operations.
    fn flops(&self, sums: &TrajectorySums) -> f64;
}

impl Moves for Trajectories<'_> {
    fn start(&self, tile: usize) -> Tile {
        Trajectories::start(self, tile)
    }

    fn place(&self, tile: usize) -> Tile {
        self.empty(tile)
    }

    fn advance(&self, tile: &mut Tile, steps: usize, index: u64, stop: Stop<'_>) -> Option<TrajectorySums> {
        Trajectories::advance(self, tile, steps, index, stop)
    }

    fn jump(&self, tile: &mut Tile, index: u64) -> TrajectorySums {
        Trajectories::jump(self, tile, index)
    }

    fn flops(&self, sums: &TrajectorySums) -> f64 {
        sums.flops(self.dynamics())
    }
}
