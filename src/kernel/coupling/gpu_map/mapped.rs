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

/// Exponent of what is infinite or no number.
const NOT_FINITE: u32 = 0x7f80_0000;

/// The same, with a log det that is no number where the value is none. The way to a log det goes through limits, and a driver may take the
/// comparison with what is no number either way; it cannot mistake the bits of the value.
#[cube]
pub fn visible(after: Mapped) -> Mapped {
    let bits = u32::reinterpret(after.value);
    let is_finite = (bits & NOT_FINITE) != NOT_FINITE;
    Mapped { value: after.value, log_det: select(is_finite, after.log_det, after.value) }
}
