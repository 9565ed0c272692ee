//! Which sites each convolution reads and writes, so that work on masked-out sites is simply not listed.

use super::patches::{LEAST_CHANNELS, Patches};
use crate::lattice::Lattice;

/// A step from an output site to an input site.
pub type Displacement = [isize; Lattice::MOST_DIMENSIONS];

/// Output sites that use the same taps, with their input sites.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteGroup {
    /// Taps in use.
    pub taps: Vec<u32>,
    /// The output sites.
    pub sites: Vec<u32>,
    /// `[output site][tap]`: the input sites.
    pub neighbours: Vec<u32>,
}

impl SiteGroup {
    /// The input sites of the output site at a place of the list.
    #[inline(always)]
    pub fn neighbours_of(&self, place: usize) -> &[u32] {
        &self.neighbours[place * self.taps.len()..][..self.taps.len()]
    }
}

/// One convolution of the stack with its place in the packed parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Convolution {
    /// Channels read.
    pub inputs: usize,
    /// Channels written.
    pub outputs: usize,
    /// Taps of the kernel, K^d.
    pub taps: usize,
    /// Offset of the weight `[outputs, inputs, K, …]` in the packed parameters.
    pub weight: usize,
    /// Offset of the bias `[outputs]`.
    pub bias: usize,
    /// Gathers inputs for every output site that is needed.
    pub forward: Vec<SiteGroup>,
    /// Gathers output gradients for every input site that is read.
    pub backward: Vec<SiteGroup>,
    /// Per tap, all `(input site, output site)` pairs that meet.
    pub pairs: Vec<Vec<(u32, u32)>>,
    /// The sites written.
    pub out_sites: Vec<u32>,
    /// The same in patches, where sums are computed by them.
    pub patches: Option<Patches>,
}

impl Convolution {
    /// Where the weights of two channels are in the packed parameters, tap by tap.
    #[inline(always)]
    pub fn weight_at(&self, read: usize, written: usize) -> usize {
        self.weight + (written * self.inputs + read) * self.taps
    }

    /// Multiply-adds of one forward pass for one sample, as sums over taps.
    pub fn multiply_adds(&self) -> u64 {
        let meetings: usize = self.pairs.iter().map(Vec::len).sum();
        (meetings * self.inputs * self.outputs) as u64
    }
}

/// Builds the site lists of every convolution, from the last (only `outputs` sites are needed) to the first
/// (only `inputs` sites are not zero); `taps` are the displacements of each.
pub fn convolutions(
    lattice: &Lattice,
    channels: &[usize],
    taps: &[Vec<Displacement>],
    [inputs, outputs]: [&[bool]; 2],
) -> Vec<Convolution> {
    let mut written = vec![outputs.to_vec()];
    for taps in taps[1..].iter().rev() {
        let needed = read_by(lattice, taps, &written[0]);
        written.insert(0, needed);
    }
    let mut weight = 0;
    let convolution = |(index, taps): (usize, &Vec<Displacement>)| {
        let read = if index == 0 { inputs } else { &written[index - 1] };
        let mirrored: Vec<Displacement> = taps.iter().map(|step| step.map(|along| -along)).collect();
        let out_sites = sites(&written[index]);
        let (inputs, outputs) = (channels[index], channels[index + 1]);
        let first = weight;
        let bias = first + inputs * outputs * taps.len();
        weight = bias + outputs;
        Convolution {
            inputs,
            outputs,
            taps: taps.len(),
            weight: first,
            bias,
            forward: groups(lattice, taps, &out_sites, read),
            backward: groups(lattice, &mirrored, &sites(read), &written[index]),
            pairs: taps.iter().map(|tap| pairs(lattice, tap, &out_sites, read)).collect(),
            patches: Some([inputs, outputs])
                .filter(|channels| channels.iter().all(|count| *count >= LEAST_CHANNELS))
                .and_then(|_| Patches::new(lattice, taps, [read, &written[index]])),
            out_sites,
        }
    };
    taps.iter().enumerate().map(convolution).collect()
}

fn sites(mask: &[bool]) -> Vec<u32> {
    (0u32..).zip(mask).filter(|(_, on)| **on).map(|(site, _)| site).collect()
}

fn shifted(lattice: &Lattice, site: u32, step: &Displacement) -> u32 {
    lattice.shifted(site as usize, step) as u32
}

fn read_by(lattice: &Lattice, taps: &[Displacement], written: &[bool]) -> Vec<bool> {
    let mut read = vec![false; written.len()];
    for site in sites(written) {
        taps.iter().for_each(|tap| read[shifted(lattice, site, tap) as usize] = true);
    }
    read
}

fn groups(lattice: &Lattice, steps: &[Displacement], sites: &[u32], read: &[bool]) -> Vec<SiteGroup> {
    let mut groups: Vec<SiteGroup> = Vec::new();
    for &site in sites {
        let all: Vec<u32> = steps.iter().map(|step| shifted(lattice, site, step)).collect();
        let taps: Vec<u32> =
            (0u32..).zip(&all).filter(|(_, from)| read[**from as usize]).map(|(t, _)| t).collect();
        let place = groups.iter().position(|group| group.taps == taps).unwrap_or_else(|| {
            groups.push(SiteGroup { taps, sites: Vec::new(), neighbours: Vec::new() });
            groups.len() - 1
        });
        groups[place].sites.push(site);
        groups[place].neighbours.extend(all.into_iter().filter(|from| read[*from as usize]));
    }
    groups
}

fn pairs(lattice: &Lattice, step: &Displacement, sites: &[u32], read: &[bool]) -> Vec<(u32, u32)> {
    let pair = |&site: &u32| (shifted(lattice, site, step), site);
    sites.iter().map(pair).filter(|&(from, _)| read[from as usize]).collect()
}
