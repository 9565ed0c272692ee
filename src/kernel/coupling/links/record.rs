//! What kernels look up about a gauge layer, one row of words for all of it.

use crate::kernel::gauge::Stripes;
use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// Words before the sites.
const HEADER: usize = 1;

/// Words of a site.
const WORDS: usize = 7;

/// A site where no frozen loop begins: that of an active plaquette.
pub const ACTIVE: u32 = 0;

/// A site where a loop of two plaquettes is frozen, and no other.
const PASSIVE: u32 = 1;

/// A site where its plaquette is frozen too.
pub const FROZEN: u32 = 2;

/// The direction of active links; for every site the next one and the one before it along time, along space, and across the active
/// links, and what it is; then the sites of active plaquettes.
pub fn record(stripes: &Stripes) -> Vec<u32> {
    let (lattice, across) = (stripes.lattice(), 1 - stripes.direction());
    let (active, frozen) = (stripes.active(), stripes.frozen());
    let site = |site: usize| {
        let both = |mu: usize| [lattice.forward(site, mu), lattice.backward(site, mu)];
        let kind = match (active[site], frozen[site]) {
            (true, _) => ACTIVE,
            (false, false) => PASSIVE,
            (false, true) => FROZEN,
        };
        let near = [both(0), both(1), both(across)].into_iter().flatten().map(|site| site as u32);
        near.chain([kind]).collect::<Vec<u32>>()
    };
    let sites = (0..lattice.volume()).flat_map(site);
    let listed = (0u32..).zip(&active).filter(|(_, on)| **on).map(|(site, _)| site);
    [stripes.direction() as u32].into_iter().chain(sites).chain(listed).collect()
}

/// Number of active plaquettes on a lattice: every fourth.
pub fn active_count(volume: usize) -> usize {
    volume / 4
}

/// The direction of the links that change.
#[cube]
pub fn direction(table: &[u32], record: usize) -> usize {
    table[record] as usize
}

/// The sites around a site, and what it is.
#[derive(CubeType)]
pub struct Around {
    /// One step along time, there and back.
    pub up: usize,
    pub down: usize,
    /// One step along space.
    pub right: usize,
    pub left: usize,
    /// One step across the active links.
    pub across: usize,
    pub behind: usize,
    /// [`ACTIVE`], [`FROZEN`] or neither.
    pub kind: u32,
}

/// What is known about a site.
#[cube]
pub fn around(table: &[u32], record: usize, site: usize) -> Around {
    let first = record + HEADER + site * WORDS;
    Around {
        up: table[first] as usize,
        down: table[first + 1] as usize,
        right: table[first + 2] as usize,
        left: table[first + 3] as usize,
        across: table[first + 4] as usize,
        behind: table[first + 5] as usize,
        kind: table[first + 6],
    }
}

/// The site of an active plaquette.
#[cube]
pub fn active(table: &[u32], record: usize, index: usize, volume: usize) -> usize {
    table[record + HEADER + volume * WORDS + index] as usize
}
