//! What processes that do not lead are called for when the leader samples.

pub use super::density::assist as density;
pub use super::drawing::assist as draw;
pub use super::ensemble::assist as ensemble;
pub use super::hmc::assist as chains;
