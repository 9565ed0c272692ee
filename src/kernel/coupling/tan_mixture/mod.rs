//! Mixtures of tangent maps with a shift: the map of an angle, by projection onto a line.

// Loops over lanes are the innermost ones and have no branches, so that the compiler makes each a few instructions.
#![allow(clippy::needless_range_loop)]

pub(super) mod mixture;
mod plain;
#[cfg(test)]
mod tests;

#[cfg(feature = "wgpu")]
use super::gpu_map::GpuMap;
use super::map::CouplingMap;
use super::networks::Direction;
use crate::kernel::element::Element;
use crate::kernel::vector::{MOST_LANES, Vector};
use burn::tensor::Tensor;
use mixture::{Mixture, solve};

/// `f(x) = h(x) + t` for an angle x, where h is the mean of n components `h_s(x) = 2 arctan(e^s tan(x/2))`, continued beyond [-π, π]
/// by `h_s(x + 2π) = h_s(x) + 2π`.
///
/// Its parameters are s of every component, and t. Zeros make it the identity.
///
/// - inverse: x at which `h(x) = y - t`, found by Newton's method between bounds
/// - log det: `ln h'(x)`, `h_s'(x) = 1/(e^{-s} cos²(x/2) + e^s sin²(x/2))`, and the opposite for the inverse
///
/// Source: non-compact projections and their mixtures, arXiv:2002.02428, Sec. 2.1.2 and 2.2.1, as used for U(1) in arXiv:2003.06413.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TanMixture {
    /// Number of components n, at least one.
    pub components: usize,
}

impl TanMixture {
    /// The parameters s, and t.
    #[inline(always)]
    fn split<'a, V: Vector>(&self, parameters: &'a [V::Elem]) -> (&'a [V::Elem], &'a [V::Elem]) {
        let (widths, shift) = parameters.split_at(self.components * V::LANES);
        (widths, &shift[..V::LANES])
    }

    /// The angles at which the mixture is looked at: those before the map, or those that its inverse finds.
    #[inline(always)]
    fn places<V: Vector>(
        direction: Direction,
        (components, shift): (&[V::Elem], &[V::Elem]),
        before: &[V::Elem],
    ) -> [V::Elem; MOST_LANES] {
        let mut places = [V::Elem::default(); MOST_LANES];
        if direction == Direction::Forward {
            places[..V::LANES].copy_from_slice(before);
            return places;
        }
        for lane in 0..V::LANES {
            places[lane] = before[lane] - shift[lane];
        }
        solve::<V>(components, &mut places);
        places
    }
}

impl CouplingMap for TanMixture {
    fn parameters(&self) -> usize {
        assert!(self.components > 0, "a mixture needs a component");
        self.components + 1
    }

    #[inline(always)]
    fn apply<V: Vector>(
        &self,
        direction: Direction,
        parameters: &[V::Elem],
        x: &mut [V::Elem],
        log_det: &mut [V::Elem],
    ) {
        let (components, shift) = self.split::<V>(parameters);
        let places = Self::places::<V>(direction, (components, shift), x);
        let mixture = Mixture::at::<V>(components, &places);
        for lane in 0..V::LANES {
            if direction == Direction::Forward {
                x[lane] += mixture.step[lane] + shift[lane];
                log_det[lane] += mixture.slope[lane].logarithm();
            } else {
                x[lane] = places[lane];
                log_det[lane] += -mixture.slope[lane].logarithm();
            }
        }
    }

    /// Backwards as for [`super::Spline`]: from the derivatives of the map itself.
    #[inline(always)]
    fn gradient<V: Vector>(
        &self,
        direction: Direction,
        parameters: &[V::Elem],
        before: &[V::Elem],
        by_log_det: &[V::Elem],
        g: &mut [V::Elem],
        by_parameters: &mut [V::Elem],
    ) {
        let (components, shift) = self.split::<V>(parameters);
        let places = Self::places::<V>(direction, (components, shift), before);
        let mixture = Mixture::at::<V>(components, &places);
        let (by_components, by_shift) = by_parameters.split_at_mut(components.len());
        // By f and by ln f' at the places.
        let (mut by_value, mut by_log) = ([V::Elem::default(); MOST_LANES], [V::Elem::default(); MOST_LANES]);
        for lane in 0..V::LANES {
            let (slope, bend) = (mixture.slope[lane], mixture.bend[lane]);
            let of_log = by_log_det[lane] * bend / slope;
            if direction == Direction::Forward {
                (by_value[lane], by_log[lane]) = (g[lane], by_log_det[lane]);
                g[lane] = g[lane] * slope + of_log;
            } else {
                g[lane] = (g[lane] - of_log) / slope;
                (by_value[lane], by_log[lane]) = (-g[lane], -by_log_det[lane]);
            }
            by_shift[lane] = by_value[lane];
        }
        mixture.by_components::<V>(components, [&by_value, &by_log], by_components);
    }

    fn plain_apply(
        &self,
        direction: Direction,
        x: Tensor<3>,
        parameters: Tensor<3>,
    ) -> (Tensor<3>, Tensor<3>) {
        plain::apply(self.components, direction, x, parameters)
    }

    /// Every component is odd, so that only the shift changes its sign.
    fn plain_mirrored(&self, parameters: Tensor<3>) -> Tensor<3> {
        let shift = parameters.clone().narrow(1, self.components, 1);
        Tensor::cat(vec![parameters.narrow(1, 0, self.components), -shift], 1)
    }

    #[cfg(feature = "wgpu")]
    fn gpu_map(&self) -> GpuMap {
        GpuMap::TanMixture { components: self.components }
    }
}
