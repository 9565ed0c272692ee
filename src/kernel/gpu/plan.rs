//! What the GPU kernels look up: site lists, taps, and where each weight lies in the packed weights.

use super::{Buffer, LANES};
use crate::kernel::conv_stack::ConvStack;
use crate::kernel::conv_stack::plan::{Convolution, SiteGroup};
use burn_cubecl::CubeDevice;
use burn_cubecl::cubecl::client::Client;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// In place of a parameter: padding, which is zero.
const NOTHING: u32 = u32::MAX;

/// In place of a site: the input is one, which makes the weight gradient that of the bias.
pub const ONE: u32 = u32::MAX;

/// Rows of units, one for each site, from which on a unit takes four sites. Reckoned, not measured: enough rows to fill a card
/// of 132 multiprocessors with a few each.
const ENOUGH_ROWS: usize = 3200;

/// Accumulators of a unit in the weight gradient, at most.
const GRADIENT_BLOCK: usize = 96;

/// Compile-time shape of a gathering convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GatherShape {
    /// Channels read.
    pub inputs: usize,
    /// Channels written.
    pub outputs: usize,
    /// Sites of a unit.
    pub sites: usize,
    /// Weight vectors of a unit.
    pub vectors: usize,
    /// Weight vectors of a tap and an input channel.
    pub width: usize,
    /// Input channels without a loop.
    pub unroll: usize,
    /// Whether the sums start from a bias.
    pub bias: bool,
}

impl GatherShape {
    /// Words of a block's header.
    pub fn header_words(&self) -> usize {
        4 + self.sites
    }

    /// Units over the output channels.
    pub fn depth(&self) -> usize {
        self.width / self.vectors
    }
}

/// A gathering convolution: its shape, and the places of its blocks and weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gather {
    /// Compile-time shape.
    pub shape: GatherShape,
    /// Channels in a weight vector.
    pub lanes: usize,
    /// Place of the first header in the table.
    pub headers: usize,
    /// Blocks of sites.
    pub blocks: usize,
    /// First weight, in vectors.
    pub weights: usize,
    /// Bias, in vectors.
    pub bias: usize,
}

/// Compile-time shape of a weight gradient: a unit holds `taps · ins × outs` accumulators.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WeightShape {
    /// Channels read by the convolution.
    pub inputs: usize,
    /// Channels written by the convolution.
    pub outputs: usize,
    /// Taps of a unit.
    pub taps: usize,
    /// Input channels of a unit.
    pub ins: usize,
    /// Output channels of a unit.
    pub outs: usize,
}

impl WeightShape {
    fn new(inputs: usize, outputs: usize, taps: usize) -> Self {
        let outs = outputs.div_ceil(outputs.div_ceil(12));
        let ins = (1..=inputs.min(GRADIENT_BLOCK / outs))
            .rev()
            .find(|ins| inputs.is_multiple_of(*ins))
            .unwrap_or(1);
        let fit = if ins == inputs { (GRADIENT_BLOCK / (ins * outs)).clamp(1, 8) } else { 1 };
        Self { inputs, outputs, taps: taps.div_ceil(taps.div_ceil(fit)), ins, outs }
    }

    /// Blocks of input channels.
    pub fn in_blocks(&self) -> usize {
        self.inputs / self.ins
    }

    /// Blocks of output channels.
    pub fn out_blocks(&self) -> usize {
        self.outputs.div_ceil(self.outs)
    }

    /// Accumulators.
    pub fn block(&self) -> usize {
        self.taps * self.ins * self.outs
    }
}

/// The weight gradient of a convolution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeightGradient {
    /// Compile-time shape.
    pub shape: WeightShape,
    /// Place of the first entry (neighbours, sites, site count) in the table.
    pub entries: usize,
    /// Blocks of accumulators: entries × blocks of input channels × blocks of output channels.
    pub blocks: usize,
    /// Place of the first block in the partial sums of a chunk.
    pub partial: usize,
}

/// Everything about one convolution.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvPlan {
    /// From inputs to outputs.
    pub forward: Gather,
    /// From gradients by outputs to gradients by inputs.
    pub backward: Gather,
    /// Gradient by weights and bias.
    pub weights: WeightGradient,
}

/// Everything about several networks whose parameters lie one after the other, on one device.
#[derive(Debug)]
pub struct Plan {
    /// The convolutions of every network.
    pub networks: Vec<Vec<ConvPlan>>,
    /// All site lists.
    pub table: Buffer,
    /// For every packed weight the place of its parameter.
    pub packing: Buffer,
    /// Numbers of packed weights.
    pub packed: usize,
    /// Per sum: where the list of its sources starts (one more at the end), then the sources in the partial sums.
    pub sources: Buffer,
    /// Partial sums of a chunk.
    pub partials: usize,
    /// Sites that a weight gradient sums over, at most.
    pub sites: usize,
    /// Number of parameters.
    pub parameters: usize,
    /// Per network: where the flags `site is read`, then `site is written`, are in the table.
    pub flags: Vec<[usize; 2]>,
}

