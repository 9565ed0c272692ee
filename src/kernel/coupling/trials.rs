//! Passes through a stack of couplings for tests: values and every gradient, by burn and by the kernels alone.

use super::cpu;
use super::layer::Coupling;
use super::networks::Direction;
use super::operation::CouplingStack;
use crate::kernel::isa::{Isa, Scalar};
use crate::rng::Seed;
use burn::tensor::{DType, Device, Tensor, TensorData};

/// Field, log det, gradients by the field and by the parameters.
pub type Results = [Vec<f64>; 4];

/// With normal fields, and parameters of width 0.2.
pub fn by_autodiff<C: Coupling>(
    f: impl Fn(Tensor<3>, Tensor<1>) -> (Tensor<3>, Tensor<1>),
    flow: &CouplingStack<C>,
    batch: usize,
    on: (Device, DType),
) -> Results {
    by_autodiff_with(0.2, f, flow, batch, on)
}

/// With parameters of another width.
pub fn by_autodiff_with<C: Coupling>(
    width: f64,
    f: impl Fn(Tensor<3>, Tensor<1>) -> (Tensor<3>, Tensor<1>),
    flow: &CouplingStack<C>,
    batch: usize,
    (device, dtype): (Device, DType),
) -> Results {
    let device = device.autodiff();
    let draw = |name: &str, shape: &[usize], factor: f64| {
        let values = Seed(6).stream(name).normals(0, 1, shape.iter().product());
        let values: Vec<f64> = values.into_iter().map(|v| factor * f64::from(v)).collect();
        TensorData::new(values, shape.to_vec()).convert_dtype(dtype)
    };
    let numbers = [flow.couplings[0].components(), flow.networks().volume()];
    let x = Tensor::<3>::from_data(draw("x", &[batch, numbers[0], numbers[1]], 1.0), (&device, dtype))
        .require_grad();
    let theta = draw("theta", &[flow.networks().parameter_count()], width);
    let theta = Tensor::<1>::from_data(theta, (&device, dtype)).require_grad();
    let (y, log_det) = f(x.clone(), theta.clone());
    let by_y = Tensor::<3>::from_data(draw("by y", &[batch, numbers[0], numbers[1]], 1.0), (&device, dtype));
    let by_log_det = Tensor::<1>::from_data(draw("by log det", &[batch], 1.0), (&device, dtype));
    let grads = ((y.clone() * by_y).sum() + (log_det.clone() * by_log_det).sum()).backward();
    let list = |data: TensorData| data.iter::<f64>().collect::<Vec<f64>>();
    [
        list(y.into_data()),
        list(log_det.into_data()),
        list(x.grad(&grads).expect("tracked").into_data()),
        list(theta.grad(&grads).expect("tracked").into_data()),
    ]
}

pub fn assert_close(found: &Results, expected: &Results, tolerance: f64, what: &str) {
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_eq!(found.len(), expected.len(), "result {index} of {what}");
        let scale = expected.iter().fold(1f64, |scale, v| scale.max(v.abs()));
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() <= tolerance * scale, "result {index} of {what}: {a} is not {b}");
        }
    }
}

/// Results of the kernels with and without what the way back needs, and both gradients.
pub fn run<C: Coupling, T: Scalar>(
    isa: Isa,
    flow: &CouplingStack<C>,
    direction: Direction,
    x: &[T],
    theta: &[T],
    g: &[T],
) -> [Vec<T>; 4] {
    let (y, mut saved) = cpu::forward(isa, flow.parts(), direction, x, theta, true);
    let (by_x, by_theta) = cpu::backward(isa, flow.parts(), direction, theta, &mut saved, g, [true, true]);
    let (unkept, _) = cpu::forward(isa, flow.parts(), direction, x, theta, false);
    [y, unkept, by_x, by_theta]
}
