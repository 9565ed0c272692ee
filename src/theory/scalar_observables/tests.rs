//! Measured numbers by their definitions, exact values by the propagator.

use super::*;
use crate::rng::Seed;

const LATTICES: [&[usize]; 9] =
    [&[6], &[6, 4], &[5, 5], &[8, 8], &[4, 4, 4], &[4, 2, 4], &[6, 2, 4], &[2, 4, 2, 2], &[2, 2, 2, 4]];

/// Every measured number from its definition, with plain sums.
#[test]
fn numbers_are_those_of_their_definitions() {
    for extents in LATTICES {
        let lattice = Lattice::new(extents);
        let observables = ScalarObservables::new(lattice, None);
        let (times, volume) = (extents[0], lattice.volume() as f64);
        let space = volume / times as f64;
        let phi: Vec<f64> =
            Seed(3).stream("phi").normals(0, 1, lattice.volume()).iter().map(|&v| v.into()).collect();
        let mut row = vec![0.0; observables.width()];
        observables.measure(&phi, 7.0, &mut row);
        let mean = |of: &dyn Fn(usize) -> f64| (0..phi.len()).map(of).sum::<f64>() / volume;
        let m = mean(&|x| phi[x]);
        let close = |found: f64, expected: f64, what: &str| {
            assert!((found - expected).abs() < 1e-12, "{what} on {extents:?}: {found} is not {expected}");
        };
        close(row[M], m, "M");
        close(row[ABS_M], m.abs(), "|M|");
        close(row[M4], m.powi(4), "M^4");
        close(row[PHI2], mean(&|x| phi[x].powi(2)), "phi^2");
        close(row[PHI4], mean(&|x| phi[x].powi(4)), "phi^4");
        close(row[ENERGY], 7.0 / volume, "energy");
        let forward = |x: usize| (0..extents.len()).map(|mu| phi[lattice.forward(x, mu)]).sum::<f64>();
        close(row[ISING], mean(&|x| phi[x] * forward(x)) / extents.len() as f64, "Ising energy");
        let slice = |t: usize| {
            let sites = (0..phi.len()).filter(|&x| lattice.coordinates(x)[0] == t % times);
            sites.map(|x| phi[x]).sum::<f64>() / space
        };
        for t in 0..=times / 2 {
            let sum: f64 = (0..times).map(|from| slice(from) * slice(from + t)).sum();
            close(row[TWO_POINT + t], sum * space / times as f64, "two-point function");
        }
        let along = |direction: usize| {
            let wave = |x: usize| {
                let n = lattice.coordinates(x)[direction] as f64;
                Complex::from_polar(1.0, 2.0 * PI * n / extents[direction] as f64)
            };
            (0..phi.len()).map(|x| wave(x) * phi[x]).sum::<Complex<f64>>().norm_sqr() / volume
        };
        let alike: Vec<f64> = (0..extents.len()).filter(|&mu| extents[mu] == times).map(along).collect();
        close(row[G_MIN], alike.iter().sum::<f64>() / alike.len() as f64, "smallest momentum");
        // The two-point function adds up to the susceptibility.
        let all: f64 = (0..times).map(|t| row[TWO_POINT + t.min(times - t)]).sum();
        close(all, volume * m * m, "sum of the two-point function");
    }
}

/// Means of the free field, from its propagator summed over momenta, give every exact value that is claimed.
#[test]
fn exact_values_are_those_of_the_propagator() {
    for extents in LATTICES.into_iter().chain([&[7, 7][..], &[12, 6], &[2, 2]]) {
        let (lattice, m2) = (Lattice::new(extents), 0.7);
        let exact = Exact::new(lattice, m2, 0.0);
        let observables = ScalarObservables::new(lattice, exact);
        let (times, volume, twice) = (extents[0], lattice.volume() as f64, 2.0 * extents.len() as f64);
        let angle = |n: usize, extent: usize| 2.0 * PI * n as f64 / extent as f64;
        let propagator = |momentum: &[usize]| {
            let cosines: f64 = momentum.iter().zip(extents.iter()).map(|(&n, &l)| angle(n, l).cos()).sum();
            (1.0 / (m2 + twice - 2.0 * cosines), cosines)
        };
        let of_site = |k: usize| propagator(&lattice.coordinates(k)[..extents.len()]);
        let of_time = |n: usize| {
            let mut momentum = vec![0; extents.len()];
            momentum[0] = n;
            propagator(&momentum).0
        };
        let all: Vec<(f64, f64)> = (0..lattice.volume()).map(of_site).collect();
        let mut means = vec![0.0; observables.width()];
        // The magnetization is normal, and the field at every site.
        means[M2] = of_time(0) / volume;
        means[M4] = 3.0 * means[M2] * means[M2];
        means[ABS_M] = (2.0 * means[M2] / PI).sqrt();
        means[PHI2] = all.iter().map(|(of_k, _)| of_k).sum::<f64>() / volume;
        means[PHI4] = 3.0 * means[PHI2] * means[PHI2];
        means[ISING] = 2.0 * all.iter().map(|(of_k, cosines)| of_k * cosines).sum::<f64>() / (twice * volume);
        means[ENERGY] = 0.5 * (m2 + twice) * means[PHI2] - 0.5 * twice * means[ISING];
        means[G_MIN] = of_time(1 % times);
        for t in 0..=times / 2 {
            let wave = |n: usize| angle(n * t, times).cos() * of_time(n);
            means[TWO_POINT + t] = (0..times).map(wave).sum::<f64>() / times as f64;
        }
        for one in observables.derived() {
            let (found, exact) = ((one.value)(&means), one.exact.expect("known for the free field"));
            assert!((found - exact).abs() < 1e-11, "{} on {extents:?}: {found} is not {exact}", one.name);
        }
    }
}

/// What follows from two-point function, `⟨φ²⟩` and `⟨φ⁴⟩` is known with interaction in one dimension, and nowhere else.
#[test]
fn interacting_fields_have_exact_values_in_one_dimension() {
    let known = |extents: &[usize]| -> Vec<String> {
        let lattice = Lattice::new(extents);
        let observables = ScalarObservables::new(lattice, Exact::new(lattice, -1.0, 1.0));
        let derived = observables.derived();
        derived.into_iter().filter(|one| one.exact.is_some()).map(|one| one.name).collect()
    };
    assert_eq!(known(&[4, 4]), ["magnetization"]);
    let expected = "magnetization chi_2 phi_squared phi_fourth energy_density ising_energy correlation_length pole_mass two_point_0 \
                    two_point_1 two_point_2 two_point_3 effective_mass_1 effective_mass_2";
    assert_eq!(known(&[6]).join(" "), expected);
}
