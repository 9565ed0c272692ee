//! What a GPU could do at best, to hold the kernels against.

use super::{Buffer, FLAT};
use burn::backend::DispatchDevice;
use burn::tensor::Device;
use burn_cubecl::cubecl;
use cubecl::prelude::*;
use std::time::Instant;

/// Chains of multiply-adds of a unit: more than the latency of one.
const CHAINS: usize = 16;

/// Steps of a loop without a jump, so that the loop does not count.
const UNROLLED: usize = 8;

/// Workgroups: more than any card holds at once.
const GROUPS: usize = 4096;

#[cube(launch_unchecked)]
fn multiply_adds(y: &mut [f32], factor: f32, addend: f32, steps: u32, #[comptime] chains: usize) {
    let mut sums = Array::<f32>::new(chains);
    #[unroll]
    for c in 0..chains {
        sums[c] = addend * f32::cast_from(c as u32);
    }
    for _ in 0..steps {
        #[unroll]
        for _ in 0..comptime!(UNROLLED) {
            #[unroll]
            for c in 0..chains {
                sums[c] = fma(sums[c], factor, addend);
            }
        }
    }
    let mut total = f32::new(0.0);
    #[unroll]
    for c in 0..chains {
        total += sums[c];
    }
    y[ABSOLUTE_POS] = total;
}

/// Floating-point operations per second of independent fused multiply-adds in single precision; nothing if the device is no GPU
/// or does not compute.
pub fn fma_peak(device: &Device) -> Option<f64> {
    let DispatchDevice::Cube(cube) = device.as_dispatch() else { return None };
    let client = cube.client();
    let y = Buffer::empty(&client, GROUPS * FLAT);
    let seconds = |steps: u32| {
        let start = Instant::now();
        // SAFETY: there is one number for each unit.
        unsafe {
            multiply_adds::launch_unchecked(
                &client,
                CubeCount::Static(GROUPS as u32, 1, 1),
                CubeDim::new_1d(FLAT as u32),
                y.arg(),
                0.999,
                0.001,
                steps,
                CHAINS,
            );
        }
        device.sync().ok().map(|()| start.elapsed().as_secs_f64())
    };
    seconds(1)?;
    // Long enough that the launch does not count.
    let mut steps = 8;
    while seconds(steps)? < 0.02 {
        steps *= 2;
    }
    let operations = 2.0 * (UNROLLED * CHAINS * GROUPS * FLAT) as f64 * f64::from(steps);
    let times: Option<Vec<f64>> = (0..5).map(|_| seconds(steps)).collect();
    times.map(|times| operations / times.into_iter().fold(f64::INFINITY, f64::min))
}
