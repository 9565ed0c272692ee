//! Which links a gauge-equivariant coupling changes, and which plaquettes and loops it may read: none that contains such a link.

use crate::lattice::Lattice;

/// Sites, links and plaquettes of one layer on a lattice of two dimensions.
///
/// The layer changes links of one direction μ: those at sites whose coordinate along μ is `offset + 2 y` modulo 4, where y is the
/// coordinate along the other direction ν. That is one link in eight. A plaquette is that of its lower corner, as in
/// [`super::Plaquettes`], and with n the coordinate of its site along μ it is
///
/// - *active* where an active link begins: one in four, and each contains that active link and no other;
/// - *passive* at the other sites with n = offset modulo 2: it contains the active link that begins one step along ν, so it changes too;
/// - *frozen* where n = offset + 1 modulo 2: it contains no active link.
///
/// A loop around the plaquettes of a site and of the next one along ν contains no active link unless it begins at an active plaquette.
/// Where it begins at a passive one it goes around both plaquettes of an active link, P and S - P: all that an action of plaquettes
/// knows about the link beside P is S. Loops around two plaquettes along μ all contain an active link.
///
/// Eight layers, four offsets of either direction, visit every link once.
///
/// Source: arXiv:2003.06413 (active, passive and frozen loops) with the pattern of arXiv:2202.11712.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stripes {
    lattice: Lattice,
    direction: usize,
    offset: usize,
}

impl Stripes {
    /// Layers after which the pattern repeats.
    pub const PERIOD: usize = 8;

    /// The pattern of a layer: four layers of one direction, then four of the other.
    ///
    /// # Panics
    /// If the pattern does not fit the lattice.
    pub fn new(lattice: Lattice, layer: usize) -> Self {
        if let Err(rule) = Self::fits(lattice.extents()) {
            panic!("{lattice}: {rule}");
        }
        Self { lattice, direction: layer / 4 % 2, offset: layer % 4 }
    }

