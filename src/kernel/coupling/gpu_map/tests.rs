//! Laws of the maps in kernels, one number a unit: they are the CPU's in double precision, also at seams; parameters of any size.

use super::{GpuMap, apply, gradient};
use crate::kernel::coupling::map::CouplingMap;
use crate::kernel::coupling::map_trials::{Samples, gradients, images};
use crate::kernel::coupling::networks::Direction;
use crate::kernel::coupling::{Affine, Spline, TanMixture};
use crate::kernel::gpu::{Buffer, client, flat, test_device};
use crate::kernel::isa::Isa;
use crate::rng::Seed;
use burn::backend::ops::FloatTensorOps;
use burn::backend::{Cube, DispatchDevice};
use burn::tensor::{Device, Shape};
use burn_cubecl::cubecl;
use cubecl::prelude::*;
use std::f64::consts::PI;

const BOTH: [Direction; 2] = [Direction::Forward, Direction::Inverse];

/// Rounding of some ten operations on angles of a few turns.
const F32_TOLERANCE: f64 = 1e-5;

/// `y` and `by_x` of every sample, then its log det and the gradients by its parameters in rows.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
fn all(
    x: &[f32],
    parameters: &[f32],
    weights: &[f32],
    results: &mut [f32],
    by_parameters: &mut [f32],
    count: u32,
    #[comptime] map: GpuMap,
    #[comptime] forward: bool,
) {
    let (sample, count) = (ABSOLUTE_POS, count as usize);
    if sample >= count {
        terminate!();
    }
    let size = comptime!(map.parameters());
    let mut own = Array::<f32>::new(size);
    let mut by = Array::<f32>::new(size);
    #[unroll]
    for p in 0..size {
        own[p] = parameters[sample * size + p];
    }
    let after = apply(&own, x[sample], map, forward);
    results[sample] = after.value;
    results[count + sample] = after.log_det;
    let (g, by_log_det) = (weights[sample], weights[count + sample]);
    results[2 * count + sample] = gradient(&own, x[sample], g, by_log_det, &mut by, map, forward);
    #[unroll]
    for p in 0..size {
        by_parameters[sample * size + p] = by[p];
    }
}

/// Images, log dets, gradients by x and by parameters, as those of the CPU's kernels.
fn on_gpu<M: CouplingMap>(
    map: &M,
    direction: Direction,
    samples: &Samples<f32>,
    weights: [&[f32]; 2],
    device: &Device,
) -> [Vec<f64>; 4] {
    let (client, count, map) = (client(device).expect("a GPU"), samples.x.len(), map.gpu_map());
    let DispatchDevice::Cube(cube) = device.as_dispatch() else { panic!("a GPU") };
    let upload = |values: &[f32]| Buffer::table(&client, bytemuck::cast_slice(values));
    let (results, by) = (Buffer::empty(&client, 3 * count), Buffer::empty(&client, map.parameters() * count));
    let (groups, dim) = flat(count);
    // SAFETY: units beyond the samples stop.
    unsafe {
        all::launch_unchecked(
            &client,
            groups,
            dim,
            upload(&samples.x).arg(),
            upload(&samples.parameters).arg(),
            upload(&weights.concat()).arg(),
            results.arg(),
            by.arg(),
            count as u32,
            map,
            direction == Direction::Forward,
        );
    }
    let list = |buffer: Buffer| {
        let shape = Shape::from([buffer.words()]);
        let tensor = buffer.into_tensor(&client, cube, shape);
        let data = futures_lite::future::block_on(Cube::float_into_data(tensor)).expect("numbers come back");
        data.iter::<f64>().collect::<Vec<f64>>()
    };
    let (results, by) = (list(results), list(by));
    let part = |index: usize| results[index * count..][..count].to_vec();
    [part(0), part(1), part(2), by]
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

/// Angles of some turns with parameters of a width.
fn samples<M: CouplingMap>(map: &M, width: f32) -> Samples<f32> {
    let (stream, count) = (Seed(3).stream("map"), 333);
    let parameters = stream.normals(0, count, map.parameters());
    let x = stream.normals(1 << 20, 1, count).into_iter().map(|value| 4.0 * value).collect();
    Samples { parameters: parameters.into_iter().map(|value| width * value).collect(), x }
}

/// The same with every other angle where a map might have a seam, or next to that.
fn at_seams(mut samples: Samples<f32>) -> Samples<f32> {
    let quarters = (-8..=8).map(|quarter| (0.5 * PI * f64::from(quarter)) as f32);
    let seams = quarters.flat_map(|angle| [angle, angle.next_down(), angle.next_up()]);
    samples.x.iter_mut().step_by(2).zip(seams.cycle()).for_each(|(x, seam)| *x = seam);
    samples
}

fn weights(count: usize) -> [Vec<f32>; 2] {
    ["by y", "by log det"].map(|name| Seed(4).stream(name).normals(0, 1, count))
}

fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (place, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{what}, {place}: {a} is not {b}");
    }
}

