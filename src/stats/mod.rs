//! Numbers in, numbers with errors out.

mod ess;
mod gamma;
mod reweight;
mod window;

pub use ess::{Ess, effective_sample_size};
pub use gamma::{ChainEstimate, WINDOW, gamma_method};
pub use reweight::{Estimate, free_energy, kullback_leibler, reweighted_mean};
pub use window::RollingMean;
