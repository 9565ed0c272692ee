//! Numbers in, numbers with errors out.

mod bootstrap;
mod ensemble;
mod ess;
mod gamma;
mod independence;
mod interval;
mod pareto;
mod reweight;
mod subsample;
mod time_series;
mod window;

pub use bootstrap::Bootstrap;
pub use ensemble::{Ensemble, Measured};
pub use ess::{Ess, TargetEss, effective_sample_size, target_sample_ess};
pub use gamma::{ChainEstimate, TauInt, WINDOW, gamma_method};
pub use independence::{Proposals, exact_tau_int};
pub use interval::Interval;
pub use pareto::{ParetoShape, Trust};
pub use reweight::{Estimate, free_energy, kullback_leibler};
pub use subsample::{FRAGILE, Term};
pub use time_series::TimeSeries;
pub use window::RollingMean;
