//! Configurations from a trained model, with their weights.

mod direct;

pub use direct::{DirectSampler, Draws};
