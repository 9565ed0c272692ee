//! Laws that every map of an angle keeps: identity, inverse, log det, whole turns, gradients, instruction sets, numbers that are none.

use super::map::CouplingMap;
use super::map_trials::{Samples, gradients, images, plain};
use super::networks::Direction;
use super::{Affine, Spline, TanMixture};
use crate::kernel::isa::Isa;
use crate::rng::Seed;
use burn::tensor::{DType, Device, Tensor, TensorData};
use std::f64::consts::PI;

const BOTH: [Direction; 2] = [Direction::Forward, Direction::Inverse];

/// Rounding of some ten operations on angles of a few turns.
const F64_TOLERANCE: f64 = 1e-13;
const F32_TOLERANCE: f64 = 1e-5;
/// Of derivatives by differences with a step of 1e-6: rounding of angles of some turns makes an error of 1e-8 where slopes are large.
const DIFFERENCE_TOLERANCE: f64 = 1e-7;

/// Runs a law for splines and mixtures of several sizes.
macro_rules! for_every_map {
    ($law:expr) => {
        for knots in [2, 5, 8] {
            $law(Spline { knots });
        }
        for components in [1, 3, 6] {
            $law(TanMixture { components });
        }
    };
}

fn wide(values: Vec<f32>) -> Vec<f64> {
    values.into_iter().map(f64::from).collect()
}

/// Angles of some turns with parameters of a width; odd in number, so that the last vector is not full.
fn samples<M: CouplingMap>(map: &M, width: f64) -> Samples<f64> {
    let (stream, count) = (Seed(3).stream("map"), 333);
    let parameters = wide(stream.normals(0, count, map.parameters()));
    let x = wide(stream.normals(1 << 20, 1, count));
    Samples {
        parameters: parameters.into_iter().map(|value| width * value).collect(),
        x: x.into_iter().map(|value| 4.0 * value).collect(),
    }
}

fn weights(count: usize) -> [Vec<f64>; 2] {
    ["by y", "by log det"].map(|name| wide(Seed(4).stream(name).normals(0, 1, count)))
}

fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (place, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{what}, {place}: {a} is not {b}");
    }
}

#[test]
fn zero_parameters_are_the_identity() {
    fn law<M: CouplingMap>(map: M) {
        let samples = samples(&map, 0.0);
        for direction in BOTH {
            let [y, log_det] = images(Isa::Portable, &map, direction, &samples);
            assert_close(&y, &samples.x, F64_TOLERANCE, &format!("{map:?} {direction:?}"));
            assert!(log_det.iter().all(|value| value.abs() < F64_TOLERANCE), "{map:?} {direction:?}");
        }
    }
    for_every_map!(law);
}

/// Angles at which a map might have a seam: multiples of π/2, and their neighbours.
fn seams() -> impl Iterator<Item = f64> + Clone {
    let quarters = (-8..=8).map(|quarter| 0.5 * PI * f64::from(quarter));
    quarters.flat_map(|angle| [angle, angle.next_down(), angle.next_up(), angle + 1e-9, angle - 1e-9])
}

#[test]
fn the_inverse_undoes_the_map_and_its_log_det_also_at_the_seam() {
    fn law<M: CouplingMap>(map: M) {
        let mut samples = samples(&map, 1.5);
        samples.x.iter_mut().zip(seams().cycle()).step_by(2).for_each(|(x, seam)| *x = seam);
        let [y, there] = images(Isa::Portable, &map, Direction::Forward, &samples);
        let back = Samples { x: y, ..samples.clone() };
        let [x, log_det] = images(Isa::Portable, &map, Direction::Inverse, &back);
        for (index, (found, expected)) in x.iter().zip(&samples.x).enumerate() {
            // What rounding the image makes of the angle.
            let tolerance = F64_TOLERANCE * (1.0 + expected.abs()) * (1.0 + (-there[index]).exp());
            assert!((found - expected).abs() < tolerance, "{map:?}: {found} is not {expected}");
            // Curvature turns errors of the angle into errors of the slope.
            let off = (log_det[index] + there[index]).abs();
            assert!(off < 1e3 * tolerance, "{map:?} at {expected}: log dets differ by {off:e}");
        }
        let single = samples.single();
        for isa in Isa::available() {
            let [y, there] = images(isa, &map, Direction::Forward, &single);
            let back = Samples { x: y, ..single.clone() };
            let [x, _] = images(isa, &map, Direction::Inverse, &back);
            for (index, (found, expected)) in x.iter().zip(&single.x).enumerate() {
                let tolerance = F32_TOLERANCE * (1.0 + f64::from(-there[index]).exp());
                let off = f64::from((found - expected).abs());
                assert!(off < tolerance, "{map:?} with {}: {found} is not {expected}", isa.name());
            }
        }
    }
    for_every_map!(law);
}

