//! The laws of Hybrid Monte Carlo, and that chains sample the target.

use super::chains::Chains;
use super::trajectory::{Motion, Tile, Trajectories};
use crate::error::Error;
use crate::lattice::Lattice;
use crate::rng::Seed;
use crate::sample::integrator::Schedule;
use crate::sample::store::Store;
use crate::sample::watch::Watch;
use crate::spec::{Fermions, HmcSpec, Integrator};
use crate::stats::Ensemble;
use crate::theory::Theory;
use rand_distr::{Distribution, StandardNormal};
use std::sync::atomic::{AtomicU64, Ordering};

const NEVER: &(dyn Fn() -> bool + Sync) = &|| false;

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
        instanton_every: None,
        fermions: None,
        gauge_steps: None,
    }
}

fn interacting() -> Theory {
    Theory::phi4(Lattice::new([6, 4]), -4.0, 2.0)
}

/// Scalar and gauge fields, these with fermions and without.
fn theories() -> [Theory; 3] {
    let lattice = Lattice::new([4, 6]);
    [interacting(), Theory::schwinger(lattice, 2.0, 0.0, true), Theory::schwinger(lattice, 2.0, 0.26, true)]
}

fn trajectories(theory: &Theory, integrator: Integrator, cheap_steps: usize) -> Trajectories<'_> {
    let motion = Motion { length: 1.0, spread: 0.5, integrator, cheap_steps, auxiliary: false };
    Trajectories::new(&*theory.dynamics, motion, Seed(2), "sample/hmc")
}

/// Every theory with every integrator, with one step size and, where its force has two parts, with two.
fn ways() -> impl Iterator<Item = (Theory, Integrator, usize)> {
    theories().into_iter().flat_map(|theory| {
        let steps: &[usize] = if theory.dynamics.parts().is_some() { &[1, 3] } else { &[1] };
        let both = [Integrator::Leapfrog, Integrator::Omelyan];
        let ways = steps.iter().flat_map(move |steps| both.map(|integrator| (integrator, *steps)));
        ways.map(move |(integrator, steps)| (theory.clone(), integrator, steps))
    })
}

/// A tile in equilibrium with fresh momenta.
fn thermalized(trajectories: &Trajectories<'_>) -> (Tile, Vec<f64>) {
    let mut tile = trajectories.start(0);
    for index in 0..200 {
        trajectories.advance(&mut tile, 10, index, NEVER).expect("nobody stops it");
    }
    let normals = StandardNormal.sample_iter(Seed(3).stream("momenta").item(0));
    let momenta = normals.take(tile.field.len()).collect();
    (tile, momenta)
}

#[test]
fn a_trajectory_runs_back_to_where_it_began() {
    for (theory, integrator, cheap_steps) in ways() {
        let hmc = trajectories(&theory, integrator, cheap_steps);
        let (tile, start) = thermalized(&hmc);
        let (mut field, mut momenta) = (tile.field.clone(), start);
        let schedule = Schedule::new(integrator, 1.0, 12);
        hmc.integrate(&*theory.dynamics, &schedule, &mut field, &mut momenta, NEVER)
            .expect("nobody stops it");
        momenta.iter_mut().for_each(|p| *p = -*p);
        hmc.integrate(&*theory.dynamics, &schedule, &mut field, &mut momenta, NEVER)
            .expect("nobody stops it");
        let worst = field.iter().zip(&tile.field).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-12, "{:?}, {integrator:?}: off by {worst:e}", theory.action);
    }
}

