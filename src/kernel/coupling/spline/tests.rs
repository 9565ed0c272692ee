//! What splines have beyond other maps: knots, bins of any size, and outputs that never turn around.

use super::Spline;
use crate::kernel::coupling::map::CouplingMap;
use crate::kernel::coupling::map_trials::{Samples, gradients, images};
use crate::kernel::coupling::networks::Direction;
use crate::kernel::isa::Isa;
use crate::rng::Seed;
use std::f64::consts::PI;

/// Knots, values there and slopes of one spline without shift, from its definition.
fn knots(parameters: &[f64]) -> [Vec<f64>; 3] {
    let count = parameters.len() / 3;
    let ends = |numbers: &[f64]| {
        let sum: f64 = numbers.iter().map(|value| value.exp()).sum();
        let mut end = 0.0;
        let next = |value: &f64| {
            end += 2.0 * PI * (1e-3 + (1.0 - 1e-3 * count as f64) * value.exp() / sum);
            end
        };
        [vec![0.0], numbers.iter().map(next).collect()].concat()
    };
    let offset = (0.999f64.exp() - 1.0).ln();
    let slopes = (0..=count).map(|knot| 1e-3 + (parameters[2 * count + knot % count] + offset).exp().ln_1p());
    [ends(&parameters[..count]), ends(&parameters[count..2 * count]), slopes.collect()]
}

/// Parameters of splines that differ in all but the shift.
fn drawn(count: usize, size: usize, width: f64) -> Vec<f64> {
    let numbers = Seed(9).stream("splines").normals(0, count, 3 * size);
    let spline = |numbers: &[f32]| {
        let numbers = numbers.iter().map(|value| width * f64::from(*value));
        numbers.chain([0.0]).collect::<Vec<f64>>()
    };
    numbers.chunks_exact(3 * size).flat_map(spline).collect()
}

#[test]
fn a_spline_goes_through_its_knots_with_their_slopes_on_both_sides() {
    let size = 5;
    for parameters in drawn(40, size, 1.5).chunks_exact(3 * size + 1) {
        let [places, values, slopes] = knots(parameters);
        let near: Vec<f64> = places.iter().flat_map(|place| [*place, place - 1e-12, place + 1e-12]).collect();
        let samples = Samples { parameters: parameters.repeat(near.len()), x: near };
        let [y, log_det] = images(Isa::Portable, &Spline { knots: size }, Direction::Forward, &samples);
        let back = Samples { parameters: parameters.repeat(values.len()), x: values.clone() };
        let [x, _] = images(Isa::Portable, &Spline { knots: size }, Direction::Inverse, &back);
        for knot in 0..=size {
            assert!((y[3 * knot] - values[knot]).abs() < 1e-13 * (1.0 + slopes[knot]), "knot {knot}");
            assert!((x[knot] - places[knot]).abs() < 1e-13 * (1.0 + 1.0 / slopes[knot]), "knot {knot}");
            for side in 0..3 {
                // In the narrowest bins slopes change by a factor over some thousandths: by 1e-7 over this step.
                let slope = log_det[3 * knot + side].exp();
                assert!((slope - slopes[knot]).abs() < 1e-6 * slopes[knot], "knot {knot}, side {side}");
            }
        }
    }
}

/// With parameters up to ±30 bins are as narrow and slopes as small as they can be, beside others that are as large.
#[test]
fn a_million_random_splines_rise_and_are_numbers() {
    let (map, count) = (Spline { knots: 8 }, 1 << 12);
    // What rounding of angles below a turn, of the sum over bins among others, can take back.
    let least = -16.0 * f32::EPSILON;
    for part in 0..256 {
        let stream = Seed(11).stream("extreme");
        let mut parameters = stream.uniforms(2 * part, count * map.parameters(), 30.0);
        parameters
            .iter_mut()
            .skip(map.parameters() - 1)
            .step_by(map.parameters())
            .for_each(|shift| *shift = 0.0);
        let x: Vec<f32> = stream.uniforms(2 * part + 1, count, 3.0).into_iter().map(|x| x + 3.1).collect();
        let samples = Samples { parameters, x };
        for direction in [Direction::Forward, Direction::Inverse] {
            let results = images(Isa::active(), &map, direction, &samples);
            assert!(results.iter().flatten().all(|value| value.is_finite()), "{direction:?}, part {part}");
            let mut further = samples.clone();
            // Steps from what rounding hardly sees to a third of a turn.
            let step = |index: usize| 2f32.powi(-(index as i32 % 20));
            further
                .x
                .iter_mut()
                .enumerate()
                .for_each(|(index, x)| *x = (*x + step(index)).min(2.0 * PI as f32));
            let [y, _] = images(Isa::active(), &map, direction, &further);
            for ((first, second), index) in results[0].iter().zip(&y).zip(0..) {
                assert!(second - first >= least, "{direction:?}, part {part}, {index}: {first} and {second}");
                assert!(
                    (-1e-5..2.0 * PI as f32 + 1e-5).contains(second),
                    "{direction:?}, part {part}, {index}: {second}"
                );
            }
            if part % 16 == 0 {
                let ones = vec![1.0; count];
                let found = gradients(Isa::active(), &map, direction, &samples, [&ones, &ones]);
                assert!(found.iter().flatten().all(|value| value.is_finite()), "{direction:?}, part {part}");
            }
        }
    }
}

#[test]
fn the_widest_and_the_narrowest_bin_fill_the_circle() {
    let size = 8;
    // All of the circle in one bin, on one axis or on both; slopes at their least or large.
    for (widths, heights, slope) in
        [(80.0, 0.0, -80.0), (0.0, 80.0, -80.0), (80.0, 80.0, 30.0), (80.0, -80.0, 30.0)]
    {
        let mut parameters = vec![slope; 3 * size + 1];
        parameters[..2 * size].fill(0.0);
        (parameters[3], parameters[size + 3], parameters[3 * size]) = (widths, heights, 0.0);
        let x: Vec<f64> = (0..=600).map(|step| 2.0 * PI * f64::from(step) / 600.0).collect();
        let samples = Samples { parameters: parameters.repeat(x.len()), x };
        let map = Spline { knots: size };
        for direction in [Direction::Forward, Direction::Inverse] {
            let [exact, _] = images(Isa::Portable, &map, direction, &samples);
            assert!(
                exact.windows(2).all(|pair| pair[1] >= pair[0]),
                "{widths} {heights} {slope} {direction:?}"
            );
            assert!((exact[600] - 2.0 * PI).abs() < 1e-12 && exact[0].abs() < 1e-12);
            let [found, log_det] = images(Isa::active(), &map, direction, &samples.single());
            assert!(log_det.iter().all(|value| value.is_finite()));
            for ((found, exact), x) in found.iter().zip(&exact).zip(&samples.x) {
                // Where the spline is steepest rounding of the angle is multiplied by a thousand.
                assert!(
                    (f64::from(*found) - exact).abs() < 2e-3,
                    "{direction:?} at {x}: {found} is not {exact}"
                );
            }
        }
    }
}
