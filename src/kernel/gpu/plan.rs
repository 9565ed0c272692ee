//! What the GPU kernels look up: site lists, taps, and where each weight lies in the packed weights.

use super::shape::{GatherShape, Mode, Spread, WeightShape};
use super::table::{block, directory, entry};
use super::{Buffer, tiles};
use crate::kernel::conv_stack::ConvStack;
use crate::kernel::conv_stack::plan::{Convolution, SiteGroup};
use burn_cubecl::CubeDevice;
use burn_cubecl::cubecl::client::Client;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// In place of a parameter: padding, which is zero.
const NOTHING: u32 = u32::MAX;

/// Bytes of shared memory for weights, at most: several workgroups have to fit a multiprocessor.
const SHARED_BYTES: usize = 1 << 15;

/// A gathering convolution: its shape, and the places of its blocks and weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gather {
    /// Compile-time shape.
    pub shape: GatherShape,
    /// Place of the first header in the table.
    pub headers: usize,
    /// Blocks of sites.
    pub blocks: usize,
    /// First weight, in vectors.
    pub weights: usize,
    /// Bias, in vectors.
    pub bias: usize,
}

/// The weight gradient of a convolution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WeightGradient {
    /// Compile-time shape.
    pub shape: WeightShape,
    /// Place of the entries (neighbours, sites, site count) in the table; the last is that of the bias, without neighbours.
    pub entries: usize,
    /// Entries with taps.
    pub tapped: usize,
    /// Blocks of sums.
    pub blocks: usize,
    /// Place of the first block in the partial sums of a chunk.
    pub partial: usize,
}

/// Everything about one convolution.
#[derive(Debug, Clone, PartialEq)]
pub struct ConvPlan {
    /// Channels read.
    pub inputs: usize,
    /// Channels written.
    pub outputs: usize,
    /// From inputs to outputs.
    pub forward: Gather,
    /// From gradients by outputs to gradients by inputs.
    pub backward: Gather,
    /// Gradient by weights and bias.
    pub weights: WeightGradient,
}

impl ConvPlan {
    /// See [`directory`].
    fn directory_row(&self) -> Vec<u32> {
        let gather = |g: &Gather| [g.headers, g.blocks, g.weights, g.bias];
        let weights = [self.weights.entries, self.weights.partial];
        directory::row(gather(&self.forward), gather(&self.backward), weights)
    }
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
    /// Per parameter: where the list of its sources starts (one more at the end), then the sources in the partial sums.
    pub sources: Buffer,
    /// Partial sums of a chunk.
    pub partials: usize,
    /// Sites that a weight gradient sums over, at most.
    pub sites: usize,
    /// Number of parameters.
    pub parameters: usize,
    /// Per network: where the flags `site is written` are in the table.
    pub written: Vec<usize>,
    /// Where the rows of the [`directory`] are in the table, one for each convolution of each network.
    pub directory: usize,
    /// Per network: where its record of what else kernels look up is in the table.
    pub records: Vec<usize>,
    /// Where these places are in the table.
    pub record_places: usize,
}

/// The plans of an operation, by device and mode; made when they are first needed.
#[derive(Debug, Default)]
pub struct Plans {
    known: Mutex<Vec<(PlanKey, Arc<Plan>)>>,
    /// The mode, whatever the batch.
    #[cfg(test)]
    pub mode: Option<Mode>,
}

type PlanKey = (CubeDevice, Mode);

impl Clone for Plans {
    /// Without the plans: they are made again.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Plans {
    /// The plan of some networks in a mode, each with a record of its own.
    pub fn get(
        &self,
        client: &Client,
        device: &CubeDevice,
        mode: Mode,
        networks: &[&ConvStack],
        records: &dyn Fn(usize) -> Vec<u32>,
    ) -> Arc<Plan> {
        let mut plans = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, plan)) = plans.iter().find(|(key, _)| *key == (device.clone(), mode)) {
            return Arc::clone(plan);
        }
        let shared_bytes = client.properties().hardware.max_shared_memory_size.min(SHARED_BYTES);
        let plan = Arc::new(Builder::new(mode, shared_bytes).build(client, networks, records));
        plans.push(((device.clone(), mode), Arc::clone(&plan)));
        plan
    }

    /// A launch for each convolution, with the work of a unit that suits the batch or was asked for.
    pub fn tiled(&self, batch: usize, volume: usize) -> Mode {
        Mode::Tiled(self.forced().unwrap_or_else(|| Spread::over(tiles(batch) * volume)))
    }

    /// The spread that was asked for.
    pub fn forced(&self) -> Option<Spread> {
        #[cfg(test)]
        if let Some(Mode::Tiled(spread)) = self.mode {
            return Some(spread);
        }
        Spread::requested().ok().flatten()
    }
}

