//! The action as an operation on tensors: on the CPU in both precisions, and on a GPU.

use super::GaugeAction;
use crate::kernel::wilson::Wilson;
use crate::lattice::Lattice;
use crate::rng::Seed;
use burn::tensor::{DType, Device, Tensor, TensorData};
use std::sync::Arc;

fn cases() -> Vec<(Arc<GaugeAction>, Lattice, usize)> {
    let case = |(extents, kappa, batch): ([usize; 2], f64, usize)| {
        let lattice = Lattice::new(extents);
        let wilson = (kappa > 0.0).then(|| Wilson::new(lattice, kappa, true));
        (Arc::new(GaugeAction::new(lattice, 1.5, wilson)), lattice, batch)
    };
    [([4, 6], 0.0, 5), ([4, 6], 0.25, 3), ([8, 8], 0.22, 17)].map(case).to_vec()
}

fn angles(lattice: Lattice, batch: usize) -> Vec<f64> {
    let values = Seed(2).stream("theta").normals(0, 1, batch * 2 * lattice.volume());
    values.into_iter().map(f64::from).collect()
}

/// Actions without a way back, actions with one, and the gradient of a sum of these whose factors differ by configuration.
fn on(
    device: &Device,
    dtype: DType,
    (action, lattice, batch): &(Arc<GaugeAction>, Lattice, usize),
) -> [Vec<f64>; 3] {
    let shape = [*batch, 2, lattice.volume()];
    let data = TensorData::new(angles(*lattice, *batch), shape).convert_dtype(dtype);
    let factors: Vec<f64> = (0..*batch).map(|index| 1.0 - 0.3 * index as f64).collect();
    let factors = TensorData::new(factors, [*batch]).convert_dtype(dtype);
    let alone = action.action(Tensor::<3>::from_data(data.clone(), (device, dtype)));
    let device = device.clone().autodiff();
    let field = Tensor::<3>::from_data(data, (&device, dtype)).require_grad();
    let actions = action.action(field.clone());
    let sum = (actions.clone() * Tensor::<1>::from_data(factors, (&device, dtype))).sum();
    let gradient = field.grad(&sum.backward()).expect("tracked");
    [alone.into_data(), actions.into_data(), gradient.into_data()].map(|data| data.iter::<f64>().collect())
}

fn expected((action, lattice, batch): &(Arc<GaugeAction>, Lattice, usize)) -> [Vec<f64>; 3] {
    let (all, links) = (angles(*lattice, *batch), 2 * lattice.volume());
    let mut gradient = vec![0.0; all.len()];
    let fields = all.chunks_exact(links).zip(gradient.chunks_exact_mut(links)).enumerate();
    let actions: Vec<f64> = fields
        .map(|(index, (field, gradient))| action.gradient(field, 1.0 - 0.3 * index as f64, gradient))
        .collect();
    [actions.clone(), actions, gradient]
}

fn assert_close(found: &[Vec<f64>; 3], expected: &[Vec<f64>; 3], tolerance: f64) {
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.len(), expected.len());
        let scale = expected.iter().fold(1f64, |scale, value| scale.max(value.abs()));
        let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < tolerance * scale, "off by {off:e} of {scale}");
    }
}

#[test]
fn on_the_cpu_action_and_gradient_are_those_of_the_host() {
    for case in cases() {
        for (dtype, tolerance) in [(DType::F64, 1e-13), (DType::F32, 1e-6)] {
            assert_close(&on(&Device::flex(), dtype, &case), &expected(&case), tolerance);
        }
    }
}

#[cfg(feature = "wgpu")]
#[test]
fn on_a_gpu_action_and_gradient_are_those_of_the_host() {
    let Some(device) = crate::kernel::gpu::test_device() else { return };
    for case in cases() {
        assert_close(&on(&device, DType::F32, &case), &expected(&case), 1e-6);
    }
}
