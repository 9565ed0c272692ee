//! Which sample a workgroup takes, and where its numbers are among those of a tile.

use super::shape::Resident;
use crate::kernel::gpu::LANES;
use crate::kernel::gpu::layout::Channels;
use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// The sample of a workgroup.
#[derive(CubeType)]
pub struct Sample {
    pub index: usize,
    tile: usize,
    lane: usize,
    /// Numbers that all samples have for each channel.
    span: usize,
}

/// The sample that this workgroup takes.
#[cube]
pub fn sample(tiles: u32, #[comptime] shape: Resident) -> Sample {
    let index = (CUBE_POS_Y * CUBE_COUNT_X + CUBE_POS_X) as usize;
    let span = tiles as usize * comptime!(LANES * shape.volume);
    Sample { index, tile: index / LANES, lane: index % LANES, span }
}

/// The word of a channel of a site, in a region of so many channels that starts after `before` others, as the tiled kernels
/// keep them.
#[cube]
pub fn word_of(
    sample: &Sample,
    before: usize,
    site: usize,
    #[comptime] channel: usize,
    #[comptime] channels: usize,
    #[comptime] shape: Resident,
) -> usize {
    let held = comptime!(Channels::of(channels));
    let vector =
        (sample.tile * shape.volume + site) * comptime!(held.vectors) + comptime!(channel / held.width);
    before * sample.span
        + (vector * LANES + sample.lane) * comptime!(held.width)
        + comptime!(channel % held.width)
}
