//! The waves of the transform along each direction of a lattice.

use crate::lattice::Lattice;
use std::f64::consts::PI;

/// `cas(2π j/L)/√L` with `cas = cos + sin`, for j = 0 … L-1 along each direction: the wave k at site x is number `kx mod L`.
#[derive(Debug, Clone, PartialEq)]
pub struct Waves {
    lattice: Lattice,
    along: Vec<Vec<f64>>,
}

impl Waves {
    /// Those of a lattice.
    pub fn new(lattice: Lattice) -> Self {
        let wave = |&extent: &usize| {
            let angle = |j: usize| 2.0 * PI * j as f64 / extent as f64;
            let norm = (extent as f64).sqrt().recip();
            (0..extent).map(|j| (angle(j).cos() + angle(j).sin()) * norm).collect()
        };
        Self { lattice, along: lattice.extents().iter().map(wave).collect() }
    }

    /// The lattice.
    pub fn lattice(&self) -> Lattice {
        self.lattice
    }

    /// The waves of every direction, with the sites from one to the next along it.
    pub fn directions(&self) -> impl DoubleEndedIterator<Item = (&[f64], usize)> {
        self.along.iter().enumerate().map(|(mu, wave)| (&wave[..], self.lattice.stride(mu)))
    }
}
