//! The fused transform equals its reference for values and gradients, is its own inverse, and makes the lattice's Laplacian
//! diagonal.

use super::Hartley;
use crate::lattice::Lattice;
use crate::rng::Seed;
use burn::tensor::{DType, Device, Tensor, TensorData};
use std::sync::Arc;

/// Rounding of sums of at most a dozen terms along each of four directions.
const F32_TOLERANCE: f64 = 2e-6;
const F64_TOLERANCE: f64 = 1e-14;

/// Even, odd and smallest lattices of one to four dimensions, with batches that fill tiles and that do not.
fn cases() -> Vec<(Arc<Hartley>, [usize; 2])> {
    let cases: [(&[usize], [usize; 2]); 7] = [
        (&[6, 4], [5, 1]),
        (&[5, 7], [1, 2]),
        (&[2, 2], [3, 1]),
        (&[8, 12], [33, 1]),
        (&[9], [4, 3]),
        (&[3, 4, 5], [16, 1]),
        (&[2, 3, 2, 4], [7, 2]),
    ];
    let case = |(extents, batch)| (Arc::new(Hartley::new(Lattice::new(extents))), batch);
    cases.map(case).to_vec()
}

fn normals(name: &str, hartley: &Hartley, [batch, components]: [usize; 2], dtype: DType) -> TensorData {
    let shape = [batch, components, hartley.lattice().volume()];
    TensorData::new(Seed(2).stream(name).normals(0, 1, shape.iter().product()), shape).convert_dtype(dtype)
}

/// Transforms, and the gradient of a sum of them with factors that differ.
fn results(
    (hartley, batch): &(Arc<Hartley>, [usize; 2]),
    transform: impl Fn(&Arc<Hartley>, Tensor<3>) -> Tensor<3>,
    (device, dtype): (Device, DType),
) -> [Vec<f64>; 2] {
    let device = device.autodiff();
    let on = |name: &str| Tensor::<3>::from_data(normals(name, hartley, *batch, dtype), (&device, dtype));
    let field = on("phi").require_grad();
    let transformed = transform(hartley, field.clone());
    let gradient =
        field.grad(&(transformed.clone() * on("factors")).sum().backward()).expect("it is tracked");
    [transformed.into_data(), gradient.into_data()].map(|data| data.iter::<f64>().collect())
}

fn assert_close(found: &[Vec<f64>; 2], expected: &[Vec<f64>; 2], tolerance: f64, what: &str) {
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.len(), expected.len(), "{what}");
        let scale = expected.iter().fold(1f64, |scale, v| scale.max(v.abs()));
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() <= tolerance * scale, "{a} is not {b}, {what}");
        }
    }
}

#[test]
fn on_the_cpu_values_and_gradients_are_those_of_the_reference() {
    for case in cases() {
        let expected = results(&case, |h, x| h.reference(x), (Device::flex(), DType::F64));
        for (dtype, tolerance) in [(DType::F32, F32_TOLERANCE), (DType::F64, F64_TOLERANCE)] {
            let found = results(&case, Hartley::transform, (Device::flex(), dtype));
            assert_close(&found, &expected, tolerance, &format!("{:?} in {dtype:?}", case.0.lattice()));
        }
    }
}

#[cfg(feature = "wgpu")]
#[test]
fn on_a_gpu_values_and_gradients_are_those_of_the_reference() {
    let Some(device) = crate::kernel::gpu::test_device() else { return };
    for case in cases() {
        let found = results(&case, Hartley::transform, (device.clone(), DType::F32));
        let expected = results(&case, |h, x| h.reference(x), (Device::flex(), DType::F64));
        assert_close(&found, &expected, F32_TOLERANCE, &format!("{:?}", case.0.lattice()));
    }
}

#[test]
fn twice_is_the_field_again() {
    for (hartley, batch) in cases() {
        let device = Device::flex();
        let field =
            Tensor::<3>::from_data(normals("phi", &hartley, batch, DType::F64), (&device, DType::F64));
        let twice = hartley.transform(hartley.transform(field.clone()));
        assert!((twice - field).abs().max().into_scalar::<f64>() < F64_TOLERANCE * 10.0);
    }
}

/// `-Δ = Σ_ν (2 - shift - shift back)` has the eigenvalues `k̂²`.
#[test]
fn the_laplacian_is_diagonal() {
    for (hartley, _) in cases() {
        let lattice = hartley.lattice();
        let field = normals("phi", &hartley, [1, 1], DType::F64);
        let phi: Vec<f64> = field.iter::<f64>().collect();
        let of = |site: usize| -> f64 {
            let along = |mu: usize| {
                2.0 * phi[site] - phi[lattice.forward(site, mu)] - phi[lattice.backward(site, mu)]
            };
            (0..lattice.dimensions()).map(along).sum()
        };
        let transform = |values: Vec<f64>| -> Vec<f64> {
            let data = TensorData::new(values, [1, 1, lattice.volume()]);
            let field = Tensor::<3>::from_data(data, (&Device::flex(), DType::F64));
            hartley.transform(field).into_data().iter::<f64>().collect()
        };
        let [found, waves] = [transform((0..lattice.volume()).map(of).collect()), transform(phi.clone())];
        for (momentum, (found, wave)) in found.iter().zip(waves).enumerate() {
            let expected = lattice.momentum_squared(momentum) * wave;
            assert!((found - expected).abs() < 1e-13, "{found} is not {expected} on {lattice:?}");
        }
    }
}
