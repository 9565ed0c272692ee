//! The gauge theory without fermions as a base density, drawn exactly.

use super::base::Base;
use crate::kernel::gauge::{GaugeAction, reduced};
use crate::lattice::Lattice;
use crate::rng::Stream;
use crate::theory::{PureU1, VonMises};
use burn::tensor::Tensor;
use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, Uniform};
use rayon::prelude::*;
use std::f64::consts::PI;
use std::sync::Arc;

/// Link angles of U(1) gauge theory on a torus of two dimensions: `log r(z) = β Σ cos P - ln Z` by the measure dθ, with Z of [`PureU1`].
///
/// The angles of the V plaquettes add up to a multiple of 2π and are independent else. So all but the last are drawn from
/// `e^{β cos P}`, the last is what lacks, and such a trial is taken with probability `e^{β (cos P - 1)}` of the last one, which the
/// mean of is `I₀(β) e^{-β} ≈ 1/√(2πβ)` on all but the smallest lattices. Links that have these plaquettes follow from uniform angles
/// of two loops around the torus and of a gauge transformation at every site. No charge is left out, and nothing of it depends on what
/// was drawn before.
#[derive(Debug, Clone)]
pub struct PureGauge {
    lattice: Lattice,
    action: Arc<GaugeAction>,
    log_partition: f64,
}

impl PureGauge {
    /// On a lattice of two dimensions.
    pub fn new(lattice: Lattice, beta: f64) -> Self {
        let log_partition = PureU1::new(lattice.volume(), beta).log_partition();
        Self { lattice, action: Arc::new(GaugeAction::new(lattice, beta, None)), log_partition }
    }

    /// Angles of plaquettes that fit together.
    fn plaquettes(&self, rng: &mut ChaCha8Rng) -> Vec<f64> {
        let (beta, volume) = (self.action.beta(), self.lattice.volume());
        let density = VonMises::new(beta);
        loop {
            let mut trial: Vec<f64> = density.sample_iter(&mut *rng).take(volume - 1).collect();
            let last = -trial.iter().sum::<f64>();
            if rng.random::<f64>() < (beta * (last.cos() - 1.0)).exp() {
                trial.push(last);
                return trial;
            }
        }
    }

    /// Links around plaquettes: those along time are 1 but in the last slice, those along space add up the plaquettes below them.
    fn links(&self, plaquettes: &[f64], loops: [f64; 2]) -> Vec<f64> {
        let &[times, space] = self.lattice.extents() else { unreachable!("two dimensions") };
        let volume = times * space;
        let mut links = vec![0.0; 2 * volume];
        let (along_time, along_space) = links.split_at_mut(volume);
        along_space[space - 1] = loops[1];
        for site in space..volume {
            along_space[site] = along_space[site - space] + plaquettes[site - space];
        }
        let last = (times - 1) * space;
        along_time[last] = loops[0];
        for x in 1..space {
            let before = last + x - 1;
            along_time[last + x] =
                along_time[before] + along_space[x - 1] - along_space[before] - plaquettes[before];
        }
        links
    }

    /// `θ_μ(x) + α(x) - α(x + μ)` with uniform α.
    fn transformed(&self, links: &mut [f64], rng: &mut impl Rng) {
        let volume = self.lattice.volume();
        let alpha: Vec<f64> = circle().sample_iter(rng).take(volume).collect();
        for (place, link) in links.iter_mut().enumerate() {
            let (mu, site) = (place / volume, place % volume);
            *link += alpha[site] - alpha[self.lattice.forward(site, mu)];
        }
    }

    fn one(&self, rng: &mut ChaCha8Rng) -> Vec<f64> {
        let plaquettes = self.plaquettes(rng);
        let mut links = self.links(&plaquettes, [(); 2].map(|()| circle().sample(rng)));
        self.transformed(&mut links, rng);
        links
    }
}

/// All angles alike.
fn circle() -> Uniform<f64> {
    Uniform::new(-PI, PI).expect("an interval")
}

impl Base for PureGauge {
    /// One for each direction.
    fn components(&self) -> usize {
        2
    }

    fn draw(&self, stream: &Stream, first: u64, count: usize) -> Vec<f32> {
        let links = 2 * self.lattice.volume();
        let mut values = vec![0.0; count * links];
        values.par_chunks_mut(links).enumerate().for_each(|(offset, row)| {
            let drawn = self.one(&mut stream.item(first + offset as u64));
            row.iter_mut().zip(drawn).for_each(|(value, angle)| *value = reduced(angle) as f32);
        });
        values
    }

