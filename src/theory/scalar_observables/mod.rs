//! Observables of a real scalar field: magnetization, susceptibilities, two-point functions, masses.

use crate::lattice::{Lattice, Neighbours};
use crate::theory::exact::Exact;
use crate::theory::free_field::FreeField;
use crate::theory::observables::{Derived, Observables};
use crate::theory::transfer_matrix::TransferMatrix;
use rustfft::{Fft, FftPlanner, num_complex::Complex};
use std::f64::consts::PI;
use std::sync::Arc;

/// Places of the measured numbers; the two-point function follows from [`TWO_POINT`] on.
const ABS_M: usize = 0;
const M2: usize = 1;
const M4: usize = 2;
const PHI2: usize = 3;
const ENERGY: usize = 4;
const ISING: usize = 5;
const G_MIN: usize = 6;
const PHI4: usize = 7;
const M: usize = 8;
const TWO_POINT: usize = 9;

/// What an ensemble of an even action misses that has a magnetization.
const ONE_SIGN: &str =
    "configurations of one sign of M; if all are of the other, the free energy is too large by ln 2";

/// With `M = (1/V) Σ_x φ(x)` and `m(t) = (T/V) Σ_x φ(t, x)` over the sites of a time slice, T the time extent:
///
/// - `magnetization` = ⟨M⟩, zero because the action is even
/// - `abs_magnetization` = ⟨|M|⟩, `chi_2` = V⟨M²⟩, `chi` = V(⟨M²⟩ - ⟨|M|⟩²), `binder` = 1 - ⟨M⁴⟩/(3⟨M²⟩²)
/// - `phi_squared` = ⟨φ²⟩, `phi_fourth` = ⟨φ⁴⟩, `energy_density` = ⟨S⟩/V, `ising_energy` = (1/dV) Σ_x,μ ⟨φ(x) φ(x+μ̂)⟩
/// - `two_point_t` = G(t) = (V/T²) Σ_t' ⟨m(t') m(t'+t)⟩, so that Σ_t G(t) = χ₂
/// - `effective_mass_t`: arcosh of `[G(t+1) + G(t-1)] / 2G(t)`, the pole mass where one state is left
/// - `pole_mass`: arcosh of `Σ_t [G(t+1) + G(t-1)] / 2Σ_t G(t)`, t from T/4 to T/2
/// - `correlation_length` ξ: `ξ² = (χ₂/Ĝ(k) - 1) / (4 sin²(k/2))`, second moment, k = 2π/T the smallest momentum along time and all
///   directions of the same extent
///
/// Exact values are those of the free field, and of an interacting one in one dimension. Sources: A19; A21; A22.
pub struct ScalarObservables {
    lattice: Lattice,
    neighbours: Neighbours,
    fft: Arc<dyn Fft<f64>>,
    /// `e^{2πin/T}`, n from 0 to T - 1.
    wave: Vec<Complex<f64>>,
    exact: Option<Exact>,
}

impl ScalarObservables {
    /// The observables on a lattice, with what is known exactly.
    pub fn new(lattice: Lattice, exact: Option<Exact>) -> Self {
        let times = lattice.extents()[0];
        let phase = |n: usize| 2.0 * PI * n as f64 / times as f64;
        Self {
            lattice,
            neighbours: lattice.neighbours(),
            fft: FftPlanner::new().plan_fft_forward(times),
            wave: (0..times).map(|n| Complex::from_polar(1.0, phase(n))).collect(),
            exact,
        }
    }

    /// Exact means of the measured numbers in one dimension; not a number where they are not known.
    fn means_of(&self, chain: &TransferMatrix) -> Vec<f64> {
        let times = self.wave.len();
        let mut means = vec![f64::NAN; self.width()];
        means[M] = 0.0;
        means[M2] = chain.chi_2() / times as f64;
        means[PHI2] = chain.phi_squared();
        means[PHI4] = chain.phi_fourth();
        means[ENERGY] = chain.energy_density();
        means[ISING] = chain.two_point(1);
        means[G_MIN] = self.wave.iter().enumerate().map(|(t, wave)| wave.re * chain.two_point(t)).sum();
        (0..self.times()).for_each(|t| means[TWO_POINT + t] = chain.two_point(t));
        means
    }

    fn times(&self) -> usize {
        self.lattice.extents()[0] / 2 + 1
    }

    /// `|m̃(n)|² V/T²` for every time momentum `2πn/T`, m̃ the Fourier sum over times.
    fn spectrum(&self, field: &[f64]) -> Vec<f64> {
        let times = self.wave.len();
        let space = self.lattice.volume() / times;
        let mean = |slice: &[f64]| Complex::new(slice.iter().sum::<f64>() / space as f64, 0.0);
        let mut slices: Vec<Complex<f64>> = field.chunks_exact(space).map(mean).collect();
        self.fft.process(&mut slices);
        slices.iter().map(|m| m.norm_sqr() * space as f64 / times as f64).collect()
    }

    /// `|φ̃(k)|²/V` at the smallest momentum, a mean over time, whose value is given, and every direction of the same extent.
    fn at_smallest_momentum(&self, field: &[f64], along_time: f64) -> f64 {
        let extents = self.lattice.extents();
        let alike = (1..extents.len()).filter(|&mu| extents[mu] == extents[0]);
        let (mut sum, mut directions) = (along_time, 1.0);
        for mu in alike {
            let stride: usize = extents[mu + 1..].iter().product();
            sum += self.along(field, stride).norm_sqr() / field.len() as f64;
            directions += 1.0;
        }
        sum / directions
    }

