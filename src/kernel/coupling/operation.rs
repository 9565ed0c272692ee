//! A stack of couplings as an operation on tensors: fused where the device has kernels for it, else layer by layer.

use super::layer::Coupling;
use super::networks::{Direction, Networks};
use super::on_cpu;
#[cfg(feature = "wgpu")]
use super::on_gpu;
use super::reference::layer_by_layer;
use crate::kernel::conv_stack::ConvStack;
use crate::kernel::fused::{Fused, Pass, binary, is_cpu, is_fused};
use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::tensor::Tensor;
use std::sync::Arc;

/// Couplings one after the other, each with a network of its own; the parameters are those of the networks.
#[derive(Debug, Clone)]
pub struct CouplingStack<C> {
    pub(super) networks: Arc<Networks>,
    pub(super) couplings: Arc<[C]>,
}

impl<C: Coupling> CouplingStack<C> {
    /// # Panics
    /// If there are no layers, or if a network does not fit its coupling or the lattice of the others.
    pub fn new(layers: Vec<(C, Arc<ConvStack>)>) -> Self {
        let (couplings, networks): (Vec<C>, Vec<Arc<ConvStack>>) = layers.into_iter().unzip();
        couplings.iter().zip(&networks).for_each(|(coupling, network)| coupling.check(network));
        Self { networks: Arc::new(Networks::new(networks)), couplings: couplings.into() }
    }

    /// The networks.
    pub fn networks(&self) -> &Networks {
        &self.networks
    }

    /// What each layer does beside its network.
    pub fn couplings(&self) -> &[C] {
        &self.couplings
    }

    /// Networks and couplings.
    pub(super) fn parts(&self) -> (&Networks, &[C]) {
        (&self.networks, &self.couplings)
    }

    /// Whether the device has kernels for a whole stack of these couplings.
    fn is_fused(&self, x: &Tensor<3>) -> bool {
        #[cfg(feature = "wgpu")]
        let known = is_cpu(&x.device()) || self.couplings.iter().all(|layer| layer.gpu_layer().is_some());
        #[cfg(not(feature = "wgpu"))]
        let known = is_cpu(&x.device());
        known && is_fused(&x.device(), x.dtype())
    }

    fn check_shapes(&self, x: [usize; 3], parameters: [usize; 1]) {
        let expected = [self.couplings[0].components(), self.networks.volume()];
        assert_eq!(x[1..], expected, "coupling_stack: [components, sites] of the field and of the layers");
        assert_eq!(parameters, [self.networks.parameter_count()], "coupling_stack: packed parameters");
    }
}

/// A stack gone through in one direction, with the log det as the last number of every sample.
#[derive(Debug)]
struct Directed<C>(CouplingStack<C>, Direction);

impl<C: Coupling> Fused for Directed<C> {
    fn on_cpu(self: Arc<Self>, inputs: Vec<FloatTensor<Flex>>, keep: bool) -> Pass<Flex> {
        let inputs = <[_; 2]>::try_from(inputs).expect("a field and parameters");
        let Self(CouplingStack { networks, couplings }, direction) = &*self;
        on_cpu::pass((Arc::clone(networks), Arc::clone(couplings)), *direction, inputs, keep)
    }

    #[cfg(feature = "wgpu")]
    fn on_gpu(
        self: Arc<Self>,
        inputs: Vec<FloatTensor<burn::backend::Cube>>,
        keep: bool,
    ) -> Pass<burn::backend::Cube> {
        let inputs = <[_; 2]>::try_from(inputs).expect("a field and parameters");
        let Self(CouplingStack { networks, couplings }, direction) = &*self;
        let layer = couplings[0].gpu_layer().expect("a coupling that the kernels know");
        let records = |index: usize| couplings[index].gpu_record();
        on_gpu::pass(Arc::clone(networks), layer, &records, *direction, inputs, keep)
    }
}

/// Sends fields through all layers and returns the log det of the map: a fused kernel where the device has one for these couplings,
/// else layer by layer.
///
/// # Shapes
/// - `x`: `[batch, component, site]`
/// - `parameters`: `[parameter_count]`
/// - result: `[batch, component, site]` and `[batch]`
///
/// # Panics
/// If a shape does not fit the stack.
pub fn coupling_stack<C: Coupling>(
    x: Tensor<3>,
    parameters: Tensor<1>,
    stack: &CouplingStack<C>,
    direction: Direction,
) -> (Tensor<3>, Tensor<1>) {
    stack.check_shapes(x.dims(), parameters.dims());
    if !stack.is_fused(&x) {
        return layer_by_layer(x, parameters, stack.parts(), direction);
    }
    let [batch, components, volume] = x.dims();
    let numbers = components * volume;
    let both: Tensor<2> = binary(x, parameters, Arc::new(Directed(stack.clone(), direction)));
    let y = both.clone().narrow(1, 0, numbers).reshape([batch, components, volume]);
    (y, both.narrow(1, numbers, 1).reshape([batch]))
}
