//! The two-flavour Schwinger model with Wilson fermions, and its gauge field alone, eqs. (A4)-(A6) of A22.

use super::action::{Action, BegunAction};
use super::dynamics::{Auxiliary, Drawn, Dynamics, Jumps, Local, Parts};
use super::pseudofermions::Pseudofermions;
use super::pure_u1::PureU1;
use crate::kernel::gauge::{GaugeAction, reduced};
use crate::kernel::wilson::{EvenOdd, Wilson};
use crate::lattice::Lattice;
use burn::tensor::Tensor;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::sync::{Arc, OnceLock};

/// Spread of the link angles that chains start from.
const START_WIDTH: f64 = 0.1;

/// `S = -β Σ_x cos P(x) - ln det D†D`, `P(x) = θ₀(x) + θ₁(x+0̂) - θ₀(x+1̂) - θ₁(x)`, links `U_μ = e^{iθ_μ}`, D the operator
/// [`Wilson`]; without fermions where κ = 0. The measure is dθ for every link.
///
/// `det D` is real, so that two flavours have the weight `(det D)²`. Source: A22, eqs. (A4)-(A6).
#[derive(Debug, Clone)]
pub struct Schwinger {
    lattice: Lattice,
    kappa: f64,
    antiperiodic: bool,
    action: Arc<GaugeAction>,
    /// What is known without fermions, computed when it is asked for.
    exact: Arc<OnceLock<PureU1>>,
}

impl Schwinger {
    /// With fermions that are antiperiodic or periodic in time.
    ///
    /// # Panics
    /// If the lattice has not two even extents.
    pub fn new(lattice: Lattice, beta: f64, kappa: f64, antiperiodic: bool) -> Self {
        let wilson = (kappa > 0.0).then(|| Wilson::new(lattice, kappa, antiperiodic));
        let action = Arc::new(GaugeAction::new(lattice, beta, wilson));
        Self { lattice, kappa, antiperiodic, action, exact: Arc::default() }
    }

    /// What is known of the gauge field alone.
    pub fn exact(&self) -> Option<&PureU1> {
        let known = || PureU1::new(self.lattice.volume(), self.action.beta());
        self.action.wilson().is_none().then(|| self.exact.get_or_init(known))
    }

    /// The action as kernels compute it.
    pub fn kernel(&self) -> &Arc<GaugeAction> {
        &self.action
    }

    fn boundary(&self) -> &'static str {
        if self.antiperiodic { "antiperiodic" } else { "periodic" }
    }
}

impl Action for Schwinger {
    fn id(&self) -> String {
        let (lattice, beta, kappa) = (self.lattice, self.action.beta(), self.kappa);
        format!("schwinger/{lattice}/beta={beta:?}/kappa={kappa:?}/{}", self.boundary())
    }

    fn describe(&self) -> String {
        let (lattice, beta) = (self.lattice, self.action.beta());
        let gauge = "S = -beta sum cos P";
        match self.action.wilson() {
            None => format!("U(1) gauge field, {lattice}, beta = {beta}: {gauge}"),
            Some(_) => format!(
                "two-flavour Schwinger model, {lattice}, beta = {beta}, kappa = {}, fermions {} in time: {gauge} - ln det D^+D",
                self.kappa,
                self.boundary()
            ),
        }
    }

    fn field_name(&self) -> &'static str {
        "theta"
    }

    fn lattice(&self) -> Lattice {
        self.lattice
    }

    fn components(&self) -> usize {
        2
    }

    fn make_canonical(&self, angles: &mut [f64]) {
        angles.iter_mut().for_each(|angle| *angle = reduced(*angle));
    }

    fn topological_charge(&self, field: &[f64]) -> Option<f64> {
        Some(self.action.plaquettes().charge(field).round())
    }

    fn action(&self, field: Tensor<3>) -> Tensor<1> {
        self.action.action(field)
    }

    fn is_of_host(&self) -> bool {
        true
    }

    fn begin<'a>(&'a self, field: &Tensor<3>, with_gradient: bool) -> BegunAction<'a> {
        Box::new(self.action.begin(field, with_gradient))
    }

    fn action_on_device(&self, field: Tensor<3>) -> Tensor<1> {
        self.action.action_on_device(field)
    }

    fn action_f64(&self, field: &[f64]) -> f64 {
        self.action.value(field)
    }

    fn value_flops(&self) -> f64 {
        self.action.wilson().map_or(0.0, Wilson::determinant_flops)
    }

    fn gradient_flops(&self) -> f64 {
        self.action.wilson().map_or(0.0, Wilson::gradient_flops)
    }

    fn log_partition(&self) -> Option<f64> {
        self.exact().map(PureU1::log_partition)
    }
}

/// One chain to a tile: a determinant takes the vector units by itself.
impl Dynamics for Schwinger {
    fn chains(&self) -> usize {
        1
    }

    fn numbers(&self) -> usize {
        2 * self.lattice.volume()
    }

    fn actions(&self, tile: &[f64]) -> Vec<f64> {
        vec![self.action.value(tile)]
    }

    fn kinetic(&self, momenta: &[f64]) -> Vec<f64> {
        vec![momenta.iter().map(|p| 0.5 * p * p).sum()]
    }

    fn kick(&self, tile: &[f64], scale: f64, momenta: &mut [f64]) {
        self.action.gradient(tile, -scale, momenta);
    }

    fn drift(&self, tile: &mut [f64], scale: f64, momenta: &[f64]) {
        tile.iter_mut().zip(momenta).for_each(|(theta, p)| *theta += scale * p);
    }

