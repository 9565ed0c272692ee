//! Configurations: direct from the model, by independence Metropolis, by Hybrid Monte Carlo and by local updates.

mod arrays;
pub mod assist;
mod chain;
mod density;
mod direct;
mod drawing;
mod draws;
mod ensemble;
mod hmc;
mod independence;
mod integrator;
mod method;
pub mod metropolis;
mod records;
mod rounds;
mod store;
#[cfg(test)]
mod tests;
mod watch;

pub use chain::{Alternate, Transition, run_chain};
pub use direct::{draw, draws_identity};
pub use drawing::Wanted;
pub use draws::{Batch, Model};
pub use ensemble::{DrawnEnsemble, WantedEnsemble};
pub use hmc::{Beside, Chains, Motion, Trajectories};
pub use independence::Independence;
pub use method::{ChainInfo, Method, MethodCost, MethodRun};
pub use records::Records;
pub use store::{Resumable, Store};
pub use watch::Watch;