/// Collects tables and packed places.
struct Builder {
    mode: Mode,
    shared_bytes: usize,
    table: Vec<u32>,
    /// Where equal parts of the table are: layers of the same parity share theirs.
    known: HashMap<Vec<u32>, usize>,
    packing: Vec<u32>,
    partials: usize,
    most_sites: usize,
    sources: Vec<Vec<u32>>,
}

impl Builder {
    fn new(mode: Mode, shared_bytes: usize) -> Self {
        Self {
            mode,
            shared_bytes,
            table: Vec::new(),
            known: HashMap::new(),
            packing: Vec::new(),
            partials: 0,
            most_sites: 0,
            sources: Vec::new(),
        }
    }

    fn build(
        mut self,
        client: &Client,
        networks: &[&ConvStack],
        records: &dyn Fn(usize) -> Vec<u32>,
    ) -> Plan {
        let parameters = networks.iter().map(|network| network.parameter_count()).sum();
        self.sources = vec![Vec::new(); parameters];
        let mut start = 0;
        let mut written = Vec::new();
        let mut plans: Vec<Vec<ConvPlan>> = Vec::new();
        for network in networks {
            written.push(self.place(network.outputs.iter().map(|&on| u32::from(on)).collect()));
            plans.push(network.convolutions().iter().map(|c| self.convolution(c, start)).collect());
            start += network.parameter_count();
        }
        let directory = plans.iter().flatten().flat_map(ConvPlan::directory_row).collect();
        let directory = self.place(directory);
        let records: Vec<usize> = (0..networks.len()).map(|network| self.place(records(network))).collect();
        let record_places = self.place(records.iter().map(|&place| place as u32).collect());
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
            written,
            directory,
            records,
            record_places,
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
        let weights = self.weight_gradient(c, start, weight);
        ConvPlan { inputs: c.inputs, outputs: c.outputs, forward, backward, weights }
    }

    /// Blocks of sites, and the weights as `[unit over outputs][tap][input][output]`, padded to whole vectors.
    fn gather(
        &mut self,
        [inputs, outputs, taps]: [usize; 3],
        groups: &[SiteGroup],
        bias: Option<usize>,
        parameter: impl Fn(usize, usize, usize) -> usize,
    ) -> Gather {
        let shape = GatherShape::of(self.mode, [inputs, outputs, taps], bias.is_some(), self.shared_bytes);
        let (width, block) = (shape.outputs.width, shape.vectors * shape.outputs.width);
        // Every part starts at a whole vector of the widest kind.
        self.packing.resize(self.packing.len().next_multiple_of(4), NOTHING);
        let weights = self.packing.len() / width;
        let all = 0..shape.depth() * block;
        for first in all.clone().step_by(block) {
            for (tap, input) in (0..taps).flat_map(|tap| (0..shape.inputs.padded()).map(move |i| (tap, i))) {
                let known = |output: usize| input < inputs && output < outputs;
                let place = |o| if known(o) { parameter(input, o, tap) as u32 } else { NOTHING };
                self.packing.extend((first..first + block).map(place));
            }
        }
        let bias_place = self.packing.len() / width;
        if let Some(bias) = bias {
            self.packing.extend(all.map(|o| if o < outputs { (bias + o) as u32 } else { NOTHING }));
        }
        let (headers, blocks) = self.site_blocks(groups);
        Gather { shape, headers, blocks, weights, bias: bias_place }
    }

