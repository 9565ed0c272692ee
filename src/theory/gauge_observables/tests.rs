//! Loops as products of links, whole charges, and the propagator of free fermions.

use super::*;
use crate::rng::Seed;

fn all(extents: [usize; 2], kappa: f64, field: &[f64]) -> std::collections::BTreeMap<String, f64> {
    let lattice = Lattice::new(extents);
    let observables = GaugeObservables::new(lattice, Schwinger::new(lattice, 2.0, kappa, true));
    let mut row = vec![f64::NAN; observables.width()];
    observables.measure(field, 7.0, &mut row);
    observables.derived().into_iter().map(|one| (one.name.clone(), (one.value)(&row))).collect()
}

fn field(extents: [usize; 2], width: f64) -> Vec<f64> {
    let normals = Seed(2).stream("links").normals(0, 2, extents.iter().product());
    normals.into_iter().map(|normal| width * f64::from(normal)).collect()
}

/// Loops as products of links along their paths.
#[test]
fn loops_are_products_of_links() {
    let extents = [4, 6];
    let (lattice, angles) = (Lattice::new(extents), field(extents, 1.0));
    let volume = lattice.volume();
    let found = all(extents, 0.0, &angles);
    let path = |from: usize, mu: usize, steps: usize| {
        (0..steps).fold((from, 0.0), |(site, angle), _| {
            (lattice.forward(site, mu), angle + angles[mu * volume + site])
        })
    };
    let of = |from: usize, high: usize, wide: usize| {
        let (corner, up) = path(from, 0, high);
        let (_, along) = path(corner, 1, wide);
        let (corner, right) = path(from, 1, wide);
        let (_, beside) = path(corner, 0, high);
        (up + along - beside - right).cos()
    };
    for (name, high, wide) in [("plaquette", 1, 1), ("wilson_loop_2_2", 2, 2), ("wilson_loop_3_3", 3, 3)] {
        let expected = (0..volume).map(|site| of(site, high, wide)).sum::<f64>() / volume as f64;
        assert!((found[name] - expected).abs() < 1e-12, "{name}");
    }
    let both: f64 = (0..volume).map(|site| of(site, 1, 2) + of(site, 2, 1)).sum();
    assert!((found["wilson_loop_1_2"] - 0.5 * both / volume as f64).abs() < 1e-12);
    assert!((found["action_density"] - 7.0 / volume as f64).abs() < 1e-15);
}

#[test]
fn the_charge_is_whole_and_has_its_indicators() {
    let extents = [6, 8];
    for charge in [-2.0, 0.0, 1.0] {
        let mut angles = field(extents, 0.1);
        let theory = Schwinger::new(Lattice::new(extents), 2.0, 0.0, true);
        theory.kernel().plaquettes().add_flux(charge, &mut angles);
        let found = all(extents, 0.0, &angles);
        assert_eq!(found["topological_charge"], charge);
        assert_eq!(found["topological_charge_squared"], charge * charge);
        let size = charge.abs();
        assert_eq!(found[&format!("charge_probability_{size}")], 1.0);
        let sum = |name: &str| -> f64 {
            found.iter().filter(|(key, _)| key.starts_with(name)).map(|(_, value)| value).sum()
        };
        assert_eq!(sum("charge_probability"), 1.0);
        let sign = if charge == 0.0 { 0.0 } else { charge.signum() };
        assert_eq!(sum("charge_asymmetry"), sign);
    }
}

/// Free fermions: `D⁻¹` of momenta `1 - 2κ Σ cos p + 2iκ Σ σ sin p`.
#[test]
fn unit_links_have_the_propagator_of_free_fermions() {
    let (extents, kappa) = ([8, 6], 0.21);
    let [times, space] = extents;
    let found = all(extents, kappa, &vec![0.0; 2 * times * space]);
    let momenta = || {
        (0..times * space).map(|index| {
            let (n, m) = ((index / space) as f64 + 0.5, (index % space) as f64);
            [2.0 * PI * n / times as f64, 2.0 * PI * m / space as f64]
        })
    };
    let parts = |p: [f64; 2]| {
        let scalar = 1.0 - 2.0 * kappa * (p[0].cos() + p[1].cos());
        let vector = p.map(|p| 2.0 * kappa * p.sin());
        (scalar, vector, scalar * scalar + vector[0] * vector[0] + vector[1] * vector[1])
    };
    let condensate = momenta().map(|p| 2.0 * parts(p).0 / parts(p).2).sum::<f64>() / (times * space) as f64;
    assert!((found["condensate"] - condensate).abs() < 1e-12);
    for t in 0..=times / 2 {
        let mut sum = 0.0;
        for x in 0..space {
            let mut entries = [[0.0; 2]; 3];
            for p in momenta() {
                let (scalar, vector, norm) = parts(p);
                let phase = p[0] * t as f64 + p[1] * x as f64;
                for (entry, part) in entries.iter_mut().zip([scalar, vector[0], vector[1]]) {
                    let part = part / norm / (times * space) as f64;
                    *entry = [entry[0] + part * phase.cos(), entry[1] + part * phase.sin()];
                }
            }
            // tr over spins of a + i b·σ times its adjoint.
            sum += 2.0 * entries.iter().flatten().map(|part| part * part).sum::<f64>();
        }
        let found = found[&format!("pseudoscalar_{t}")];
        assert!((found - sum).abs() < 1e-12 * sum, "t = {t}: {found}, not {sum}");
    }
}
