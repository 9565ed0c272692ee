//! The periodic lattice of one to four dimensions: extents, sites, neighbours and parity; no tensors.

use std::f64::consts::PI;
use std::fmt;

/// A periodic lattice; the first extent is time.
///
/// Sites are numbered with the last coordinate innermost: `(t, x)` in two dimensions is site `t · X + x`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lattice {
    /// Those beyond the last dimension are one.
    extents: [usize; Lattice::MOST_DIMENSIONS],
    dimensions: usize,
}

impl Lattice {
    /// The most dimensions there can be.
    pub const MOST_DIMENSIONS: usize = 4;

    /// # Panics
    /// If there are no or more than four extents, if one is zero, or if there are more sites than can be counted.
    pub fn new(extents: impl AsRef<[usize]>) -> Self {
        let given = extents.as_ref();
        assert!((1..=Self::MOST_DIMENSIONS).contains(&given.len()), "one to four extents, got {given:?}");
        assert!(given.iter().all(|&extent| extent > 0), "extents must be positive, got {given:?}");
        let volume = given.iter().try_fold(1usize, |volume, &extent| volume.checked_mul(extent));
        assert!(volume.is_some(), "sites that can be counted, got {given:?}");
        let mut extents = [1; Self::MOST_DIMENSIONS];
        extents[..given.len()].copy_from_slice(given);
        Self { extents, dimensions: given.len() }
    }

    /// `[T, X, …]`.
    pub fn extents(&self) -> &[usize] {
        &self.extents[..self.dimensions]
    }

    /// Number of dimensions d.
    pub fn dimensions(&self) -> usize {
        self.dimensions
    }

    /// Number of sites V.
    pub fn volume(&self) -> usize {
        self.extents.iter().product()
    }

    /// Coordinates `[t, x, …]` of a site; those beyond the last dimension are zero.
    pub fn coordinates(&self, site: usize) -> [usize; Self::MOST_DIMENSIONS] {
        let mut rest = site;
        let mut found = [0; Self::MOST_DIMENSIONS];
        for (coordinate, extent) in found.iter_mut().zip(self.extents).rev() {
            (*coordinate, rest) = (rest % extent, rest / extent);
        }
        found
    }

    /// The site at coordinates.
    pub fn site(&self, coordinates: &[usize]) -> usize {
        assert!(coordinates.len() >= self.dimensions, "coordinates of {self:?}, got {coordinates:?}");
        self.extents()
            .iter()
            .zip(coordinates)
            .fold(0, |site, (extent, coordinate)| site * extent + coordinate)
    }

    /// Sites from one to the next along a direction, away from the boundary.
    pub fn stride(&self, mu: usize) -> usize {
        self.extents[mu + 1..].iter().product()
    }

    /// The site at a displacement, with periodic wrapping.
    pub fn shifted(&self, site: usize, displacement: &[isize]) -> usize {
        let mut at = self.coordinates(site);
        for ((coordinate, extent), step) in at.iter_mut().zip(self.extents).zip(displacement) {
            *coordinate = (*coordinate as isize + step).rem_euclid(extent as isize) as usize;
        }
        self.site(&at)
    }

    /// The neighbour one step forward (`x + μ̂`).
    pub fn forward(&self, site: usize, mu: usize) -> usize {
        self.shifted(site, &unit(mu, 1))
    }

    /// The neighbour one step backward (`x - μ̂`).
    pub fn backward(&self, site: usize, mu: usize) -> usize {
        self.shifted(site, &unit(mu, -1))
    }

    /// The neighbours of all sites as a table.
    pub fn neighbours(&self) -> Neighbours {
        let d = self.dimensions;
        let of = |site: usize| {
            let ahead = (0..d).map(move |mu| self.forward(site, mu));
            ahead.chain((0..d).map(move |mu| self.backward(site, mu))).map(|site| site as u32)
        };
        Neighbours { dimensions: d, table: (0..self.volume()).flat_map(of).collect() }
    }

