//! Gauge-equivariant couplings: fused = plain, equivariance, frozen loops, log det = that of the numeric Jacobian.

use super::GaugeCoupling;
use crate::kernel::conv_stack::ConvStack;
use crate::kernel::coupling::layer::Coupling;
use crate::kernel::coupling::map::CouplingMap;
use crate::kernel::coupling::trials::{Results, assert_close, by_autodiff_with, run};
use crate::kernel::coupling::{CouplingStack, Direction, Spline, TanMixture, coupling_stack, reference};
use crate::kernel::gauge::{Plaquettes, reduced};
use crate::kernel::isa::Isa;
use crate::lattice::Lattice;
use crate::rng::Seed;
use burn::tensor::{DType, Device, Tensor, TensorData};
use std::f64::consts::PI;
use std::sync::Arc;

/// Rounding of a few layers of sums of order one.
const F32_TOLERANCE: f64 = 3e-4;
const F64_TOLERANCE: f64 = 1e-10;
/// Of the parameters of networks: maps that are far from the identity, and not so far that layers turn rounding into chaos.
const WIDTH: f64 = 0.1;
const BOTH: [Direction; 2] = [Direction::Forward, Direction::Inverse];

type Flow<M> = CouplingStack<GaugeCoupling<M>>;

/// The first `count` layers from one on.
fn flow<M: CouplingMap>(map: M, extents: [usize; 2], first: usize, count: usize) -> Flow<M> {
    let lattice = Lattice::new(extents);
    let layer = |index: usize| {
        let coupling = GaugeCoupling::new(map.clone(), lattice, index);
        let channels = vec![coupling.own_features(), 7, 5, map.parameters()];
        let mut network = ConvStack::new(lattice, channels, 3);
        (network.inputs, network.outputs) = (coupling.conditioned(), coupling.active());
        (coupling, Arc::new(network))
    };
    CouplingStack::new((first..first + count).map(layer).collect())
}

const SPLINE: Spline = Spline { knots: 8 };
const MIXTURE: TanMixture = TanMixture { components: 3 };

/// Angles of found results are brought to the turn of the expected ones.
fn same_turns(mut found: Results, expected: &Results) -> Results {
    for (found, expected) in found[0].iter_mut().zip(&expected[0]) {
        *found = expected + reduced(*found - expected);
    }
    found
}

#[test]
fn fused_equals_reference_for_values_and_every_gradient() {
    fn law<M: CouplingMap>(map: M, extents: [usize; 2], batch: usize, first: usize) {
        let flow = flow(map, extents, first, 6);
        for (dtype, tolerance) in [(DType::F32, F32_TOLERANCE), (DType::F64, F64_TOLERANCE)] {
            for direction in BOTH {
                let on = || (Device::flex(), dtype);
                let fused = |x, theta| coupling_stack(x, theta, &flow, direction);
                let plain = |x, theta| reference(x, theta, flow.parts(), direction);
                let expected = by_autodiff_with(WIDTH, plain, &flow, batch, on());
                let found = same_turns(by_autodiff_with(WIDTH, fused, &flow, batch, on()), &expected);
                let what = format!("{direction:?} in {dtype:?}, {extents:?}, batch {batch}");
                assert_close(&found, &expected, tolerance, &what);
            }
        }
    }
    law(SPLINE, [4, 8], 19, 0);
    law(SPLINE, [8, 4], 3, 5);
    law(MIXTURE, [8, 4], 19, 2);
    law(MIXTURE, [4, 4], 1, 7);
}

#[test]
fn every_instruction_set_agrees_with_double_precision() {
    let (batch, flow) = (19, flow(SPLINE, [4, 8], 2, 4));
    let numbers = 2 * flow.networks().volume();
    let draw = |name: &str, count: usize, factor: f32| {
        let values = Seed(7).stream(name).normals(0, 1, count);
        values.into_iter().map(|value| factor * value).collect::<Vec<f32>>()
    };
    let (x, theta) =
        (draw("x", batch * numbers, 1.0), draw("theta", flow.networks().parameter_count(), WIDTH as f32));
    let g = draw("g", batch * (numbers + 1), 1.0);
    let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect::<Vec<f64>>();
    for direction in BOTH {
        let exact = run(Isa::Portable, &flow, direction, &wide(&x), &wide(&theta), &wide(&g));
        for isa in Isa::available() {
            let mut found = run(isa, &flow, direction, &x, &theta, &g).map(|values| wide(&values));
            for place in 0..2 {
                for (found, exact) in found[place].iter_mut().zip(&exact[place]) {
                    *found = exact + reduced(*found - exact);
                }
            }
            assert_close(&found, &exact, F32_TOLERANCE, &format!("{direction:?} with {}", isa.name()));
        }
    }
}

