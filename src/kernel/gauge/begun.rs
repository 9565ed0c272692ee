//! The action on the host while a GPU goes on: begun where its links are on their way, asked for where it is needed.

use super::action::GaugeAction;
use crate::kernel::fused::unary;
use burn::tensor::Tensor;
use std::sync::Arc;

impl GaugeAction {
    /// Begins to compute [`Self::action`] of links, and its gradient where that will be asked for. What is returned gives the action of
    /// the same links, and waits for the host only then; of links on the CPU nothing is begun before.
    ///
    /// On a GPU the copy of the links to the host is queued at once, before whatever the GPU gets to do next.
    ///
    /// # Shapes
    /// `[batch, μ, site]` → `[batch]`
    ///
    /// # Panics
    /// As [`Self::action`].
    pub fn begin(
        self: &Arc<Self>,
        angles: &Tensor<3>,
        with_gradient: bool,
    ) -> impl FnOnce(Tensor<3>) -> Tensor<1> + use<> {
        self.assert_fits(angles);
        let action = Arc::clone(self);
        #[cfg(feature = "wgpu")]
        let begun = on_gpu::begin(self, angles, with_gradient);
        #[cfg(not(feature = "wgpu"))]
        let begun = {
            // There is the CPU alone.
            let _ = with_gradient;
            None::<Arc<Self>>
        };
        move |angles| match begun {
            Some(begun) => unary(angles, begun),
            None => action.action(angles),
        }
    }
}

#[cfg(feature = "wgpu")]
mod on_gpu {
    use super::super::action::{GaugeAction, uploaded};
    use crate::kernel::fused::{Fused, Pass, is_cpu, unary};
    use crate::kernel::gpu::Buffer;
    use burn::backend::tensor::FloatTensor;
    use burn::backend::{Cube, Flex};
    use burn::tensor::Tensor;
    use futures_lite::future::block_on;
    use std::sync::{Arc, Mutex};
    use std::thread::JoinHandle;

    /// Actions, and their gradients where they were asked for, that a thread computes.
    type Computing = JoinHandle<(Vec<f32>, Vec<f32>)>;

    /// Begins the action of links, if these are on a GPU.
    pub fn begin(action: &Arc<GaugeAction>, angles: &Tensor<3>, with_gradient: bool) -> Option<Arc<Begun>> {
        if is_cpu(&angles.device()) {
            return None;
        }
        let action = Arc::clone(action);
        let begun = Arc::new(Begun { action, with_gradient, computing: Mutex::default() });
        let values = if angles.device().is_autodiff() { angles.clone().inner() } else { angles.clone() };
        unary::<3, 3>(values, Arc::new(Begin(Arc::clone(&begun))));
        Some(begun)
    }

    /// An action that was begun.
    #[derive(Debug)]
    pub struct Begun {
        action: Arc<GaugeAction>,
        with_gradient: bool,
        computing: Mutex<Option<Computing>>,
    }

    impl Fused for Begun {
        fn on_cpu(self: Arc<Self>, inputs: Vec<FloatTensor<Flex>>, keep: bool) -> Pass<Flex> {
            Arc::clone(&self.action).on_cpu(inputs, keep)
        }

        fn on_gpu(self: Arc<Self>, inputs: Vec<FloatTensor<Cube>>, keep: bool) -> Pass<Cube> {
            assert!(self.with_gradient || !keep, "a gradient that was not begun");
            let computing = self.computing.lock().expect("nobody panics while taking it").take();
            let Some(thread) = computing else {
                // There was no thread to be had: nothing was begun.
                return Arc::clone(&self.action).on_gpu(inputs, keep);
            };
            let [field] = <[_; 1]>::try_from(inputs).expect("a field");
            let found = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            uploaded(&field, found, keep)
        }
    }

    /// Begins it; what comes out are the links.
    #[derive(Debug)]
    struct Begin(Arc<Begun>);

    impl Fused for Begin {
        fn on_cpu(self: Arc<Self>, inputs: Vec<FloatTensor<Flex>>, _: bool) -> Pass<Flex> {
            let [field] = <[_; 1]>::try_from(inputs).expect("a field");
            Pass { output: field, back: None }
        }

        fn on_gpu(self: Arc<Self>, inputs: Vec<FloatTensor<Cube>>, _: bool) -> Pass<Cube> {
            let [field] = <[_; 1]>::try_from(inputs).expect("a field");
            let links = Buffer::tensor(field.clone()).begin_read(&field.client);
            let (action, with_gradient) = (Arc::clone(&self.0.action), self.0.with_gradient);
            let compute = move || action.all(&block_on(links).expect("links come back"), with_gradient);
            let mut computing = self.0.computing.lock().expect("nobody panics while giving it");
            *computing = std::thread::Builder::new().spawn(compute).ok();
            Pass { output: field, back: None }
        }
    }
}
