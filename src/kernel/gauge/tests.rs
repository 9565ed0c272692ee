//! The action as an operation on tensors: on the CPU in both precisions, and on a GPU in double and in single precision.

use super::GaugeAction;
use crate::kernel::wilson::Wilson;
use crate::lattice::Lattice;
use crate::rng::Seed;
use burn::tensor::{DType, Device, Tensor, TensorData};
use std::sync::Arc;

type Case = (Arc<GaugeAction>, Lattice, usize);

fn case(extents: [usize; 2], kappa: f64, antiperiodic: bool, batch: usize) -> Case {
    let lattice = Lattice::new(extents);
    let wilson = (kappa > 0.0).then(|| Wilson::new(lattice, kappa, antiperiodic));
    (Arc::new(GaugeAction::new(lattice, 1.5, wilson)), lattice, batch)
}

fn cases() -> Vec<Case> {
    let all = [([4, 6], 0.0, 5), ([4, 6], 0.25, 3), ([8, 8], 0.22, 17)];
    all.map(|(extents, kappa, batch)| case(extents, kappa, true, batch)).to_vec()
}

fn angles(lattice: Lattice, batch: usize) -> Vec<f64> {
    let values = Seed(2).stream("theta").normals(0, 1, batch * 2 * lattice.volume());
    values.into_iter().map(f64::from).collect()
}

/// Actions without a way back, actions with one, and the gradient of a sum of these whose factors differ by configuration.
fn on(device: &Device, dtype: DType, case: &Case) -> [Vec<f64>; 3] {
    let (action, lattice, batch) = case;
    computed(&|angles| action.action(angles), &angles(*lattice, *batch), *batch, (device, dtype))
}

/// The same of given links, however the actions are computed.
fn computed(
    action: &dyn Fn(Tensor<3>) -> Tensor<1>,
    angles: &[f64],
    batch: usize,
    (device, dtype): (&Device, DType),
) -> [Vec<f64>; 3] {
    let shape = [batch, 2, angles.len() / (2 * batch)];
    let data = TensorData::new(angles.to_vec(), shape).convert_dtype(dtype);
    let factors: Vec<f64> = (0..batch).map(|index| 1.0 - 0.3 * index as f64).collect();
    let factors = TensorData::new(factors, [batch]).convert_dtype(dtype);
    let alone = action(Tensor::<3>::from_data(data.clone(), (device, dtype)));
    let device = device.clone().autodiff();
    let field = Tensor::<3>::from_data(data, (&device, dtype)).require_grad();
    let actions = action(field.clone());
    let sum = (actions.clone() * Tensor::<1>::from_data(factors, (&device, dtype))).sum();
    let gradient = field.grad(&sum.backward()).expect("tracked");
    [alone.into_data(), actions.into_data(), gradient.into_data()].map(|data| data.iter::<f64>().collect())
}

fn expected((action, lattice, batch): &Case) -> [Vec<f64>; 3] {
    of_host(action, &angles(*lattice, *batch))
}