/// The plans of an operation, by device and sites per unit; made when they are first needed.
#[derive(Debug, Default)]
pub struct Plans(Mutex<Vec<(PlanKey, Arc<Plan>)>>);

/// Device and sites per unit.
type PlanKey = (CubeDevice, usize);

impl Clone for Plans {
    /// Without the plans: they are made again.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Plans {
    /// The plan for a device and a batch.
    pub fn get(
        &self,
        client: &Client,
        device: &CubeDevice,
        batch: usize,
        networks: &[&ConvStack],
    ) -> Arc<Plan> {
        // More sites per unit save loads of weights; a small batch on a small lattice needs more units instead.
        let lane_rows =
            batch.div_ceil(LANES) * networks.iter().map(|network| network.volume()).max().unwrap_or(0);
        let sites = if lane_rows >= ENOUGH_ROWS { 4 } else { 1 };
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, plan)) = plans.iter().find(|(key, _)| *key == (device.clone(), sites)) {
            return Arc::clone(plan);
        }
        let plan = Arc::new(Builder::new(sites).build(client, networks));
        plans.push(((device.clone(), sites), Arc::clone(&plan)));
        plan
    }
}

/// Collects tables and packed places.
struct Builder {
    sites: usize,
    table: Vec<u32>,
    /// Where equal parts of the table are: layers of the same parity share theirs.
    known: HashMap<Vec<u32>, usize>,
    packing: Vec<u32>,
    partials: usize,
    most_sites: usize,
    sources: Vec<Vec<u32>>,
}

impl Builder {
    fn new(sites: usize) -> Self {
        Self {
            sites,
            table: Vec::new(),
            known: HashMap::new(),
            packing: Vec::new(),
            partials: 0,
            most_sites: 0,
            sources: Vec::new(),
        }
    }

    fn build(mut self, client: &Client, networks: &[&ConvStack]) -> Plan {
        let parameters = networks.iter().map(|network| network.parameter_count()).sum();
        self.sources = vec![Vec::new(); parameters];
        let mut start = 0;
        let mut flags = Vec::new();
        let mut plans = Vec::new();
        for network in networks {
            let flag = |mask: &[bool]| mask.iter().map(|&on| u32::from(on)).collect::<Vec<u32>>();
            flags.push([self.place(flag(&network.inputs)), self.place(flag(&network.outputs))]);
            plans.push(network.convolutions().iter().map(|c| self.convolution(c, start)).collect());
            start += network.parameter_count();
        }
        let mut next = parameters + 1;
        let mut sources = Vec::with_capacity(next);
        for list in &self.sources {
            sources.push(next as u32);
            next += list.len();
        }
        sources.push(next as u32);
        sources.extend(self.sources.iter().flatten());
        Plan {
            networks: plans,
            table: Buffer::table(client, &self.table),
            packing: Buffer::table(client, &self.packing),
            packed: self.packing.len(),
            sources: Buffer::table(client, &sources),
            partials: self.partials,
            sites: self.most_sites,
            parameters,
            flags,
        }
    }

    /// Where these words are in the table.
    fn place(&mut self, words: Vec<u32>) -> usize {
        if let Some(&place) = self.known.get(&words) {
            return place;
        }
        let place = self.table.len();
        self.table.extend(&words);
        self.known.insert(words, place);
        place
    }

    fn convolution(&mut self, c: &Convolution, start: usize) -> ConvPlan {
        let weight = |o: usize, i: usize, tap: usize| start + c.weight + (o * c.inputs + i) * c.taps + tap;
        let forward =
            self.gather([c.inputs, c.outputs, c.taps], &c.forward, Some(start + c.bias), |i, o, t| {
                weight(o, i, t)
            });
        let backward = self.gather([c.outputs, c.inputs, c.taps], &c.backward, None, weight);
        ConvPlan { forward, backward, weights: self.weight_gradient(c, start, weight) }
    }

