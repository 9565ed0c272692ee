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
/// - `effective_mass_t`: arcosh of `[G(t+1) + G(t-1)] / 2G(t)`, the pole mass where one state is left
/// - `pole_mass`: arcosh of `Σ_t [G(t+1) + G(t-1)] / 2Σ_t G(t)`, t from T/4 to T/2
/// - `correlation_length` ξ: `ξ² = (χ₂/Ĝ(k) - 1) / (4 sin²(k/2))`, k the smallest momentum, second moment
///
/// Exact values are those of the free field. Sources: A19; A21; A22.
pub struct ScalarObservables {
    lattice: Lattice,
    fft: Arc<dyn Fft<f64>>,
    /// `cos(2πn/T)`, n from 0 to T - 1.
    time_wave: Vec<f64>,
    /// `e^{2πix/X}`, x from 0 to X - 1.
    space_wave: Vec<Complex<f64>>,
    free: Option<FreeField>,
}

/// Exact values of the free field.
#[derive(Clone, Copy)]
struct FreeField {
    volume: f64,
    mass_squared: f64,
    chi_2: f64,
    phi_squared: f64,
    pole_mass: f64,
}

impl FreeField {
    fn of(action: &Phi4, volume: f64) -> Option<Self> {
        Some(Self {
            volume,
            mass_squared: action.free_chi_2()?.recip(),
            chi_2: action.free_chi_2()?,
            phi_squared: action.free_phi_squared()?,
            pole_mass: action.free_pole_mass()?,
        })
    }

    /// M is normal with variance χ₂/V.
    fn abs_magnetization(self) -> f64 {
        (2.0 * self.chi_2 / (PI * self.volume)).sqrt()
    }

    fn chi(self) -> f64 {
        self.chi_2 * (1.0 - 2.0 / PI)
    }

    /// From `⟨S⟩/V = ½ = -d E + ½ (m² + 2d) ⟨φ²⟩`, E the Ising energy, d = 2.
    fn ising_energy(self) -> f64 {
        0.25 * ((self.mass_squared + 4.0) * self.phi_squared - 1.0)
    }

    /// G(t) on a lattice of so many times.
    fn two_point(self, t: usize, times: usize) -> f64 {
        let decay = |steps: usize| (-self.pole_mass * steps as f64).exp();
        (decay(t) + decay(times - t)) / (2.0 * self.pole_mass.sinh() * (1.0 - decay(times)))
    }
}

