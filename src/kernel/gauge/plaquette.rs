//! Plaquettes of a U(1) field in two dimensions, in double precision.

use crate::lattice::Lattice;
use std::f64::consts::PI;

/// Link angles of one configuration as slices of time: `[μ, site]`, site = t · X + x.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plaquettes {
    times: usize,
    space: usize,
}

impl Plaquettes {
    /// # Panics
    /// If the lattice has not two dimensions.
    pub fn new(lattice: Lattice) -> Self {
        let &[times, space] = lattice.extents() else { panic!("two extents, got {lattice}") };
        Self { times, space }
    }

    /// `P(t, x) = θ₀(t, x) + θ₁(t+1, x) - θ₀(t, x+1) - θ₁(t, x)` of every site, not reduced.
    ///
    /// # Shapes
    /// `angles`: `[μ, site]`, `out`: `[site]`
    pub fn angles(&self, angles: &[f64], out: &mut [f64]) {
        let (along_time, along_space) = angles.split_at(self.times * self.space);
        for t in 0..self.times {
            let (row, above) = (t * self.space, (t + 1) % self.times * self.space);
            for x in 0..self.space {
                let right = if x + 1 == self.space { 0 } else { x + 1 };
                out[row + x] = along_time[row + x] + along_space[above + x]
                    - along_time[row + right]
                    - along_space[row + x];
            }
        }
    }

    /// `Σ cos P`.
    pub fn sum_of_cosines(&self, angles: &[f64]) -> f64 {
        let mut plaquettes = vec![0.0; self.times * self.space];
        self.angles(angles, &mut plaquettes);
        plaquettes.into_iter().map(f64::cos).sum()
    }

    /// Adds `scale · ∂(Σ cos P)/∂θ` to a gradient, and returns the sum.
    ///
    /// # Shapes
    /// `angles`, `gradient`: `[μ, site]`
    pub fn gradient(&self, angles: &[f64], scale: f64, gradient: &mut [f64]) -> f64 {
        let (volume, space) = (self.times * self.space, self.space);
        let mut sines = vec![0.0; volume];
        self.angles(angles, &mut sines);
        let mut sum = 0.0;
        for value in &mut sines {
            let (sin, cos) = value.sin_cos();
            sum += cos;
            *value = scale * sin;
        }
        let (by_time, by_space) = gradient.split_at_mut(volume);
        for t in 0..self.times {
            let (row, below) = (t * space, (t + self.times - 1) % self.times * space);
            for x in 0..space {
                let left = if x == 0 { space - 1 } else { x - 1 };
                by_time[row + x] += sines[row + left] - sines[row + x];
                by_space[row + x] += sines[row + x] - sines[below + x];
            }
        }
        sum
    }

    /// `Q = (1/2π) Σ (P reduced to (-π, π])`, an integer up to rounding.
    pub fn charge(&self, angles: &[f64]) -> f64 {
        let mut plaquettes = vec![0.0; self.times * self.space];
        self.angles(angles, &mut plaquettes);
        plaquettes.into_iter().map(reduced).sum::<f64>() / (2.0 * PI)
    }

    /// Number of links.
    pub fn links(&self) -> usize {
        2 * self.times * self.space
    }

    /// Puts `f([R sin α, R cos α], θ)` in the place of every link θ, one after the other, where the cosines of the two plaquettes that it
    /// is in add up to `R cos(θ + α)`.
    ///
    /// # Shapes
    /// `angles`: `[μ, site]`
    pub fn for_each_link(&self, angles: &mut [f64], mut f: impl FnMut([f64; 2], f64) -> f64) {
        let (times, space) = (self.times, self.space);
        let volume = times * space;
        let plaquette = |angles: &[f64], t: usize, x: usize| {
            let (row, above, right) = (t * space, (t + 1) % times * space, (x + 1) % space);
            angles[row + x] + angles[volume + above + x] - angles[row + right] - angles[volume + row + x]
        };
        for t in 0..times {
            for x in 0..space {
                let (below, left) = ((t + times - 1) % times, (x + space - 1) % space);
                // A link along time is in P(t, x) with its sign and in P(t, x-1) with the opposite; one along space the other way round.
                for (place, other, sign) in
                    [(t * space + x, (t, left), 1.0), (volume + t * space + x, (below, x), -1.0)]
                {
                    let theta = angles[place];
                    let own = sign * plaquette(angles, t, x) - theta;
                    let beside = -sign * plaquette(angles, other.0, other.1) - theta;
                    let ([a, c], [b, d]) = ([own.sin(), own.cos()], [beside.sin(), beside.cos()]);
                    angles[place] = f([a + b, c + d], theta);
                }
            }
        }
    }

