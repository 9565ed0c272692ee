//! The laws of Hybrid Monte Carlo, and that chains sample the target.

use super::*;
use crate::lattice::Lattice;
use crate::spec::Integrator;
use crate::theory::Phi4;

fn spec(integrator: Integrator, steps: usize) -> HmcSpec {
    HmcSpec {
        trajectories: 1000,
        thermalization: 200,
        chains: 16,
        trajectory_length: 1.0,
        steps,
        integrator,
        tune: false,
        target_acceptance: 0.8,
        length_spread: 0.5,
        save_every: None,
    }
}

fn interacting() -> Phi4 {
    Phi4::new(Lattice::new([6, 4]), -4.0, 2.0)
}

/// A tile in equilibrium with fresh momenta.
fn thermalized(hmc: &Hmc<'_>) -> (Tile, Vec<f64>) {
    let mut tile = hmc.start(0);
    hmc.advance(&mut tile, 10, 0..200, &mut |_| ());
    let mut momenta = vec![0.0; tile.field.len()];
    let streams = tile.streams.iter().enumerate();
    streams.for_each(|(chain, stream)| fill_normals(&mut momenta, chain, &mut stream.item(1 << 40)));
    (tile, momenta)
}

#[test]
fn a_trajectory_runs_back_to_where_it_began() {
    let action = interacting();
    for integrator in [Integrator::Leapfrog, Integrator::Omelyan] {
        let spec = spec(integrator, 12);
        let hmc = Hmc::new(&action, &spec, Seed(2), "sample/hmc");
        let (tile, start) = thermalized(&hmc);
        let (mut field, mut momenta) = (tile.field.clone(), start);
        hmc.integrate(&Schedule::new(integrator, 1.0, 12), &mut field, &mut momenta);
        momenta.iter_mut().for_each(|p| *p = -*p);
        hmc.integrate(&Schedule::new(integrator, 1.0, 12), &mut field, &mut momenta);
        let worst = field.iter().zip(&tile.field).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-12, "{integrator:?}: off by {worst:e}");
    }
}

#[test]
fn the_energy_violation_falls_with_the_square_of_the_step() {
    let action = interacting();
    for integrator in [Integrator::Leapfrog, Integrator::Omelyan] {
        let spec = spec(integrator, 12);
        let hmc = Hmc::new(&action, &spec, Seed(2), "sample/hmc");
        let (tile, start) = thermalized(&hmc);
        let violation = |steps: usize| {
            let (mut field, mut momenta) = (tile.field.clone(), start.clone());
            hmc.integrate(&Schedule::new(integrator, 1.0, steps), &mut field, &mut momenta);
            let (before, after) = (kinetic_energy(&start), kinetic_energy(&momenta));
            let action = hmc.action.tile_action(&field);
            let of = |chain: usize| after[chain] + action[chain] - before[chain] - tile.action[chain];
            (0..CHAINS).map(|chain| of(chain).powi(2)).sum::<f64>().sqrt()
        };
        let ratio = violation(40) / violation(80);
        // The next order is smaller by ε² = 1/1600.
        assert!((ratio - 4.0).abs() < 0.1, "{integrator:?}: {ratio}");
    }
}

/// The free field's exact values, ⟨e^{-ΔH}⟩ = 1, and an acceptance that tuning reaches.
#[test]
fn chains_sample_the_target() {
    let action = Phi4::new(Lattice::new([4, 6]), 0.8, 0.0);
    let observables = action.observables();
    for integrator in [Integrator::Leapfrog, Integrator::Omelyan] {
        let spec = HmcSpec { tune: true, trajectories: 4000, ..spec(integrator, 3) };
        let chains =
            Hmc::new(&action, &spec, Seed(5), "sample/hmc").run(&*observables, None, &|_| Ok(())).unwrap();
        assert!(chains.acceptance > 0.75 && chains.acceptance < 0.999, "{}", chains.acceptance);
        assert_eq!(chains.series.len(), 16);
        let (mean, error) = chains.exp_minus_delta_h;
        assert!((mean - 1.0).abs() < 4.0 * error, "<exp(-dH)> = {mean} +- {error}");
        let ensemble = crate::stats::Ensemble::Chains(&chains.series);
        for observable in observables.derived() {
            let Some(exact) = observable.exact else { continue };
            let found = ensemble.measured(&*observable.value).expect("finite");
            let pull = (found.value - exact) / found.error;
            assert!(pull.abs() < 4.0, "{}: {found:?} is not {exact}", observable.name);
        }
    }
}

#[test]
fn threads_and_chains_beside_it_do_not_change_a_chain() {
    let action = interacting();
    let observables = action.observables();
    let few = HmcSpec { chains: 3, trajectories: 50, ..spec(Integrator::Omelyan, 5) };
    let many = HmcSpec { chains: 20, ..few.clone() };
    let run = |spec: &HmcSpec| {
        Hmc::new(&action, spec, Seed(5), "sample/hmc").run(&*observables, None, &|_| Ok(())).unwrap()
    };
    assert_eq!(run(&few).series[2].to_numbers()[5..], run(&many).series[2].to_numbers()[5..]);
}