/// Fields, log dets of configurations `[sample, μ, site]` in double precision.
fn through<M: CouplingMap>(flow: &Flow<M>, direction: Direction, x: &[f64]) -> [Vec<f64>; 2] {
    let (device, volume) = (Device::flex(), flow.networks().volume());
    let on = |values: Vec<f64>, shape: Vec<usize>| TensorData::new(values, shape);
    let x = Tensor::<3>::from_data(
        on(x.to_vec(), vec![x.len() / (2 * volume), 2, volume]),
        (&device, DType::F64),
    );
    let theta = Seed(8).stream("theta").normals(0, 1, flow.networks().parameter_count());
    let theta: Vec<f64> = theta.into_iter().map(|value| WIDTH * f64::from(value)).collect();
    let shape = vec![theta.len()];
    let theta = Tensor::<1>::from_data(on(theta, shape), (&device, DType::F64));
    let (y, log_det) = coupling_stack(x, theta, flow, direction);
    [y.into_data(), log_det.into_data()].map(|data| data.iter::<f64>().collect())
}

fn links(lattice: Lattice, name: &str) -> Vec<f64> {
    let values = Seed(8).stream(name).uniforms(0, 2 * lattice.volume(), 3.0);
    values.into_iter().map(f64::from).collect()
}

/// `θ_μ(x) + α(x) - α(x+μ)`.
fn transformed(lattice: Lattice, theta: &[f64], alpha: &[f64]) -> Vec<f64> {
    let volume = lattice.volume();
    let link = |place: usize| {
        let (mu, site) = (place / volume, place % volume);
        theta[place] + alpha[site] - alpha[lattice.forward(site, mu)]
    };
    (0..2 * volume).map(link).collect()
}

fn assert_same_angles(found: &[f64], expected: &[f64], what: &str) {
    for (place, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!(reduced(a - b).abs() < 1e-11, "{what}, link {place}: {a} is not {b}");
    }
}

#[test]
fn the_map_is_gauge_equivariant_and_its_log_det_invariant() {
    fn law<M: CouplingMap>(map: M, extents: [usize; 2]) {
        let (lattice, flow) = (Lattice::new(extents), flow(map, extents, 0, 8));
        let (theta, alpha) = (links(lattice, "links"), links(lattice, "gauge"));
        for direction in BOTH {
            let [y, log_det] = through(&flow, direction, &theta);
            let [turned, same] = through(&flow, direction, &transformed(lattice, &theta, &alpha));
            assert!(log_det[0].abs() > 0.01, "nothing to compare: {log_det:?}");
            assert!((same[0] - log_det[0]).abs() < 1e-11, "{same:?} is not {log_det:?}");
            assert_same_angles(&turned, &transformed(lattice, &y, &alpha), &format!("{direction:?}"));
        }
    }
    law(SPLINE, [4, 8]);
    law(MIXTURE, [8, 4]);
}

#[test]
fn a_layer_changes_its_links_alone_and_no_frozen_plaquette() {
    for (index, extents) in (0..8).flat_map(|index| [[4, 8], [8, 8]].map(|extents| (index, extents))) {
        let lattice = Lattice::new(extents);
        let (flow, theta, volume) =
            (flow(SPLINE, extents, index, 1), links(lattice, "links"), lattice.volume());
        let coupling = &flow.couplings[0];
        let [y, _] = through(&flow, Direction::Forward, &theta);
        let (active, frozen) = (coupling.active(), coupling.stripes.frozen());
        for place in 0..2 * volume {
            let is_active = active[place % volume] && place / volume == coupling.stripes.direction();
            assert_eq!(y[place] != theta[place], is_active, "layer {index}, link {place}");
            assert!(!is_active || y[place].abs() < PI + 1e-12, "{} is not reduced", y[place]);
        }
        let [before, after] = [&theta, &y].map(|links| {
            let mut found = vec![0.0; volume];
            Plaquettes::new(lattice).angles(links, &mut found);
            found
        });
        for site in 0..volume {
            assert_eq!(before[site] == after[site], frozen[site], "layer {index}, plaquette {site}");
        }
    }
}

