//! The fused action equals its reference for values and gradients, on the CPU digit for digit.

use super::Quartic;
use crate::lattice::Lattice;
use crate::rng::Seed;
use burn::tensor::{DType, Device, Tensor, TensorData};

/// Even, odd and smallest lattices of one to four dimensions, more sites than units of a workgroup and fewer.
fn cases() -> Vec<(Quartic, usize)> {
    let cases: [(&[usize], usize); 7] = [
        (&[6, 4], 5),
        (&[5, 7], 1),
        (&[2, 2], 3),
        (&[12, 16], 130),
        (&[9], 4),
        (&[3, 4, 5], 2),
        (&[2, 3, 2, 4], 7),
    ];
    let case = |(extents, batch)| (Quartic::new(Lattice::new(extents), 1.5, 0.7), batch);
    cases.map(case).to_vec()
}

/// Actions, and the gradient of a sum of them whose factors differ by configuration.
fn results(
    (quartic, batch): (&Quartic, usize),
    action: impl Fn(&Quartic, Tensor<3>) -> Tensor<1>,
    (device, dtype): (Device, DType),
) -> [Vec<f64>; 2] {
    let (device, volume) = (device.autodiff(), quartic.lattice.volume());
    let draw = |name: &str, shape: &[usize]| {
        let values = Seed(2).stream(name).normals(0, 1, shape.iter().product());
        TensorData::new(values, shape.to_vec()).convert_dtype(dtype)
    };
    let field = Tensor::<3>::from_data(draw("phi", &[batch, 1, volume]), (&device, dtype)).require_grad();
    let factors = Tensor::<1>::from_data(draw("factors", &[batch]), (&device, dtype));
    let actions = action(quartic, field.clone());
    let gradient = field.grad(&(actions.clone() * factors).sum().backward()).expect("tracked");
    [actions.into_data(), gradient.into_data()].map(|data| data.iter::<f64>().collect())
}

/// Tables of earlier versions stay what they were, digit for digit.
#[test]
fn on_the_cpu_action_and_gradient_have_the_digits_of_the_reference() {
    for (quartic, batch) in cases() {
        for dtype in [DType::F32, DType::F64] {
            let on = || (Device::flex(), dtype);
            let fused = results((&quartic, batch), Quartic::action, on());
            let plain = results((&quartic, batch), Quartic::reference, on());
            assert_eq!(fused, plain, "{:?} in {dtype:?}", quartic.lattice);
        }
    }
}

#[cfg(feature = "wgpu")]
#[test]
fn on_a_gpu_action_and_gradient_are_those_of_the_reference() {
    let Some(device) = crate::kernel::gpu::test_device() else { return };
    for (quartic, batch) in cases() {
        let found = results((&quartic, batch), Quartic::action, (device.clone(), DType::F32));
        let expected = results((&quartic, batch), Quartic::reference, (Device::flex(), DType::F32));
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found.len(), expected.len());
            let scale = expected.iter().fold(1f64, |scale, v| scale.max(v.abs()));
            for (a, b) in found.iter().zip(expected) {
                assert!(
                    (a - b).abs() < 2e-6 * scale,
                    "{a} is not {b} on {:?}, batch {batch}",
                    quartic.lattice
                );
            }
        }
    }
}
