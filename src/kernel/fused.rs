//! Fused operations: one trait for their passes on each kind of device, and the one copy of the plumbing to burn's autodiff.

#[cfg(feature = "wgpu")]
use super::gpu;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{DType, Device, Tensor};
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

/// An operation from one or two tensors to one, with kernels of its own and gradients written by hand.
///
/// Implementing this is all that a new operation needs; nothing here knows any of them.
pub trait Fused: Debug + Send + Sync + 'static {
    /// On the CPU, in single or double precision as the inputs are; the way back only if `keep`.
    fn on_cpu(self: Arc<Self>, inputs: Vec<FloatTensor<Flex>>, keep: bool) -> Pass<Flex>;

    /// On a GPU, in single precision; the way back only if `keep`.
    #[cfg(feature = "wgpu")]
    fn on_gpu(
        self: Arc<Self>,
        inputs: Vec<FloatTensor<burn::backend::Cube>>,
        keep: bool,
    ) -> Pass<burn::backend::Cube>;
}

/// A pass: what came out, and the way back.
#[derive(Debug)]
pub struct Pass<B: Backend> {
    /// The result.
    pub output: FloatTensor<B>,
    /// What leads back from the gradient by the result, if it was asked for.
    pub back: Option<Arc<dyn Back<B>>>,
}

/// The way back of a pass, with everything it needs of the way forward.
pub trait Back<B: Backend>: Debug + Send + Sync {
    /// The gradients by the inputs that are `wanted`, in their order; others may be left out.
    fn gradients(&self, by_output: FloatTensor<B>, wanted: &[bool]) -> Vec<Option<FloatTensor<B>>>;
}

/// Whether a device is the CPU.
pub fn is_cpu(device: &Device) -> bool {
    device.clone().inner() == Device::flex()
}

/// Whether fused operations run on a device and on numbers of a kind.
pub fn is_fused(device: &Device, dtype: DType) -> bool {
    if is_cpu(device) {
        return true;
    }
    #[cfg(feature = "wgpu")]
    return gpu::runs_on(&device.clone().inner(), dtype);
    #[cfg(not(feature = "wgpu"))]
    {
        let _ = dtype;
        false
    }
}

/// Applies an operation to one tensor, where [`is_fused`].
pub fn unary<const A: usize, const D: usize>(x: Tensor<A>, operation: Arc<dyn Fused>) -> Tensor<D> {
    Tensor::from_dispatch(<Dispatch as FusedBackend>::fused_unary(x.into_dispatch(), operation))
}

/// Applies an operation to two tensors, where [`is_fused`].
pub fn binary<const A: usize, const B: usize, const D: usize>(
    x: Tensor<A>,
    y: Tensor<B>,
    operation: Arc<dyn Fused>,
) -> Tensor<D> {
    let result = <Dispatch as FusedBackend>::fused_binary(x.into_dispatch(), y.into_dispatch(), operation);
    Tensor::from_dispatch(result)
}

/// Backends on which fused operations run; burn's dispatch takes tensors as single arguments only.
#[backend_extension(Flex, Cube: cfg(feature = "wgpu"), Autodiff)]
pub trait FusedBackend: Backend {
    /// See [`unary`].
    fn fused_unary(x: FloatTensor<Self>, operation: Arc<dyn Fused>) -> FloatTensor<Self>;

    /// See [`binary`].
    fn fused_binary(
        x: FloatTensor<Self>,
        y: FloatTensor<Self>,
        operation: Arc<dyn Fused>,
    ) -> FloatTensor<Self>;
}

/// The kinds of devices, each with its side of [`Fused`].
trait Runs: Backend {
    fn pass(operation: Arc<dyn Fused>, inputs: Vec<FloatTensor<Self>>, keep: bool) -> Pass<Self>;
}

impl Runs for Flex {
    fn pass(operation: Arc<dyn Fused>, inputs: Vec<FloatTensor<Self>>, keep: bool) -> Pass<Self> {
        operation.on_cpu(inputs, keep)
    }
}

#[cfg(feature = "wgpu")]
impl Runs for burn::backend::Cube {
    fn pass(operation: Arc<dyn Fused>, inputs: Vec<FloatTensor<Self>>, keep: bool) -> Pass<Self> {
        operation.on_gpu(inputs, keep)
    }
}

macro_rules! without_gradients {
    ($backend:ty) => {
        impl FusedBackend for $backend {
            fn fused_unary(x: FloatTensor<Self>, operation: Arc<dyn Fused>) -> FloatTensor<Self> {
                <Self as Runs>::pass(operation, vec![x], false).output
            }

            fn fused_binary(
                x: FloatTensor<Self>,
                y: FloatTensor<Self>,
                operation: Arc<dyn Fused>,
            ) -> FloatTensor<Self> {
                <Self as Runs>::pass(operation, vec![x, y], false).output
            }
        }
    };
}
without_gradients!(Flex);
#[cfg(feature = "wgpu")]
without_gradients!(burn::backend::Cube);

impl<B: Runs, C: CheckpointStrategy> FusedBackend for Autodiff<B, C> {
    fn fused_unary(x: FloatTensor<Self>, operation: Arc<dyn Fused>) -> FloatTensor<Self> {
        tracked::<B, C, 1>([x], operation)
    }

    fn fused_binary(
        x: FloatTensor<Self>,
        y: FloatTensor<Self>,
        operation: Arc<dyn Fused>,
    ) -> FloatTensor<Self> {
        tracked::<B, C, 2>([x, y], operation)
    }
}

/// An operation as a node of burn's graph.
fn tracked<B: Runs, C: CheckpointStrategy, const N: usize>(
    inputs: [FloatTensor<Autodiff<B, C>>; N],
    operation: Arc<dyn Fused>,
) -> FloatTensor<Autodiff<B, C>> {
    let mut primitives = Vec::with_capacity(N);
    let nodes = inputs.map(|input| {
        let (primitive, node) = input.into_parts();
        primitives.push(primitive);
        node
    });
    match Gradient::<B, N>(PhantomData).prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let Pass { output, back } = B::pass(operation, primitives, true);
            prepared.finish(back.expect("a pass that is to be kept knows its way back"), output)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(B::pass(operation, primitives, false).output),
    }
}

#[derive(Debug)]
struct Gradient<B, const N: usize>(PhantomData<B>);

impl<B: Backend, const N: usize> Backward<B, N> for Gradient<B, N> {
    type State = Arc<dyn Back<B>>;

    fn backward(self, ops: Ops<Self::State, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let by_output = grads.consume::<B>(&ops.node);
        let wanted: Vec<bool> = ops.parents.iter().map(Option::is_some).collect();
        let gradients = ops.state.gradients(by_output, &wanted);
        for (node, gradient) in ops.parents.into_iter().zip(gradients) {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                grads.register::<B>(node.id, gradient);
            }
        }
    }
}
