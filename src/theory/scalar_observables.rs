//! Observables of a real scalar field: magnetization, susceptibilities, two-point functions, masses.

use super::Phi4;
use super::observable::{Derived, Observables};
use crate::lattice::Lattice;
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
const TWO_POINT: usize = 7;

/// With `M = (1/V) Σ_x φ(x)` and `m(t) = (1/X) Σ_x φ(t, x)`, T the time extent, X the space extent:
///
/// - `abs_magnetization` = ⟨|M|⟩, `chi_2` = V⟨M²⟩, `chi` = V(⟨M²⟩ - ⟨|M|⟩²), `binder` = 1 - ⟨M⁴⟩/(3⟨M²⟩²)
/// - `phi_squared` = ⟨φ²⟩, `energy_density` = ⟨S⟩/V, `ising_energy` = (1/dV) Σ_x,μ ⟨φ(x) φ(x+μ̂)⟩
/// - `two_point_t` = G(t) = (X/T) Σ_t' ⟨m(t') m(t'+t)⟩, so that Σ_t G(t) = χ₂
/// - `effective_mass_t`: arcosh of `[G(t+1) + G(t-1)] / 2G(t)`
/// - `correlation_length` ξ: `ξ² = (χ₂/Ĝ(k) - 1) / (4 sin²(k/2))`, k the smallest momentum, second moment
///
/// Sources: A19; A21; A22.
pub struct ScalarObservables {
    lattice: Lattice,
    fft: Arc<dyn Fft<f64>>,
    exact: [Option<f64>; 3],
}

impl ScalarObservables {
    /// The observables of an action.
    pub fn new(action: &Phi4, lattice: Lattice) -> Self {
        let fft = FftPlanner::new().plan_fft_forward(lattice.extents()[0]);
        let half = action.free_chi_2().map(|_| 0.5);
        Self { lattice, fft, exact: [action.free_chi_2(), action.free_phi_squared(), half] }
    }

    fn times(&self) -> usize {
        self.lattice.extents()[0] / 2 + 1
    }

    /// `|m̃(n)|² X/T` for every time momentum `2πn/T`, m̃ the Fourier sum over times.
    fn spectrum(&self, field: &[f64]) -> Vec<f64> {
        let [times, space] = self.lattice.extents();
        let mean = |row: &[f64]| Complex::new(row.iter().sum::<f64>() / space as f64, 0.0);
        let mut slices: Vec<Complex<f64>> = field.chunks_exact(space).map(mean).collect();
        self.fft.process(&mut slices);
        slices.iter().map(|m| m.norm_sqr() * space as f64 / times as f64).collect()
    }

    /// `|φ̃(k)|²/V` at the smallest momentum along space.
    fn smallest_space_momentum(&self, field: &[f64]) -> f64 {
        let [_, space] = self.lattice.extents();
        let (mut re, mut im) = (0.0, 0.0);
        for row in field.chunks_exact(space) {
            for (x, phi) in row.iter().enumerate() {
                let (sin, cos) = (2.0 * PI * x as f64 / space as f64).sin_cos();
                re += phi * cos;
                im += phi * sin;
            }
        }
        (re * re + im * im) / field.len() as f64
    }
}

impl Observables for ScalarObservables {
    fn width(&self) -> usize {
        TWO_POINT + self.times()
    }

    fn measure(&self, field: &[f64], action: f64, out: &mut [f64]) {
        let volume = field.len() as f64;
        let [times, space] = self.lattice.extents();
        let m = field.iter().sum::<f64>() / volume;
        let mut hopping = 0.0;
        for (t, row) in field.chunks_exact(space).enumerate() {
            let next = &field[(t + 1) % times * space..][..space];
            for x in 0..space {
                hopping += row[x] * (next[x] + row[(x + 1) % space]);
            }
        }
        out[ABS_M] = m.abs();
        out[M2] = m * m;
        out[M4] = m * m * m * m;
        out[PHI2] = field.iter().map(|v| v * v).sum::<f64>() / volume;
        out[ENERGY] = action / volume;
        out[ISING] = hopping / (self.lattice.dimensions() as f64 * volume);
        let spectrum = self.spectrum(field);
        // Both directions have the same smallest momentum on a square lattice.
        out[G_MIN] = match times == space {
            true => 0.5 * (spectrum[1 % times] + self.smallest_space_momentum(field)),
            false => spectrum[1 % times],
        };
        for (t, g) in out[TWO_POINT..].iter_mut().enumerate() {
            let wave = |n: usize| (2.0 * PI * ((n * t) % times) as f64 / times as f64).cos();
            *g = spectrum.iter().enumerate().map(|(n, p)| p * wave(n)).sum::<f64>() / times as f64;
        }
    }

    fn derived(&self) -> Vec<Derived> {
        let volume = self.lattice.volume() as f64;
        let times = self.lattice.extents()[0];
        let momentum = 2.0 * (PI / times as f64).sin();
        let [chi_2, phi_squared, energy] = self.exact;
        let mut all = vec![
            Derived::new("abs_magnetization", |a| a[ABS_M]).primary(),
            Derived::new("chi_2", move |a| volume * a[M2]).exact(chi_2).primary(),
            Derived::new("chi", move |a| volume * (a[M2] - a[ABS_M] * a[ABS_M])),
            Derived::new("binder", |a| 1.0 - a[M4] / (3.0 * a[M2] * a[M2])),
            Derived::new("phi_squared", |a| a[PHI2]).exact(phi_squared).primary(),
            Derived::new("energy_density", |a| a[ENERGY]).exact(energy).primary(),
            Derived::new("ising_energy", |a| a[ISING]).primary(),
            Derived::new("correlation_length", move |a| {
                ((volume * a[M2] / a[G_MIN] - 1.0) / (momentum * momentum)).sqrt()
            }),
        ];
        all.extend((0..self.times()).map(|t| Derived::new(format!("two_point_{t}"), move |a| a[TWO_POINT + t])));
        all.extend((1..self.times().saturating_sub(1)).map(|t| {
            Derived::new(format!("effective_mass_{t}"), move |a| {
                ((a[TWO_POINT + t + 1] + a[TWO_POINT + t - 1]) / (2.0 * a[TWO_POINT + t])).acosh()
            })
        }));
        all
    }
}
