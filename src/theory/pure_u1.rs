//! Exact values of pure U(1) gauge theory on a two-dimensional torus.

use std::f64::consts::PI;

/// Points of Simpson's rule for an angle from 0 to π: a tenth of the width of the narrowest integrand, 1/√β, apart at most, and enough
/// for oscillations as fast as they matter.
const POINTS: usize = 4000;

/// Representations whose weight in the sums is below this part of the largest are left out.
const NEGLIGIBLE: f64 = 1e-40;

/// `S = -β Σ cos P` on V plaquettes.
///
/// The partition function is a sum over representations, `Z = (2π)^{2V} Σ_n I_n(β)^V`; with A plaquettes inside a Wilson loop,
/// `⟨W⟩ = Σ_n I_n^{V-A} I_{n+1}^A / Σ_n I_n^V`. The charge has `P(Q) ∝ ∫ dk e^{-2πikQ} c(k)^V`, where
/// `c(k) = (1/2π) ∫_{-π}^{π} dφ cos(kφ) e^{β cos φ}`, which is `I_k` for whole k, and `⟨Q²⟩ = -(1/4π²) Z''/Z` of
/// `Z(θ) = Σ_n c(n + θ)^V`.
///
/// Sources: Migdal, Sov. Phys. JETP 42 (1975) 413; Bonati, Rossi, Phys. Rev. D 99 (2019) 054503, for the charge.
#[derive(Debug, Clone, PartialEq)]
pub struct PureU1 {
    plaquettes: usize,
    /// `I_n(β)/I_0(β)`, n from 0 on.
    bessel: Vec<f64>,
    log_bessel_0: f64,
    charge_squared: f64,
    /// `P(|Q|)` for each sign, Q from 0 on.
    charges: Vec<f64>,
}

impl PureU1 {
    /// On so many plaquettes.
    pub fn new(plaquettes: usize, beta: f64) -> Self {
        let kernel = Kernel::new(beta);
        let scaled = |n: usize| kernel.fourier(n as f64);
        let first = scaled(0);
        // What is smaller is rounding.
        let is_needed = |value: &f64| value.abs() > 1e-15;
        let bessel: Vec<f64> = (0..POINTS / 4).map(|n| scaled(n) / first).take_while(is_needed).collect();
        let (charges, charge_squared) = (charges(&kernel, plaquettes), charge_squared(&kernel, plaquettes));
        Self { plaquettes, bessel, log_bessel_0: first.ln() + beta, charge_squared, charges }
    }

    /// `ln Z = ln ∫ dθ e^{-S}` over all 2V angles.
    pub fn log_partition(&self) -> f64 {
        let (sum, v) = (self.sum(0), self.plaquettes as f64);
        2.0 * v * (2.0 * PI).ln() + v * self.log_bessel_0 + sum.ln()
    }

    /// `⟨Re W⟩` of a loop around so many plaquettes.
    pub fn wilson_loop(&self, area: usize) -> f64 {
        self.sum(area) / self.sum(0)
    }

    /// `P(Q)`.
    pub fn charge_probability(&self, charge: usize) -> f64 {
        self.charges.get(charge).copied().unwrap_or(0.0)
    }

    /// `⟨Q²⟩`.
    pub fn charge_squared(&self) -> f64 {
        self.charge_squared
    }

    /// `Σ_n I_n^{V-A} I_{n+1}^A` in units of `I_0^V`.
    fn sum(&self, area: usize) -> f64 {
        let most = self.bessel.len() as i64;
        let at = |n: i64| self.bessel.get(n.unsigned_abs() as usize).copied().unwrap_or(0.0);
        (-most..most).map(|n| power(at(n), self.plaquettes - area) * power(at(n + 1), area)).sum()
    }
}

/// `e^{β (cos φ - 1)}` at the points of Simpson's rule, with their weights.
struct Kernel(Vec<(f64, f64)>);

impl Kernel {
    fn new(beta: f64) -> Self {
        let step = PI / POINTS as f64;
        let point = |i: usize| {
            let factor = match i {
                0 | POINTS => 1.0,
                _ if i % 2 == 1 => 4.0,
                _ => 2.0,
            };
            let angle = step * i as f64;
            (angle, factor * step / 3.0 / PI * (beta * (angle.cos() - 1.0)).exp())
        };
        Self((0..=POINTS).map(point).collect())
    }

    /// `e^{-β} c(k)`.
    fn fourier(&self, k: f64) -> f64 {
        self.0.iter().map(|(angle, weight)| weight * (k * angle).cos()).sum()
    }

