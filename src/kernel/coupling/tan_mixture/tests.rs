//! What mixtures have beyond other maps: a formula of one component, and components that are almost steps.

use super::TanMixture;
use crate::kernel::coupling::map::CouplingMap;
use crate::kernel::coupling::map_trials::{Samples, gradients, images};
use crate::kernel::coupling::networks::Direction;
use crate::kernel::isa::Isa;
use crate::rng::Seed;
use std::f64::consts::PI;

#[test]
fn one_component_is_a_tangent_multiplied() {
    let map = TanMixture { components: 1 };
    for s in [-4.0, -0.3, 0.0, 1.0, 3.0] {
        let x: Vec<f64> = (-30..=30).map(|step| 0.1 * f64::from(step)).collect();
        let samples = Samples { parameters: [s, 0.25].repeat(x.len()), x };
        let [y, log_det] = images(Isa::Portable, &map, Direction::Forward, &samples);
        for ((x, y), log_det) in samples.x.iter().zip(y).zip(log_det) {
            let tangent = s.exp() * (0.5 * x).tan();
            assert!((y - 0.25 - 2.0 * tangent.atan()).abs() < 1e-14, "s = {s} at {x}");
            let slope = s.exp() * (1.0 + (0.5 * x).tan().powi(2)) / (1.0 + tangent * tangent);
            assert!((log_det - slope.ln()).abs() < 1e-13, "s = {s} at {x}");
        }
    }
}

/// With parameters up to ±30 components are steps of a width of 1e-13: the inverse still finds the angle whose image is wanted.
#[test]
fn mixtures_of_steps_are_numbers_and_rise_and_can_be_inverted() {
    let (map, count) = (TanMixture { components: 4 }, 20_000);
    let stream = Seed(12).stream("extreme");
    let mut parameters = stream.uniforms(0, count * map.parameters(), 30.0);
    parameters.iter_mut().skip(4).step_by(5).for_each(|shift| *shift = 0.0);
    let samples = Samples { parameters, x: stream.uniforms(1, count, PI as f32 - 1e-3) };
    let ones = vec![1.0; count];
    for direction in [Direction::Forward, Direction::Inverse] {
        let results = images(Isa::active(), &map, direction, &samples);
        let by = gradients(Isa::active(), &map, direction, &samples, [&ones, &ones]);
        assert!(results.iter().chain(&by).flatten().all(|value| value.is_finite()), "{direction:?}");
    }
    let mut further = samples.clone();
    further.x.iter_mut().enumerate().for_each(|(index, x)| *x += 2f32.powi(-(index as i32 % 20)));
    let [first, second] =
        [&samples, &further].map(|samples| images(Isa::active(), &map, Direction::Forward, samples));
    for (first, second) in first[0].iter().zip(&second[0]) {
        assert!(second - first >= -16.0 * f32::EPSILON, "{first} and {second}");
    }
    let [x, _] = images(Isa::active(), &map, Direction::Inverse, &samples);
    // Between the next angles, which are all that is left where a step is narrower than their distance, lies what was looked for.
    let [below, above] = [-1.0, 1.0].map(|sign| {
        let near = x.iter().map(|x| x + sign * 8.0 * f32::EPSILON * x.abs()).collect();
        let [y, _] = images(Isa::active(), &map, Direction::Forward, &Samples { x: near, ..samples.clone() });
        y
    });
    for (index, goal) in samples.x.iter().enumerate() {
        let between = below[index] - 1e-5..=above[index] + 1e-5;
        assert!(between.contains(goal), "{goal} is not in {between:?}, the images around {}", x[index]);
    }
}