    /// Whether a lattice holds whole periods of the patterns of all layers.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn fits(extents: &[usize]) -> Result<(), String> {
        if extents.len() != 2 {
            return Err(format!("gauge-equivariant couplings need two extents, got {}", extents.len()));
        }
        match extents.iter().find(|extent| !extent.is_multiple_of(4)) {
            Some(extent) => {
                Err(format!("gauge-equivariant couplings need extents that are multiples of 4, got {extent}"))
            }
            None => Ok(()),
        }
    }

    /// The lattice.
    pub fn lattice(&self) -> Lattice {
        self.lattice
    }

    /// Direction μ of the links that change.
    pub fn direction(&self) -> usize {
        self.direction
    }

    /// The sites of active plaquettes, which are those where the links begin that change.
    pub fn active(&self) -> Vec<bool> {
        self.sites(|along, across| (along + 4 - self.offset + 2 * across).is_multiple_of(4))
    }

    /// The sites where a frozen loop begins: all but those of active plaquettes.
    pub fn conditioned(&self) -> Vec<bool> {
        self.active().into_iter().map(|active| !active).collect()
    }

    /// The sites of frozen plaquettes.
    pub fn frozen(&self) -> Vec<bool> {
        self.sites(|along, _| (along + self.offset) % 2 == 1)
    }

    /// Sites by their coordinates along the links that change and across.
    fn sites(&self, chosen: impl Fn(usize, usize) -> bool) -> Vec<bool> {
        let at = |site: usize| {
            let coordinates = self.lattice.coordinates(site);
            chosen(coordinates[self.direction], coordinates[1 - self.direction])
        };
        (0..self.lattice.volume()).map(at).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXTENTS: [[usize; 2]; 4] = [[4, 4], [8, 4], [4, 12], [8, 8]];

    /// Every layer of a period, on every lattice.
    fn patterns() -> impl Iterator<Item = Stripes> {
        let layers =
            |extents| (0..Stripes::PERIOD).map(move |layer| Stripes::new(Lattice::new(extents), layer));
        EXTENTS.into_iter().flat_map(layers)
    }

    /// Links `(μ, site)` around a rectangle of plaquettes.
    fn around(lattice: Lattice, site: usize, size: [usize; 2]) -> Vec<(usize, usize)> {
        let mut links = Vec::new();
        for mu in [0, 1] {
            for step in 0..size[mu] {
                let mut near = [0; 2];
                near[mu] = step as isize;
                let mut far = near;
                far[1 - mu] = size[1 - mu] as isize;
                links.extend([near, far].map(|at| (mu, lattice.shifted(site, &at))));
            }
        }
        links
    }

    /// Active links on the border of a rectangle.
    fn changing(stripes: &Stripes, site: usize, size: [usize; 2]) -> usize {
        let active = stripes.active();
        let links = around(stripes.lattice(), site, size).into_iter();
        links.filter(|&(mu, site)| mu == stripes.direction() && active[site]).count()
    }

    #[test]
    fn eight_layers_visit_every_link_once() {
        for extents in EXTENTS {
            let lattice = Lattice::new(extents);
            for first in [0, 5] {
                let mut visits = vec![0; 2 * lattice.volume()];
                for layer in first..first + Stripes::PERIOD {
                    let stripes = Stripes::new(lattice, layer);
                    let active = stripes.active();
                    assert_eq!(active.iter().filter(|on| **on).count() * 4, lattice.volume());
                    for (site, _) in active.into_iter().enumerate().filter(|(_, on)| *on) {
                        visits[stripes.direction() * lattice.volume() + site] += 1;
                    }
                }
                assert!(visits.into_iter().all(|visits| visits == 1), "{lattice} from layer {first}");
            }
        }
    }

    #[test]
    fn plaquettes_contain_active_links_as_their_names_say() {
        for stripes in patterns() {
            let (active, frozen) = (stripes.active(), stripes.frozen());
            for site in 0..stripes.lattice().volume() {
                let own = usize::from(active[site]);
                assert!(!(active[site] && frozen[site]), "{stripes:?}, site {site}");
                // Active and passive plaquettes contain one active link, an active one its own.
                assert_eq!(
                    changing(&stripes, site, [1, 1]),
                    usize::from(!frozen[site]),
                    "{stripes:?}, site {site}"
                );
                assert!(changing(&stripes, site, [1, 1]) >= own);
            }
        }
    }

    #[test]
    fn loops_of_two_plaquettes_are_frozen_across_and_never_along() {
        for stripes in patterns() {
            let mu = stripes.direction();
            let [mut along, mut across] = [[1, 1]; 2];
            (along[mu], across[1 - mu]) = (2, 2);
            for (site, conditioned) in stripes.conditioned().into_iter().enumerate() {
                assert!(changing(&stripes, site, along) > 0, "{stripes:?}, site {site}");
                assert_eq!(changing(&stripes, site, across) == 0, conditioned, "{stripes:?}, site {site}");
            }
        }
    }

    /// So the smallest kernel has six plaquettes to read at every active site.
    #[test]
    fn every_active_plaquette_has_frozen_ones_on_both_sides_along_its_link() {
        for stripes in patterns() {
            let (active, frozen, lattice) = (stripes.active(), stripes.frozen(), stripes.lattice());
            for site in (0..lattice.volume()).filter(|site| active[*site]) {
                for (along, across) in
                    [-1, 1].into_iter().flat_map(|along| [-1, 0, 1].map(|across| (along, across)))
                {
                    let mut step = [0; 2];
                    (step[stripes.direction()], step[1 - stripes.direction()]) = (along, across);
                    assert!(frozen[lattice.shifted(site, &step)], "{stripes:?}, site {site}, {step:?}");
                }
            }
        }
    }

    #[test]
    fn extents_are_multiples_of_four() {
        assert!([[4, 4], [8, 4], [12, 16]].iter().all(|extents| Stripes::fits(extents).is_ok()));
        for extents in [&[6, 4][..], &[4, 6], &[4, 2], &[8], &[4, 4, 4]] {
            let rule = Stripes::fits(extents).expect_err("no whole period");
            assert!(rule.contains("extents"), "{rule}");
        }
    }
}