    /// The same with its first two derivatives by k.
    fn derivatives(&self, k: f64) -> [f64; 3] {
        self.0.iter().fold([0.0; 3], |[value, slope, curvature], (angle, weight)| {
            let (sin, cos) = (k * angle).sin_cos();
            [value + weight * cos, slope - weight * angle * sin, curvature - weight * angle * angle * cos]
        })
    }
}

/// A number to the power of a count, which may be large.
fn power(value: f64, count: usize) -> f64 {
    let sign = if count % 2 == 1 { value.signum() } else { 1.0 };
    sign * value.abs().powf(count as f64)
}

/// `-(1/4π²) Σ_n [V c'' c^{V-1} + V(V-1) c'² c^{V-2}] / Σ_n c^V`.
fn charge_squared(kernel: &Kernel, plaquettes: usize) -> f64 {
    let (v, first) = (plaquettes as f64, kernel.fourier(0.0));
    let (mut above, mut below) = (0.0, 0.0);
    for n in 0..POINTS as u32 / 4 {
        let [c, slope, curvature] = kernel.derivatives(f64::from(n)).map(|value| value / first);
        let both = if n == 0 { 1.0 } else { 2.0 };
        let term = v * curvature * power(c, plaquettes - 1)
            + v * (v - 1.0) * slope * slope * power(c, plaquettes - 2);
        above += both * term;
        below += both * power(c, plaquettes);
        if term.abs() < NEGLIGIBLE {
            break;
        }
    }
    -above / below / (4.0 * PI * PI)
}

/// `P(Q)` from 0 on, as far as rounding leaves any, by a sum over k in steps of `1/(8√V + 1)`: charges are mistaken for others only
/// where they are that far apart, a dozen times their spread at least.
fn charges(kernel: &Kernel, plaquettes: usize) -> Vec<f64> {
    let per_unit = (8.0 * (plaquettes as f64).sqrt()) as usize + 1;
    let first = kernel.fourier(0.0);
    let power = |index: usize| power(kernel.fourier(index as f64 / per_unit as f64) / first, plaquettes);
    // A whole unit of k without weight is the end: c falls like 1/k at last.
    let mut terms: Vec<f64> = Vec::new();
    while terms.len() < 400 * per_unit {
        let unit: Vec<f64> = (0..per_unit).map(|place| power(terms.len() + place)).collect();
        let largest = unit.iter().fold(0.0f64, |largest, term| largest.max(term.abs()));
        terms.extend(unit);
        if largest < NEGLIGIBLE {
            break;
        }
    }
    let density = |charge: usize| {
        let wave = |k: usize| (2.0 * PI * ((k * charge) % per_unit) as f64 / per_unit as f64).cos();
        let others = terms.iter().enumerate().skip(1).map(|(k, term)| 2.0 * wave(k) * term);
        terms[0] + others.sum::<f64>()
    };
    let most = density(0);
    let all: Vec<f64> =
        (0..=per_unit / 2).map(density).take_while(|density| *density > 1e-14 * most).collect();
    let total = all[0] + 2.0 * all[1..].iter().sum::<f64>();
    all.into_iter().map(|density| density / total).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values computed independently with NumPy, the charges by Gauss-Legendre quadrature of c and its derivatives, to the digits they are known to: extent, β,
    /// plaquette, ⟨Q²⟩, ln Z of the Haar measure.
    #[test]
    fn the_exact_values_are_those_of_the_oracles() {
        for (extent, beta, plaquette, charge_squared, log_z) in [
            (8, 1.0, 0.446389965897, 2.600719110725, 15.0985189445),
            (8, 2.0, 0.697774658011, 1.239298910723, 52.7355866551),
            (16, 2.0, 0.697774657964, 4.957195680762, 210.94234662),
            (16, 5.0, 0.893383137044, 1.473486659512, 845.998534611),
        ] {
            let exact = PureU1::new(extent * extent, beta);
            assert!((exact.wilson_loop(1) - plaquette).abs() < 1e-11, "{}", exact.wilson_loop(1));
            let found = exact.charge_squared();
            assert!((found - charge_squared).abs() < 1e-11 * charge_squared, "{found}, not {charge_squared}");
            let haar = exact.log_partition() - 2.0 * (extent * extent) as f64 * (2.0 * PI).ln();
            assert!((haar - log_z).abs() < 1e-9, "{haar}, not {log_z}");
            let squares =
                (1..30).map(|charge| 2.0 * (charge * charge) as f64 * exact.charge_probability(charge));
            assert!((squares.sum::<f64>() / charge_squared - 1.0).abs() < 1e-10);
        }
    }
}
