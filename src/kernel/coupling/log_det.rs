//! The log det of a sample on a GPU: what its sites have added, in the order of the sites.

use crate::kernel::gpu::{Buffer, LANES, flat};
use burn_cubecl::cubecl;
use cubecl::client::Client;
use cubecl::prelude::*;

/// Sums the log det over sites, into the last number of every sample.
#[cube(launch_unchecked)]
fn sum_sites(log_det: &[f32], y: &mut [f32], volume: u32, numbers: u32, batch: u32) {
    let sample = ABSOLUTE_POS;
    if sample >= batch as usize {
        terminate!();
    }
    let first = sample / LANES * volume as usize * LANES + sample % LANES;
    let mut total = f32::new(0.0);
    for site in 0..volume as usize {
        total += log_det[first + site * LANES];
    }
    y[(sample + 1) * (numbers as usize + 1) - 1] = total;
}

/// Sums `[tile][site][lane]` over sites into the last of `numbers + 1` numbers of every sample of `y`.
pub fn total(client: &Client, log_det: &Buffer, y: &Buffer, [volume, numbers, batch]: [usize; 3]) {
    let (count, dim) = flat(batch);
    // SAFETY: units beyond the batch stop.
    unsafe {
        sum_sites::launch_unchecked(
            client,
            count,
            dim,
            log_det.arg(),
            y.arg(),
            volume as u32,
            numbers as u32,
            batch as u32,
        );
    }
}
