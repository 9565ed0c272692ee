//! The fused stack equals its reference for values and every gradient, on every instruction set.

use super::cpu::{self, Activations};
use super::*;
use crate::kernel::element::Element;
use crate::kernel::isa::{Isa, Scalar};
use crate::kernel::pool;
use crate::lattice::Lattice;
use crate::rng::Seed;
use burn::tensor::Tensor;
use burn::tensor::{DType, Device, TensorData};
use std::sync::Arc;

/// Rounding of sums of a few hundred terms of order one.
const F32_TOLERANCE: f64 = 2e-4;
const F64_TOLERANCE: f64 = 1e-11;

fn parity(extents: &[usize], odd: usize) -> Vec<bool> {
    let lattice = Lattice::new(extents);
    (0..lattice.volume()).map(|site| lattice.parity(site) == odd).collect()
}

/// Stacks over odd and even lattices of one to four dimensions, kernel sizes, widths, depths, dilations and masks.
fn stacks() -> Vec<(usize, ConvStack)> {
    let plain = |extents: &[usize], channels: &[usize], kernel| {
        ConvStack::new(Lattice::new(extents), channels.to_vec(), kernel)
    };
    let mut fig1 = plain(&[6, 4], &[1, 12, 12, 2], 5);
    fig1.activation = OutputActivation::Tanh;
    (fig1.inputs, fig1.outputs) = (parity(&[6, 4], 0), parity(&[6, 4], 1));
    let mut dilated = plain(&[8, 7], &[3, 7, 5], 3);
    dilated.dilations = vec![2, 3];
    let mut sparse = plain(&[8, 8], &[6, 32, 32, 25], 3);
    sparse.inputs = (0..64).map(|site| site % 8 % 4 == 1).collect();
    sparse.outputs = (0..64).map(|site| (site + 2 * (site / 8)) % 4 == 0).collect();
    let mut wide = plain(&[8, 8], &[6, 64, 64, 25], 3);
    wide.dilations = vec![1, 2, 3];
    let mut pointwise = plain(&[3, 5], &[2, 9, 1], 1);
    pointwise.outputs = parity(&[3, 5], 1);
    let mut chain = plain(&[8], &[1, 5, 2], 5);
    (chain.inputs, chain.outputs) = (parity(&[8], 0), parity(&[8], 1));
    let mut cube = plain(&[4, 3, 5], &[2, 7, 3], 3);
    cube.activation = OutputActivation::Tanh;
    let mut four = plain(&[2, 4, 2, 4], &[1, 4, 2], 3);
    (four.inputs, four.outputs) = (parity(&[2, 4, 2, 4], 1), parity(&[2, 4, 2, 4], 0));
    vec![
        (3, chain),
        (17, cube),
        (5, four),
        (19, fig1),
        (3, plain(&[5, 3], &[1, 2], 3)),
        (17, plain(&[7, 9], &[2, 13, 11, 6, 3], 7)),
        (5, dilated),
        (2, sparse),
        (2, wide),
        (33, pointwise),
    ]
}

fn normals(name: &str, shape: &[usize]) -> TensorData {
    let count = shape.iter().product();
    TensorData::new(Seed(5).stream(name).normals(0, 1, count), shape.to_vec())
}

/// Output, gradient by x, gradient by the parameters, from burn's autodiff.
fn by_autodiff(
    f: impl Fn(Tensor<3>, Tensor<1>) -> Tensor<3>,
    stack: &ConvStack,
    batch: usize,
    (device, dtype): (Device, DType),
) -> [Vec<f64>; 3] {
    let device = device.autodiff();
    let x = normals("x", &[batch, stack.channels[0], stack.volume()]).convert_dtype(dtype);
    let theta = normals("theta", &[stack.parameter_count()]).convert_dtype(dtype);
    let x = Tensor::<3>::from_data(x, (&device, dtype)).require_grad();
    let theta = (Tensor::<1>::from_data(theta, (&device, dtype)) * 0.2).detach().require_grad();
    let y = f(x.clone(), theta.clone());
    let weight = normals("cotangent", &y.dims()).convert_dtype(dtype);
    let weight = Tensor::<3>::from_data(weight, (&device, dtype));
    let grads = (y.clone() * weight).sum().backward();
    let list = |data: TensorData| data.iter::<f64>().collect::<Vec<f64>>();
    [
        list(y.into_data()),
        list(x.grad(&grads).expect("x is tracked").into_data()),
        list(theta.grad(&grads).expect("parameters are tracked").into_data()),
    ]
}

fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1f64, |scale, v| scale.max(v.abs()));
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance * scale, "{what}[{i}]: fused {a}, reference {b}, scale {scale}");
    }
}

#[test]
fn fused_equals_reference_for_values_and_every_gradient() {
    for (dtype, tolerance) in [(DType::F32, F32_TOLERANCE), (DType::F64, F64_TOLERANCE)] {
        for (batch, stack) in stacks() {
            let operation = Arc::new(FusedConvStack::new(stack.clone()));
            let on = || (Device::flex(), dtype);
            let fused = by_autodiff(|x, theta| conv_stack(x, theta, &operation), &stack, batch, on());
            let plain = by_autodiff(|x, theta| reference(x, theta, &stack), &stack, batch, on());
            for ((found, expected), what) in fused.iter().zip(&plain).zip(["y", "dx", "dtheta"]) {
                let what = format!("{what} of {:?} in {dtype:?}", stack.channels);
                assert_close(found, expected, tolerance, &what);
            }
        }
    }
}

