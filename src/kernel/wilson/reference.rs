//! The operator as a dense matrix, for tests and for comparison.

use super::matrix::Complex;
use crate::lattice::Lattice;
use nalgebra::DMatrix;

/// The whole matrix, `[site, spin]` in rows and columns, from its definition.
///
/// # Shapes
/// `angles`: `[μ, site]`
pub fn dense(lattice: Lattice, angles: &[f64], kappa: f64, antiperiodic: bool) -> DMatrix<Complex> {
    let (volume, times) = (lattice.volume(), lattice.extents()[0]);
    let [zero, one, i] = [Complex::new(0.0, 0.0), Complex::new(1.0, 0.0), Complex::new(0.0, 1.0)];
    let sigma = [[[zero, one], [one, zero]], [[zero, -i], [i, zero]]];
    let mut matrix = DMatrix::identity(2 * volume, 2 * volume);
    for site in 0..volume {
        for (mu, sigma) in sigma.iter().enumerate() {
            let next = lattice.forward(site, mu);
            let crosses = antiperiodic && mu == 0 && lattice.coordinates(site)[0] + 1 == times;
            let link = Complex::from_polar(if crosses { -kappa } else { kappa }, angles[mu * volume + site]);
            for a in 0..2 {
                for b in 0..2 {
                    let unit = if a == b { one } else { zero };
                    matrix[(2 * site + a, 2 * next + b)] -= (unit - sigma[a][b]) * link;
                    matrix[(2 * next + a, 2 * site + b)] -= (unit + sigma[a][b]) * link.conj();
                }
            }
        }
    }
    matrix
}
