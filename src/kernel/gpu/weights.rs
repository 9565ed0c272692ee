//! Packing of weights, their gradients over samples and sites, and the ordered sum of the parts.

use super::convolution::work_of_unit;
use super::layout::vector_at;
use super::plan::Plan;
use super::shape::{Factor, WeightShape};
use super::table::{directory, entry};
use super::{Buffer, LANES, ROWS, flat, grid, tiles};
use burn_cubecl::cubecl;
use cubecl::client::Client;
use cubecl::prelude::*;

/// Chunks of the batch that are summed apart, at most.
const BATCH_CHUNKS: usize = 64;

/// Chunks of the batch and of the sites together, at most.
const CHUNKS: usize = 256;

/// Partial sums of all chunks, at most, in words: a large network has work enough in each.
const PARTIAL_WORDS: usize = 1 << 25;

/// Sites and tiles that a unit sums, at least: fewer do not pay for the sum over lanes.
const SUMMED: usize = 8;

#[cube(launch_unchecked)]
fn pack(parameters: &[f32], packing: &[u32], packed: &mut [f32]) {
    if ABSOLUTE_POS >= packed.len() {
        terminate!();
    }
    let place = packing[ABSOLUTE_POS];
    let known = (place as usize) < parameters.len();
    packed[ABSOLUTE_POS] = select(known, parameters[select(known, place, 0u32) as usize], 0.0);
}

/// The weights of a plan in the order in which its kernels read them.
pub fn packed(client: &Client, plan: &Plan, parameters: &Buffer) -> Buffer {
    let packed = Buffer::empty(client, plan.packed);
    let (count, dim) = flat(plan.packed);
    // SAFETY: units beyond the end stop; places outside the parameters are not read.
    unsafe {
        pack::launch_unchecked(client, count, dim, parameters.arg(), plan.packing.arg(), packed.arg());
    }
    packed
}

/// The part of the batch and of the sites that a unit sums over.
#[derive(CubeType)]
struct Chunk {
    first_tile: usize,
    end_tile: usize,
    first_site: usize,
    end_site: usize,
}

/// The chunk of so many tiles and a part of `sites` sites.
#[cube]
fn chunk(index: usize, sites: usize, tiles: usize, steps: usize, parts: usize) -> Chunk {
    let (samples, part) = (index / parts, index % parts);
    Chunk {
        first_tile: samples * steps,
        end_tile: min((samples + 1) * steps, tiles),
        first_site: part * sites / parts,
        end_site: (part + 1) * sites / parts,
    }
}

/// How far the `v`-th vector of a block is from the first; beyond the last of the channels the last is repeated.
#[cube]
fn further(first: usize, #[comptime] v: usize, #[comptime] factor: Factor) -> usize {
    let vectors = comptime!(factor.channels.vectors);
    if comptime!(vectors.is_multiple_of(factor.vectors)) {
        comptime!(v * LANES).runtime()
    } else {
        (min(first + v, vectors - 1) - first) * LANES
    }
}

/// Vectors of the two factors before those of this unit's layer.
#[derive(CubeType)]
struct Starts {
    here: usize,
    there: usize,
}

/// Sums of products of one entry (`neighbours`, `sites` in the table), `[tap][there][here vector]`.
#[cube]
#[allow(clippy::too_many_arguments)]
fn products<H: Size, T: Size>(
    here: &[Vector<f32, H>],
    there: &[Vector<f32, T>],
    table: &[u32],
    neighbours: usize,
    sites: usize,
    chunk: &Chunk,
    starts: &Starts,
    first_here: usize,
    first_there: usize,
    volume: usize,
    totals: &mut Array<f32>,
    #[comptime] shape: WeightShape,
) {
    let (here_start, there_start) = (starts.here + first_here * LANES, starts.there + first_there * LANES);
    let (hs, ts) = comptime!((shape.here.vectors, shape.there.vectors));
    let mut sums = Array::<Vector<f32, H>>::new(comptime!(shape.taps * shape.there.block() * hs));
    let mut h = Array::<Vector<f32, H>>::new(hs);
    #[unroll]
    for k in 0..comptime!(shape.taps * shape.there.block() * hs) {
        sums[k] = Vector::new(0.0);
    }
    for tile in chunk.first_tile..chunk.end_tile {
        for i in chunk.first_site..chunk.end_site {
            let site = table[sites + i] as usize;
            let place = here_start + vector_at(tile, site, volume, shape.here.channels.vectors);
            #[unroll]
            for v in 0..hs {
                h[v] = here[place + further(first_here, v, shape.here)];
            }
            #[unroll]
            for t in 0..shape.taps {
                let site = table[neighbours + i * shape.taps + t] as usize;
                let place = there_start + vector_at(tile, site, volume, shape.there.channels.vectors);
                #[unroll]
                for u in 0..ts {
                    let value = there[place + further(first_there, u, shape.there)];
                    #[unroll]
                    for n in 0..T::value() {
                        let factor = Vector::new(value.extract(n));
                        #[unroll]
                        for v in 0..hs {
                            let k = comptime!(
                                (t * shape.there.block() + u * shape.there.channels.width + n) * hs + v
                            );
                            sums[k] = fma(factor, h[v], sums[k]);
                        }
                    }
                }
            }
        }
    }
    #[unroll]
    for k in 0..comptime!(shape.taps * shape.there.block() * hs) {
        #[unroll]
        for n in 0..H::value() {
            totals[k * H::value() + n] = sums[k].extract(n);
        }
    }
}

