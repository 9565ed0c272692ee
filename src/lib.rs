//! flowqcd
pub mod cost;
pub mod error;
pub mod kernel;
pub mod lattice;
pub mod rng;