#[test]
fn whole_turns_stay_whole_turns() {
    fn law<M: CouplingMap>(map: M) {
        let samples = samples(&map, 1.5);
        for direction in BOTH {
            let [y, log_det] = images(Isa::Portable, &map, direction, &samples);
            let turned = Samples { x: samples.x.iter().map(|x| x + 2.0 * PI).collect(), ..samples.clone() };
            let [turned, same] = images(Isa::Portable, &map, direction, &turned);
            let expected: Vec<f64> = y.iter().map(|y| y + 2.0 * PI).collect();
            // Rounding of the angle is multiplied by slopes of up to a hundred.
            assert_close(&turned, &expected, 1e-11, &format!("{map:?} {direction:?}"));
            assert_close(&same, &log_det, 1e-10, &format!("{map:?} {direction:?}, log det"));
        }
    }
    for_every_map!(law);
}

/// The weighted sum over image and log det of every sample.
fn sums<M: CouplingMap>(
    map: &M,
    direction: Direction,
    samples: &Samples<f64>,
    weights: &[Vec<f64>; 2],
) -> Vec<f64> {
    let results = images(Isa::Portable, map, direction, samples);
    (0..samples.x.len()).map(|i| results[0][i] * weights[0][i] + results[1][i] * weights[1][i]).collect()
}

/// Derivatives of all sums by what `moved` moves, and how large rounding makes their error.
fn differences<M: CouplingMap>(
    map: &M,
    direction: Direction,
    weights: &[Vec<f64>; 2],
    moved: impl Fn(f64) -> Samples<f64>,
) -> Vec<f64> {
    let [above, below] = [1e-6, -1e-6].map(|step| sums(map, direction, &moved(step), weights));
    above.into_iter().zip(below).map(|(above, below)| (above - below) / 2e-6).collect()
}

fn shifted(samples: &Samples<f64>, step: f64) -> Samples<f64> {
    Samples { x: samples.x.iter().map(|x| x + step).collect(), ..samples.clone() }
}

#[test]
fn the_log_det_is_the_logarithm_of_the_slope() {
    fn law<M: CouplingMap>(map: M) {
        let samples = samples(&map, 1.0);
        let only_y = [vec![1.0; samples.x.len()], vec![0.0; samples.x.len()]];
        for direction in BOTH {
            let [_, log_det] = images(Isa::Portable, &map, direction, &samples);
            let slopes = differences(&map, direction, &only_y, |step| shifted(&samples, step));
            let expected: Vec<f64> = log_det.into_iter().map(f64::exp).collect();
            assert_close(&slopes, &expected, DIFFERENCE_TOLERANCE, &format!("{map:?} {direction:?}"));
        }
    }
    for_every_map!(law);
}

#[test]
fn every_gradient_is_that_of_differences() {
    fn law<M: CouplingMap>(map: M) {
        let (samples, count) = (samples(&map, 1.0), map.parameters());
        let weights = weights(samples.x.len());
        for direction in BOTH {
            let [by_x, by_parameters] =
                gradients(Isa::Portable, &map, direction, &samples, [&weights[0], &weights[1]]);
            let what = format!("{map:?} {direction:?}");
            let found = differences(&map, direction, &weights, |step| shifted(&samples, step));
            // Third derivatives, of log dets where slopes are small, take some digits.
            assert_close(&found, &by_x, 1e2 * DIFFERENCE_TOLERANCE, &format!("{what}, by x"));
            for parameter in 0..count {
                let found = differences(&map, direction, &weights, |step| {
                    let mut moved = samples.clone();
                    moved
                        .parameters
                        .iter_mut()
                        .skip(parameter)
                        .step_by(count)
                        .for_each(|value| *value += step);
                    moved
                });
                let expected: Vec<f64> =
                    by_parameters.iter().skip(parameter).step_by(count).copied().collect();
                assert_close(
                    &found,
                    &expected,
                    1e2 * DIFFERENCE_TOLERANCE,
                    &format!("{what}, by {parameter}"),
                );
            }
        }
    }
    for_every_map!(law);
}

#[test]
fn plain_operations_have_the_same_values_and_gradients() {
    fn law<M: CouplingMap>(map: M) {
        let samples = samples(&map, 1.5);
        let weights = weights(samples.x.len());
        let both = [&weights[0][..], &weights[1][..]];
        for direction in BOTH {
            let [y, log_det] = images(Isa::Portable, &map, direction, &samples);
            let [by_x, by_parameters] = gradients(Isa::Portable, &map, direction, &samples, both);
            let expected = plain(&map, direction, &samples, both);
            // Rounding is multiplied by slopes of up to a hundred, in gradients by their squares.
            let found = [(y, 1e-12), (log_det, 1e-11), (by_x, 1e-9), (by_parameters, 1e-9)];
            for (index, ((found, tolerance), expected)) in found.iter().zip(&expected).enumerate() {
                assert_close(found, expected, *tolerance, &format!("{map:?} {direction:?}, result {index}"));
            }
        }
    }
    for_every_map!(law);
}