#[test]
fn the_energy_violation_falls_with_the_square_of_the_step() {
    for (theory, integrator, cheap_steps) in ways() {
        let hmc = trajectories(&theory, integrator, cheap_steps);
        let (tile, start) = thermalized(&hmc);
        let energy = |field: &[f64], momenta: &[f64]| -> Vec<f64> {
            let kinetic = theory.dynamics.kinetic(momenta);
            theory.dynamics.actions(field).iter().zip(kinetic).map(|(s, k)| s + k).collect()
        };
        let before = energy(&tile.field, &start);
        let violation = |steps: usize| {
            let (mut field, mut momenta) = (tile.field.clone(), start.clone());
            let schedule = Schedule::new(integrator, 1.0, steps);
            hmc.integrate(&*theory.dynamics, &schedule, &mut field, &mut momenta, NEVER)
                .expect("nobody stops it");
            let after = energy(&field, &momenta);
            after.iter().zip(&before).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
        };
        let ratio = violation(40) / violation(80);
        // The next order is smaller by ε² = 1/1600.
        assert!((ratio - 4.0).abs() < 0.1, "{:?}, {integrator:?}: {ratio}", theory.action);
    }
}

/// The free field's exact values, ⟨e^{-ΔH}⟩ = 1, and an acceptance that tuning reaches.
#[test]
fn chains_sample_the_target() {
    let theory = Theory::phi4(Lattice::new([4, 6]), 0.8, 0.0);
    for integrator in [Integrator::Leapfrog, Integrator::Omelyan] {
        let spec = HmcSpec { tune: true, trajectories: 4000, ..spec(integrator, 3) };
        let run = Chains::hmc(&theory, &spec, Seed(5), None).run(None, Watch::NOBODY).unwrap();
        let chain = run.chain.as_ref().expect("a chain");
        assert!(chain.acceptance > 0.75 && chain.acceptance < 0.999, "{}", chain.acceptance);
        assert_eq!(run.series().len(), 16);
        let (mean, error) = chain.exp_minus_delta_h.expect("of every trajectory");
        assert!((mean - 1.0).abs() < 4.0 * error, "<exp(-dH)> = {mean} +- {error}");
        for observable in theory.observables.derived() {
            let Some(exact) = observable.exact else { continue };
            let found = run.ensemble.measured(&*observable.value).expect("finite");
            let pull = (found.value - exact) / found.error;
            assert!(pull.abs() < 4.0, "{}: {found:?} is not {exact}", observable.name);
        }
    }
}

/// The free field in one, three and four dimensions.
#[test]
fn chains_sample_the_target_in_every_dimension() {
    for extents in [&[8][..], &[4, 4, 6], &[4, 2, 2, 4]] {
        let theory = Theory::phi4(Lattice::new(extents), 1.2, 0.0);
        let spec = HmcSpec { tune: true, ..spec(Integrator::Omelyan, 3) };
        let run = Chains::hmc(&theory, &spec, Seed(6), None).run(None, Watch::NOBODY).unwrap();
        for observable in theory.observables.derived() {
            let exact = observable.exact.expect("of the free field everything is known");
            let found = run.ensemble.measured(&*observable.value).expect("finite");
            let pull = (found.value - exact) / found.error;
            assert!(pull.abs() < 4.0, "{extents:?}, {}: {found:?} is not {exact}", observable.name);
        }
    }
}

#[test]
fn threads_and_chains_beside_it_do_not_change_a_chain() {
    let theory = interacting();
    let few = HmcSpec { chains: 3, trajectories: 50, ..spec(Integrator::Omelyan, 5) };
    let many = HmcSpec { chains: 20, ..few.clone() };
    let run = |spec: &HmcSpec| Chains::hmc(&theory, spec, Seed(5), None).run(None, Watch::NOBODY).unwrap();
    assert_eq!(run(&few).series()[2].to_numbers()[5..], run(&many).series()[2].to_numbers()[5..]);
}

/// A tuned thermalisation begins with other steps than it ends with; its price is that of the steps that were made.
#[test]
fn thermalisation_costs_the_forces_that_it_evaluated() {
    let theory = interacting();
    let cost = |tune: bool, steps: usize| {
        let spec = HmcSpec { tune, length_spread: 0.0, chains: 4, ..spec(Integrator::Leapfrog, steps) };
        let run = Chains::hmc(&theory, &spec, Seed(5), None).run(None, Watch::NOBODY).unwrap();
        (run.cost.setup.expect("thermalisation").flops, run.cost.flops_per_configuration)
    };
    let forces = theory.dynamics.force_flops();
    let (setup, trajectory) = cost(false, 7);
    assert_eq!((setup, trajectory), (8.0 * forces * 200.0 * 4.0, 8.0 * forces));
    let (setup, trajectory) = cost(true, 40);
    assert!(setup > 1.1 * trajectory * 200.0 * 4.0, "{setup} at {trajectory} a trajectory");
}

