//! Exact values of the interacting field in one dimension, from its transfer matrix.

use nalgebra::{DMatrix, DVector, SymmetricEigen};

/// The field ends where its weight has fallen by this power of e.
const DECAYED: f64 = 75.0;

/// Points from zero to the end of the field, at least. The trapezoid rule errs by `e^{-2π²σ²/h²}` for a Gaussian of width σ, and the
/// end is some 12 σ away: nothing that double precision sees.
const POINTS: f64 = 160.0;

/// Their largest distance: neighbours are a Gaussian of width one apart, whatever the potential.
const WIDEST: f64 = 0.35;

/// More points than that take longer than a second.
const TOO_MANY: f64 = 500.0;

/// `Z = Tr K^T`, `K(φ,φ') = exp(φφ' - ½V(φ) - ½V(φ'))`, `V(φ) = ½(m²+2) φ² + λ φ⁴`, by its eigenvalues on a grid in φ.
///
/// In one dimension the action of eq. (A1) of A22 couples neighbouring times only, so that sums over states replace the integral over
/// configurations: `⟨φ^k⟩ = Tr(φ^k K^T)/Z`, `G(t) = Tr(φ K^t φ K^{T-t})/Z`.
#[derive(Debug, Clone, PartialEq)]
pub struct TransferMatrix {
    times: usize,
    quadratic: f64,
    coupling: f64,
    /// `ln λ₀`.
    largest: f64,
    /// `λ_n/λ₀`, descending.
    ratios: Vec<f64>,
    /// `⟨n|φ^k|n⟩` for k = 2 and 4.
    diagonal: [Vec<f64>; 2],
    /// `⟨n|φ|m⟩²`.
    squares: DMatrix<f64>,
}

impl TransferMatrix {
    /// The field of these couplings on so many times; none where nothing bounds it (λ = 0, m² ≤ 0), or hardly anything.
    pub fn new(times: usize, mass_squared: f64, coupling: f64) -> Option<Self> {
        if coupling < 0.0 || (coupling == 0.0 && mass_squared <= 0.0) {
            return None;
        }
        let quadratic = 0.5 * (mass_squared + 2.0);
        let potential = |x: f64| x * x * (quadratic + coupling * x * x);
        let end = end(&|x| x * x - potential(x));
        let points = (end / WIDEST).max(POINTS).ceil();
        if points > TOO_MANY {
            return None;
        }
        let step = end / points;
        let x: Vec<f64> = (-points as i32..=points as i32).map(|point| f64::from(point) * step).collect();
        let half: Vec<f64> = x.iter().map(|&x| 0.5 * potential(x)).collect();
        let kernel = |i: usize, j: usize| step * (x[i] * x[j] - half[i] - half[j]).exp();
        let SymmetricEigen { eigenvalues, eigenvectors } =
            SymmetricEigen::new(DMatrix::from_fn(x.len(), x.len(), kernel));
        let mut order: Vec<usize> = (0..x.len()).collect();
        order.sort_by(|&a, &b| eigenvalues[b].total_cmp(&eigenvalues[a]));
        let states: Vec<DVector<f64>> = order.iter().map(|&n| eigenvectors.column(n).into_owned()).collect();
        let states = DMatrix::from_columns(&states);
        // All eigenvalues are positive; rounding leaves some of the smallest below zero.
        let ratio = |&n: &usize| (eigenvalues[n] / eigenvalues[order[0]]).max(0.0);
        let weighted = DMatrix::from_fn(x.len(), x.len(), |i, n| x[i] * states[(i, n)]);
        let moment = |k: i32| -> Vec<f64> {
            let of = |n: usize| (0..x.len()).map(|i| x[i].powi(k) * states[(i, n)].powi(2)).sum();
            (0..x.len()).map(of).collect()
        };
        Some(Self {
            times,
            quadratic,
            coupling,
            largest: eigenvalues[order[0]].ln(),
            ratios: order.iter().map(ratio).collect(),
            diagonal: [moment(2), moment(4)],
            squares: (states.transpose() * weighted).map(|element| element * element),
        })
    }

    /// `Z/λ₀^T`.
    fn partition(&self) -> f64 {
        self.ratios.iter().map(|ratio| ratio.powi(self.times as i32)).sum()
    }

    /// `ln Z`.
    pub fn log_partition(&self) -> f64 {
        self.times as f64 * self.largest + self.partition().ln()
    }

    fn moment(&self, of: &[f64]) -> f64 {
        let weight = |ratio: &f64| ratio.powi(self.times as i32);
        self.ratios.iter().zip(of).map(|(ratio, value)| weight(ratio) * value).sum::<f64>() / self.partition()
    }