fn of_host(action: &GaugeAction, all: &[f64]) -> [Vec<f64>; 3] {
    let links = 2 * action.lattice().volume();
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

/// Rounding of single precision in a sum of some hundred terms, and in inverses of well-conditioned matrices.
#[cfg(feature = "wgpu")]
const F32_TOLERANCE: f64 = 1e-5;

/// No fermions; both boundaries, a slice of two sites, more time than space and less, one whose matrices have no room in shared memory.
#[cfg(feature = "wgpu")]
#[test]
fn computed_on_a_gpu_action_and_gradient_are_those_of_the_host() {
    let Some(device) = crate::kernel::gpu::test_device() else { return };
    let all = [
        ([4, 6], 0.0, true, 5),
        ([6, 2], 0.25, true, 3),
        ([4, 6], 0.25, false, 3),
        ([8, 8], 0.22, true, 17),
        ([2, 24], 0.26, true, 2),
    ];
    for (extents, kappa, antiperiodic, batch) in all {
        let (action, lattice, batch) = case(extents, kappa, antiperiodic, batch);
        let angles = rounded(angles(lattice, batch));
        let found =
            computed(&|angles| action.action_on_device(angles), &angles, batch, (&device, DType::F32));
        assert_close(&found, &of_host(&action, &angles), F32_TOLERANCE);
    }
}

/// `ln|det D|` is a sum over 2V pivots, of which each has the error of some ten roundings: 512 · 10 · 6e-8, if all had one sign.
#[cfg(feature = "wgpu")]
const LOG_DET_TOLERANCE: f64 = 3e-4;

/// Numbers of the inverse have the error of a rounding times the condition number of the operator, 10⁴ at most for these fields.
#[cfg(feature = "wgpu")]
const FORCE_TOLERANCE: f64 = 6e-4;

/// Links from a smooth field to one as a flow begins with, at couplings up to where the operator is nearly singular on smooth fields.
#[cfg(feature = "wgpu")]
#[test]
fn errors_of_single_precision_are_rounding() {
    let Some(device) = crate::kernel::gpu::test_device() else { return };
    for (extent, kappa) in [(8, 0.25), (8, 0.276), (16, 0.25), (16, 0.276)] {
        let (lattice, batch) = (Lattice::new([extent, extent]), 8);
        // Without plaquettes: β = 0.
        let action = Arc::new(GaugeAction::new(lattice, 0.0, Some(Wilson::new(lattice, kappa, true))));
        for width in [0.3, 2.0] {
            let links = angles(lattice, batch).into_iter().map(|angle| width * angle).collect();
            let links = rounded(links);
            let on_device = |angles| action.action_on_device(angles);
            let [found, _, by_found] = computed(&on_device, &links, batch, (&device, DType::F32));
            let [exact, _, by_exact] = of_host(&action, &links);
            let worst = |found: &[f64], exact: &[f64]| {
                found.iter().zip(exact).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
            };
            let largest = by_exact.iter().fold(0f64, |largest, value| largest.max(value.abs()));
            let (log_det, force) = (0.5 * worst(&found, &exact), worst(&by_found, &by_exact) / largest);
            eprintln!(
                "L = {extent}, kappa = {kappa}, links of width {width}: ln|det D| off by {log_det:.1e}, its gradient by \
                 {force:.1e} of its largest number, {largest:.1}"
            );
            assert!(log_det < LOG_DET_TOLERANCE && force < FORCE_TOLERANCE);
        }
    }
}

/// Periodic fermions at unit links and κ = ¼ have a zero mode: numbers all the same, and `-2 ln|det D|` far above that of any other field,
/// or none, at which training ends.
#[cfg(feature = "wgpu")]
#[test]
fn a_singular_operator_is_seen_on_a_gpu() {
    let Some(device) = crate::kernel::gpu::test_device() else { return };
    let (action, lattice, _) = case([4, 6], 0.25, false, 1);
    let links = vec![0.0; 2 * lattice.volume()];
    let on_device = |angles| action.action_on_device(angles);
    let [alone, found, _] = computed(&on_device, &links, 1, (&device, DType::F32));
    let gauge = -1.5 * lattice.volume() as f64;
    for value in [alone[0], found[0]] {
        assert!(value.is_nan() || value - gauge > 20.0, "{value}");
    }
    // A link that is no number makes an action that is none.
    let mut links = vec![0.1; 2 * lattice.volume()];
    links[7] = f64::NAN;
    let [alone, found, by_found] = computed(&on_device, &links, 1, (&device, DType::F32));
    assert!(alone[0].is_nan() && found[0].is_nan() && by_found.iter().any(|value| value.is_nan()));
}

/// What is begun on the host gives the numbers of what is not, whatever the device does in between.
#[cfg(feature = "wgpu")]
#[test]
fn an_action_that_was_begun_is_the_action() {
    let Some(device) = crate::kernel::gpu::test_device() else { return };
    for device in [device, Device::flex()] {
        for (action, lattice, batch) in cases() {
            let angles = angles(lattice, batch);
            let at = (&device, DType::F32);
            let expected = computed(&|angles| action.action(angles), &angles, batch, at);
            let begun = |angles: Tensor<3>| {
                let [first, second] = [(); 2].map(|()| action.begin(&angles, true));
                let other = second(angles.clone() + 1.0 - 1.0);
                first(angles) + other * 0.0
            };
            assert_eq!(computed(&begun, &angles, batch, at), expected);
        }
    }
}

/// Where tensors of the CPU are, nothing is computed in another way.
#[test]
fn on_the_cpu_computing_on_the_device_is_computing_on_the_host() {
    for (action, lattice, batch) in cases() {
        let angles = angles(lattice, batch);
        let at = (&Device::flex(), DType::F32);
        let found = computed(&|angles| action.action_on_device(angles), &angles, batch, at);
        assert_eq!(found, computed(&|angles| action.action(angles), &angles, batch, at));
    }
}

/// Angles as single precision holds them: what is asked is how they are computed with.
#[cfg(feature = "wgpu")]
fn rounded(angles: Vec<f64>) -> Vec<f64> {
    angles.into_iter().map(|angle| f64::from(angle as f32)).collect()
}