    /// Adds a field of uniform flux to the links: every plaquette by `2πq/V`, the last one by that less `2πq`, which is the same angle,
    /// so that a charge changes by q where no plaquette is near ±π.
    ///
    /// # Shapes
    /// `angles`: `[μ, site]`
    pub fn add_flux(&self, charge: f64, angles: &mut [f64]) {
        let (volume, space) = (self.times * self.space, self.space);
        let (along_time, along_space) = angles.split_at_mut(volume);
        let flux = 2.0 * PI * charge / volume as f64;
        for t in 0..self.times {
            along_space[t * space..][..space].iter_mut().for_each(|angle| *angle += flux * t as f64);
        }
        // What the last slice lacks when time closes, spread over space.
        let last = &mut along_time[(self.times - 1) * space..];
        last.iter_mut().enumerate().for_each(|(x, angle)| *angle -= flux * (self.times * x) as f64);
    }
}

/// An angle in (-π, π].
pub fn reduced(angle: f64) -> f64 {
    let turns = (angle / (2.0 * PI)).round();
    let found = angle - 2.0 * PI * turns;
    if found <= -PI { found + 2.0 * PI } else { found }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    fn field(lattice: Lattice, width: f64) -> Vec<f64> {
        let normals = Seed(5).stream("field").normals(0, 2, lattice.volume());
        normals.into_iter().map(|normal| width * f64::from(normal)).collect()
    }

    #[test]
    fn plaquettes_go_around_their_sites() {
        for extents in [[2, 2], [4, 6], [6, 2]] {
            let lattice = Lattice::new(extents);
            let (angles, volume) = (field(lattice, 1.0), lattice.volume());
            let mut found = vec![0.0; volume];
            Plaquettes::new(lattice).angles(&angles, &mut found);
            for (site, found) in found.into_iter().enumerate() {
                let [up, right] = [0, 1].map(|mu| lattice.forward(site, mu));
                let expected = angles[site] + angles[volume + up] - angles[right] - angles[volume + site];
                assert!((found - expected).abs() < 1e-14);
            }
        }
    }

    #[test]
    fn the_gradient_is_that_of_the_sum() {
        for extents in [[2, 2], [4, 6], [2, 4]] {
            let lattice = Lattice::new(extents);
            let (plaquettes, angles) = (Plaquettes::new(lattice), field(lattice, 1.0));
            let mut gradient = vec![0.25; angles.len()];
            let sum = plaquettes.gradient(&angles, 2.0, &mut gradient);
            assert!((sum - plaquettes.sum_of_cosines(&angles)).abs() < 1e-12);
            for (place, found) in gradient.into_iter().enumerate() {
                let at = |step: f64| {
                    let mut moved = angles.clone();
                    moved[place] += step;
                    plaquettes.sum_of_cosines(&moved)
                };
                let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
                assert!((found - 0.25 - 2.0 * difference).abs() < 1e-8);
            }
        }
    }

    #[test]
    fn uniform_flux_changes_every_plaquette_alike_and_the_charge_by_one() {
        for extents in [[4, 6], [8, 8], [6, 2]] {
            let lattice = Lattice::new(extents);
            let (plaquettes, before) = (Plaquettes::new(lattice), field(lattice, 0.2));
            let volume = lattice.volume();
            for charge in [1.0, -1.0, 2.0] {
                let mut after = before.clone();
                plaquettes.add_flux(charge, &mut after);
                let [mut old, mut new] = [(); 2].map(|()| vec![0.0; volume]);
                plaquettes.angles(&before, &mut old);
                plaquettes.angles(&after, &mut new);
                for (new, old) in new.into_iter().zip(old) {
                    assert!((reduced(new - old) - 2.0 * PI * charge / volume as f64).abs() < 1e-12);
                }
                assert!((plaquettes.charge(&after) - charge).abs() < 1e-12);
                plaquettes.add_flux(-charge, &mut after);
                assert!(after.iter().zip(&before).all(|(a, b)| (a - b).abs() < 1e-13));
            }
        }
        assert_eq!([PI, -PI, 3.0 * PI, 0.5].map(reduced), [PI, PI, PI, 0.5]);
    }
}