    /// `⟨φ²⟩`.
    pub fn phi_squared(&self) -> f64 {
        self.moment(&self.diagonal[0])
    }

    /// `⟨φ⁴⟩`.
    pub fn phi_fourth(&self) -> f64 {
        self.moment(&self.diagonal[1])
    }

    /// `G(t) = ⟨φ(0) φ(t)⟩`.
    pub fn two_point(&self, t: usize) -> f64 {
        let powers = |steps: usize| self.ratios.iter().map(move |ratio| ratio.powi(steps as i32));
        let after: Vec<f64> = powers(t % self.times).collect();
        let term = |(n, before): (usize, f64)| -> f64 {
            before * after.iter().enumerate().map(|(m, after)| after * self.squares[(n, m)]).sum::<f64>()
        };
        powers(self.times - t % self.times).enumerate().map(term).sum::<f64>() / self.partition()
    }

    /// `⟨S⟩/T = -G(1) + ½(m²+2) ⟨φ²⟩ + λ ⟨φ⁴⟩`.
    pub fn energy_density(&self) -> f64 {
        -self.two_point(1) + self.quadratic * self.phi_squared() + self.coupling * self.phi_fourth()
    }

    /// `χ₂ = Σ_t G(t)`.
    pub fn chi_2(&self) -> f64 {
        (0..self.times).map(|t| self.two_point(t)).sum()
    }

    /// The mass gap `ln λ₀/λ₁`.
    pub fn mass_gap(&self) -> f64 {
        -self.ratios[1].ln()
    }
}

/// Where the logarithm of a weight is far below its maximum for good.
fn end(log_weight: &dyn Fn(f64) -> f64) -> f64 {
    let (mut top, mut x) = (f64::NEG_INFINITY, 0.0);
    while log_weight(x) > top - DECAYED {
        top = top.max(log_weight(x));
        x += 0.01;
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lattice::Lattice;
    use crate::theory::free_field::FreeField;

    /// From an independent program (Gauss-Legendre and trapezoid grids, which agree to 1e-13): F, ⟨φ²⟩, ⟨φ⁴⟩, χ₂, the gap and
    /// G(0) … G(T/2) at T = 16, m² = -1, λ = 1 and at T = 8, m² = -2, λ = 0.5.
    const INDEPENDENT: [(usize, f64, f64, &[f64]); 2] = [
        (
            16,
            -1.0,
            1.0,
            &[
                -7.72848151275,
                0.310920830972,
                0.216952955719,
                0.561767445821,
                1.2465897632,
                0.310920830972,
                0.0893663269241,
                0.0256912048022,
                0.00738582275254,
                0.00212339314419,
                0.000610756631757,
                0.000176682036512,
                5.46179967945e-05,
                2.90062725278e-05,
            ],
        ),
        (
            8,
            -2.0,
            0.5,
            &[
                -7.24920200676,
                0.65354122467,
                0.834578165752,
                1.9772761197,
                0.677953645121,
                0.65354122467,
                0.334578165752,
                0.177884397266,
                0.106447033127,
                0.0859157027387,
            ],
        ),
    ];

    #[test]
    fn every_value_is_that_of_an_independent_program() {
        for (times, m2, lambda, expected) in INDEPENDENT {
            let exact = TransferMatrix::new(times, m2, lambda).expect("bounded");
            let mut found = vec![-exact.log_partition(), exact.phi_squared(), exact.phi_fourth()];
            found.extend([exact.chi_2(), exact.mass_gap()]);
            found.extend((0..=times / 2).map(|t| exact.two_point(t)));
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                // All twelve digits that are given.
                assert!((found / expected - 1.0).abs() < 1e-11, "{found} is not {expected}");
            }
        }
    }

    #[test]
    fn without_a_coupling_it_is_the_free_field() {
        for m2 in [0.3, 2.5] {
            let exact = TransferMatrix::new(6, m2, 0.0).expect("a mass");
            let free = FreeField::new(Lattice::new([6]), m2).expect("a mass");
            let both = [
                (exact.log_partition(), free.log_partition()),
                (exact.phi_squared(), free.phi_squared()),
                (exact.phi_fourth(), 3.0 * free.phi_squared().powi(2)),
                (exact.energy_density(), 0.5),
                (exact.chi_2(), free.chi_2()),
                (exact.mass_gap(), free.pole_mass()),
                (exact.two_point(2), free.two_point(2)),
            ];
            for (found, expected) in both {
                assert!((found - expected).abs() < 1e-11, "{found} is not {expected}");
            }
        }
        assert_eq!(TransferMatrix::new(6, -0.3, 0.0), None);
    }
}