impl ScalarObservables {
    /// The observables of an action.
    pub fn new(action: &Phi4, lattice: Lattice) -> Self {
        let fft = FftPlanner::new().plan_fft_forward(lattice.extents()[0]);
        let wave = |extent: usize| {
            let phase = move |n: usize| 2.0 * PI * n as f64 / extent as f64;
            (0..extent).map(move |n| Complex::from_polar(1.0, phase(n)))
        };
        let [times, space] = lattice.extents();
        let time_wave = wave(times).map(|wave| wave.re).collect();
        let space_wave = wave(space).collect();
        Self { lattice, fft, time_wave, space_wave, free: FreeField::of(action, lattice.volume() as f64) }
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
        let mut sum = Complex::new(0.0, 0.0);
        for row in field.chunks_exact(self.space_wave.len()) {
            for (phi, wave) in row.iter().zip(&self.space_wave) {
                sum += wave * phi;
            }
        }
        sum.norm_sqr() / field.len() as f64
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
            let wave = |n: usize| self.time_wave[(n * t) % times];
            *g = spectrum.iter().enumerate().map(|(n, p)| p * wave(n)).sum::<f64>() / times as f64;
        }
    }

    fn derived(&self) -> Vec<Derived> {
        let volume = self.lattice.volume() as f64;
        let times = self.lattice.extents()[0];
        let momentum = 2.0 * (PI / times as f64).sin();
        let free = self.free;
        let exact = |value: fn(FreeField) -> f64| free.map(value);
        // G is even and periodic; only its first half is measured.
        let g = move |a: &[f64], t: usize| a[TWO_POINT + (t % times).min(times - t % times)];
        let curvature = move |a: &[f64], t: usize| g(a, t + 1) + g(a, t + times - 1);
        let centre = (times / 4).max(1)..times / 2 + 1;
        let mut all = vec![
            Derived::new("abs_magnetization", |a| a[ABS_M])
                .exact(exact(FreeField::abs_magnetization))
                .primary(),
            Derived::new("chi_2", move |a| volume * a[M2]).exact(exact(|free| free.chi_2)).primary(),
            Derived::new("chi", move |a| volume * (a[M2] - a[ABS_M] * a[ABS_M])).exact(exact(FreeField::chi)),
            Derived::new("binder", |a| 1.0 - a[M4] / (3.0 * a[M2] * a[M2])).exact(exact(|_| 0.0)),
            Derived::new("phi_squared", |a| a[PHI2]).exact(exact(|free| free.phi_squared)).primary(),
            Derived::new("energy_density", |a| a[ENERGY]).exact(exact(|_| 0.5)).primary(),
            Derived::new("ising_energy", |a| a[ISING]).exact(exact(FreeField::ising_energy)).primary(),
            Derived::new("correlation_length", move |a| {
                ((volume * a[M2] / a[G_MIN] - 1.0) / (momentum * momentum)).sqrt()
            })
            .exact(exact(|free| free.chi_2.sqrt())),
            Derived::new("pole_mass", move |a| {
                let sum = |of: &dyn Fn(usize) -> f64| centre.clone().map(of).sum::<f64>();
                (sum(&|t| curvature(a, t)) / (2.0 * sum(&|t| g(a, t)))).acosh()
            })
            .exact(exact(|free| free.pole_mass)),
        ];
        all.extend((0..self.times()).map(|t| {
            let exact = free.map(|free| free.two_point(t, times));
            Derived::new(format!("two_point_{t}"), move |a| g(a, t)).exact(exact)
        }));
        all.extend((1..self.times().saturating_sub(1)).map(|t| {
            let mass = move |a: &[f64]| (curvature(a, t) / (2.0 * g(a, t))).acosh();
            Derived::new(format!("effective_mass_{t}"), mass).exact(exact(|free| free.pole_mass))
        }));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    /// Every measured number from its definition, with plain sums.
    #[test]
    fn numbers_are_those_of_their_definitions() {
        for extents in [[6, 4], [5, 5], [8, 8]] {
            let lattice = Lattice::new(extents);
            let action = Phi4::new(lattice, -1.0, 1.0);
            let observables = ScalarObservables::new(&action, lattice);
            let [times, space] = extents;
            let volume = lattice.volume() as f64;
            let phi: Vec<f64> =
                Seed(3).stream("phi").normals(0, 1, lattice.volume()).iter().map(|&v| v.into()).collect();
            let mut row = vec![0.0; observables.width()];
            observables.measure(&phi, 7.0, &mut row);
            let m = phi.iter().sum::<f64>() / volume;
            let close = |found: f64, expected: f64, what: &str| {
                assert!((found - expected).abs() < 1e-12, "{what} on {extents:?}: {found} is not {expected}");
            };
            close(row[ABS_M], m.abs(), "|M|");
            close(row[M4], m.powi(4), "M^4");
            close(row[ENERGY], 7.0 / volume, "energy");
            let hopping: f64 = (0..phi.len())
                .map(|x| phi[x] * (phi[lattice.forward(x, 0)] + phi[lattice.forward(x, 1)]))
                .sum();
            close(row[ISING], hopping / (2.0 * volume), "Ising energy");
            let slice = |t: usize| phi[t % times * space..][..space].iter().sum::<f64>() / space as f64;
            for t in 0..=times / 2 {
                let sum: f64 = (0..times).map(|from| slice(from) * slice(from + t)).sum();
                close(row[TWO_POINT + t], sum * space as f64 / times as f64, "two-point function");
            }
            let at = |direction: usize| {
                let wave = |x: usize| {
                    let n = lattice.coordinates(x)[direction] as f64;
                    Complex::from_polar(1.0, 2.0 * PI * n / extents[direction] as f64)
                };
                (0..phi.len()).map(|x| wave(x) * phi[x]).sum::<Complex<f64>>().norm_sqr() / volume
            };
            close(
                row[G_MIN],
                if times == space { 0.5 * (at(0) + at(1)) } else { at(0) },
                "smallest momentum",
            );
            // The two-point function adds up to the susceptibility.
            let all: f64 = (0..times).map(|t| row[TWO_POINT + t.min(times - t)]).sum();
            close(all, volume * m * m, "sum of the two-point function");
        }
    }

    /// Means of the free field, from its propagator summed over momenta, give every exact value that is claimed.
    #[test]
    fn exact_values_are_those_of_the_propagator() {
        for extents in [[8, 8], [7, 7], [12, 6], [2, 2]] {
            let lattice = Lattice::new(extents);
            let m2 = 0.7;
            let observables = ScalarObservables::new(&Phi4::new(lattice, m2, 0.0), lattice);
            let [times, space] = extents;
            let volume = lattice.volume() as f64;
            let angle = |n: usize, extent: usize| 2.0 * PI * n as f64 / extent as f64;
            let propagator = |t: usize, x: usize| {
                let cosines = angle(t, times).cos() + angle(x, space).cos();
                (1.0 / (m2 + 4.0 - 2.0 * cosines), cosines)
            };
            let momenta = (0..times).flat_map(|t| (0..space).map(move |x| (t, x)));
            let all: Vec<(f64, f64)> = momenta.map(|(t, x)| propagator(t, x)).collect();
            let mut means = vec![0.0; observables.width()];
            // The magnetization is normal.
            means[M2] = propagator(0, 0).0 / volume;
            means[M4] = 3.0 * means[M2] * means[M2];
            means[ABS_M] = (2.0 * means[M2] / PI).sqrt();
            means[PHI2] = all.iter().map(|(of_k, _)| of_k).sum::<f64>() / volume;
            means[ISING] = all.iter().map(|(of_k, cosines)| of_k * cosines).sum::<f64>() / (2.0 * volume);
            means[ENERGY] = 0.5 * (m2 + 4.0) * means[PHI2] - 2.0 * means[ISING];
            means[G_MIN] = propagator(1 % times, 0).0;
            for t in 0..=times / 2 {
                let wave = |n: usize| angle(n * t, times).cos() * propagator(n, 0).0;
                means[TWO_POINT + t] = (0..times).map(wave).sum::<f64>() / times as f64;
            }
            for one in observables.derived() {
                let (found, exact) = ((one.value)(&means), one.exact.expect("known for the free field"));
                assert!((found - exact).abs() < 1e-12, "{} on {extents:?}: {found} is not {exact}", one.name);
            }
        }
    }
}
