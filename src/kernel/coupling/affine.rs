//! The affine map `y = e^s x + t`. Source: A22, App. A; A21.

#[cfg(feature = "wgpu")]
use super::gpu_map::GpuMap;
use super::map::CouplingMap;
use super::networks::Direction;
use crate::kernel::element::Element;
use crate::kernel::vector::Vector;
use burn::tensor::Tensor;

/// `y = e^s x + t` with log det s; the parameters are (s, t). Inverse: `x = e^{-s} (y - t)` with log det -s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Affine;

impl CouplingMap for Affine {
    fn parameters(&self) -> usize {
        2
    }

    #[inline(always)]
    fn apply<V: Vector>(
        &self,
        direction: Direction,
        parameters: &[V::Elem],
        x: &mut [V::Elem],
        log_det: &mut [V::Elem],
    ) {
        let (s, t) = parameters.split_at(V::LANES);
        for lane in 0..V::LANES {
            if direction == Direction::Forward {
                x[lane] = x[lane] * s[lane].exponential() + t[lane];
                log_det[lane] += s[lane];
            } else {
                x[lane] = (x[lane] - t[lane]) * (-s[lane]).exponential();
                log_det[lane] += -s[lane];
            }
        }
    }

    /// By s and t: `y = x e^s + t` forwards, `y = (x - t) e^{-s}` backwards.
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
        let (s, t) = parameters.split_at(V::LANES);
        let (by_s, by_t) = by_parameters.split_at_mut(V::LANES);
        for lane in 0..V::LANES {
            if direction == Direction::Forward {
                let by_x = g[lane] * s[lane].exponential();
                by_s[lane] = by_x * before[lane] + by_log_det[lane];
                by_t[lane] = g[lane];
                g[lane] = by_x;
            } else {
                let by_x = g[lane] * (-s[lane]).exponential();
                by_s[lane] = -by_x * (before[lane] - t[lane]) - by_log_det[lane];
                by_t[lane] = -by_x;
                g[lane] = by_x;
            }
        }
    }

    fn plain_apply(
        &self,
        direction: Direction,
        x: Tensor<3>,
        parameters: Tensor<3>,
    ) -> (Tensor<3>, Tensor<3>) {
        let (s, t) = (parameters.clone().narrow(1, 0, 1), parameters.narrow(1, 1, 1));
        match direction {
            Direction::Forward => (x * s.clone().exp() + t, s),
            Direction::Inverse => ((x - t) * (-s.clone()).exp(), -s),
        }
    }

    /// (s, -t).
    fn plain_mirrored(&self, parameters: Tensor<3>) -> Tensor<3> {
        let parities = Tensor::<3>::from_data([[[1.0], [-1.0]]], (&parameters.device(), parameters.dtype()));
        parameters * parities
    }

    /// All of its operations are odd in x and t.
    fn plain_apply_odd(
        &self,
        direction: Direction,
        x: Tensor<3>,
        parameters: Tensor<3>,
    ) -> (Tensor<3>, Tensor<3>) {
        self.plain_apply(direction, x, parameters)
    }

    #[cfg(feature = "wgpu")]
    fn gpu_map(&self) -> GpuMap {
        GpuMap::Affine
    }
}
