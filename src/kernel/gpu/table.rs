//! The records of the table that kernels look up: for each, how it is written and what its words are called.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// A block of sites that use the same taps: where the taps are, how many, where the neighbours `[tap][site]` are, how many sites
/// are in use, then the sites.
pub mod block {
    use super::*;

    /// Words before the sites.
    pub const WORDS: usize = 4;

    /// The record without its sites.
    pub fn record(taps: usize, tap_count: usize, neighbours: usize, used: usize) -> [u32; WORDS] {
        [taps, tap_count, neighbours, used].map(|word| word as u32)
    }

    /// Place of the taps.
    #[cube]
    pub fn taps(table: &[u32], record: usize) -> usize {
        table[record] as usize
    }

    /// Number of taps.
    #[cube]
    pub fn tap_count(table: &[u32], record: usize) -> usize {
        table[record + 1] as usize
    }

    /// Place of the neighbours.
    #[cube]
    pub fn neighbours(table: &[u32], record: usize) -> usize {
        table[record + 2] as usize
    }

    /// Sites in use; beyond them the last is repeated.
    #[cube]
    pub fn used(table: &[u32], record: usize) -> usize {
        table[record + 3] as usize
    }

    /// A site of the block.
    #[cube]
    pub fn site(table: &[u32], record: usize, index: usize) -> usize {
        table[record + 4 + index] as usize
    }
}

/// Taps and sites of a weight gradient: where the neighbours `[site][tap]` are, where the sites are, how many.
pub mod entry {
    use super::*;

    /// Words of a record.
    pub const WORDS: usize = 3;

    /// The record.
    pub fn record(neighbours: usize, sites: usize, site_count: usize) -> [u32; WORDS] {
        [neighbours, sites, site_count].map(|word| word as u32)
    }

    /// Place of the neighbours.
    #[cube]
    pub fn neighbours(table: &[u32], record: usize) -> usize {
        table[record] as usize
    }

    /// Place of the sites.
    #[cube]
    pub fn sites(table: &[u32], record: usize) -> usize {
        table[record + 1] as usize
    }

    /// Number of sites.
    #[cube]
    pub fn site_count(table: &[u32], record: usize) -> usize {
        table[record + 2] as usize
    }
}

/// What a kernel looks up about one convolution when it learns only there which: a row for each convolution of each network.
pub mod directory {
    use super::*;

    /// Place in a row of the part about the gathering forwards.
    pub const FORWARD: usize = 0;
    /// The same for gradients by the inputs.
    pub const BACKWARD: usize = 4;
    /// Place in a row of the part about the gradient by the weights.
    pub const WEIGHTS: usize = 8;
    /// Words of a row.
    pub const WORDS: usize = 10;

    /// A row from its three parts.
    pub fn row(forward: [usize; 4], backward: [usize; 4], weights: [usize; 2]) -> Vec<u32> {
        let words = forward.into_iter().chain(backward).chain(weights);
        words.map(|word| word as u32).collect()
    }

    /// Place of the first record of a [`super::block`], in a part about gathering.
    #[cube]
    pub fn blocks(table: &[u32], part: usize) -> usize {
        table[part] as usize
    }

    /// Number of these records.
    #[cube]
    pub fn block_count(table: &[u32], part: usize) -> usize {
        table[part + 1] as usize
    }

    /// First weight, in vectors.
    #[cube]
    pub fn weights(table: &[u32], part: usize) -> usize {
        table[part + 2] as usize
    }

    /// Bias, in vectors.
    #[cube]
    pub fn bias(table: &[u32], part: usize) -> usize {
        table[part + 3] as usize
    }

    /// Place of the first record of an [`super::entry`], in the part about weights.
    #[cube]
    pub fn entries(table: &[u32], part: usize) -> usize {
        table[part] as usize
    }

    /// Place of the first partial sum of a chunk.
    #[cube]
    pub fn partial(table: &[u32], part: usize) -> usize {
        table[part + 1] as usize
    }
}
