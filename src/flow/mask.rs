//! Which sites a coupling layer reads and which it changes.

use crate::lattice::Lattice;

/// The sites of one checkerboard parity.
pub fn checkerboard(lattice: &Lattice, parity: usize) -> Vec<bool> {
    (0..lattice.volume()).map(|site| lattice.parity(site) == parity).collect()
}
