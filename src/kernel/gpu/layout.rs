//! Between tensors `[sample, channel, T, X]` and the kernels' `[site][channel][sample]`.

use super::{Buffer, flat, tall_grid};
use burn_cubecl::cubecl;
use cubecl::client::Client;
use cubecl::prelude::*;

/// The row of a unit in a [`tall_grid`].
#[cube]
fn row() -> u32 {
    (CUBE_POS_Z * CUBE_COUNT_Y + CUBE_POS_Y) * CUBE_DIM_Y + UNIT_POS_Y
}

#[cube(launch_unchecked)]
fn gather_samples(source: &[f32], target: &mut [f32], volume: u32, channels: u32, stride: u32, batch: u32) {
    let sample = ABSOLUTE_POS_X;
    let row = row();
    if sample >= batch || row >= volume * channels {
        terminate!();
    }
    let from = sample * stride + (row % channels) * volume + row / channels;
    target[(row * batch + sample) as usize] = source[from as usize];
}

#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
fn scatter_samples(
    source: &[f32],
    table: &[u32],
    target: &mut [f32],
    flags: u32,
    volume: u32,
    channels: u32,
    stride: u32,
    batch: u32,
    #[comptime] masked: bool,
) {
    let sample = ABSOLUTE_POS_X;
    let row = row();
    if sample >= batch || row >= volume * channels {
        terminate!();
    }
    let to = sample * stride + (row % channels) * volume + row / channels;
    let mut value = source[(row * batch + sample) as usize];
    if comptime!(masked) {
        value = select(table[(flags + row / channels) as usize] == 1, value, 0.0);
    }
    target[to as usize] = value;
}

#[cube(launch_unchecked)]
fn fill_zero(target: &mut [f32]) {
    if ABSOLUTE_POS < target.len() {
        target[ABSOLUTE_POS] = f32::new(0.0);
    }
}

#[cube(launch_unchecked)]
fn duplicate(source: &[f32], target: &mut [f32]) {
    if ABSOLUTE_POS < target.len() {
        target[ABSOLUTE_POS] = source[ABSOLUTE_POS];
    }
}

/// Zeros.
pub fn zeros(client: &Client, words: usize) -> Buffer {
    let target = Buffer::empty(client, words);
    let (count, dim) = flat(words);
    // SAFETY: units beyond the end stop.
    unsafe { fill_zero::launch_unchecked(client, count, dim, target.arg()) };
    target
}

/// A buffer of its own with the same numbers.
pub fn copy(client: &Client, source: &Buffer) -> Buffer {
    let target = Buffer::empty(client, source.words());
    let (count, dim) = flat(source.words());
    // SAFETY: units beyond the end stop, and both have the same length.
    unsafe { duplicate::launch_unchecked(client, count, dim, source.arg(), target.arg()) };
    target
}

/// Numbers of a batch: sites, channels, samples, and how far apart samples are in the tensor.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// Sites.
    pub volume: usize,
    /// Channels.
    pub channels: usize,
    /// Numbers from one sample to the next in the tensor.
    pub stride: usize,
    /// Samples.
    pub batch: usize,
}

/// `[sample][channel][site]` → `[site][channel][sample]`.
pub fn to_lanes(client: &Client, source: &Buffer, extent: Extent) -> Buffer {
    let Extent { volume, channels, stride, batch } = extent;
    let target = Buffer::empty(client, volume * channels * batch);
    let (count, dim) = tall_grid(batch, volume * channels);
    // SAFETY: units beyond the batch or the rows stop.
    unsafe {
        gather_samples::launch_unchecked(
            client,
            count,
            dim,
            source.arg(),
            target.arg(),
            volume as u32,
            channels as u32,
            stride as u32,
            batch as u32,
        );
    }
    target
}

/// `[site][channel][sample]` → `[sample][channel][site]`, zero where the flags in a table (`flags`) are.
pub fn from_lanes(
    client: &Client,
    source: &Buffer,
    flags: Option<(&Buffer, usize)>,
    target: &Buffer,
    extent: Extent,
) {
    let Extent { volume, channels, stride, batch } = extent;
    let (count, dim) = tall_grid(batch, volume * channels);
    // Without flags no table is read, but one has to be named.
    let (table, first) = flags.unwrap_or((source, 0));
    // SAFETY: as in `to_lanes`.
    unsafe {
        scatter_samples::launch_unchecked(
            client,
            count,
            dim,
            source.arg(),
            table.arg(),
            target.arg(),
            first as u32,
            volume as u32,
            channels as u32,
            stride as u32,
            batch as u32,
            flags.is_some(),
        );
    }
}