#[test]
fn inverse_of_forward_is_the_identity_and_whole_turns_do_not_matter() {
    fn law<M: CouplingMap>(map: M, extents: [usize; 2]) {
        let (lattice, flow) = (Lattice::new(extents), flow(map, extents, 3, 8));
        let theta = links(lattice, "links");
        let [y, there] = through(&flow, Direction::Forward, &theta);
        let [x, back] = through(&flow, Direction::Inverse, &y);
        assert_same_angles(&x, &theta, "inverse of forward");
        assert!((there[0] + back[0]).abs() < 1e-10, "{there:?} and {back:?}");
        let turned: Vec<f64> =
            theta.iter().enumerate().map(|(place, angle)| angle + 2.0 * PI * (place % 5) as f64).collect();
        let [same, log_det] = through(&flow, Direction::Forward, &turned);
        assert_same_angles(&same, &y, "whole turns");
        assert!((log_det[0] - there[0]).abs() < 1e-10, "{log_det:?} is not {there:?}");
    }
    law(SPLINE, [8, 4]);
    law(MIXTURE, [4, 8]);
}

/// All layers repeat after four steps along time and along space; one layer after two steps along its links and one across.
#[test]
fn the_flow_commutes_with_translations_by_the_period_of_its_pattern() {
    let lattice = Lattice::new([8, 8]);
    let theta = links(lattice, "links");
    let moved = |theta: &[f64], step: [isize; 2]| -> Vec<f64> {
        let from = |place: usize| place / 64 * 64 + lattice.shifted(place % 64, &step);
        (0..128).map(|place| theta[from(place)]).collect()
    };
    let steps = |first: usize| if first < 4 { [2, 1] } else { [1, 2] };
    let cases = (0..8).map(|first| (first, 1, steps(first))).chain([(0, 8, [4, 0]), (0, 8, [0, 4])]);
    for (first, count, step) in cases {
        let flow = flow(SPLINE, [8, 8], first, count);
        let [y, log_det] = through(&flow, Direction::Forward, &theta);
        let [there, same] = through(&flow, Direction::Forward, &moved(&theta, step));
        assert_same_angles(&there, &moved(&y, step), &format!("layers from {first}, {step:?}"));
        assert!((same[0] - log_det[0]).abs() < 1e-12, "layers from {first}, {step:?}");
    }
}

#[test]
fn the_log_det_is_that_of_the_numeric_jacobian() {
    fn law<M: CouplingMap>(map: M, extents: [usize; 2]) {
        let (lattice, flow) = (Lattice::new(extents), flow(map, extents, 0, 8));
        let (theta, numbers) = (links(lattice, "links"), 2 * lattice.volume());
        for direction in BOTH {
            let [_, log_det] = through(&flow, direction, &theta);
            // Samples with one link moved up, then those with it moved down.
            let at = |step: f64| {
                let moved = |place: usize| {
                    let mut moved = theta.clone();
                    moved[place] += step;
                    moved
                };
                let [y, _] = through(&flow, direction, &(0..numbers).flat_map(moved).collect::<Vec<f64>>());
                y
            };
            let (above, below) = (at(1e-5), at(-1e-5));
            let entries = above.iter().zip(&below).map(|(above, below)| reduced(above - below) / 2e-5);
            let jacobian = nalgebra::DMatrix::from_iterator(numbers, numbers, entries);
            let expected = jacobian.lu().determinant().abs().ln();
            // Differences are good to 1e-9, a matrix of some dozen columns to as many times its condition.
            assert!((log_det[0] - expected).abs() < 1e-5, "{direction:?}: {log_det:?} is not {expected}");
        }
    }
    law(SPLINE, [4, 8]);
    law(MIXTURE, [4, 4]);
}
