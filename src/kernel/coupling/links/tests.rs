//! Gauge layers on a GPU, in one launch and in many: values and every gradient are those of double precision, run after run.

use crate::kernel::conv_stack::{ConvStack, OutputActivation};
use crate::kernel::coupling::layer::Coupling;
use crate::kernel::coupling::map::CouplingMap;
use crate::kernel::coupling::networks::{Direction, Networks};
use crate::kernel::coupling::resident::Resident;
use crate::kernel::coupling::trials::{Results, assert_close, by_autodiff_with};
use crate::kernel::coupling::{CouplingStack, GaugeCoupling, Spline, TanMixture, coupling_stack, reference};
use crate::kernel::gauge::reduced;
use crate::kernel::gpu::{Mode, Spread, client, test_device};
use crate::lattice::Lattice;
use crate::rng::Seed;
use burn::tensor::{DType, Device, Tensor, TensorData};
use std::sync::Arc;

/// Rounding of a few layers of sums of order one.
const F32_TOLERANCE: f64 = 3e-4;
/// Of the parameters of networks: maps that are far from the identity, and not so far that layers turn rounding into chaos.
const WIDTH: f64 = 0.1;
const BOTH: [Direction; 2] = [Direction::Forward, Direction::Inverse];

type Flow<M> = CouplingStack<GaugeCoupling<M>>;

/// A stack: its lattice, its hidden channels with the dilations of all convolutions, its first layer and their number.
struct Shape {
    extents: [usize; 2],
    hidden: &'static [usize],
    dilations: &'static [usize],
    activation: OutputActivation,
    layers: std::ops::Range<usize>,
}

const SMALL: Shape = Shape {
    extents: [8, 8],
    hidden: &[7, 5],
    dilations: &[1, 1, 1],
    activation: OutputActivation::Identity,
    layers: 3..5,
};

fn flow<M: CouplingMap>(map: M, shape: &Shape) -> Flow<M> {
    let lattice = Lattice::new(shape.extents);
    let layer = |index: usize| {
        let coupling = GaugeCoupling::new(map.clone(), lattice, index);
        let channels = [&[coupling.own_features()], shape.hidden, &[map.parameters()]].concat();
        let mut network = ConvStack::new(lattice, channels, 3);
        network.dilations = shape.dilations.to_vec();
        network.activation = shape.activation;
        (network.inputs, network.outputs) = (coupling.conditioned(), coupling.active());
        (coupling, Arc::new(network))
    };
    CouplingStack::new(shape.layers.clone().map(layer).collect())
}

/// The same stack with a launch for each convolution.
fn tiled<M: CouplingMap>(flow: &Flow<M>, sites: usize, parts: usize) -> Flow<M> {
    let mut networks = Networks::clone(flow.networks());
    networks.plans.mode = Some(Mode::Tiled(Spread { sites, parts }));
    CouplingStack { networks: Arc::new(networks), couplings: Arc::clone(&flow.couplings) }
}

/// Whether a batch goes through all layers in one launch.
fn is_resident<M: CouplingMap>(flow: &Flow<M>, batch: usize, device: &Device) -> bool {
    let layer = flow.couplings[0].gpu_layer().expect("the kernels know gauge layers");
    Resident::of(flow.networks(), layer, batch, &client(device).expect("a GPU")).is_some()
}

/// Angles of found results are brought to the turn of the expected ones.
fn same_turns(mut found: Results, expected: &Results) -> Results {
    for (found, expected) in found[0].iter_mut().zip(&expected[0]) {
        *found = expected + reduced(*found - expected);
    }
    found
}

fn on_gpu<M: CouplingMap>(flow: &Flow<M>, direction: Direction, batch: usize, device: &Device) -> Results {
    let fused = |x, theta| coupling_stack(x, theta, flow, direction);
    by_autodiff_with(WIDTH, fused, flow, batch, (device.clone(), DType::F32))
}

/// The kernels agree with plain operations and with the CPU's kernels, both in double precision; a second run has the same bits.
fn law<M: CouplingMap>(flow: &Flow<M>, batch: usize, device: &Device, what: &str) {
    for direction in BOTH {
        let found = on_gpu(flow, direction, batch, device);
        assert_eq!(on_gpu(flow, direction, batch, device), found, "{direction:?} once more, {what}");
        let plain = |x, theta| reference(x, theta, flow.parts(), direction);
        let fused = |x, theta| coupling_stack(x, theta, flow, direction);
        let exact = || (Device::flex(), DType::F64);
        for expected in [
            by_autodiff_with(WIDTH, plain, flow, batch, exact()),
            by_autodiff_with(WIDTH, fused, flow, batch, exact()),
        ] {
            let found = same_turns(found.clone(), &expected);
            assert_close(&found, &expected, F32_TOLERANCE, &format!("{direction:?} on a GPU, {what}"));
        }
    }
}