    /// Headers of blocks of sites that use the same taps; the last block of a group repeats its last site.
    fn site_blocks(&mut self, groups: &[SiteGroup]) -> (usize, usize) {
        let mut headers = Vec::new();
        let mut blocks = 0;
        let most = self.mode.sites();
        for group in groups {
            let taps = self.place(group.taps.clone());
            let of_site = group.taps.len();
            // A group without taps has no neighbours, but sites, whose sums are the bias.
            let rows = (0..group.sites.len()).map(|place| group.neighbours_of(place)).collect::<Vec<_>>();
            for (sites, neighbours) in group.sites.chunks(most).zip(rows.chunks(most)) {
                let of = |s: usize| s.min(sites.len() - 1);
                let rows = (0..of_site).flat_map(|tap| (0..most).map(move |s| (tap, s)));
                let neighbours = rows.map(|(tap, s)| neighbours[of(s)][tap]).collect();
                let neighbours = self.place(neighbours);
                headers.extend(block::record(taps, group.taps.len(), neighbours, sites.len()));
                headers.extend((0..most).map(|s| sites[of(s)]));
                blocks += 1;
            }
        }
        (self.place(headers), blocks)
    }

    /// Entries of taps × sites, and for every parameter the sums that belong to it.
    fn weight_gradient(
        &mut self,
        c: &Convolution,
        start: usize,
        weight: impl Fn(usize, usize, usize) -> usize,
    ) -> WeightGradient {
        let most = |groups: &[SiteGroup]| groups.iter().map(|group| group.taps.len()).max().unwrap_or(1);
        let inputs_here = WeightShape::new(c.inputs, c.outputs, 1).inputs_here;
        let groups = if inputs_here { &c.backward } else { &c.forward };
        let shape = WeightShape::new(c.inputs, c.outputs, most(groups));
        let mut entries = Vec::new();
        for group in groups {
            let sites = self.place(group.sites.clone());
            self.most_sites = self.most_sites.max(group.sites.len());
            for (first, taps) in group.taps.chunks(shape.taps).enumerate() {
                // Beyond the last tap it is repeated, and nobody reads the sums.
                let tap = |t: usize| (first * shape.taps + t).min(group.taps.len() - 1);
                let rows = (0..group.sites.len()).map(|place| group.neighbours_of(place));
                let neighbours = rows.flat_map(|row| (0..shape.taps).map(move |t| row[tap(t)]));
                let neighbours = self.place(neighbours.collect());
                self.weight_sources(c, &shape, entries.len() / entry::WORDS, taps, &weight);
                entries.extend(entry::record(neighbours, sites, group.sites.len()));
            }
        }
        let tapped = entries.len() / entry::WORDS;
        let products = tapped * shape.here.blocks() * shape.there.blocks();
        let sites = self.place(c.out_sites.clone());
        entries.extend(entry::record(0, sites, c.out_sites.len()));
        let bias_block = shape.bias_vectors() * shape.gradient().width;
        for o in 0..c.outputs {
            let source = self.partials + (products + o / bias_block) * shape.sums() + o % bias_block;
            self.sources[start + c.bias + o].push(source as u32);
        }
        let blocks = products + shape.bias_blocks();
        let partial = self.partials;
        self.partials += blocks * shape.sums();
        WeightGradient { shape, entries: self.place(entries), tapped, blocks, partial }
    }

    /// The sums of an entry that belong to each weight of its taps.
    fn weight_sources(
        &mut self,
        c: &Convolution,
        shape: &WeightShape,
        entry: usize,
        taps: &[u32],
        weight: &impl Fn(usize, usize, usize) -> usize,
    ) {
        let (here, there) = (shape.here, shape.there);
        for (t, &tap) in taps.iter().enumerate() {
            for (i, o) in (0..c.inputs).flat_map(|i| (0..c.outputs).map(move |o| (i, o))) {
                let (h, n) = if shape.inputs_here { (i, o) } else { (o, i) };
                let block = (entry * there.blocks() + n / there.block()) * here.blocks() + h / here.block();
                let within = (t * there.block() + n % there.block()) * here.block() + h % here.block();
                self.sources[weight(o, i, tap as usize)]
                    .push((self.partials + block * shape.sums() + within) as u32);
            }
        }
    }
}
