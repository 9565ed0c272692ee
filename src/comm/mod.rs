//! Which processes compute together: one leads, and the others compute what it calls for.
//!
//! The leader alone reads, writes, decides on stops and answers signals; it does not compute alone. What the others are called for
//! depends on nothing that they keep but the specification, and no result depends on how many they are: configurations are addressed by
//! their place in a stream, and sums over processes are of integers ([`FixedPointSum`]).

mod crew;
mod fixed_point;
mod launcher;
#[cfg(feature = "mpi")]
mod mpi;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub mod threads;

pub use crew::{Call, Crew, Leading, Task};
pub use fixed_point::FixedPointSum;
pub use launcher::{Launched, Neighbours};
#[cfg(feature = "mpi")]
pub use mpi::Mpi;

use std::fmt;

/// Ways between processes with the ranks 0, 1, …; rank 0 leads.
///
/// All of them take part in [`Self::broadcast`], [`Self::gather`] and [`Self::sum`], in the same order.
pub trait Comm: fmt::Debug {
    /// Which of the processes this is.
    fn rank(&self) -> usize;

    /// How many there are.
    fn size(&self) -> usize;

    /// What the leader has, for everybody.
    fn broadcast(&self, bytes: Vec<u8>) -> Vec<u8>;

    /// What everybody has, in the order of ranks, for the leader; nothing for the others.
    fn gather(&self, bytes: Vec<u8>) -> Vec<Vec<u8>>;

    /// Whether what all others have is there for the leader, so that [`Self::gather`] would not wait.
    fn has_gathered(&self) -> bool;

    /// Sums of everybody's numbers, for the leader; the others' numbers are of no use afterwards.
    fn sum(&self, numbers: &mut [i64]);

    /// Tells the others that the leader has no use any more for a call of this number.
    fn leave(&self, call: u64);

    /// The last call that the leader is known to have no use for.
    fn left(&self) -> Option<u64>;

    /// Tells the leader of a signal, the first time that it is called.
    fn tell(&self, signal: u64);

    /// A signal that another process has told the leader of, each once.
    fn told(&self) -> Option<u64>;
}

/// One process on its own.
#[derive(Debug, Clone, Copy)]
pub struct Alone;

impl Comm for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn broadcast(&self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    fn gather(&self, bytes: Vec<u8>) -> Vec<Vec<u8>> {
        vec![bytes]
    }

    fn has_gathered(&self) -> bool {
        true
    }

    fn sum(&self, _: &mut [i64]) {}

    fn leave(&self, _: u64) {}

    fn left(&self) -> Option<u64> {
        None
    }

    fn tell(&self, _: u64) {}

    fn told(&self) -> Option<u64> {
        None
    }
}
