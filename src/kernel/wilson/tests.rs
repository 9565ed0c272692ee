//! The operator against its dense matrix, finite differences and its symmetries.

use super::reference::dense;
use super::{Determinant, Wilson};
use crate::lattice::Lattice;
use crate::rng::Seed;

const LATTICES: [[usize; 2]; 7] = [[2, 2], [4, 2], [2, 4], [4, 4], [8, 6], [6, 10], [4, 16]];
const KAPPA: f64 = 0.26;

fn field(lattice: Lattice, name: &str, width: f64) -> Vec<f64> {
    let normals = Seed(4).stream(name).normals(0, 2, lattice.volume());
    normals.into_iter().map(|normal| width * f64::from(normal)).collect()
}

fn cases() -> impl Iterator<Item = (Lattice, bool, Vec<f64>)> {
    let of = |extents: [usize; 2]| {
        let lattice = Lattice::new(extents);
        let fields = [0.0, 0.3, 2.0].map(|width| field(lattice, "field", width));
        fields.into_iter().flat_map(move |field| [true, false].map(|anti| (lattice, anti, field.clone())))
    };
    LATTICES.into_iter().flat_map(of)
}

/// The periodic operator at unit links and κ > ¼ is positive all the same, but for its zero mode at ¼.
#[test]
fn the_determinant_is_that_of_the_dense_matrix() {
    for (lattice, antiperiodic, field) in cases() {
        let wilson = Wilson::new(lattice, KAPPA, antiperiodic);
        let Determinant { log_abs, sign, smallest_pivot } =
            wilson.determinant(&field, &mut wilson.workspace());
        let expected = dense(lattice, &field, KAPPA, antiperiodic).determinant();
        assert!(expected.im.abs() < 1e-10 * expected.re.abs(), "{lattice}: {expected} is not real");
        assert!(
            (log_abs - expected.re.abs().ln()).abs() < 1e-12,
            "{lattice}: {log_abs}, not {}",
            expected.re
        );
        assert_eq!(sign, expected.re.signum(), "{lattice}");
        assert!(smallest_pivot > 1e-3);
    }
}

#[test]
fn the_gradient_is_that_of_the_determinant() {
    for (lattice, antiperiodic, field) in cases() {
        let wilson = Wilson::new(lattice, KAPPA, antiperiodic);
        let mut work = wilson.workspace();
        let mut gradient = vec![1.0; field.len()];
        let determinant = wilson.gradient(&field, 0.5, &mut work, &mut gradient);
        assert_eq!(determinant, wilson.determinant(&field, &mut work));
        for place in (0..field.len()).step_by(3) {
            let mut at = |step: f64| {
                let mut moved = field.clone();
                moved[place] += step;
                wilson.determinant(&moved, &mut work).log_abs
            };
            let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
            let found = (gradient[place] - 1.0) / 0.5;
            assert!((found - difference).abs() < 1e-8, "{lattice}: {found}, not {difference}");
        }
    }
}

#[test]
fn condensate_and_correlator_are_those_of_the_dense_inverse() {
    for (lattice, antiperiodic, field) in cases() {
        let wilson = Wilson::new(lattice, KAPPA, antiperiodic);
        let found = wilson.propagator(&field, &mut wilson.workspace());
        let inverse = dense(lattice, &field, KAPPA, antiperiodic).try_inverse().expect("regular");
        let (volume, space) = (lattice.volume(), lattice.extents()[1]);
        let trace = inverse.trace().re / volume as f64;
        assert!((found.condensate - trace).abs() < 1e-12 * trace.abs(), "{lattice}: {}", found.condensate);
        for (t, found) in found.pseudoscalar.iter().enumerate() {
            let sinks = inverse.rows(2 * t * space, 2 * space);
            let expected =
                sinks.columns(0, 2 * space).iter().map(|g| g.norm_sqr()).sum::<f64>() / space as f64;
            assert!(
                (found - expected).abs() < 1e-12 * expected,
                "{lattice}, t = {t}: {found}, not {expected}"
            );
        }
    }
}

/// `θ_μ(x) → θ_μ(x) + α(x) - α(x+μ̂)` changes nothing, nor does `θ → -θ`.
#[test]
fn gauge_transformations_and_charge_conjugation_change_nothing() {
    for (lattice, antiperiodic, angles) in cases() {
        let wilson = Wilson::new(lattice, KAPPA, antiperiodic);
        let (volume, alpha) = (lattice.volume(), field(lattice, "transformation", 3.0));
        let turned = |(place, angle): (usize, &f64)| {
            let (mu, site) = (place / volume, place % volume);
            angle + alpha[site] - alpha[lattice.forward(site, mu)]
        };
        let turned: Vec<f64> = angles.iter().enumerate().map(turned).collect();
        let conjugate: Vec<f64> = angles.iter().map(|angle| -angle).collect();
        let mut work = wilson.workspace();
        let mut all = |angles: &[f64]| wilson.propagator(angles, &mut work);
        let before = all(&angles);
        for after in [all(&turned), all(&conjugate)] {
            assert!((after.determinant.log_abs - before.determinant.log_abs).abs() < 1e-12, "{lattice}");
            assert!((after.condensate - before.condensate).abs() < 1e-12 * before.condensate.abs());
            let pairs = after.pseudoscalar.iter().zip(&before.pseudoscalar);
            assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-11 * b));
        }
    }
}

/// Periodic fermions at unit links and κ = ¼ have a zero mode.
#[test]
fn a_singular_operator_gives_numbers_and_a_small_pivot() {
    let lattice = Lattice::new([4, 4]);
    let wilson = Wilson::new(lattice, 0.25, false);
    let mut gradient = vec![0.0; 32];
    let found = wilson.gradient(&[0.0; 32], 1.0, &mut wilson.workspace(), &mut gradient);
    assert!(found.smallest_pivot < 1e-12 && found.log_abs.is_finite(), "{found:?}");
    assert!(!gradient.iter().any(|value| value.is_nan()));
}