#[test]
fn every_instruction_set_agrees_with_double_precision() {
    for (batch, stack) in stacks() {
        let outputs = *stack.channels.last().expect("two or more");
        let x: Vec<f32> =
            normals("x", &[batch, stack.channels[0], stack.volume()]).try_to_vec().expect("f32");
        let theta: Vec<f32> =
            normals("theta", &[stack.parameter_count()]).iter::<f32>().map(|v| v * 0.2).collect();
        let g: Vec<f32> = normals("g", &[batch, outputs, stack.volume()]).try_to_vec().expect("f32");
        let wide = |v: &[f32]| v.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
        let exact = run(Isa::Portable, &stack, &wide(&x), &wide(&theta), &wide(&g));
        for isa in Isa::available() {
            let found = run(isa, &stack, &x, &theta, &g);
            for (i, (found, exact)) in found.iter().zip(&exact).enumerate() {
                let what = format!("{} result {i} of {:?}", isa.name(), stack.channels);
                assert_close(&wide(found), exact, F32_TOLERANCE, &what);
            }
        }
    }
}

fn run<T: Scalar>(isa: Isa, stack: &ConvStack, x: &[T], theta: &[T], g: &[T]) -> [Vec<T>; 3] {
    let (y, hidden) = cpu::forward(isa, stack, x, theta, true);
    let pass = Activations { x, y: &y, hidden: &hidden, y_gradient: g, want_x: true };
    let (dx, dtheta) = cpu::backward(isa, stack, theta, pass);
    [y, dx, dtheta]
}

/// What a pass leaves for the next one is used by it. Nothing else has buffers of these lengths.
#[test]
fn passes_leave_no_more_behind_the_more_there_are() {
    let stack = ConvStack::new(Lattice::new([2, 46]), vec![3, 7, 5], 1);
    let (batch, volume) = (3, stack.volume());
    let x = vec![0.5; batch * 3 * volume];
    let g = vec![0.25; batch * 5 * volume];
    let theta = vec![0.1; stack.parameter_count()];
    let spare = || {
        let lengths = [3, 5, 7].map(|channels| channels * volume * 8);
        lengths.map(|length| pool::spare(<f64 as Element>::pool(), length))
    };
    let passes = |count: usize| {
        (0..count).for_each(|_| drop(run::<f64>(Isa::active(), &stack, &x, &theta, &g)));
        spare()
    };
    let after_one = passes(1);
    assert_eq!(passes(20), after_one);
}

#[test]
fn the_multiply_adds_of_the_fig_1_network_are_those_of_a_hand_count() {
    let mut stack = ConvStack::new(Lattice::new([10, 10]), vec![1, 12, 12, 2], 5);
    (stack.inputs, stack.outputs) = (parity(&[10, 10], 0), parity(&[10, 10], 1));
    // Every site sees 13 or 12 frozen inputs; every hidden site all 25; the 50 active sites all 25.
    let first = (50 * 13 + 50 * 12) * 12;
    assert_eq!(stack.multiply_adds(), first + 100 * 25 * 144 + 50 * 25 * 24);
}

/// A NaN must come out as NaN, or a diverged run would look healthy.
#[test]
fn numbers_that_are_no_numbers_stay_visible() {
    for (batch, stack) in stacks() {
        let x = vec![1f32; batch * stack.channels[0] * stack.volume()];
        for poison in [f32::NAN, f32::INFINITY] {
            let theta: Vec<f32> =
                (0..stack.parameter_count()).map(|i| if i % 2 == 0 { poison } else { -poison }).collect();
            for isa in Isa::available() {
                let (y, _) = cpu::forward(isa, &stack, &x, &theta, false);
                let written = y.iter().filter(|y| **y != 0.0);
                let lost = written.filter(|y| !y.is_nan()).count();
                assert_eq!(lost, 0, "{} with {poison} in {:?}", isa.name(), stack.channels);
            }
        }
    }
}

#[cfg(feature = "wgpu")]
#[test]
fn a_gpu_agrees_with_double_precision() {
    use crate::kernel::gpu::{Mode, Spread, test_device};
    let Some(device) = test_device() else { return };
    // So many tiles that a chunk of the weight gradient has two, but the last one.
    let many = stacks().pop().map(|(_, pointwise)| (2090, pointwise));
    for (index, (batch, stack)) in stacks().into_iter().chain(many).enumerate() {
        let mut first: Option<[Vec<f64>; 3]> = None;
        // Large batches take more sites per unit, small ones fewer channels; neither changes the order of any sum.
        let spreads = if index < 4 { vec![(1, 9), (1, 1), (2, 1), (4, 1), (8, 1)] } else { vec![(4, 1)] };
        for (sites, parts) in spreads {
            let mut operation = FusedConvStack::new(stack.clone());
            operation.plans.mode = Some(Mode::Tiled(Spread { sites, parts }));
            let operation = Arc::new(operation);
            let fused = |x, theta| conv_stack(x, theta, &operation);
            let found = by_autodiff(fused, &stack, batch, (device.clone(), DType::F32));
            let exact = |x, theta| reference(x, theta, &stack);
            let expected = by_autodiff(exact, &stack, batch, (Device::flex(), DType::F64));
            for ((found, expected), what) in found.iter().zip(&expected).zip(["y", "dx", "dtheta"]) {
                let what = format!("{what} of {:?} on a GPU, {sites} sites a unit", stack.channels);
                assert_close(found, expected, F32_TOLERANCE, &what);
            }
            assert_eq!(first.get_or_insert_with(|| found.clone()), &found, "{sites} sites, {parts} parts");
        }
    }
}