#[test]
fn a_gpu_agrees_with_double_precision() {
    fn law<M: CouplingMap>(map: M, device: &Device) {
        let drawn = samples(&map, 0.7);
        // Second derivatives, which gradients of the log det are, jump at the seam of a spline: values alone are compared there.
        for ((single, results), direction) in
            [(drawn.clone(), 4), (at_seams(drawn), 2)].iter().flat_map(|case| BOTH.map(|way| (case, way)))
        {
            let exact = Samples { parameters: wide(&single.parameters), x: wide(&single.x) };
            let few = weights(exact.x.len());
            let many = few.clone().map(|weights| wide(&weights));
            let [y, log_det] = images(Isa::Portable, &map, direction, &exact);
            let [by_x, by_parameters] =
                gradients(Isa::Portable, &map, direction, &exact, [&many[0], &many[1]]);
            let found = on_gpu(&map, direction, single, [&few[0], &few[1]], device);
            // Slopes of up to ten multiply rounding, their squares that of gradients: as for the CPU.
            let expected = [(y, 1.0), (log_det, 1e1), (by_x, 1e2), (by_parameters, 1e2)];
            for (index, (found, (expected, times))) in found.iter().zip(&expected).enumerate().take(*results)
            {
                let what = format!("{map:?} {direction:?}, result {index}");
                assert_close(found, expected, times * F32_TOLERANCE, &what);
            }
        }
    }
    let Some(device) = test_device() else { return };
    law(Affine, &device);
    for knots in [2, 5, 8] {
        law(Spline { knots }, &device);
    }
    for components in [1, 3, 6] {
        law(TanMixture { components }, &device);
    }
}

#[test]
fn a_gpu_undoes_maps_of_angles_also_at_the_seam() {
    fn law<M: CouplingMap>(map: M, device: &Device) {
        let samples = at_seams(samples(&map, 1.5));
        let none = vec![0.0; samples.x.len()];
        let [y, there, ..] = on_gpu(&map, Direction::Forward, &samples, [&none, &none], device);
        let back = Samples { x: y.iter().map(|&y| y as f32).collect(), ..samples.clone() };
        let [x, ..] = on_gpu(&map, Direction::Inverse, &back, [&none, &none], device);
        for (index, (found, expected)) in x.iter().zip(&samples.x).enumerate() {
            // What rounding the image makes of the angle: as for the CPU.
            let tolerance = F32_TOLERANCE * (1.0 + (-there[index]).exp());
            assert!((found - f64::from(*expected)).abs() < tolerance, "{map:?}: {found} is not {expected}");
        }
    }
    let Some(device) = test_device() else { return };
    for knots in [2, 5, 8, Spline::MOST_KNOTS] {
        law(Spline { knots }, &device);
    }
    for components in [1, 3, 6] {
        law(TanMixture { components }, &device);
    }
}