    /// `k̂² = Σ_μ 4 sin²(k_μ/2)` with `k_μ = 2π n_μ/L_μ`, the momenta n numbered as sites are.
    pub fn momentum_squared(&self, momentum: usize) -> f64 {
        let n = self.coordinates(momentum);
        let sin = |mu: usize| (PI * n[mu] as f64 / self.extents[mu] as f64).sin();
        (0..self.dimensions).map(|mu| 4.0 * sin(mu).powi(2)).sum()
    }

    /// Checkerboard parity `(t + x + …) mod 2`.
    pub fn parity(&self, site: usize) -> usize {
        self.coordinates(site).iter().sum::<usize>() % 2
    }
}

/// `Lattice[8, 8]`: the extents that mean something.
impl fmt::Debug for Lattice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lattice{:?}", self.extents())
    }
}

/// `8 x 8`.
impl fmt::Display for Lattice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extents: Vec<String> = self.extents().iter().map(usize::to_string).collect();
        f.write_str(&extents.join(" x "))
    }
}

/// The neighbours of every site, for loops that visit all of them again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Neighbours {
    dimensions: usize,
    /// `[site][forward directions, backward directions]`.
    table: Vec<u32>,
}

impl Neighbours {
    /// All of them, `[site][forward directions, backward directions]`.
    #[inline]
    pub fn table(&self) -> &[u32] {
        &self.table
    }

    /// The neighbours one step forward, by direction.
    #[inline]
    pub fn forward(&self, site: usize) -> &[u32] {
        &self.table[2 * site * self.dimensions..][..self.dimensions]
    }

    /// The neighbours one step backward, by direction.
    #[inline]
    pub fn backward(&self, site: usize) -> &[u32] {
        &self.table[(2 * site + 1) * self.dimensions..][..self.dimensions]
    }
}

fn unit(mu: usize, step: isize) -> [isize; Lattice::MOST_DIMENSIONS] {
    let mut displacement = [0; Lattice::MOST_DIMENSIONS];
    displacement[mu] = step;
    displacement
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lattices() -> Vec<Lattice> {
        [&[6][..], &[4, 6], &[2, 4, 6], &[4, 2, 2, 6]].map(Lattice::new).to_vec()
    }

    #[test]
    fn forward_and_backward_are_inverse_and_wrap() {
        for lattice in lattices() {
            let neighbours = lattice.neighbours();
            for site in 0..lattice.volume() {
                assert_eq!(lattice.site(&lattice.coordinates(site)), site);
                for mu in 0..lattice.dimensions() {
                    assert_eq!(lattice.backward(lattice.forward(site, mu), mu), site);
                    assert_eq!(neighbours.forward(site)[mu] as usize, lattice.forward(site, mu));
                    assert_eq!(neighbours.backward(site)[mu] as usize, lattice.backward(site, mu));
                    let around = (0..lattice.extents()[mu]).fold(site, |site, _| lattice.forward(site, mu));
                    assert_eq!(around, site, "once around direction {mu} of {lattice:?}");
                }
            }
        }
        let lattice = Lattice::new([4, 6]);
        assert_eq!((lattice.forward(5, 1), lattice.backward(0, 0)), (0, 18));
        assert_eq!((lattice.coordinates(17), lattice.to_string()), ([2, 5, 0, 0], "4 x 6".into()));
    }

    #[test]
    fn a_step_away_from_the_boundary_is_a_stride() {
        for lattice in lattices() {
            for mu in 0..lattice.dimensions() {
                assert_eq!(lattice.forward(0, mu), lattice.stride(mu), "direction {mu} of {lattice:?}");
            }
        }
    }

    #[test]
    fn every_neighbour_has_the_other_parity_on_even_lattices() {
        for lattice in lattices() {
            for site in 0..lattice.volume() {
                for mu in 0..lattice.dimensions() {
                    assert_ne!(lattice.parity(site), lattice.parity(lattice.forward(site, mu)));
                }
            }
        }
    }
}