/// A signal in the middle of trajectories leaves some tiles ahead of others.
#[test]
fn chains_that_are_stopped_in_the_middle_of_a_trajectory_go_on_to_the_same_digits() {
    let theory = interacting();
    let spec = HmcSpec { trajectories: 250, tune: true, ..spec(Integrator::Omelyan, 5) };
    let hmc = Chains::hmc(&theory, &spec, Seed(5), Some(20));
    let folder = tempfile::tempdir().unwrap();
    let [mut never, mut not_either] = [|| false; 2];
    let records = |store: &mut Store<'_>| {
        let mut all = Vec::new();
        store
            .records()
            .read(&mut |part| {
                all.extend(part);
                Ok(())
            })
            .unwrap();
        all
    };
    let identity = hmc.identity();
    let mut whole_store = Store::open(folder.path(), "whole", identity, Some(24), &mut never).unwrap();
    let whole = hmc.run(Some(&mut whole_store), Watch::NOBODY).unwrap();
    let mut stops = 0;
    let (stopped, kept) = loop {
        let asked = AtomicU64::new(0);
        let is_stopped = || asked.fetch_add(1, Ordering::Relaxed) > 137;
        let hear = |_| {
            let interrupted = Error::InterruptedDraw { signal: crate::error::Signal(2), done: 0, count: 0 };
            if is_stopped() { Err(interrupted) } else { Ok(()) }
        };
        let identity = hmc.identity();
        let mut store = Store::open(folder.path(), "stopped", identity, Some(24), &mut not_either).unwrap();
        match hmc.run(Some(&mut store), Watch { hear: &hear, is_stopped: &is_stopped }) {
            Ok(run) => break (run, records(&mut store)),
            Err(_) => stops += 1,
        }
    };
    assert!(stops > 3, "it was stopped {stops} times");
    assert_eq!(stopped.ensemble, whole.ensemble);
    assert_eq!(stopped.chain, whole.chain);
    assert_eq!(kept, records(&mut whole_store));
    assert_eq!(whole.series()[0].count() / 20 * 16, whole_store.records().count());
}

/// Pseudofermions and the determinant are two ways to the same distribution.
#[test]
fn pseudofermions_sample_what_the_determinant_does() {
    let theory = Theory::schwinger(Lattice::new([4, 4]), 1.0, 0.22, true);
    let run = |fermions: Fermions, gauge_steps: Option<usize>| {
        let asked = HmcSpec { fermions: Some(fermions), gauge_steps, ..spec(Integrator::Omelyan, 4) };
        Chains::hmc(&theory, &asked, Seed(8), None).run(None, Watch::NOBODY).unwrap()
    };
    let exact = run(Fermions::Determinant, None);
    for gauge_steps in [None, Some(3)] {
        let noisy = run(Fermions::Pseudofermions, gauge_steps);
        let chain = noisy.chain.as_ref().expect("a chain");
        assert!(
            chain.acceptance > 0.5 && chain.solver_iterations.is_some_and(|count| count > 50.0),
            "{chain:?}"
        );
        let (mean, error) = chain.exp_minus_delta_h.expect("of every trajectory");
        assert!((mean - 1.0).abs() < 4.0 * error, "<exp(-dH)> = {mean} +- {error}");
        for observable in theory.observables.derived().iter().filter(|observable| observable.primary) {
            let [a, b] =
                [&exact, &noisy].map(|run| run.ensemble.measured(&*observable.value).expect("finite"));
            let off = (a.value - b.value).abs() / a.error.hypot(b.error);
            assert!(off < 4.0, "{}: {} and {}, {off} errors apart", observable.name, a.value, b.value);
        }
    }
}

