//! What the GPU kernels of couplings are compiled for: which map, and what it maps.

/// The map of a number given its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GpuMap {
    /// `e^s x + t`.
    Affine,
    /// A circular spline with a shift.
    Spline {
        /// Its bins.
        knots: usize,
    },
    /// A mixture of tangent maps with a shift.
    TanMixture {
        /// How many.
        components: usize,
    },
}

impl GpuMap {
    /// Parameters of a number.
    pub fn parameters(self) -> usize {
        match self {
            Self::Affine => 2,
            Self::Spline { knots } => 3 * knots + 1,
            Self::TanMixture { components } => components + 1,
        }
    }
}

/// What a layer maps, and what its network reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// Numbers of a field with one for each site; the network reads the others.
    Sites,
    /// Plaquettes, each through one of its links; the network reads loops of links that stay.
    Plaquettes,
}

impl Subject {
    /// Numbers of the field per site.
    pub fn components(self) -> usize {
        match self {
            Self::Sites => 1,
            Self::Plaquettes => 2,
        }
    }
}

/// A layer without its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GpuLayer {
    pub subject: Subject,
    pub map: GpuMap,
}