/// The image at -x is the opposite and the log det the same: in exact arithmetic, and where it is asked for to the last bit.
#[test]
fn mirrored_parameters_mirror_the_map() {
    fn law<M: CouplingMap>(map: M) {
        let samples = samples(&map, 1.5);
        for dtype in [DType::F32, DType::F64] {
            let on = |values: &[f64], channels: usize| {
                let data = TensorData::new(values.to_vec(), [values.len() / channels, channels, 1]);
                Tensor::<3>::from_data(data.convert_dtype(dtype), (&Device::flex(), dtype))
            };
            let list = |tensor: Tensor<3>| tensor.into_data().iter::<f64>().collect::<Vec<f64>>();
            let (x, h) = (on(&samples.x, 1), on(&samples.parameters, map.parameters()));
            let mirrored = map.plain_mirrored(h.clone());
            assert_eq!(list(map.plain_mirrored(mirrored.clone())), list(h.clone()), "{map:?}");
            assert_ne!(list(mirrored.clone()), list(h.clone()), "{map:?}");
            for direction in BOTH {
                let (y, log_det) = map.plain_apply_odd(direction, x.clone(), h.clone());
                let (opposite, same) = map.plain_apply_odd(direction, -x.clone(), mirrored.clone());
                assert_eq!(
                    [list(-opposite), list(same)],
                    [list(y.clone()), list(log_det.clone())],
                    "{map:?}"
                );
                if dtype == DType::F64 {
                    let (expected, of_log) = map.plain_apply(direction, x.clone(), h.clone());
                    // As between the kernels and plain operations.
                    assert_close(&list(y), &list(expected), 1e-12, &format!("{map:?} {direction:?}"));
                    assert_close(&list(log_det), &list(of_log), 1e-11, &format!("{map:?} {direction:?}"));
                }
            }
        }
    }
    for_every_map!(law);
    law(Affine);
}

#[test]
fn every_instruction_set_agrees_with_double_precision() {
    fn law<M: CouplingMap>(map: M) {
        let single = samples(&map, 0.7).single();
        let exact = Samples { parameters: wide(single.parameters.clone()), x: wide(single.x.clone()) };
        let weights = weights(exact.x.len());
        let few =
            weights.clone().map(|weights| weights.into_iter().map(|value| value as f32).collect::<Vec<_>>());
        for direction in BOTH {
            let [y, log_det] = images(Isa::Portable, &map, direction, &exact);
            let [by_x, by_parameters] =
                gradients(Isa::Portable, &map, direction, &exact, [&weights[0], &weights[1]]);
            for isa in Isa::available() {
                let what = format!("{map:?} {direction:?} with {}", isa.name());
                let found = images(isa, &map, direction, &single).map(wide);
                let by = gradients(isa, &map, direction, &single, [&few[0], &few[1]]).map(wide);
                // Slopes of up to ten multiply rounding, their squares that of gradients.
                assert_close(&found[0], &y, F32_TOLERANCE, &what);
                assert_close(&found[1], &log_det, 1e1 * F32_TOLERANCE, &format!("{what}, log det"));
                assert_close(&by[0], &by_x, 1e2 * F32_TOLERANCE, &format!("{what}, by x"));
                assert_close(&by[1], &by_parameters, 1e2 * F32_TOLERANCE, &format!("{what}, by parameters"));
            }
        }
    }
    for_every_map!(law);
}

/// A NaN must come out as NaN, or a diverged run would look healthy.
#[test]
fn numbers_that_are_no_numbers_stay_visible() {
    fn law<M: CouplingMap>(map: M) {
        for poison in [f32::NAN, f32::INFINITY] {
            let samples = Samples { parameters: vec![poison; 17 * map.parameters()], x: vec![1.0; 17] };
            let harmless = Samples { parameters: vec![0.0; 17 * map.parameters()], x: vec![poison; 17] };
            for (isa, direction) in Isa::available().into_iter().flat_map(|isa| BOTH.map(|way| (isa, way))) {
                for samples in [&samples, &harmless] {
                    let [y, log_det] = images(isa, &map, direction, samples);
                    assert!(y.into_iter().all(|y| !y.is_finite()), "{map:?} {direction:?} with {poison}");
                    assert!(log_det.into_iter().all(|value| !value.is_finite()), "{map:?} {direction:?}");
                }
            }
        }
    }
    for_every_map!(law);
}
