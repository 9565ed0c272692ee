//! What training and sampling need of a target: its action on the device, and in double precision on the host.

use crate::lattice::Lattice;
use burn::tensor::Tensor;

/// The action of a field, which is computed already: see [`Action::begin`].
pub type BegunAction<'a> = Box<dyn FnOnce(Tensor<3>) -> Tensor<1> + 'a>;

/// A lattice action S with `p(φ) = e^{-S(φ)} / Z`.
///
/// Fields are `[batch, component, site]`: one component for a scalar, one per direction for link angles.
pub trait Action: std::fmt::Debug + Send + Sync {
    /// The theory, its lattice and its couplings, every digit of them: what saved configurations are told apart by. It never changes
    /// for the same action.
    fn id(&self) -> String;

    /// One line for readers, naming the theory, its couplings and the convention.
    fn describe(&self) -> String;

    /// What the field is called in files.
    fn field_name(&self) -> &'static str;

    /// The lattice the field lives on.
    fn lattice(&self) -> Lattice;

    /// Numbers per site.
    fn components(&self) -> usize;

    /// Puts in the place of numbers of the field those that stand for them where flows and files take them: of angles those in (-π, π],
    /// else themselves. Nothing depends on the choice, but single precision has more digits for them.
    fn make_canonical(&self, _: &mut [f64]) {}

    /// The topological charge of a configuration `[component, site]`, in theories that have one.
    fn topological_charge(&self, _: &[f64]) -> Option<f64> {
        None
    }

    /// The action of every configuration, differentiable.
    ///
    /// # Shapes
    /// `[batch, component, site]` → `[batch]`
    fn action(&self, field: Tensor<3>) -> Tensor<1>;

    /// Whether [`Self::action`] is computed on the host wherever the field is, so that a device waits for it.
    fn is_of_host(&self) -> bool {
        false
    }

    /// Begins to compute [`Self::action`] of a field, and its gradient where that will be asked for, if it is computed on the host. What
    /// is returned gives the action of the same field, the same numbers, and waits for the host only then.
    ///
    /// # Shapes
    /// As [`Self::action`].
    fn begin<'a>(&'a self, _field: &Tensor<3>, _with_gradient: bool) -> BegunAction<'a> {
        Box::new(|field| self.action(field))
    }

    /// [`Self::action`] where the host may not be waited for: on a GPU in single precision, also where that of the host is in double.
    ///
    /// # Shapes
    /// As [`Self::action`].
    fn action_on_device(&self, field: Tensor<3>) -> Tensor<1> {
        self.action(field)
    }

    /// The action of one configuration `[component, site]`.
    fn action_f64(&self, field: &[f64]) -> f64;

    /// Floating-point operations of an action, about, as far as they are more than sums over sites, which are not counted: those of a
    /// determinant.
    fn value_flops(&self) -> f64 {
        0.0
    }

    /// The same of an action with its gradient.
    fn gradient_flops(&self) -> f64 {
        0.0
    }

    /// `ln Z = ln ∫ dφ e^{-S}` where it is known exactly.
    fn log_partition(&self) -> Option<f64>;
}
