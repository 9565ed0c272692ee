//! Which sites each convolution reads and writes, so that work on masked-out sites is simply not listed.

use super::ConvStack;
use crate::lattice::Lattice;

/// Output sites that use the same taps, with their input sites.
#[derive(Debug, Clone, PartialEq)]
pub struct SiteGroup {
    /// Taps in use, as `row · K + column` of the kernel.
    pub taps: Vec<usize>,
    /// The output sites.
    pub sites: Vec<usize>,
    /// `neighbours[i][j]`: input site of output site `sites[i]` under tap `taps[j]`.
    pub neighbours: Vec<Vec<usize>>,
}

/// One convolution of the stack with its place in the packed parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Convolution {
    /// Channels read.
    pub inputs: usize,
    /// Channels written.
    pub outputs: usize,
    /// Taps of the kernel, K².
    pub taps: usize,
    /// Offset of the weight `[outputs, inputs, K, K]` in the packed parameters.
    pub weight: usize,
    /// Offset of the bias `[outputs]`.
    pub bias: usize,
    /// Gathers inputs for every output site that is needed.
    pub forward: Vec<SiteGroup>,
    /// Gathers output gradients for every input site that is read.
    pub backward: Vec<SiteGroup>,
    /// Per tap, all `(input site, output site)` pairs that meet.
    pub pairs: Vec<Vec<(usize, usize)>>,
    /// The sites written.
    pub out_sites: Vec<usize>,
}

impl Convolution {
    /// Multiply-adds of one forward pass for one sample.
    pub fn multiply_adds(&self) -> u64 {
        let meetings: usize = self.pairs.iter().map(Vec::len).sum();
        (meetings * self.inputs * self.outputs) as u64
    }
}

/// Builds the site lists of every convolution, from the last (only `outputs` sites are needed) to the first
/// (only `inputs` sites are not zero).
pub fn convolutions(stack: &ConvStack) -> Vec<Convolution> {
    let lattice = Lattice::new(stack.extents);
    let count = stack.channels.len() - 1;
    let mut written = vec![stack.outputs.clone()];
    for convolution in (1..count).rev() {
        let needed = read_by(&lattice, &offsets(stack, convolution), &written[0]);
        written.insert(0, needed);
    }
    let mut offset = 0;
    (0..count)
        .map(|convolution| {
            let read = if convolution == 0 { &stack.inputs } else { &written[convolution - 1] };
            let (weight, bias) = stack.parameter_offsets(offset, convolution);
            offset = bias + stack.channels[convolution + 1];
            let offsets = offsets(stack, convolution);
            let mirrored: Vec<[isize; 2]> = offsets.iter().map(|d| [-d[0], -d[1]]).collect();
            let out_sites = sites(&written[convolution]);
            Convolution {
                inputs: stack.channels[convolution],
                outputs: stack.channels[convolution + 1],
                taps: offsets.len(),
                weight,
                bias,
                forward: groups(&lattice, &offsets, &out_sites, read),
                backward: groups(&lattice, &mirrored, &sites(read), &written[convolution]),
                pairs: offsets.iter().map(|&offset| pairs(&lattice, offset, &out_sites, read)).collect(),
                out_sites,
            }
        })
        .collect()
}

/// Displacement of every tap: cross-correlation with a centred kernel, as in PyTorch.
fn offsets(stack: &ConvStack, convolution: usize) -> Vec<[isize; 2]> {
    let kernel = stack.kernel_size as isize;
    let dilation = stack.dilations[convolution] as isize;
    let displacement = |tap: isize| (tap - kernel / 2) * dilation;
    (0..kernel * kernel).map(|tap| [displacement(tap / kernel), displacement(tap % kernel)]).collect()
}

fn sites(mask: &[bool]) -> Vec<usize> {
    (0..mask.len()).filter(|&site| mask[site]).collect()
}

fn read_by(lattice: &Lattice, offsets: &[[isize; 2]], written: &[bool]) -> Vec<bool> {
    let mut read = vec![false; written.len()];
    for site in sites(written) {
        offsets.iter().for_each(|&offset| read[lattice.shifted(site, offset)] = true);
    }
    read
}

fn groups(lattice: &Lattice, offsets: &[[isize; 2]], sites: &[usize], read: &[bool]) -> Vec<SiteGroup> {
    let mut groups: Vec<SiteGroup> = Vec::new();
    for &site in sites {
        let all: Vec<usize> = offsets.iter().map(|&offset| lattice.shifted(site, offset)).collect();
        let taps: Vec<usize> = (0..all.len()).filter(|&tap| read[all[tap]]).collect();
        let neighbours = taps.iter().map(|&tap| all[tap]).collect();
        match groups.iter_mut().find(|group| group.taps == taps) {
            Some(group) => {
                group.sites.push(site);
                group.neighbours.push(neighbours);
            }
            None => groups.push(SiteGroup { taps, sites: vec![site], neighbours: vec![neighbours] }),
        }
    }
    groups
}

fn pairs(lattice: &Lattice, offset: [isize; 2], sites: &[usize], read: &[bool]) -> Vec<(usize, usize)> {
    let pair = |&site: &usize| (lattice.shifted(site, offset), site);
    sites.iter().map(pair).filter(|&(from, _)| read[from]).collect()
}
