//! Gauge-equivariant couplings of U(1) links: the network reads frozen loops, the map changes active plaquettes through one link of each.

// Loops over lanes are the innermost ones and have no branches, so that the compiler makes each a few instructions.
#![allow(clippy::needless_range_loop)]

mod sites;
#[cfg(test)]
mod tests;

use super::circle::{plain_reduced, reduced};
#[cfg(feature = "wgpu")]
use super::gpu_map::{GpuLayer, Subject};
use super::layer::Coupling;
#[cfg(feature = "wgpu")]
use super::links::record::record;
use super::map::CouplingMap;
use super::networks::Direction;
use crate::kernel::conv_stack::{ConvStack, mask};
use crate::kernel::element::Element;
use crate::kernel::gauge::Stripes;
use crate::kernel::vector::{MOST_LANES, Vector};
use crate::lattice::Lattice;
use burn::tensor::{Tensor, TensorData};
use sites::{Sites, angle_gradient, write_angle};
use std::sync::Arc;

/// Loops that a network reads at a site: the plaquette, those around two plaquettes along either direction; each by cosine and sine.
const LOOPS: usize = 3;

/// A coupling of links θ as angles that maps the angles P of active plaquettes by `M`, `P' = f(P)`, with parameters from loops that
/// contain no active link: the active link of each takes up the difference,
///
/// `θ' = θ ± (P' - P)`, + along time and - along space, as it goes around its plaquette
///
/// - gauge equivariance: loops do not change under gauge transformations, so neither do P' - P and the log det
/// - log det: `Σ ln f'(P)` over active plaquettes; only links that no network of the layer reads change, and P' depends on its own alone
/// - results of links that change are in [-π, π] up to rounding, those of others stay as they are. Links that differ by whole turns go
///   to links that do, with the same log det.
///
/// Tensors of links are `[batch, μ, site]`, time first. Which links are active is said at [`Stripes`].
///
/// Source: arXiv:2003.06413, with the loops of arXiv:2202.11712.
#[derive(Debug, Clone)]
pub struct GaugeCoupling<M> {
    map: M,
    stripes: Stripes,
    sites: Arc<Sites>,
}

impl<M: CouplingMap> GaugeCoupling<M> {
    /// The coupling of a layer; eight layers in a row change every link once.
    ///
    /// # Panics
    /// If the extents are not those that [`Self::fits`] accepts.
    pub fn new(map: M, lattice: Lattice, layer: usize) -> Self {
        let stripes = Stripes::new(lattice, layer);
        Self { map, stripes, sites: Arc::new(Sites::new(&stripes)) }
    }

    /// Whether a lattice has room for the patterns of all layers.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn fits(extents: &[usize]) -> Result<(), String> {
        Stripes::fits(extents)
    }

    /// The sites that the network reads: those where frozen loops begin, all but the active ones, `[V]`.
    pub fn conditioned(&self) -> Vec<bool> {
        self.stripes.conditioned()
    }

    /// The sites that the network writes: those of active plaquettes, `[V]`.
    pub fn active(&self) -> Vec<bool> {
        self.stripes.active()
    }

    /// The sign of active links in their plaquettes.
    #[inline(always)]
    fn sign<T: Element>(&self) -> T {
        T::from_f64(if self.stripes.direction() == 0 { 1.0 } else { -1.0 })
    }

    /// The first channel of the loops across.
    #[inline(always)]
    fn across(&self) -> usize {
        2 + 2 * (1 - self.stripes.direction())
    }

    /// Where the active link of an active plaquette is.
    #[inline(always)]
    fn active_link<V: Vector>(&self, site: usize) -> std::ops::Range<usize> {
        let place = self.stripes.direction() * self.sites.plaquettes.len() + site;
        place * V::LANES..(place + 1) * V::LANES
    }
}

impl<M: CouplingMap> Coupling for GaugeCoupling<M> {
    type Map = M;

    fn map(&self) -> &M {
        &self.map
    }

    fn components(&self) -> usize {
        2
    }

    fn own_features(&self) -> usize {
        2 * LOOPS
    }

    fn check(&self, network: &ConvStack) {
        let channels = (network.input_channels(), network.output_channels());
        let expected = (self.own_features(), self.map.parameters());
        assert_eq!(channels, expected, "channels read and written by the network of a gauge coupling");
        assert_eq!(network.lattice, self.stripes.lattice(), "lattice of a network and of its gauge coupling");
        assert_eq!(network.inputs, self.conditioned(), "sites read by the network of a gauge coupling");
        assert_eq!(network.outputs, self.active(), "sites written by the network of a gauge coupling");
    }

