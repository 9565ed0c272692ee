//! Integration tests: one binary, because every further one links all of burn again.

mod browser;
mod campaigns;
mod cli;
mod comparing;
#[cfg(target_os = "linux")]
mod durability;
mod ensembles;
mod explaining;
#[cfg(target_os = "linux")]
mod faults;
mod figures;
mod gauge;
mod gauge_flows;
#[cfg(feature = "wgpu")]
mod gpu;
mod hostile;
mod initial_weights;
mod layering;
mod losses;
#[cfg(feature = "mpi")]
mod mpi;
mod optimizers;
mod pages;
mod physics;
mod plotting;
mod resume;
mod run_directories;
mod sampling;
mod source_tree;
#[cfg(target_os = "linux")]
mod states;
#[cfg(target_os = "linux")]
mod strace;
mod stress;
mod studies;
mod support;
#[cfg(unix)]
mod watching;
