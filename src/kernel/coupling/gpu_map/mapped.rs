//! What a map makes of a number.

use burn_cubecl::cubecl;
use cubecl::prelude::*;

/// A number after a map.
#[derive(CubeType)]
pub struct Mapped {
    pub value: f32,
    /// What it adds to the log det.
    pub log_det: f32,
}