    /// Loops that contain an active link count as zero, those along the active links everywhere.
    #[inline(always)]
    fn features<'a, V: Vector>(&self, field: &'a [V::Elem], room: &'a mut [V::Elem]) -> &'a [V::Elem] {
        let width = 2 * LOOPS * V::LANES;
        for &site in &self.sites.conditioned {
            let site = site as usize;
            let plaquette = self.sites.plaquette::<V>(field, site);
            let mut across = self.sites.plaquette::<V>(field, self.sites.across[site] as usize);
            for lane in 0..V::LANES {
                across[lane] += plaquette[lane];
            }
            let room = &mut room[site * width..][..width];
            room.fill(V::Elem::default());
            if self.sites.frozen[site] {
                write_angle::<V>(&plaquette, 0, room);
            }
            write_angle::<V>(&across, self.across(), room);
        }
        room
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
        let (width, sign) = (self.map.parameters() * V::LANES, self.sign::<V::Elem>());
        for site in written {
            let mut before = self.sites.plaquette::<V>(field, site);
            for lane in 0..V::LANES {
                before[lane] = reduced(before[lane]);
            }
            let mut after = before;
            let parameters = &output[site * width..][..width];
            self.map.apply::<V>(direction, parameters, &mut after[..V::LANES], log_det);
            let link = &mut field[self.active_link::<V>(site)];
            for lane in 0..V::LANES {
                link[lane] = reduced(link[lane] + sign * (after[lane] - before[lane]));
            }
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
        let (width, sign) = (self.map.parameters() * V::LANES, self.sign::<V::Elem>());
        for site in written {
            let mut plaquette = self.sites.plaquette::<V>(before, site);
            let (mut by, by_link) = ([V::Elem::default(); MOST_LANES], &g[self.active_link::<V>(site)]);
            for lane in 0..V::LANES {
                plaquette[lane] = reduced(plaquette[lane]);
                by[lane] = sign * by_link[lane];
            }
            let by_after = by;
            let (parameters, by_parameters) =
                (&output[site * width..][..width], &mut by_output[site * width..][..width]);
            let (place, by_place) = (&plaquette[..V::LANES], &mut by[..V::LANES]);
            self.map.gradient::<V>(direction, parameters, place, by_log_det, by_place, by_parameters);
            // The link takes up P' - P.
            for lane in 0..V::LANES {
                by[lane] = by[lane] - by_after[lane];
            }
            self.sites.add_to_links::<V>(site, &by, g);
        }
    }

    #[inline(always)]
    fn features_gradient<V: Vector>(
        &self,
        read: impl Iterator<Item = usize>,
        features: &[V::Elem],
        by_features: &[V::Elem],
        g: &mut [V::Elem],
    ) {
        let width = 2 * LOOPS * V::LANES;
        for site in read {
            let place = site * width..(site + 1) * width;
            let (features, by_features) = (&features[place.clone()], &by_features[place]);
            // Zero where the plaquette is not frozen, as its cosine and sine are.
            let by_own = angle_gradient::<V>(0, features, by_features);
            let by_across = angle_gradient::<V>(self.across(), features, by_features);
            let mut by_both = by_own;
            for lane in 0..V::LANES {
                by_both[lane] += by_across[lane];
            }
            self.sites.add_to_links::<V>(site, &by_both, g);
            self.sites.add_to_links::<V>(self.sites.across[site] as usize, &by_across, g);
        }
    }

    fn plain_features(&self, field: Tensor<3>) -> Tensor<3> {
        let plaquettes = self.sites.plain_plaquettes(field);
        let across = plaquettes.clone() + self.sites.plain_across(plaquettes.clone());
        let pair = |angle: Tensor<3>, sites: &[bool]| {
            let sites = mask(sites, &angle);
            [angle.clone().cos() * sites.clone(), angle.sin() * sites]
        };
        let along = [(); 2].map(|()| across.zeros_like());
        let plaquettes = pair(plaquettes, &self.stripes.frozen());
        let across = pair(across, &self.conditioned());
        let loops = match self.stripes.direction() {
            0 => [plaquettes, along, across],
            _ => [plaquettes, across, along],
        };
        Tensor::cat(loops.into_iter().flatten().collect(), 1)
    }

    fn plain_apply(
        &self,
        network: &ConvStack,
        field: Tensor<3>,
        map: impl FnOnce(Tensor<3>) -> (Tensor<3>, Tensor<3>),
    ) -> (Tensor<3>, Tensor<3>) {
        let written = mask(&network.outputs, &field);
        let before = plain_reduced(self.sites.plain_plaquettes(field.clone()));
        let (after, log_det) = map(before.clone());
        let log_det = log_det * written.clone();
        let mut signs = [0.0; 2];
        signs[self.stripes.direction()] = self.sign::<f64>();
        let signs = TensorData::new(signs.to_vec(), [1, 2, 1]).convert_dtype(field.dtype());
        let signs = Tensor::<3>::from_data(signs, (&field.device(), field.dtype()));
        let moved = plain_reduced(field.clone() + (after - before) * signs.clone());
        let changed = written * signs.abs();
        (field.clone() + (moved - field) * changed, log_det)
    }

    #[cfg(feature = "wgpu")]
    fn gpu_layer(&self) -> Option<GpuLayer> {
        Some(GpuLayer { subject: Subject::Plaquettes, map: self.map.gpu_map() })
    }

    #[cfg(feature = "wgpu")]
    fn gpu_record(&self) -> Vec<u32> {
        record(&self.stripes)
    }
}