    /// Blocks of sites, and the weights as `[tap][input][output]`, padded to whole vectors.
    fn gather(
        &mut self,
        [inputs, outputs, taps]: [usize; 3],
        groups: &[SiteGroup],
        bias: Option<usize>,
        parameter: impl Fn(usize, usize, usize) -> usize,
    ) -> Gather {
        let lanes = if outputs < 3 { outputs } else { 4 };
        let needed = outputs.div_ceil(lanes);
        let depth = needed.div_ceil(4);
        let vectors = needed.div_ceil(depth);
        let width = vectors * depth;
        let unroll = (1..=inputs.min(8)).rev().find(|n| inputs.is_multiple_of(*n)).unwrap_or(1);

        let padded = |value: &dyn Fn(usize) -> usize| -> Vec<u32> {
            (0..width * lanes).map(|o| if o < outputs { value(o) as u32 } else { NOTHING }).collect()
        };
        // Every part starts at a whole vector of the widest kind.
        self.packing.resize(self.packing.len().next_multiple_of(4), NOTHING);
        let weights = self.packing.len() / lanes;
        for (tap, input) in (0..taps).flat_map(|tap| (0..inputs).map(move |input| (tap, input))) {
            self.packing.extend(padded(&|o| parameter(input, o, tap)));
        }
        let bias_place = self.packing.len() / lanes;
        if let Some(bias) = bias {
            self.packing.extend(padded(&|o| bias + o));
        }
        let shape =
            GatherShape { inputs, outputs, sites: self.sites, vectors, width, unroll, bias: bias.is_some() };
        let (headers, blocks) = self.site_blocks(groups);
        Gather { shape, lanes, headers, blocks, weights, bias: bias_place }
    }

    /// Headers of blocks of sites that use the same taps; the last block of a group repeats its last site.
    fn site_blocks(&mut self, groups: &[SiteGroup]) -> (usize, usize) {
        let mut headers = Vec::new();
        let mut blocks = 0;
        for group in groups {
            let taps = self.place(words(&group.taps));
            let sites = group.sites.chunks(self.sites).zip(group.neighbours.chunks(self.sites));
            for (sites, neighbours) in sites {
                let of = |s: usize| s.min(sites.len() - 1);
                let rows = (0..group.taps.len()).flat_map(|tap| (0..self.sites).map(move |s| (tap, s)));
                let neighbours = rows.map(|(tap, s)| neighbours[of(s)][tap] as u32).collect();
                let neighbours = self.place(neighbours);
                headers.extend([taps, group.taps.len(), neighbours, sites.len()].map(|n| n as u32));
                headers.extend((0..self.sites).map(|s| sites[of(s)] as u32));
                blocks += 1;
            }
        }
        (self.place(headers), blocks)
    }

    /// Entries of taps × sites, and for every parameter the accumulators that belong to it.
    fn weight_gradient(
        &mut self,
        c: &Convolution,
        start: usize,
        weight: impl Fn(usize, usize, usize) -> usize,
    ) -> WeightGradient {
        let most = c.forward.iter().map(|group| group.taps.len() + 1).max().unwrap_or(1);
        let shape = WeightShape::new(c.inputs, c.outputs, most);
        let (ib, ob) = (shape.in_blocks(), shape.out_blocks());
        let mut entries = Vec::new();
        for group in &c.forward {
            let sites = self.place(words(&group.sites));
            self.most_sites = self.most_sites.max(group.sites.len());
            // The bias is one tap more, whose input is one.
            for first in (0..=group.taps.len()).step_by(shape.taps) {
                let taps = first..first + shape.taps;
                let neighbour = |row: &Vec<usize>, tap: usize| row.get(tap).map_or(ONE, |&site| site as u32);
                let neighbours = group
                    .neighbours
                    .iter()
                    .flat_map(|row| taps.clone().map(move |tap| neighbour(row, tap)))
                    .collect();
                let neighbours = self.place(neighbours);
                for (t, tap) in taps.enumerate().filter(|(_, tap)| *tap <= group.taps.len()) {
                    let is_bias = tap == group.taps.len();
                    for (i, o) in (0..c.inputs).flat_map(|i| (0..c.outputs).map(move |o| (i, o))) {
                        let block = (entries.len() / 3 * ib + i / shape.ins) * ob + o / shape.outs;
                        let within = (t * shape.ins + i % shape.ins) * shape.outs + o % shape.outs;
                        let source = (self.partials + block * shape.block() + within) as u32;
                        if !is_bias {
                            self.sources[weight(o, i, group.taps[tap])].push(source);
                        } else if i == 0 {
                            self.sources[start + c.bias + o].push(source);
                        }
                    }
                }
                entries.extend([neighbours, sites, group.sites.len()].map(|n| n as u32));
            }
        }
        let blocks = entries.len() / 3 * ib * ob;
        let partial = self.partials;
        self.partials += blocks * shape.block();
        WeightGradient { shape, entries: self.place(entries), blocks, partial }
    }
}

fn words(numbers: &[usize]) -> Vec<u32> {
    numbers.iter().map(|&n| n as u32).collect()
}