/// Angles, and parameters up to ±30: bins are as narrow, slopes as small and steps as sudden as they can be.
fn extreme<M: CouplingMap>(map: &M) -> Samples<f32> {
    let (count, stream, size) = (1 << 15, Seed(11).stream("extreme"), map.parameters());
    let mut parameters = stream.uniforms(0, count * size, 30.0);
    parameters.iter_mut().skip(size - 1).step_by(size).for_each(|shift| *shift = 0.0);
    Samples { parameters, x: stream.uniforms(1, count, PI as f32 - 1e-3) }
}

#[test]
fn a_gpu_maps_angles_to_numbers_that_rise_whatever_the_parameters() {
    fn law<M: CouplingMap>(map: M, rising: &[Direction], device: &Device) {
        let samples = extreme(&map);
        let mut further = samples.clone();
        // Steps from what rounding hardly sees to a third of a turn.
        further.x.iter_mut().enumerate().for_each(|(index, x)| *x += 2f32.powi(-(index as i32 % 20)));
        let ones = vec![1.0; samples.x.len()];
        for direction in BOTH {
            let found = on_gpu(&map, direction, &samples, [&ones, &ones], device);
            assert!(found.iter().flatten().all(|value| value.is_finite()), "{map:?} {direction:?}");
            let [y, ..] = on_gpu(&map, direction, &further, [&ones, &ones], device);
            for (index, (first, second)) in found[0].iter().zip(&y).enumerate() {
                // What rounding of angles below a turn can take back, of the sum over bins among others.
                let least = -16.0 * f64::from(f32::EPSILON);
                let rises = second - first >= least || !rising.contains(&direction);
                assert!(rises, "{map:?} {direction:?}, {index}: {first} and {second}");
            }
        }
    }
    let Some(device) = test_device() else { return };
    law(Spline { knots: 8 }, &BOTH, &device);
    // Where a mixture is almost a step, or almost flat, its inverse is known by its image: see below.
    law(TanMixture { components: 4 }, &BOTH[..1], &device);
}

/// Between the next angles, which are all that is left where a step is narrower than their distance, lies what was looked for.
#[test]
fn a_gpu_inverts_mixtures_of_steps() {
    let Some(device) = test_device() else { return };
    let map = TanMixture { components: 4 };
    let samples = extreme(&map);
    let none = vec![0.0; samples.x.len()];
    let [x, ..] = on_gpu(&map, Direction::Inverse, &samples, [&none, &none], &device);
    let [below, above] = [-1.0, 1.0].map(|sign| {
        let near = |&x: &f64| (x + sign * 8.0 * f64::from(f32::EPSILON) * x.abs()) as f32;
        let near = Samples { x: x.iter().map(near).collect(), ..samples.clone() };
        let [y, ..] = on_gpu(&map, Direction::Forward, &near, [&none, &none], &device);
        y
    });
    for (index, goal) in samples.x.iter().enumerate() {
        let between = below[index] - F32_TOLERANCE..=above[index] + F32_TOLERANCE;
        assert!(between.contains(&f64::from(*goal)), "{goal} is not in {between:?}, around {}", x[index]);
    }
}

/// A NaN must come out as NaN, or a diverged run would look healthy.
#[test]
fn a_gpu_leaves_numbers_that_are_no_numbers_visible() {
    fn law<M: CouplingMap>(map: M, device: &Device) {
        let none = vec![0.0; 17];
        for poison in [f32::NAN, f32::INFINITY] {
            let samples = Samples { parameters: vec![poison; 17 * map.parameters()], x: vec![1.0; 17] };
            let harmless = Samples { parameters: vec![0.0; 17 * map.parameters()], x: vec![poison; 17] };
            for (samples, direction) in
                [&samples, &harmless].into_iter().flat_map(|s| BOTH.map(|way| (s, way)))
            {
                let [y, log_det, ..] = on_gpu(&map, direction, samples, [&none, &none], device);
                assert!(y.into_iter().all(|y| !y.is_finite()), "{map:?} {direction:?} with {poison}");
                assert!(log_det.into_iter().all(|value| !value.is_finite()), "{map:?} {direction:?}");
            }
        }
    }
    let Some(device) = test_device() else { return };
    law(Spline { knots: 5 }, &device);
    law(TanMixture { components: 3 }, &device);
}