/// Sums of a gradient from its vector `first` on.
#[cube]
#[allow(clippy::too_many_arguments)]
fn bias<G: Size>(
    gradient: &[Vector<f32, G>],
    table: &[u32],
    sites: usize,
    chunk: &Chunk,
    start: usize,
    first: usize,
    volume: usize,
    totals: &mut Array<f32>,
    #[comptime] shape: WeightShape,
) {
    let vectors = comptime!(shape.bias_vectors());
    let factor = comptime!(Factor { channels: shape.gradient(), vectors });
    let mut sums = Array::<Vector<f32, G>>::new(vectors);
    #[unroll]
    for v in 0..vectors {
        sums[v] = Vector::new(0.0);
    }
    for tile in chunk.first_tile..chunk.end_tile {
        for i in chunk.first_site..chunk.end_site {
            let site = table[sites + i] as usize;
            let place = start + vector_at(tile, site, volume, factor.channels.vectors) + first * LANES;
            #[unroll]
            for v in 0..vectors {
                sums[v] += gradient[place + further(first, v, factor)];
            }
        }
    }
    #[unroll]
    for v in 0..vectors {
        #[unroll]
        for n in 0..G::value() {
            totals[v * G::value() + n] = sums[v].extract(n);
        }
    }
}

/// Partial sums `Σ x · g` and `Σ g` of one chunk, some tiles and some sites: every row of a workgroup has its own block.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
fn weight_gradient<H: Size, T: Size>(
    here: &[Vector<f32, H>],
    there: &[Vector<f32, T>],
    table: &[u32],
    partials: &mut [f32],
    row: u32,
    row_stride: u32,
    here_start: u32,
    here_stride: u32,
    there_start: u32,
    there_stride: u32,
    tapped: u32,
    blocks: u32,
    chunks: u32,
    stride: u32,
    volume: u32,
    tiles: u32,
    steps: u32,
    parts: u32,
    #[comptime] shape: WeightShape,
) {
    let work = work_of_unit(blocks, chunks);
    let layer = CUBE_POS_Z;
    let row = (row + layer * row_stride) as usize;
    let (entries, first) = (directory::entries(table, row), directory::partial(table, row));
    let starts = Starts {
        here: (here_start + layer * here_stride) as usize,
        there: (there_start + layer * there_stride) as usize,
    };
    let block = work.block;
    let (heres, theres) = comptime!((shape.here.blocks(), shape.there.blocks()));
    let index = min(block / comptime!(heres * theres), tapped as usize);
    let volume = volume as usize;
    let record = entries + index * comptime!(entry::WORDS);
    let (neighbours, sites) = (entry::neighbours(table, record), entry::sites(table, record));
    let count = entry::site_count(table, record);
    let mine = chunk(work.tile, count, tiles as usize, steps as usize, parts as usize);
    let mut totals = Array::<f32>::new(comptime!(shape.sums()));
    if index < tapped as usize {
        let first_here = block % heres * shape.here.vectors;
        let first_there = block / heres % theres * shape.there.vectors;
        products::<H, T>(
            here,
            there,
            table,
            neighbours,
            sites,
            &mine,
            &starts,
            first_here,
            first_there,
            volume,
            &mut totals,
            shape,
        );
    } else {
        let first = (block - tapped as usize * comptime!(heres * theres)) * shape.bias_vectors();
        if comptime!(shape.inputs_here) {
            bias::<T>(there, table, sites, &mine, starts.there, first, volume, &mut totals, shape);
        } else {
            bias::<H>(here, table, sites, &mine, starts.here, first, volume, &mut totals, shape);
        }
    }
    let place = work.tile * stride as usize + first + block * shape.sums();
    sum_lanes(&totals, partials, place, work.writes, shape.sums());
}

/// Sums accumulators over the lanes of every row in shared memory, as many at a time as there are lanes, into
/// `partials[place..]`.
#[cube]
fn sum_lanes(
    sums: &Array<f32>,
    partials: &mut [f32],
    place: usize,
    writes: bool,
    #[comptime] block_size: usize,
) {
    let lane = UNIT_POS_X as usize;
    let mut shared = Shared::<[f32]>::new_slice(comptime!(ROWS * LANES * LANES));
    let mine = UNIT_POS_Y as usize * comptime!(LANES * LANES);
    #[unroll]
    for round in 0..comptime!(block_size.div_ceil(LANES)) {
        #[unroll]
        for k in 0..comptime!(LANES.min(block_size - round * LANES)) {
            shared[mine + k * LANES + lane] = sums[round * LANES + k];
        }
        sync_cube();
        let within = round * LANES + lane;
        if within < block_size && writes {
            let mut total = f32::new(0.0);
            for k in 0..comptime!(LANES) {
                // Each lane starts elsewhere, so that they do not ask for the same bank.
                total += shared[mine + lane * LANES + (k + lane) % LANES];
            }
            partials[place + within] = total;
        }
        sync_cube();
    }
}

