//! Flow-based sampling experiments for lattice field theory.
//!
//! One TOML file names a theory, a flow, a training schedule and a stopping rule; the program trains the flow,
//! judges and samples it, and writes every figure as CSV. This library is the program without its `main`.
//!
//! A module uses only modules above it:
//!
//! ```text
//! error    the one error type             lattice  sites, neighbours, parity
//! files    whole or absent                rng      named random streams
//! cost     samples, FLOPs, seconds        spec     TOML → validated values
//! comm     processes that work together   kernel   fused operations
//! device   cpu | wgpu                     theory   actions and observables
//! flow     bijections and base densities  ensemble configurations in files
//! stats    numbers with errors            train    the training loop, checkpoints
//! sample   configurations with weights    study    run directory and tables
//! report   figures, pages, comparisons    verify   the self-test
//! cli      arguments, progress, printing
//! ```
//!
//! # Conventions
//! - `p(φ) = e^{-S(φ)} / Z`, model density `q`, `log_weight = -action - log_q`, `force = -∂S/∂φ`.
//! - Lattice units, one to four dimensions, extents `[T, X, …]`; fields are `[batch, component, site]`, the last
//!   coordinate of a site innermost.
//! - `log_det` is that of the map just applied: `log q(f(z)) = log r(z) - log_det`.
//! - A multiply-add is two floating-point operations; convolutions and determinants are counted, sums over sites are not.
//!
//! # References
//! - A22: Abbott et al., "Aspects of scaling and scalability for flow-based sampling of lattice QCD" (2022)
//! - A19: Albergo, Kanwar, Shanahan, arXiv:1904.12072
//! - A21: Albergo et al., arXiv:2101.08176
//! - H21: Hackett et al., arXiv:2107.00734
//! - B23: Białas, Korcyl, Stebel, arXiv:2308.13294
//! - V22: Vaitl, Nicoli, Nakajima, Kessel, arXiv:2207.08219
//! - W04: Wolff, hep-lat/0306017

pub mod cli;
pub mod comm;
pub mod cost;
pub mod device;
pub mod ensemble;
pub mod error;
pub mod files;
pub mod flow;
pub mod kernel;
pub mod lattice;
pub mod report;
pub mod rng;
pub mod sample;
pub mod spec;
pub mod stats;
pub mod study;
pub mod theory;
pub mod train;
pub mod verify;
