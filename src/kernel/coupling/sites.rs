//! Couplings of a field with one number per site: the network reads the frozen sites and the map changes those it writes.

#[cfg(feature = "wgpu")]
use super::gpu_map::{GpuLayer, Subject};
use super::layer::Coupling;
use super::map::CouplingMap;
use super::networks::Direction;
use crate::kernel::conv_stack::{ConvStack, mask};
use crate::kernel::vector::Vector;
use burn::tensor::Tensor;

/// A coupling that maps the number of a site by `M`, with parameters from the numbers of other sites.
#[derive(Debug, Clone)]
pub struct SiteCoupling<M> {
    /// The map.
    pub map: M,
}

impl<M: CouplingMap> Coupling for SiteCoupling<M> {
    type Map = M;

    fn map(&self) -> &M {
        &self.map
    }

    fn components(&self) -> usize {
        1
    }

    fn own_features(&self) -> usize {
        0
    }

    fn check(&self, network: &ConvStack) {
        let channels = (network.input_channels(), network.output_channels());
        assert_eq!(
            channels,
            (1, self.map.parameters()),
            "channels read and written by the network of a coupling"
        );
        let both = network.inputs.iter().zip(&network.outputs).any(|(reads, writes)| *reads && *writes);
        assert!(!both, "a site that the network of a coupling writes must not be read by it");
    }

    #[inline(always)]
    fn features<'a, V: Vector>(&self, field: &'a [V::Elem], _: &'a mut [V::Elem]) -> &'a [V::Elem] {
        field
    }

    #[inline(always)]
    fn apply<V: Vector>(
        &self,
        direction: Direction,
        written: impl Iterator<Item = usize>,
        output: &[V::Elem],
        field: &mut [V::Elem],
        log_det: &mut [V::Elem],
    ) {
        let width = self.map.parameters() * V::LANES;
        for site in written {
            let x = &mut field[site * V::LANES..][..V::LANES];
            self.map.apply::<V>(direction, &output[site * width..][..width], x, log_det);
        }
    }

    #[inline(always)]
    fn apply_gradient<V: Vector>(
        &self,
        direction: Direction,
        written: impl Iterator<Item = usize>,
        output: &[V::Elem],
        before: &[V::Elem],
        by_log_det: &[V::Elem],
        g: &mut [V::Elem],
        by_output: &mut [V::Elem],
    ) {
        let width = self.map.parameters() * V::LANES;
        for site in written {
            let place = site * V::LANES..(site + 1) * V::LANES;
            let (parameters, by_parameters) =
                (&output[site * width..][..width], &mut by_output[site * width..][..width]);
            let (before, g) = (&before[place.clone()], &mut g[place]);
            self.map.gradient::<V>(direction, parameters, before, by_log_det, g, by_parameters);
        }
    }

    /// The network writes the gradient by the sites it reads and leaves the others as they were.
    #[inline(always)]
    fn features_gradient<V: Vector>(
        &self,
        read: impl Iterator<Item = usize>,
        _: &[V::Elem],
        by_features: &[V::Elem],
        g: &mut [V::Elem],
    ) {
        for site in read {
            for lane in site * V::LANES..(site + 1) * V::LANES {
                g[lane] += by_features[lane];
            }
        }
    }

    fn plain_features(&self, field: Tensor<3>) -> Tensor<3> {
        field
    }

    fn plain_apply(
        &self,
        network: &ConvStack,
        field: Tensor<3>,
        map: impl FnOnce(Tensor<3>) -> (Tensor<3>, Tensor<3>),
    ) -> (Tensor<3>, Tensor<3>) {
        let written = mask(&network.outputs, &field);
        let (mapped, log_det) = map(field.clone());
        let is_written = written.clone().greater_elem(0.5).expand(field.dims());
        (field.mask_where(is_written, mapped), log_det * written)
    }

    /// The kernels apply the map where they compute its parameters, and have all of them only if these are one vector.
    #[cfg(feature = "wgpu")]
    fn gpu_layer(&self) -> Option<GpuLayer> {
        let map = self.map.gpu_map();
        (map.parameters() <= 4).then_some(GpuLayer { subject: Subject::Sites, map })
    }

    #[cfg(feature = "wgpu")]
    fn gpu_record(&self) -> Vec<u32> {
        Vec::new()
    }
}
