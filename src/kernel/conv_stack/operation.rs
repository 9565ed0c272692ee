//! The stack as an operation on tensors: fused where the device has kernels, else its reference.

use super::on_cpu;
#[cfg(feature = "wgpu")]
use super::on_gpu;
use super::reference::reference;
use super::stack::ConvStack;
use crate::kernel::fused::{Fused, Pass, binary, is_fused};
#[cfg(feature = "wgpu")]
use crate::kernel::gpu::Plans;
use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::tensor::Tensor;
use std::sync::Arc;

/// A stack with what its kernels look up.
#[derive(Debug)]
pub struct FusedConvStack {
    stack: Arc<ConvStack>,
    #[cfg(feature = "wgpu")]
    pub(super) plans: Plans,
}

impl FusedConvStack {
    /// The operation of a stack.
    pub fn new(stack: impl Into<Arc<ConvStack>>) -> Self {
        Self {
            stack: stack.into(),
            #[cfg(feature = "wgpu")]
            plans: Plans::default(),
        }
    }

    /// Its shape.
    pub fn stack(&self) -> &ConvStack {
        &self.stack
    }
}

impl Fused for FusedConvStack {
    fn on_cpu(self: Arc<Self>, inputs: Vec<FloatTensor<Flex>>, keep: bool) -> Pass<Flex> {
        let [x, parameters] = <[_; 2]>::try_from(inputs).expect("a field and parameters");
        on_cpu::pass(Arc::clone(&self.stack), x, parameters, keep)
    }

    #[cfg(feature = "wgpu")]
    fn on_gpu(
        self: Arc<Self>,
        inputs: Vec<FloatTensor<burn::backend::Cube>>,
        _: bool,
    ) -> Pass<burn::backend::Cube> {
        let [x, parameters] = <[_; 2]>::try_from(inputs).expect("a field and parameters");
        on_gpu::pass(Arc::clone(&self.stack), &self.plans, x, parameters)
    }
}

/// Applies the stack: a fused kernel where the device has one, else the [`reference()`].
///
/// # Shapes
/// - `x`: `[batch, channels.first, site]`
/// - `parameters`: `[parameter_count]`
/// - result: `[batch, channels.last, site]`, zero off the `outputs` sites
///
/// # Panics
/// If a shape does not fit the stack.
pub fn conv_stack(x: Tensor<3>, parameters: Tensor<1>, operation: &Arc<FusedConvStack>) -> Tensor<3> {
    let stack = &operation.stack;
    stack.check_shapes(x.dims(), parameters.dims());
    match is_fused(&x.device(), x.dtype()) {
        true => binary(x, parameters, Arc::clone(operation) as Arc<dyn Fused>),
        false => reference(x, parameters, stack),
    }
}
