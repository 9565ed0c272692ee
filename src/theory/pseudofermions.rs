//! Pseudofermions: the determinant as a Gaussian integral, for lattices on which solving is cheaper than eliminating.

use super::dynamics::{Drawn, Dynamics, Parts};
use crate::kernel::gauge::GaugeAction;
use crate::kernel::wilson::{EvenOdd, Spinors};
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

/// Residue of solutions, relative to what is solved for: so small that trajectories are reversible to rounding.
const TOLERANCE: f64 = 1e-12;

/// Iterations after which an operator counts as singular, and the trajectory is lost.
const MOST: u64 = 10_000;

/// `det D†D = det M M† ∝ ∫ dφ e^{-φ† (M M†)⁻¹ φ}`, M the operator [`EvenOdd`], with φ = M η drawn once for a trajectory, η normal.
///
/// Source: Weingarten, Petcher, Phys. Lett. B 99 (1981) 333.
#[derive(Debug)]
pub struct Pseudofermions<'a> {
    action: &'a GaugeAction,
    operator: Mutex<EvenOdd>,
    phi: Spinors,
    /// The action of the field they were drawn for: that of the plaquettes and `|η|²`.
    first: f64,
    iterations: AtomicU64,
}

impl<'a> Pseudofermions<'a> {
    /// Drawn for a field.
    ///
    /// # Shapes
    /// `field`: `[μ, site]`
    pub fn draw(action: &'a GaugeAction, mut operator: EvenOdd, field: &[f64], rng: &mut ChaCha8Rng) -> Self {
        operator.set_links(field);
        let mut eta = operator.zeros();
        for &site in operator.even() {
            for number in &mut eta[site] {
                // ⟨|η|²⟩ = 1 for every complex number.
                let mut part = || -> f64 { StandardNormal.sample(&mut *rng) };
                (number.re, number.im) = (part() * 0.5f64.sqrt(), part() * 0.5f64.sqrt());
            }
        }
        let (mut half, mut phi) = (operator.zeros(), operator.zeros());
        operator.apply(&eta, &mut half, &mut phi);
        let first = of_plaquettes(action, field) + operator.square(&eta);
        Self { action, operator: Mutex::new(operator), phi, first, iterations: AtomicU64::new(0) }
    }

    fn on(&self, field: &[f64]) -> MutexGuard<'_, EvenOdd> {
        let mut operator = self.operator.lock().expect("nobody panics while solving");
        operator.set_links(field);
        operator
    }

    /// `(M M†)⁻¹ φ`, or nothing if there is no solution.
    fn solve(&self, operator: &EvenOdd) -> Option<Spinors> {
        let found = operator.solve(&self.phi, TOLERANCE, MOST);
        self.iterations.fetch_add(found.iterations, Ordering::Relaxed);
        found.converged.then_some(found.x)
    }
}

/// Of one chain; where nothing can be solved, energies and momenta are not numbers, and the trajectory is rejected.
impl Dynamics for Pseudofermions<'_> {
    fn chains(&self) -> usize {
        1
    }

    fn numbers(&self) -> usize {
        2 * self.phi.len()
    }

    fn actions(&self, tile: &[f64]) -> Vec<f64> {
        let operator = self.on(tile);
        let gauge = of_plaquettes(self.action, tile);
        let fermions = self.solve(&operator).map(|x| operator.action(&x));
        vec![fermions.map_or(f64::NAN, |fermions| gauge + fermions)]
    }

    fn kinetic(&self, momenta: &[f64]) -> Vec<f64> {
        vec![momenta.iter().map(|p| 0.5 * p * p).sum()]
    }

    fn kick(&self, tile: &[f64], scale: f64, momenta: &mut [f64]) {
        self.kick_cheap(tile, scale, momenta);
        self.kick_dear(tile, scale, momenta);
    }

    fn drift(&self, tile: &mut [f64], scale: f64, momenta: &[f64]) {
        tile.iter_mut().zip(momenta).for_each(|(theta, p)| *theta += scale * p);
    }

    /// Trajectories begin where the chain is.
    fn start(&self, _: &mut ChaCha8Rng) -> Vec<f64> {
        vec![0.0; self.numbers()]
    }

    /// What is spent on solving is counted by iterations.
    fn force_flops(&self) -> f64 {
        self.cheap_flops()
    }

    fn is_even(&self) -> bool {
        true
    }

    fn parts(&self) -> Option<&dyn Parts> {
        Some(self)
    }
}

impl Parts for Pseudofermions<'_> {
    fn kick_cheap(&self, tile: &[f64], scale: f64, momenta: &mut [f64]) {
        self.action.gradient_of_plaquettes(tile, -scale, momenta);
    }

    fn kick_dear(&self, tile: &[f64], scale: f64, momenta: &mut [f64]) {
        let operator = self.on(tile);
        match self.solve(&operator) {
            Some(x) => operator.gradient(x, -scale, momenta),
            None => momenta.fill(f64::NAN),
        }
    }

    fn cheap_flops(&self) -> f64 {
        8.0 * self.phi.len() as f64
    }
}

impl Drawn for Pseudofermions<'_> {
    fn iterations(&self) -> u64 {
        self.iterations.load(Ordering::Relaxed)
    }

    fn dynamics(&self) -> &dyn Dynamics {
        self
    }

    fn action(&self) -> f64 {
        self.first
    }
}

fn of_plaquettes(action: &GaugeAction, field: &[f64]) -> f64 {
    -action.beta() * action.plaquettes().sum_of_cosines(field)
}