    /// Smooth fields of charge zero.
    fn start(&self, rng: &mut ChaCha8Rng) -> Vec<f64> {
        let normals = StandardNormal.sample_iter(rng).take(self.numbers());
        normals.map(|normal: f64| normal * START_WIDTH).collect()
    }

    fn force_flops(&self) -> f64 {
        self.plaquette_flops() + self.gradient_flops()
    }

    fn action_flops(&self) -> f64 {
        self.plaquette_flops() + self.value_flops()
    }

    /// Charge conjugation.
    fn is_even(&self) -> bool {
        true
    }

    fn parts(&self) -> Option<&dyn Parts> {
        self.action.wilson().map(|_| self as &dyn Parts)
    }

    fn auxiliary(&self) -> Option<&dyn Auxiliary> {
        self.action.wilson().map(|_| self as &dyn Auxiliary)
    }

    fn jumps(&self) -> Option<&dyn Jumps> {
        Some(self)
    }

    /// Of the gauge field alone: a determinant depends on all links at once.
    fn local(&self) -> Option<&dyn Local> {
        self.action.wilson().is_none().then(|| self.action.as_ref() as &dyn Local)
    }
}

impl Auxiliary for Schwinger {
    fn draw<'a>(&'a self, field: &[f64], rng: &mut ChaCha8Rng) -> Box<dyn Drawn + 'a> {
        let operator = EvenOdd::new(self.lattice, self.kappa, self.antiperiodic);
        Box::new(Pseudofermions::draw(&self.action, operator, field, rng))
    }

    /// M and M†, and five sums or products of vectors on half of the sites.
    fn iteration_flops(&self) -> f64 {
        (2.0 * EvenOdd::FLOPS + 20.0) * self.lattice.volume() as f64
    }
}

/// A field of uniform flux ±1 added to the links: in pure gauge theory the action changes by about `2π²β/V` from Q = 0, and by 2|Q| + 1 times as much outwards.
impl Jumps for Schwinger {
    fn jump(&self, field: &[f64], rng: &mut ChaCha8Rng) -> Vec<f64> {
        let mut moved = field.to_vec();
        let charge = if rng.random::<bool>() { 1.0 } else { -1.0 };
        self.action.plaquettes().add_flux(charge, &mut moved);
        moved
    }
}

impl Schwinger {
    /// Three additions for a plaquette, and of its sine two for each link.
    fn plaquette_flops(&self) -> f64 {
        8.0 * self.lattice.volume() as f64
    }
}

impl Parts for Schwinger {
    fn kick_cheap(&self, tile: &[f64], scale: f64, momenta: &mut [f64]) {
        self.action.gradient_of_plaquettes(tile, -scale, momenta);
    }

    fn kick_dear(&self, tile: &[f64], scale: f64, momenta: &mut [f64]) {
        self.action.gradient_of_fermions(tile, -scale, momenta);
    }

    fn cheap_flops(&self) -> f64 {
        self.plaquette_flops()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    fn cases() -> Vec<Schwinger> {
        let one = |extents: [usize; 2], kappa, anti| Schwinger::new(Lattice::new(extents), 2.0, kappa, anti);
        vec![
            one([4, 4], 0.0, true),
            one([4, 6], 0.26, true),
            one([6, 4], 0.2, false),
            one([2, 4], 0.24, true),
        ]
    }

    fn field(action: &Schwinger, name: &str) -> Vec<f64> {
        let normals = Seed(9).stream(name).normals(0, 2, action.lattice.volume());
        normals.into_iter().map(f64::from).collect()
    }

    /// Central differences have the error h² S'''/6, about 1e-9 here.
    #[test]
    fn the_force_is_minus_the_gradient_of_the_action_and_the_sum_of_its_parts() {
        for action in cases() {
            let theta = field(&action, "force");
            let mut force = vec![0.0; theta.len()];
            action.kick(&theta, 1.0, &mut force);
            for (place, force) in force.iter().enumerate() {
                let at = |h: f64| {
                    let mut moved = theta.clone();
                    moved[place] += h;
                    action.action_f64(&moved)
                };
                let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
                assert!((force + difference).abs() < 1e-7, "{}: {force} and {difference}", action.id());
            }
            if let Some(parts) = action.parts() {
                let mut sum = vec![0.0; theta.len()];
                parts.kick_cheap(&theta, 1.0, &mut sum);
                parts.kick_dear(&theta, 1.0, &mut sum);
                assert!(sum.iter().zip(&force).all(|(a, b)| (a - b).abs() < 1e-12));
            }
        }
    }

    #[test]
    fn jumps_change_the_charge_by_one_and_the_action_as_they_should() {
        let action = Schwinger::new(Lattice::new([8, 8]), 2.0, 0.0, true);
        let smooth: Vec<f64> = field(&action, "smooth").into_iter().map(|angle| 0.1 * angle).collect();
        let moved = action.jump(&smooth, &mut Seed(1).stream("jump").item(0));
        assert!((action.action.plaquettes().charge(&moved).abs() - 1.0).abs() < 1e-12);
        let change = action.action_f64(&moved) - action.action_f64(&smooth);
        // 2π²β/V, less by the mean cosine of the plaquettes.
        let expected = 2.0 * std::f64::consts::PI.powi(2) * 2.0 / 64.0;
        assert!((change / expected - 1.0).abs() < 0.1, "{change}, not about {expected}");
    }
}
