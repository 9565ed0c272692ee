//! What training and sampling need of a target: its action on the device, and in double precision on the host.

use super::observable::Observables;
use crate::kernel::quartic::CHAINS;
use crate::lattice::Lattice;
use burn::tensor::Tensor;
use std::sync::Arc;

/// A lattice action S with `p(φ) = e^{-S(φ)} / Z`.
///
/// Fields are `[batch, component, T, X]`: one component for a scalar, one per direction for link angles.
pub trait Action: std::fmt::Debug + Send + Sync {
    /// One line naming the theory, its couplings and the convention.
    fn describe(&self) -> String;

    /// What the field is called in files.
    fn field_name(&self) -> &'static str;

    /// The lattice the field lives on.
    fn lattice(&self) -> Lattice;

    /// Numbers per site.
    fn components(&self) -> usize;

    /// The action of every configuration, differentiable.
    ///
    /// # Shapes
    /// `[batch, component, T, X]` → `[batch]`
    fn action(&self, field: Tensor<4>) -> Tensor<1>;

    /// The action of one configuration `[component, T, X]`.
    fn action_f64(&self, field: &[f64]) -> f64;

    /// The force `-∂S/∂φ` of one configuration, same layout.
    fn force_f64(&self, field: &[f64]) -> Vec<f64>;

    /// The actions of a tile of [`CHAINS`] configurations.
    ///
    /// # Shapes
    /// `tile`: `[component, T, X][chain]`
    fn tile_action(&self, tile: &[f64]) -> [f64; CHAINS];

    /// `momenta += scale · force` for a tile of configurations.
    ///
    /// # Shapes
    /// `tile`, `momenta`: `[component, T, X][chain]`
    fn kick(&self, tile: &[f64], scale: f64, momenta: &mut [f64]);

    /// Floating-point operations of one force on one configuration.
    fn force_flops(&self) -> f64;

    /// Whether `S(-φ) = S(φ)`, so that a chain may flip the sign of its configuration at any time.
    fn is_even(&self) -> bool;

    /// `ln Z = ln ∫ dφ e^{-S}` where it is known in closed form.
    fn log_partition(&self) -> Option<f64>;

    /// What is measured on every configuration, and what follows from the means.
    fn observables(&self) -> Arc<dyn Observables>;
}
