//! The action as an operation that stays where the tensors are: on a GPU in single precision.

use super::action::GaugeAction;
#[cfg(feature = "wgpu")]
use super::action::Kept;
use crate::kernel::fused::{Fused, Pass, unary};
use burn::backend::Flex;
use burn::backend::tensor::FloatTensor;
use burn::tensor::Tensor;
use std::sync::Arc;

impl GaugeAction {
    /// [`Self::action`], computed where the links are: on a GPU in single precision, so that nothing waits for the host.
    ///
    /// # Shapes
    /// `[batch, μ, site]` → `[batch]`
    ///
    /// # Panics
    /// As [`Self::action`], and on a GPU for fermions on a lattice that its kernels do not take.
    pub fn action_on_device(self: &Arc<Self>, angles: Tensor<3>) -> Tensor<1> {
        self.assert_fits(&angles);
        unary(angles, Arc::new(OnDevice(Arc::clone(self))))
    }
}

/// [`GaugeAction`] whose plaquettes and determinants are computed on the device: on a GPU in single precision, and nothing waits for the
/// host; on the CPU, which is the host, as ever.
#[derive(Debug)]
struct OnDevice(Arc<GaugeAction>);

impl Fused for OnDevice {
    fn on_cpu(self: Arc<Self>, inputs: Vec<FloatTensor<Flex>>, keep: bool) -> Pass<Flex> {
        Arc::clone(&self.0).on_cpu(inputs, keep)
    }

    #[cfg(feature = "wgpu")]
    fn on_gpu(
        self: Arc<Self>,
        inputs: Vec<FloatTensor<burn::backend::Cube>>,
        keep: bool,
    ) -> Pass<burn::backend::Cube> {
        use super::gpu::plaquettes;
        use crate::kernel::fused::Back;
        use crate::kernel::gpu::Buffer;
        use crate::kernel::wilson::gpu;
        use burn::backend::TensorMetadata;
        use burn::tensor::Shape;
        let [field] = <[_; 1]>::try_from(inputs).expect("a field");
        let (client, device, shape) = (field.client.clone(), field.device.clone(), field.shape());
        let field = Buffer::tensor(field);
        let (actions, gradients) = plaquettes(&client, &field, self.0.lattice(), self.0.beta(), keep);
        if let Some(wilson) = self.0.wilson() {
            gpu::add(wilson, &client, &field, &actions, gradients.as_ref());
        }
        let output = actions.into_tensor(&client, &device, Shape::from([shape[0]]));
        let back = gradients.map(|gradients| {
            let gradients = gradients.into_tensor(&client, &device, shape);
            Arc::new(Kept { gradients }) as Arc<dyn Back<burn::backend::Cube>>
        });
        Pass { output, back }
    }
}
