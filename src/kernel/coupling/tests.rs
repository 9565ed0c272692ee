//! A fused stack of couplings equals its reference for values and every gradient, both ways and on every instruction set.

use super::trials::{assert_close, by_autodiff, run};
use super::*;
use crate::kernel::conv_stack::{ConvStack, OutputActivation};
use crate::kernel::isa::Isa;
use crate::lattice::Lattice;
use crate::rng::Seed;
use burn::tensor::Tensor;
use burn::tensor::{DType, Device, TensorData};
use std::sync::Arc;

/// Rounding of a few layers of sums of order one.
const F32_TOLERANCE: f64 = 3e-4;
const F64_TOLERANCE: f64 = 1e-11;

type AffineStack = CouplingStack<SiteCoupling<Affine>>;

/// Layers that change every `period`-th diagonal in turn.
fn flow(extents: &[usize], channels: &[usize], kernel: usize, count: usize, period: usize) -> AffineStack {
    let lattice = Lattice::new(extents);
    let layer = |index: usize| {
        let mut stack = ConvStack::new(lattice, channels.to_vec(), kernel);
        let active = |site: usize| lattice.coordinates(site).iter().sum::<usize>() % period == index % period;
        stack.outputs = (0..lattice.volume()).map(active).collect();
        stack.inputs = stack.outputs.iter().map(|on| !on).collect();
        stack.activation = OutputActivation::Tanh;
        (SiteCoupling { map: Affine }, Arc::new(stack))
    };
    CouplingStack::new((0..count).map(layer).collect())
}

/// Checkerboard flows on even lattices of one to four dimensions, and flows with other patterns on odd ones.
fn flows() -> Vec<(usize, AffineStack)> {
    vec![
        (19, flow(&[6, 4], &[1, 12, 12, 2], 3, 4, 2)),
        (3, flow(&[5, 7], &[1, 5, 2], 5, 3, 3)),
        (33, flow(&[4, 4], &[1, 2], 1, 2, 2)),
        (5, flow(&[6], &[1, 6, 2], 3, 4, 2)),
        (18, flow(&[4, 2, 6], &[1, 7, 5, 2], 3, 3, 2)),
        (3, flow(&[2, 4, 2, 2], &[1, 3, 2], 3, 2, 2)),
    ]
}

#[test]
fn fused_equals_reference_for_values_and_every_gradient() {
    for (dtype, tolerance) in [(DType::F32, F32_TOLERANCE), (DType::F64, F64_TOLERANCE)] {
        for (batch, flow) in flows() {
            for direction in [Direction::Forward, Direction::Inverse] {
                let on = || (Device::flex(), dtype);
                let fused =
                    by_autodiff(|x, theta| coupling_stack(x, theta, &flow, direction), &flow, batch, on());
                let plain =
                    by_autodiff(|x, theta| reference(x, theta, flow.parts(), direction), &flow, batch, on());
                assert_close(
                    &fused,
                    &plain,
                    tolerance,
                    &format!("{direction:?} in {dtype:?}, batch {batch}"),
                );
            }
        }
    }
}

#[test]
fn every_instruction_set_agrees_with_double_precision() {
    for (batch, flow) in flows() {
        let volume = flow.networks().volume();
        let x = Seed(7).stream("x").normals(0, batch, volume);
        let theta: Vec<f32> = Seed(7)
            .stream("theta")
            .normals(0, 1, flow.networks().parameter_count())
            .iter()
            .map(|v| 0.2 * v)
            .collect();
        let g = Seed(7).stream("g").normals(0, batch, volume + 1);
        let wide = |v: &[f32]| v.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
        for direction in [Direction::Forward, Direction::Inverse] {
            let exact = run(Isa::Portable, &flow, direction, &wide(&x), &wide(&theta), &wide(&g));
            for isa in Isa::available() {
                let found = run(isa, &flow, direction, &x, &theta, &g).map(|values| wide(&values));
                let what = format!("{direction:?} with {}, batch {batch}", isa.name());
                assert_close(&found, &exact, F32_TOLERANCE, &what);
            }
        }
    }
}

/// The same stack with a launch for each convolution.
#[cfg(feature = "wgpu")]
fn tiled(flow: &AffineStack, spread: crate::kernel::gpu::Spread) -> AffineStack {
    let mut networks = Networks::clone(flow.networks());
    networks.plans.mode = Some(crate::kernel::gpu::Mode::Tiled(spread));
    CouplingStack { networks: Arc::new(networks), couplings: Arc::clone(&flow.couplings) }
}

#[cfg(feature = "wgpu")]
#[test]
fn a_gpu_agrees_with_double_precision() {
    use crate::kernel::gpu::{Spread, test_device};
    let Some(device) = test_device() else { return };
    // Large batches take more sites per unit, small ones fewer channels.
    for ((batch, flow), (sites, shares)) in
        flows().into_iter().zip([(8, 1), (1, 3), (4, 1)].into_iter().cycle())
    {
        let flow = tiled(&flow, Spread { sites, parts: shares });
        for direction in [Direction::Forward, Direction::Inverse] {
            let fused = |x, theta| coupling_stack(x, theta, &flow, direction);
            let exact = |x, theta| reference(x, theta, flow.parts(), direction);
            let found = by_autodiff(fused, &flow, batch, (device.clone(), DType::F32));
            let expected = by_autodiff(exact, &flow, batch, (Device::flex(), DType::F64));
            let what = format!("{direction:?} on a GPU, batch {batch}, {sites} sites a unit");
            assert_close(&found, &expected, F32_TOLERANCE, &what);
        }
    }
}

