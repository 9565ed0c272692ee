//! What training and sampling need of a target: its action on the device, and in double precision on the host.

use super::observable::Observable;
use crate::lattice::Lattice;
use burn::tensor::Tensor;

/// A lattice action S with `p(φ) = e^{-S(φ)} / Z`.
///
/// Fields are `[batch, component, T, X]`: one component for a scalar, one per direction for link angles.
pub trait Action: std::fmt::Debug + Send + Sync {
    /// One line naming the theory, its couplings and the convention.
    fn describe(&self) -> String;

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

    /// `ln Z = ln ∫ dφ e^{-S}` where it is known in closed form.
    fn log_partition(&self) -> Option<f64>;

    /// What is measured on every configuration.
    fn observables(&self) -> Vec<Observable>;
}
