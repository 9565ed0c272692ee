//! Who watches what takes long: hears how far it has come, and may stop it.

use crate::error::Result;

/// The two ears of what runs: one for the thread that runs it, one for all.
#[derive(Clone, Copy)]
pub struct Watch<'a> {
    /// Hears now and then how many configurations, proposals or trajectories of a chain are done; its error stops what runs.
    pub hear: &'a dyn Fn(u64) -> Result<()>,
    /// Whether `hear` will have an error: asked between the steps of a long trajectory, on any thread.
    pub is_stopped: &'a (dyn Fn() -> bool + Sync),
}

impl Watch<'static> {
    /// Nobody.
    pub const NOBODY: Self = Self { hear: &|_| Ok(()), is_stopped: &|| false };
}