#[cube(launch_unchecked)]
fn reduce(partials: &[f32], sources: &[u32], gradient: &mut [f32], chunks: u32, stride: u32) {
    if ABSOLUTE_POS >= gradient.len() {
        terminate!();
    }
    let mut total = f32::new(0.0);
    for source in sources[ABSOLUTE_POS]..sources[ABSOLUTE_POS + 1] {
        let place = sources[source as usize];
        for chunk in 0..chunks {
            total += partials[(chunk * stride + place) as usize];
        }
    }
    gradient[ABSOLUTE_POS] = total;
}

/// Numbers of a batch, of one layer or of several with the same distance.
pub struct Operand<'a> {
    /// Where they are.
    pub buffer: &'a Buffer,
    /// Words before the first layer's.
    pub start: usize,
    /// Words from one layer to the next.
    pub stride: usize,
}

impl<'a> Operand<'a> {
    /// One layer with a buffer of its own.
    pub fn whole(buffer: &'a Buffer) -> Self {
        Self { buffer, start: 0, stride: 0 }
    }
}

/// Parts of the gradient by all parameters of a plan.
pub struct Partials {
    buffer: Buffer,
    /// Tiles of the batch that a chunk sums one after the other.
    steps: usize,
    /// Parts of the sites.
    parts: usize,
    /// Chunks of the batch, times parts of the sites.
    chunks: usize,
}

impl Partials {
    /// Room for a batch; every network's [`Self::add`] fills its part.
    pub fn new(client: &Client, plan: &Plan, batch: usize) -> Self {
        let tiles = tiles(batch);
        let most = (PARTIAL_WORDS / plan.partials.max(1)).clamp(1, CHUNKS);
        let steps = tiles.div_ceil(BATCH_CHUNKS.min(most));
        let batch_chunks = tiles.div_ceil(steps);
        let parts = (steps * plan.sites / SUMMED).clamp(1, plan.sites.max(1)).min(most / batch_chunks);
        let chunks = batch_chunks * parts;
        Self { buffer: Buffer::empty(client, chunks * plan.partials), steps, parts, chunks }
    }

    /// Fills in the gradient by the weights and the bias of a convolution from its input and the gradient by its output: of
    /// the one of network `first`, and of those at the same place of the `layers - 1` networks after it, which are alike.
    pub fn add(
        &self,
        client: &Client,
        plan: &Plan,
        [first, convolution, layers]: [usize; 3],
        x: &Operand<'_>,
        gradient: &Operand<'_>,
        [volume, batch]: [usize; 2],
    ) {
        let network = &plan.networks[first];
        let weights = &network[convolution].weights;
        let shape = weights.shape;
        let (here, there) = if shape.inputs_here { (x, gradient) } else { (gradient, x) };
        let (width, other_width) = (shape.here.channels.width, shape.there.channels.width);
        let (count, dim) = grid(weights.blocks * self.chunks, layers);
        let row =
            plan.directory + (first * network.len() + convolution) * directory::WORDS + directory::WEIGHTS;
        // SAFETY: the plan lists only sites of the lattice, chunks end with the tiles, and only rows that have a block write.
        unsafe {
            weight_gradient::launch_unchecked(
                client,
                count,
                dim,
                width,
                other_width,
                here.buffer.vectors(width),
                there.buffer.vectors(other_width),
                plan.table.arg(),
                self.buffer.arg(),
                row as u32,
                (network.len() * directory::WORDS) as u32,
                (here.start / width) as u32,
                (here.stride / width) as u32,
                (there.start / other_width) as u32,
                (there.stride / other_width) as u32,
                weights.tapped as u32,
                weights.blocks as u32,
                self.chunks as u32,
                plan.partials as u32,
                volume as u32,
                tiles(batch) as u32,
                self.steps as u32,
                self.parts as u32,
                shape,
            );
        }
    }

    /// The gradient by all parameters.
    pub fn sum(self, client: &Client, plan: &Plan) -> Buffer {
        let gradient = Buffer::empty(client, plan.parameters);
        let (count, dim) = flat(plan.parameters);
        // SAFETY: the sources are places of a chunk; units beyond the parameters stop.
        unsafe {
            reduce::launch_unchecked(
                client,
                count,
                dim,
                self.buffer.arg(),
                plan.sources.arg(),
                gradient.arg(),
                self.chunks as u32,
                plan.partials as u32,
            );
        }
        gradient
    }
}