    fn log_density(&self, z: Tensor<3>) -> Tensor<1> {
        -self.action.action(z) - self.log_partition
    }

    fn id(&self) -> String {
        format!("pure gauge, beta={:?}", self.action.beta())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::gauge::Plaquettes;
    use crate::rng::Seed;

    const COUNT: usize = 20_000;

    /// Draws on 4 x 6 in double precision.
    fn drawn(beta: f64) -> (PureGauge, Vec<Vec<f64>>) {
        let base = PureGauge::new(Lattice::new([4, 6]), beta);
        let values = base.draw(&Seed(2).stream("z"), 0, COUNT);
        let fields = values.chunks_exact(48).map(|field| field.iter().map(|&z| f64::from(z)).collect());
        let fields = fields.collect();
        (base, fields)
    }

    /// That a mean is within four standard errors of what it has to be.
    fn check(name: &str, values: &[f64], expected: f64) {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
        let error = (variance / n).sqrt();
        assert!((mean - expected).abs() < 4.0 * error, "{name}: {mean} +- {error}, not {expected}");
    }

    #[test]
    fn loops_and_charges_are_the_exact_ones_at_every_place() {
        for beta in [0.3, 2.0, 7.0] {
            let (_, fields) = drawn(beta);
            let exact = PureU1::new(24, beta);
            let plaquettes = Plaquettes::new(Lattice::new([4, 6]));
            let mut angles = vec![vec![0.0; 24]; COUNT];
            fields.iter().zip(&mut angles).for_each(|(field, angles)| plaquettes.angles(field, angles));
            let mean_of = |name: &str, of: &dyn Fn(&[f64]) -> f64, expected| {
                check(name, &angles.iter().map(|angles| of(angles)).collect::<Vec<f64>>(), expected);
            };
            // First, in the middle, in the last slice, and the one that is not drawn.
            for site in [0, 8, 18, 23] {
                mean_of("plaquette", &|angles| angles[site].cos(), exact.wilson_loop(1));
                mean_of("sine", &|angles| angles[site].sin(), 0.0);
            }
            mean_of("2x1 loop", &|angles| (angles[22] + angles[23]).cos(), exact.wilson_loop(2));
            mean_of("2x2 loop", &|a| (a[0] + a[1] + a[6] + a[7]).cos(), exact.wilson_loop(4));
            let charges: Vec<f64> = fields.iter().map(|field| plaquettes.charge(field)).collect();
            check("Q^2", &charges.iter().map(|q| q * q).collect::<Vec<f64>>(), exact.charge_squared());
            check("Q", &charges, 0.0);
        }
    }

    /// Nothing is left of what a gauge transformation changes, nor of loops around the torus.
    #[test]
    fn what_the_action_does_not_see_is_uniform() {
        let (_, fields) = drawn(7.0);
        let mean_of = |name: &str, of: &dyn Fn(&[f64]) -> f64| {
            check(name, &fields.iter().map(|field| of(field)).collect::<Vec<f64>>(), 0.0);
        };
        for place in [0, 7, 23, 24, 29, 47] {
            mean_of("link", &|field| field[place].cos());
            mean_of("two links", &|field| (field[place] + field[(place + 5) % 48]).cos());
        }
        for turns in [1.0, 2.0] {
            let around_time = |field: &[f64]| (0..4).map(|t| field[6 * t + 3]).sum::<f64>();
            let around_space = |field: &[f64]| field[24 + 6..24 + 12].iter().sum::<f64>();
            mean_of("loop around time", &|field| (turns * around_time(field)).cos());
            mean_of("loop around space", &|field| (turns * around_space(field)).cos());
            mean_of("both loops", &|field| (around_time(field) + turns * around_space(field)).cos());
        }
    }

    /// `∫ dθ r = 1`, by uniform angles where their weights spread little.
    #[test]
    fn the_density_is_normalised() {
        let lattice = Lattice::new([4, 6]);
        let uniform: Vec<f64> =
            Seed(3).stream("uniform").angles(0, COUNT, 48).into_iter().map(f64::from).collect();
        let base = PureGauge::new(lattice, 0.3);
        let log_measure = 48.0 * (2.0 * PI).ln();
        let ratio = |field: &[f64]| (log_measure - base.action.value(field) - base.log_partition).exp();
        check("r / Haar", &uniform.chunks_exact(48).map(ratio).collect::<Vec<f64>>(), 1.0);
    }
}