#[cfg(feature = "wgpu")]
#[test]
fn a_gpu_has_the_same_bits_in_one_launch_as_in_many() {
    use super::resident::Resident;
    use crate::kernel::gpu::{Spread, client, test_device};
    let Some(device) = test_device() else { return };
    // One tile and three, more sites than units and fewer, channels that fill their vectors and others.
    let small = (19, flow(&[6, 4], &[1, 12, 12, 2], 3, 4, 2));
    let large = (67, flow(&[12, 12], &[1, 6, 3, 9, 2], 3, 2, 2));
    let cube = (5, flow(&[4, 2, 6], &[1, 6, 5, 2], 3, 2, 2));
    for (batch, flow) in [small, large, cube] {
        let tiled = tiled(&flow, Spread { sites: 1, parts: 1 });
        let on = client(&device).expect("a GPU");
        let layer = flow.couplings[0].gpu_layer().expect("the kernels know affine maps");
        assert!(
            Resident::of(flow.networks(), layer, batch, &on).is_some(),
            "shared memory has room for {:?}",
            flow.networks().lattice()
        );
        assert!(Resident::of(tiled.networks(), layer, batch, &on).is_none());
        for direction in [Direction::Forward, Direction::Inverse] {
            let [one, many] = [&flow, &tiled].map(|flow| {
                let fused = |x, theta| coupling_stack(x, theta, flow, direction);
                by_autodiff(fused, flow, batch, (device.clone(), DType::F32))
            });
            assert_eq!(one, many, "{direction:?}, batch {batch}");
            let exact = |x, theta| reference(x, theta, flow.parts(), direction);
            let expected = by_autodiff(exact, &flow, batch, (Device::flex(), DType::F64));
            assert_close(&one, &expected, F32_TOLERANCE, &format!("{direction:?} in one launch"));
        }
    }
}

/// What runs where an adapter's limits are too small for the kernels.
#[cfg(feature = "wgpu")]
#[test]
fn plain_operations_on_a_gpu_agree_with_double_precision() {
    let Some(device) = crate::kernel::gpu::test_device() else { return };
    let (batch, flow) = (5, flow(&[4, 4], &[1, 3, 2], 3, 2, 2));
    let plain = |x, theta| reference(x, theta, flow.parts(), Direction::Forward);
    let found = by_autodiff(plain, &flow, batch, (device, DType::F32));
    let expected = by_autodiff(plain, &flow, batch, (Device::flex(), DType::F64));
    assert_close(&found, &expected, F32_TOLERANCE, "plain operations");
}

/// The gradient by the field of a sum over both results, with the parameters tracked or not.
fn by_field(flow: &AffineStack, direction: Direction, device: &Device, tracked: bool) -> Vec<f64> {
    let (device, volume) = (device.clone().autodiff(), flow.networks().volume());
    let draw = |name: &str, count: usize| Seed(8).stream(name).normals(0, 1, count);
    let x = TensorData::new(draw("x", 19 * volume), [19, 1, volume]);
    let x = Tensor::<3>::from_data(x, &device).require_grad();
    let theta = TensorData::new(
        draw("theta", flow.networks().parameter_count()),
        [flow.networks().parameter_count()],
    );
    let theta = Tensor::<1>::from_data(theta, &device).mul_scalar(0.2).detach().set_require_grad(tracked);
    let (y, log_det) = coupling_stack(x.clone(), theta.clone(), flow, direction);
    let grads = ((y.clone() * y).sum() + (log_det.clone() * log_det).sum()).backward();
    assert_eq!(theta.grad(&grads).is_some(), tracked);
    x.grad(&grads).expect("tracked").into_data().iter::<f64>().collect()
}

#[test]
fn the_gradient_by_the_field_does_not_need_that_by_the_parameters() {
    let flow = flow(&[6, 4], &[1, 12, 12, 2], 3, 4, 2);
    #[cfg(feature = "wgpu")]
    let on_gpu = crate::kernel::gpu::test_device().map(|device| {
        let spread = crate::kernel::gpu::Spread { sites: 1, parts: 1 };
        [(device.clone(), flow.clone()), (device, tiled(&flow, spread))]
    });
    #[cfg(not(feature = "wgpu"))]
    let on_gpu: Option<[(Device, AffineStack); 2]> = None;
    for (device, flow) in [(Device::flex(), flow.clone())].into_iter().chain(on_gpu.into_iter().flatten()) {
        for direction in [Direction::Forward, Direction::Inverse] {
            let [with, without] = [true, false].map(|tracked| by_field(&flow, direction, &device, tracked));
            assert_eq!(with, without, "{direction:?} on {device:?}");
        }
    }
}
