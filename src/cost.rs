//! What was spent: samples, floating-point operations and seconds; additive.

use serde::{Deserialize, Serialize};
use std::ops::AddAssign;

/// An amount of work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Configurations that went through the flow.
    pub samples: u64,
    /// Counted floating-point operations (a multiply-add is two).
    pub flops: f64,
    /// Seconds of wall time.
    pub wall_s: f64,
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.samples += other.samples;
        self.flops += other.flops;
        self.wall_s += other.wall_s;
    }
}
