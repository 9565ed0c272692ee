//! Plaquettes of a field of links by tables of sites, on tiles and in plain tensor operations, and what networks read of them.

// Loops over lanes are the innermost ones and have no branches, so that the compiler makes each a few instructions.
#![allow(clippy::needless_range_loop)]

use crate::kernel::element::Element;
use crate::kernel::gauge::Stripes;
use crate::kernel::vector::{MOST_LANES, Vector};
use burn::tensor::{Int, Tensor, TensorData};

/// What is looked up for every site.
#[derive(Debug)]
pub struct Sites {
    /// Places of the links of its plaquette among `[μ, site]`: two that count with their sign, two with the opposite.
    pub plaquettes: Vec<[u32; 4]>,
    /// One step across the links that change.
    pub across: Vec<u32>,
    /// The sites where frozen loops begin.
    pub conditioned: Vec<u32>,
    /// Which plaquettes are frozen.
    pub frozen: Vec<bool>,
}

impl Sites {
    /// The tables of a pattern.
    pub fn new(stripes: &Stripes) -> Self {
        let lattice = stripes.lattice();
        let volume = lattice.volume();
        let plaquette = |site: usize| {
            let [up, right] = [0, 1].map(|mu| lattice.forward(site, mu));
            [site, volume + up, right, volume + site].map(|place| place as u32)
        };
        let conditioned = (0u32..).zip(stripes.conditioned()).filter(|(_, on)| *on).map(|(site, _)| site);
        Self {
            plaquettes: (0..volume).map(plaquette).collect(),
            across: (0..volume).map(|site| lattice.forward(site, 1 - stripes.direction()) as u32).collect(),
            conditioned: conditioned.collect(),
            frozen: stripes.frozen(),
        }
    }

    /// The plaquette of a site, not reduced.
    #[inline(always)]
    pub fn plaquette<V: Vector>(&self, field: &[V::Elem], site: usize) -> [V::Elem; MOST_LANES] {
        let [a, b, c, d] = self.plaquettes[site].map(|place| &field[place as usize * V::LANES..][..V::LANES]);
        let mut found = [V::Elem::default(); MOST_LANES];
        for lane in 0..V::LANES {
            found[lane] = (a[lane] - c[lane]) + (b[lane] - d[lane]);
        }
        found
    }

    /// Adds the gradient by a plaquette to that by its links.
    #[inline(always)]
    pub fn add_to_links<V: Vector>(&self, site: usize, by: &[V::Elem; MOST_LANES], g: &mut [V::Elem]) {
        for (index, place) in self.plaquettes[site].into_iter().enumerate() {
            let g = &mut g[place as usize * V::LANES..][..V::LANES];
            for lane in 0..V::LANES {
                g[lane] += if index < 2 { by[lane] } else { -by[lane] };
            }
        }
    }

    /// `[batch, μ, site]` → `[batch, 1, site]`, the plaquettes, not reduced.
    pub fn plain_plaquettes(&self, field: Tensor<3>) -> Tensor<3> {
        let [batch, directions, volume] = field.dims();
        let links = field.reshape([batch, 1, directions * volume]);
        let link = |index: usize| {
            let places: Vec<i64> = self.plaquettes.iter().map(|places| i64::from(places[index])).collect();
            links.clone().select(2, indices(places, &links))
        };
        let [a, b, c, d] = [0, 1, 2, 3].map(link);
        (a - c) + (b - d)
    }

    /// The numbers of the sites one step across.
    pub fn plain_across(&self, x: Tensor<3>) -> Tensor<3> {
        let places = self.across.iter().map(|site| i64::from(*site)).collect();
        let places = indices(places, &x);
        x.select(2, places)
    }
}

/// Places on the device of a tensor.
fn indices(places: Vec<i64>, like: &Tensor<3>) -> Tensor<1, Int> {
    let count = places.len();
    Tensor::from_data(TensorData::new(places, [count]), &like.device())
}

/// Cosine and sine of an angle, to two channels of a site from `first` on.
#[inline(always)]
pub fn write_angle<V: Vector>(angle: &[V::Elem; MOST_LANES], first: usize, room: &mut [V::Elem]) {
    let (cosine, sine) = room[first * V::LANES..(first + 2) * V::LANES].split_at_mut(V::LANES);
    for lane in 0..V::LANES {
        (sine[lane], cosine[lane]) = angle[lane].sine_cosine();
    }
}

/// The gradient by an angle from those by its cosine and sine, two channels of a site from `first` on.
#[inline(always)]
pub fn angle_gradient<V: Vector>(
    first: usize,
    features: &[V::Elem],
    by: &[V::Elem],
) -> [V::Elem; MOST_LANES] {
    let pair = first * V::LANES..(first + 2) * V::LANES;
    let (cosine, sine) = features[pair.clone()].split_at(V::LANES);
    let (by_cosine, by_sine) = by[pair].split_at(V::LANES);
    let mut found = [V::Elem::default(); MOST_LANES];
    for lane in 0..V::LANES {
        found[lane] = cosine[lane] * by_sine[lane] - sine[lane] * by_cosine[lane];
    }
    found
}