    /// `Σ_x φ(x) e^{2πin/T}`, n the coordinate in the direction whose neighbours are `stride` apart.
    fn along(&self, field: &[f64], stride: usize) -> Complex<f64> {
        let mut sum = Complex::new(0.0, 0.0);
        for block in field.chunks_exact(stride * self.wave.len()) {
            for (slice, wave) in block.chunks_exact(stride).zip(&self.wave) {
                for phi in slice {
                    sum += wave * phi;
                }
            }
        }
        sum
    }
}

impl Observables for ScalarObservables {
    fn width(&self) -> usize {
        TWO_POINT + self.times()
    }

    fn measure(&self, field: &[f64], action: f64, out: &mut [f64]) {
        let volume = field.len() as f64;
        let directions = self.lattice.dimensions();
        let m = field.iter().sum::<f64>() / volume;
        let mut hopping = 0.0;
        for (site, phi) in field.iter().enumerate() {
            let forward = self.neighbours.forward(site);
            hopping += phi * forward.iter().map(|&site| field[site as usize]).sum::<f64>();
        }
        out[M] = m;
        out[ABS_M] = m.abs();
        out[M2] = m * m;
        out[M4] = m * m * m * m;
        out[PHI2] = field.iter().map(|v| v * v).sum::<f64>() / volume;
        out[PHI4] = field.iter().map(|v| v * v * v * v).sum::<f64>() / volume;
        out[ENERGY] = action / volume;
        out[ISING] = hopping / (directions as f64 * volume);
        let (times, spectrum) = (self.wave.len(), self.spectrum(field));
        out[G_MIN] = self.at_smallest_momentum(field, spectrum[1 % times]);
        for (t, g) in out[TWO_POINT..].iter_mut().enumerate() {
            let wave = |n: usize| self.wave[(n * t) % times].re;
            *g = spectrum.iter().enumerate().map(|(n, p)| p * wave(n)).sum::<f64>() / times as f64;
        }
    }

    fn derived(&self) -> Vec<Derived> {
        let volume = self.lattice.volume() as f64;
        let times = self.lattice.extents()[0];
        let momentum = 2.0 * (PI / times as f64).sin();
        let free = match &self.exact {
            Some(Exact::Free(free)) => Some(*free),
            _ => None,
        };
        let exact = |value: fn(&FreeField) -> f64| free.as_ref().map(value);
        // G is even and periodic; only its first half is measured.
        let g = move |a: &[f64], t: usize| a[TWO_POINT + (t % times).min(times - t % times)];
        let curvature = move |a: &[f64], t: usize| g(a, t + 1) + g(a, t + times - 1);
        let centre = (times / 4).max(1)..times / 2 + 1;
        let mut all = vec![
            Derived::new("magnetization", |a| a[M]).vanishes(ONE_SIGN),
            Derived::new("abs_magnetization", |a| a[ABS_M])
                .exact(exact(FreeField::abs_magnetization))
                .primary(),
            Derived::new("chi_2", move |a| volume * a[M2]).exact(exact(FreeField::chi_2)).primary(),
            Derived::new("chi", move |a| volume * (a[M2] - a[ABS_M] * a[ABS_M])).exact(exact(FreeField::chi)),
            Derived::new("binder", |a| 1.0 - a[M4] / (3.0 * a[M2] * a[M2])).exact(exact(|_| 0.0)),
            Derived::new("phi_squared", |a| a[PHI2]).exact(exact(FreeField::phi_squared)).primary(),
            Derived::new("phi_fourth", |a| a[PHI4]).exact(exact(|free| 3.0 * free.phi_squared().powi(2))),
            Derived::new("energy_density", |a| a[ENERGY]).exact(exact(|_| 0.5)).primary(),
            Derived::new("ising_energy", |a| a[ISING]).exact(exact(FreeField::ising_energy)).primary(),
            Derived::new("correlation_length", move |a| {
                ((volume * a[M2] / a[G_MIN] - 1.0) / (momentum * momentum)).sqrt()
            })
            .exact(exact(FreeField::correlation_length)),
            Derived::new("pole_mass", move |a| {
                let sum = |of: &dyn Fn(usize) -> f64| centre.clone().map(of).sum::<f64>();
                (sum(&|t| curvature(a, t)) / (2.0 * sum(&|t| g(a, t)))).acosh()
            })
            .exact(exact(FreeField::pole_mass)),
        ];
        all.extend((0..self.times()).map(|t| {
            let exact = free.map(|free| free.two_point(t));
            Derived::new(format!("two_point_{t}"), move |a| g(a, t)).exact(exact)
        }));
        all.extend((1..self.times().saturating_sub(1)).map(|t| {
            let mass = move |a: &[f64]| (curvature(a, t) / (2.0 * g(a, t))).acosh();
            Derived::new(format!("effective_mass_{t}"), mass).exact(exact(FreeField::pole_mass))
        }));
        if let Some(Exact::Chain(chain)) = &self.exact {
            let means = self.means_of(chain);
            for one in &mut all {
                one.exact = Some((one.value)(&means)).filter(|value| value.is_finite());
            }
        }
        all
    }
}

#[cfg(test)]
mod tests;
