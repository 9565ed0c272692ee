//! Which operators the kernels take, and how a workgroup keeps what it works on.

use super::magnitude;

/// Sites of a slice, at most: with more, an inverse has more numbers than units have registers for.
pub const MOST_SPACE: usize = 32;

/// Units of a workgroup, at most: every adapter has them.
const UNITS: usize = 256;

/// Units that run together on most GPUs; a workgroup is a multiple of them.
const TOGETHER: usize = 32;

/// Matrices that are worked on at once, by the walk back.
const MATRICES: usize = 7;

/// Matrices of what remains of all slices.
pub const REMAINING: usize = 4;

/// Matrices that elimination leaves behind of a slice.
pub const KEPT: usize = 5;

/// Vectors of a slice.
pub const LINES: usize = 6;

/// Shared memory that a workgroup asks for, at most: several have to fit a multiprocessor.
const SHARED_BYTES: usize = 1 << 15;

/// Operators whose slices have as many sites, on an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Blocks {
    /// Sites of a slice, X: matrices are X x X.
    pub space: usize,
    /// Units of a workgroup.
    pub units: usize,
    /// Whether what a slice leaves behind is kept, for the walk back.
    pub keeps: bool,
    /// Whether the matrices that are worked on are in shared memory.
    pub near: bool,
}

impl Blocks {
    /// For slices of so many sites, with so many bytes of shared memory.
    ///
    /// # Panics
    /// Beyond [`MOST_SPACE`].
    pub fn of(space: usize, keeps: bool, shared_bytes: usize) -> Self {
        assert!(space <= MOST_SPACE, "slices of at most {MOST_SPACE} sites, got {space}");
        let units = (space * space).next_multiple_of(TOGETHER).min(UNITS);
        let near = Self { space, units, keeps, near: true };
        let fits = near.shared_words() * size_of::<f32>() <= shared_bytes.min(SHARED_BYTES);
        Self { near: fits, ..near }
    }

    /// Numbers of a matrix, of each of its two parts.
    pub fn plane(&self) -> usize {
        self.space * self.space
    }

    /// Words of a matrix.
    pub fn matrix(&self) -> usize {
        2 * self.plane()
    }

    /// Words of the matrices that are worked on.
    pub fn work_words(&self) -> usize {
        MATRICES * self.matrix()
    }

    /// The same in shared memory.
    pub fn near_words(&self) -> usize {
        if self.near { self.work_words() } else { 1 }
    }

    /// The same elsewhere, of one configuration.
    pub fn far_words(&self) -> usize {
        if self.near { 0 } else { self.work_words() }
    }

    /// Words of what remains of all slices, and of the determinant so far, of one configuration.
    pub fn remaining_words(&self) -> usize {
        REMAINING * self.matrix() + magnitude::WORDS
    }

    /// Words of the vectors, and of the determinant so far.
    pub fn line_words(&self) -> usize {
        2 * LINES * self.space + magnitude::WORDS
    }

    /// Words that a configuration of so many slices leaves behind.
    pub fn kept_words(&self, times: usize) -> usize {
        if self.keeps { KEPT * (times - 1) * self.matrix() } else { 0 }
    }

    /// Rows that are exchanged, of the largest matrix.
    pub fn swaps(&self) -> usize {
        2 * self.space
    }

    /// Words of shared memory.
    fn shared_words(&self) -> usize {
        self.near_words() + self.line_words() + self.swaps()
    }

    /// Rounds in which the units see to all numbers of `blocks` x `blocks` matrices.
    pub fn rounds(&self, blocks: usize) -> usize {
        (blocks * blocks * self.plane()).div_ceil(self.units)
    }
}
