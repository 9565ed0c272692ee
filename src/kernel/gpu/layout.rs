//! How the kernels keep numbers of a batch, `[tile][site][channel vector][lane][channel]`, and the way there and back.

use super::{Buffer, LANES, ROWS, flat, grid, tiles};
use burn_cubecl::cubecl;
use cubecl::client::Client;
use cubecl::prelude::*;

/// Channels as vectors of one, two or four; the last vector is filled with zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Channels {
    /// Channels of a vector.
    pub width: usize,
    /// Vectors.
    pub vectors: usize,
}

impl Channels {
    /// So many channels.
    pub fn of(count: usize) -> Self {
        let width = if count < 3 { count } else { 4 };
        Self { width, vectors: count.div_ceil(width) }
    }

    /// Channels with the padding.
    pub fn padded(self) -> usize {
        self.width * self.vectors
    }
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

impl Extent {
    /// Length of a buffer of the kernels.
    pub fn words(self) -> usize {
        tiles(self.batch) * LANES * self.volume * Channels::of(self.channels).padded()
    }
}

/// What lanes beyond the batch hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Beyond {
    /// The last sample again, which is as good a number as any.
    LastSample,
    /// Zero, so that they add nothing to a gradient.
    Zero,
}

/// The row of a unit of a [`grid`].
#[cube]
pub fn row_of_unit() -> usize {
    ((CUBE_POS_Y * CUBE_COUNT_X + CUBE_POS_X) * ROWS as u32 + UNIT_POS_Y) as usize
}

/// The vector that holds the first channels of a site of this unit's sample; the next is [`LANES`] further on.
#[cube]
pub fn vector_at(tile: usize, site: usize, volume: usize, #[comptime] vectors: usize) -> usize {
    (tile * volume + site) * (vectors * LANES) + UNIT_POS_X as usize
}

/// The word of a channel of this unit's sample.
#[cube]
fn word_at(tile: usize, site: usize, channel: usize, volume: usize, #[comptime] held: Channels) -> usize {
    let vector = vector_at(tile, site, volume, held.vectors) + channel / held.width * LANES;
    vector * held.width + channel % held.width
}

#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
fn gather_samples(
    source: &[f32],
    target: &mut [f32],
    volume: u32,
    channels: u32,
    stride: u32,
    batch: u32,
    #[comptime] held: Channels,
    #[comptime] beyond: Beyond,
) {
    let (row, volume) = (row_of_unit(), volume as usize);
    let (place, channel) = (row / held.padded(), row % held.padded());
    let (tile, site) = (place / volume, place % volume);
    let (lane, batch) = (tile * LANES + UNIT_POS_X as usize, batch as usize);
    if tile * LANES >= batch {
        terminate!();
    }
    let sample = min(lane, batch - 1);
    // A channel of the padding reads another one and forgets it.
    let known = channel < channels as usize;
    let from = sample * stride as usize + select(known, channel, 0) * volume + site;
    let kept = if comptime!(beyond == Beyond::Zero) { known && lane < batch } else { known };
    target[word_at(tile, site, channel, volume, held)] = select(kept, source[from], 0.0);
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
    #[comptime] held: Channels,
    #[comptime] masked: bool,
) {
    let (row, volume) = (row_of_unit(), volume as usize);
    let (place, channel) = (row / held.padded(), row % held.padded());
    let (tile, site) = (place / volume, place % volume);
    let sample = tile * LANES + UNIT_POS_X as usize;
    if channel >= channels as usize || sample >= batch as usize {
        terminate!();
    }
    let mut value = source[word_at(tile, site, channel, volume, held)];
    if comptime!(masked) {
        value = select(table[flags as usize + site] == 1, value, 0.0);
    }
    target[sample * stride as usize + channel * volume + site] = value;
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

/// A tensor `[sample][channel][site]` as the kernels keep it.
pub fn to_lanes(client: &Client, source: &Buffer, extent: Extent, beyond: Beyond) -> Buffer {
    let Extent { volume, channels, stride, batch } = extent;
    let held = Channels::of(channels);
    let target = Buffer::empty(client, extent.words());
    let (count, dim) = grid(tiles(batch) * volume * held.padded(), 1);
    // SAFETY: units beyond the tiles stop, samples beyond the batch and channels of the padding read others.
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
            held,
            beyond,
        );
    }
    target
}

/// Into a tensor `[sample][channel][site]`, zero where the flag of a site in a table (`flags`) is zero.
pub fn from_lanes(
    client: &Client,
    source: &Buffer,
    flags: Option<(&Buffer, usize)>,
    target: &Buffer,
    extent: Extent,
) {
    let Extent { volume, channels, stride, batch } = extent;
    let held = Channels::of(channels);
    let (count, dim) = grid(tiles(batch) * volume * held.padded(), 1);
    // Without flags no table is read, but one has to be named.
    let (table, first) = flags.unwrap_or((source, 0));
    // SAFETY: units beyond the channels or the batch stop.
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
            held,
            flags.is_some(),
        );
    }
}
