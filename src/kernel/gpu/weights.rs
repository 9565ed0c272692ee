//! Packing of weights, their gradients over samples and sites, and the ordered sum of the parts.

use super::plan::{ONE, Plan, WeightGradient, WeightShape};
use super::{Buffer, LANES, ROWS, flat};
use burn_cubecl::cubecl;
use cubecl::client::Client;
use cubecl::prelude::*;

/// Chunks of the batch that are summed apart, at most.
const BATCH_CHUNKS: usize = 32;

/// Chunks of the batch and of the sites together, at most.
const CHUNKS: usize = 128;

/// Partial sums of all chunks, at most, in words: a large network has work enough in each.
const PARTIAL_WORDS: usize = 1 << 24;

/// Sites and lane blocks that a unit sums, at least: fewer do not pay for the sum over lanes.
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

/// Partial sums `Σ x · g` of one chunk, some samples and some sites: every row of a workgroup has its own block of weights.
#[cube(launch_unchecked)]
#[allow(clippy::too_many_arguments)]
fn weight_gradient(
    x: &[f32],
    gradient: &[f32],
    table: &[u32],
    partials: &mut [f32],
    entries: u32,
    blocks: u32,
    first: u32,
    stride: u32,
    batch: u32,
    steps: u32,
    parts: u32,
    #[comptime] shape: WeightShape,
) {
    let (taps, ins, outs) = comptime!((shape.taps, shape.ins, shape.outs));
    let block_size = comptime!(shape.block());
    let lane = UNIT_POS_X as usize;
    let batch = batch as usize;
    let chunk = CUBE_POS_X as usize;
    let (samples, part, parts) = (chunk / parts as usize, chunk % parts as usize, parts as usize);
    // Rows beyond the last block repeat it, so that all units meet at the barriers.
    let row = ABSOLUTE_POS_Y as usize;
    let last = blocks as usize - 1;
    let block = min(row, last);
    let out_block = block % comptime!(shape.out_blocks());
    let in_block = (block / comptime!(shape.out_blocks())) % comptime!(shape.in_blocks());
    let entry = entries as usize + block / comptime!(shape.out_blocks() * shape.in_blocks()) * 3;
    let neighbours = table[entry] as usize;
    let sites = table[entry + 1] as usize;
    let count = table[entry + 2] as usize;

    let mut sums = Array::<f32>::new(block_size);
    let mut g = Array::<f32>::new(outs);
    for step in 0..steps as usize {
        let sample = (samples * steps as usize + step) * LANES + lane;
        if sample < batch {
            for i in part * count / parts..(part + 1) * count / parts {
                let to = table[sites + i] as usize * shape.outputs + out_block * outs;
                #[unroll]
                for o in 0..outs {
                    // A channel beyond the last is summed twice, and nobody reads it.
                    let channel = min(to + o, (table[sites + i] as usize + 1) * shape.outputs - 1);
                    g[o] = gradient[channel * batch + sample];
                }
                #[unroll]
                for t in 0..taps {
                    let site = table[neighbours + i * taps + t];
                    let is_one = site == ONE;
                    let from = select(is_one, 0u32, site) as usize * shape.inputs + in_block * ins;
                    #[unroll]
                    for c in 0..ins {
                        let value = select(is_one, 1.0f32, x[(from + c) * batch + sample]);
                        #[unroll]
                        for o in 0..outs {
                            let place = (t * ins + c) * outs + o;
                            sums[place] = fma(value, g[o], sums[place]);
                        }
                    }
                }
            }
        }
    }

    let place = chunk * stride as usize + first as usize + block * block_size;
    sum_lanes(&sums, partials, place, row <= last, block_size);
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

/// Parts of the gradient by all parameters of a plan.
pub struct Partials {
    buffer: Buffer,
    /// Lane blocks of the batch that a chunk sums one after the other.
    steps: usize,
    /// Parts of the sites.
    parts: usize,
    /// Chunks of the batch, times parts of the sites.
    chunks: usize,
}

impl Partials {
    /// Room for a batch; every network's [`Self::add`] fills its part.
    pub fn new(client: &Client, plan: &Plan, batch: usize) -> Self {
        let lane_blocks = batch.div_ceil(LANES);
        let most = (PARTIAL_WORDS / plan.partials.max(1)).clamp(1, CHUNKS);
        let steps = lane_blocks.div_ceil(BATCH_CHUNKS.min(most));
        let batch_chunks = lane_blocks.div_ceil(steps);
        let parts = (steps * plan.sites / SUMMED).clamp(1, plan.sites.max(1)).min(most / batch_chunks);
        let chunks = batch_chunks * parts;
        Self { buffer: Buffer::empty(client, chunks * plan.partials), steps, parts, chunks }
    }

    /// Fills in the gradient by the weights and the bias of one convolution.
    ///
    /// # Shapes
    /// `x`: `[site][input][sample]`, `gradient`: `[site][output][sample]`
    pub fn add(
        &self,
        client: &Client,
        plan: &Plan,
        weights: &WeightGradient,
        x: &Buffer,
        gradient: &Buffer,
        batch: usize,
    ) {
        // SAFETY: the plan lists only sites of the lattice; samples beyond the batch are left out, and only rows
        // that have a block write.
        unsafe {
            weight_gradient::launch_unchecked(
                client,
                CubeCount::Static(self.chunks as u32, weights.blocks.div_ceil(ROWS) as u32, 1),
                CubeDim::new_2d(LANES as u32, ROWS as u32),
                x.arg(),
                gradient.arg(),
                plan.table.arg(),
                self.buffer.arg(),
                weights.entries as u32,
                weights.blocks as u32,
                weights.partial as u32,
                plan.partials as u32,
                batch as u32,
                self.steps as u32,
                self.parts as u32,
                weights.shape,
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