/// With auxiliary fields trajectories are reversible and of second order, too.
#[test]
fn trajectories_with_pseudofermions_keep_the_laws() {
    let theory = Theory::schwinger(Lattice::new([4, 6]), 2.0, 0.24, true);
    for cheap_steps in [1, 3] {
        let hmc = trajectories(&theory, Integrator::Omelyan, cheap_steps);
        let (tile, start) = thermalized(&hmc);
        let mut rng = Seed(4).stream("pseudofermions").item(0);
        let drawn = theory.dynamics.auxiliary().expect("there are fermions").draw(&tile.field, &mut rng);
        let dynamics = drawn.dynamics();
        assert!((dynamics.actions(&tile.field)[0] - drawn.action()).abs() < 1e-9, "|eta|^2 is the action");
        let energy = |field: &[f64], p: &[f64]| dynamics.actions(field)[0] + dynamics.kinetic(p)[0];
        let run = |steps: usize, field: &mut [f64], p: &mut [f64]| {
            let schedule = Schedule::new(Integrator::Omelyan, 1.0, steps);
            hmc.integrate(dynamics, &schedule, field, p, NEVER).expect("nobody stops it");
        };
        let violation = |steps: usize| {
            let (mut field, mut p) = (tile.field.clone(), start.clone());
            run(steps, &mut field, &mut p);
            (energy(&field, &p) - energy(&tile.field, &start)).abs()
        };
        let ratio = violation(30) / violation(60);
        assert!((ratio - 4.0).abs() < 0.1, "{ratio}");
        let (mut field, mut p) = (tile.field.clone(), start.clone());
        run(12, &mut field, &mut p);
        p.iter_mut().for_each(|p| *p = -*p);
        run(12, &mut field, &mut p);
        let worst = field.iter().zip(&tile.field).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-8, "off by {worst:e}");
    }
}

/// The determinant as a weight on chains of the gauge field alone, in place of the force of it.
#[test]
fn chains_with_fermions_are_those_of_the_gauge_field_reweighted() {
    let lattice = Lattice::new([4, 4]);
    let [with, without] = [0.24, 0.0].map(|kappa| Theory::schwinger(lattice, 1.0, kappa, true));
    let asked = HmcSpec { trajectories: 4000, ..spec(Integrator::Omelyan, 3) };
    let found = Chains::hmc(&with, &asked, Seed(9), None).run(None, Watch::NOBODY).unwrap();
    let hmc = Chains::hmc(&without, &asked, Seed(10), Some(2));
    let folder = tempfile::tempdir().unwrap();
    let mut never = || false;
    let mut store = Store::open(folder.path(), "gauge", hmc.identity(), Some(32), &mut never).unwrap();
    hmc.run(Some(&mut store), Watch::NOBODY).unwrap();
    let (mut log_weights, mut rows) = (Vec::new(), Vec::new());
    let mut row = vec![0.0; with.observables.width()];
    let mut keep = |fields: Vec<f64>| {
        for field in fields.chunks_exact(32) {
            let action = with.action.action_f64(field);
            log_weights.push(without.action.action_f64(field) - action);
            with.observables.measure(field, action, &mut row);
            rows.extend_from_slice(&row);
        }
        Ok(())
    };
    store.records().read(&mut keep).unwrap();
    let reweighted = Ensemble::Weighted { log_weights, rows, width: row.len() };
    for observable in with.observables.derived().iter().filter(|observable| observable.primary) {
        let [a, b] =
            [&found.ensemble, &reweighted].map(|all| all.measured(&*observable.value).expect("finite"));
        // Neighbours among the kept ones are hardly correlated: their errors count for the worse.
        let off = (a.value - b.value).abs() / a.error.hypot(2.0 * b.error);
        assert!(off < 4.0 && b.error < 0.05 * b.value.abs(), "{}: {a:?} and {b:?}", observable.name);
    }
}
