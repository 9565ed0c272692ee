//! The periodic two-dimensional lattice: extents, sites, neighbours and parity; no tensors.

/// A periodic lattice of `extents = [T, X]` sites, time first.
///
/// Site `(t, x)` has the index `t · X + x`; direction 0 is time, direction 1 is space.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lattice {
    extents: [usize; 2],
}

impl Lattice {
    /// # Panics
    /// If an extent is zero.
    pub fn new(extents: [usize; 2]) -> Self {
        assert!(extents.iter().all(|&extent| extent > 0), "extents must be positive, got {extents:?}");
        Self { extents }
    }

    /// `[T, X]`.
    pub fn extents(&self) -> [usize; 2] {
        self.extents
    }

    /// Number of dimensions d.
    pub fn dimensions(&self) -> usize {
        self.extents.len()
    }

    /// Number of sites V.
    pub fn volume(&self) -> usize {
        self.extents.iter().product()
    }

    /// Coordinates `[t, x]` of a site.
    pub fn coordinates(&self, site: usize) -> [usize; 2] {
        [site / self.extents[1], site % self.extents[1]]
    }

    /// The site at a displacement, with periodic wrapping.
    pub fn shifted(&self, site: usize, displacement: [isize; 2]) -> usize {
        let from = self.coordinates(site);
        let wrap =
            |mu: usize| (from[mu] as isize + displacement[mu]).rem_euclid(self.extents[mu] as isize) as usize;
        wrap(0) * self.extents[1] + wrap(1)
    }

    /// The neighbour one step forward (`x + μ̂`).
    pub fn forward(&self, site: usize, mu: usize) -> usize {
        self.shifted(site, unit(mu, 1))
    }

    /// The neighbour one step backward (`x - μ̂`).
    pub fn backward(&self, site: usize, mu: usize) -> usize {
        self.shifted(site, unit(mu, -1))
    }

    /// Checkerboard parity `(t + x) mod 2`.
    pub fn parity(&self, site: usize) -> usize {
        self.coordinates(site).iter().sum::<usize>() % 2
    }
}

fn unit(mu: usize, step: isize) -> [isize; 2] {
    let mut displacement = [0; 2];
    displacement[mu] = step;
    displacement
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forward_and_backward_are_inverse_and_wrap() {
        let lattice = Lattice::new([4, 6]);
        for site in 0..lattice.volume() {
            for mu in 0..lattice.dimensions() {
                assert_eq!(lattice.backward(lattice.forward(site, mu), mu), site);
            }
        }
        assert_eq!(lattice.forward(5, 1), 0);
        assert_eq!(lattice.backward(0, 0), 18);
    }

    #[test]
    fn every_neighbour_has_the_other_parity_on_even_lattices() {
        let lattice = Lattice::new([4, 6]);
        for site in 0..lattice.volume() {
            for mu in 0..2 {
                assert_ne!(lattice.parity(site), lattice.parity(lattice.forward(site, mu)));
            }
        }
    }
}