#[test]
fn a_gpu_agrees_with_double_precision_in_one_launch_and_in_many() {
    let Some(device) = test_device() else { return };
    fn both<M: CouplingMap>(
        map: M,
        shape: &Shape,
        batch: usize,
        [sites, parts]: [usize; 2],
        device: &Device,
    ) {
        let flow = flow(map.clone(), shape);
        let what = format!("{map:?} on {:?}, batch {batch}", shape.extents);
        assert!(is_resident(&flow, batch, device), "shared memory has room for {what}");
        law(&flow, batch, device, &format!("{what}, in one launch"));
        law(&tiled(&flow, sites, parts), batch, device, &format!("{what}, {sites} sites a unit"));
    }
    let wide = Shape { extents: [12, 8], dilations: &[1, 2, 1], layers: 0..1, ..SMALL };
    let long = Shape { extents: [4, 8], hidden: &[9], dilations: &[2, 1], layers: 2..5, ..SMALL };
    let bounded = Shape { activation: OutputActivation::Tanh, layers: 7..9, ..SMALL };
    both(Spline { knots: 8 }, &SMALL, 5, [8, 1], &device);
    both(Spline { knots: 5 }, &wide, 33, [4, 3], &device);
    both(TanMixture { components: 3 }, &long, 19, [1, 1], &device);
    both(TanMixture { components: 6 }, &bounded, 3, [2, 2], &device);
}

/// Networks without hidden layers and lattices beyond shared memory have a launch for each convolution.
#[test]
fn a_gpu_takes_what_does_not_fit_shared_memory_in_many_launches() {
    let Some(device) = test_device() else { return };
    let large = Shape { extents: [16, 16], layers: 6..8, ..SMALL };
    let flat = Shape { hidden: &[], dilations: &[1], ..SMALL };
    for shape in [large, flat] {
        let flow = flow(Spline { knots: 8 }, &shape);
        assert!(!is_resident(&flow, 3, &device));
        law(&flow, 3, &device, &format!("{:?}", shape.extents));
    }
}

/// The inverse of the forward map, with its log det.
#[test]
fn a_gpu_undoes_what_it_has_done() {
    let Some(device) = test_device() else { return };
    fn law<M: CouplingMap>(flow: &Flow<M>, device: &Device) {
        let (batch, numbers) = (5, 2 * flow.networks().volume());
        let draw = |name: &str, count: usize, width: f32| Seed(8).stream(name).uniforms(0, count, width);
        let theta = draw("theta", flow.networks().parameter_count(), WIDTH as f32);
        let theta = || Tensor::<1>::from_data(&theta[..], device);
        let links = draw("links", batch * numbers, 3.0);
        let x = TensorData::new(links.clone(), [batch, 2, numbers / 2]);
        let (y, there) = coupling_stack(Tensor::<3>::from_data(x, device), theta(), flow, Direction::Forward);
        let (x, back) = coupling_stack(y, theta(), flow, Direction::Inverse);
        let list = |data: TensorData| data.iter::<f64>().collect::<Vec<f64>>();
        for (found, expected) in list(x.into_data()).iter().zip(&links) {
            assert!(reduced(found - f64::from(*expected)).abs() < F32_TOLERANCE, "{found} is not {expected}");
        }
        for (there, back) in list(there.into_data()).iter().zip(list(back.into_data())) {
            assert!(there.abs() > 0.01, "nothing to compare: {there}");
            // The sum over all active plaquettes.
            assert!((there + back).abs() < 10.0 * F32_TOLERANCE, "{there} and {back}");
        }
    }
    let eight = Shape { layers: 0..8, ..SMALL };
    let (spline, mixture) = (flow(Spline { knots: 8 }, &eight), flow(TanMixture { components: 6 }, &eight));
    law(&spline, &device);
    law(&tiled(&spline, 2, 1), &device);
    law(&mixture, &device);
    law(&tiled(&mixture, 4, 2), &device);
}

/// The gradient by the links of a sum over both results, with the parameters tracked or not.
#[test]
fn a_gpu_finds_the_gradient_by_links_without_that_by_parameters() {
    let Some(device) = test_device() else { return };
    let resident = flow(Spline { knots: 4 }, &SMALL);
    for flow in [tiled(&resident, 1, 1), resident] {
        let device = device.clone().autodiff();
        let by_links = |tracked: bool| {
            let (batch, numbers) = (3, 2 * flow.networks().volume());
            let links = TensorData::new(
                Seed(8).stream("links").uniforms(0, batch * numbers, 3.0),
                [batch, 2, numbers / 2],
            );
            let x = Tensor::<3>::from_data(links, &device).require_grad();
            let theta = Seed(8).stream("theta").uniforms(0, flow.networks().parameter_count(), WIDTH as f32);
            let theta = Tensor::<1>::from_data(&theta[..], &device).set_require_grad(tracked);
            let (y, log_det) = coupling_stack(x.clone(), theta.clone(), &flow, Direction::Forward);
            let grads = (y.sin().sum() + (log_det.clone() * log_det).sum()).backward();
            assert_eq!(theta.grad(&grads).is_some(), tracked);
            x.grad(&grads).expect("tracked").into_data().iter::<f64>().collect::<Vec<f64>>()
        };
        assert_eq!(by_links(true), by_links(false));
    }
}
