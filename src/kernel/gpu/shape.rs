//! What a unit of a kernel takes on: compile-time shapes, chosen by the work they cost.
//!
//! A unit that holds `a × b` sums loads `a + b` numbers for each product of all of them. A multiprocessor multiplies four
//! times as many numbers as it loads, so that blocks should be large and nearly square; registers limit them.

use super::layout::Channels;
use super::table::block;
use super::{LANES, ROWS};

/// Sites of a unit that are tried, most first: more of them save loads of weights.
const SITES: [usize; 4] = [8, 4, 2, 1];

/// Rows of units in a launch, at least, before a unit takes more than one site or all output channels. Reckoned, not measured:
/// eight for each of the 132 multiprocessors of a large card.
const ENOUGH_ROWS: usize = 8 * 132;

/// How the work of a convolution is spread over units; results do not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Spread {
    /// Sites of a unit.
    pub sites: usize,
    /// Units that share the output channels of a site, at least, if there are vectors enough.
    pub parts: usize,
}

impl Spread {
    /// As much as suits a launch with a row of units for each site of each tile.
    pub fn over(rows: usize) -> Self {
        let sites = SITES.into_iter().find(|sites| rows / sites >= ENOUGH_ROWS);
        // Powers of two, so that a run with batches of many sizes has few plans.
        Self { sites: sites.unwrap_or(1), parts: ENOUGH_ROWS.div_ceil(rows.max(1)).next_power_of_two() }
    }

    /// The sites of a unit that the environment variable `FLOWQCD_GPU_SITES` (1, 2, 4, 8) asks for, if it is set, with all
    /// its output channels: to measure what suits a card.
    ///
    /// # Errors
    /// What it holds, if that is none of these.
    pub fn requested() -> Result<Option<Self>, String> {
        let Ok(asked) = std::env::var("FLOWQCD_GPU_SITES") else { return Ok(None) };
        let known = asked.parse().ok().filter(|sites| SITES.contains(sites));
        known.map(|sites| Some(Self { sites, parts: 1 })).ok_or(asked)
    }
}

/// How a pass is laid over the units of a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mode {
    /// A launch for each convolution: tiles of samples side by side, a block of sites × channels for each unit.
    Tiled(Spread),
    /// A launch for all of them: a workgroup takes one sample, a unit one site with all channels at a time.
    Resident,
}

impl Mode {
    /// Sites of a unit.
    pub fn sites(self) -> usize {
        match self {
            Self::Tiled(spread) => spread.sites,
            Self::Resident => 1,
        }
    }
}

/// Units of a workgroup with lanes and rows.
pub const UNITS: usize = LANES * ROWS;

/// Sums of a unit in a convolution, at most.
const CONVOLUTION_SUMS: usize = 112;

/// Sums of a unit in a weight gradient, at most: there are fewer addresses to keep beside them.
const GRADIENT_SUMS: usize = 144;

/// Multiply-adds without a jump in a convolution, so that a loop stays in the nearest cache of instructions.
const STRAIGHT: usize = 600;

/// Cost of loading a number, in multiply-adds, as far as it is not hidden behind them.
const LOAD: usize = 3;

/// Vectors of a bias gradient that a unit sums.
const BIAS_VECTORS: usize = 8;

/// Multiply-adds, and loads counted as such, of a unit that holds `a × b` sums.
fn cost(a: usize, b: usize) -> usize {
    a * b + LOAD * (a + b)
}

/// Compile-time shape of a gathering convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct GatherShape {
    /// Channels read.
    pub inputs: Channels,
    /// Channels written.
    pub outputs: Channels,
    /// Taps of the kernel.
    pub taps: usize,
    /// Sites of a unit.
    pub sites: usize,
    /// Vectors of output channels of a unit.
    pub vectors: usize,
    /// Vectors of input channels without a loop.
    pub unroll: usize,
    /// Whether the sums start from a bias.
    pub bias: bool,
    /// Whether the weights of a unit are read from shared memory.
    pub shared: bool,
}

impl GatherShape {
    /// The shape for a mode on a device with so many bytes of shared memory.
    pub fn of(mode: Mode, channels: [usize; 3], bias: bool, shared_bytes: usize) -> Self {
        match mode {
            Mode::Tiled(spread) => Self::new(channels, bias, spread, shared_bytes),
            Mode::Resident => Self::resident(channels, bias),
        }
    }

    /// One site with all output channels, in vectors of four whatever their number, from inputs one by one.
    pub fn resident([inputs, outputs, taps]: [usize; 3], bias: bool) -> Self {
        let vectors = outputs.div_ceil(4);
        Self {
            inputs: Channels { width: 1, vectors: inputs },
            outputs: Channels { width: 4, vectors },
            taps,
            sites: 1,
            vectors,
            unroll: (1..=4).rev().find(|n| inputs.is_multiple_of(*n)).unwrap_or(1),
            bias,
            shared: false,
        }
    }

    /// The shape for a spread over units on a device with so many bytes of shared memory.
    pub fn new([inputs, outputs, taps]: [usize; 3], bias: bool, spread: Spread, shared_bytes: usize) -> Self {
        let (inputs, outputs) = (Channels::of(inputs), Channels::of(outputs));
        let sites = spread.sites;
        let vectors = (1..=outputs.vectors.div_ceil(spread.parts))
            .filter(|v| *v == 1 || sites * v * outputs.width <= CONVOLUTION_SUMS)
            .min_by_key(|v| outputs.vectors.div_ceil(*v) * cost(sites, v * outputs.width))
            .unwrap_or(1);
        let straight = inputs.width * sites * vectors * outputs.width;
        let unroll = (1..=(STRAIGHT / straight).clamp(1, inputs.vectors))
            .rev()
            .find(|n| inputs.vectors.is_multiple_of(*n))
            .unwrap_or(1);
        let shape = Self { inputs, outputs, taps, sites, vectors, unroll, bias, shared: true };
        Self { shared: shape.weights() * outputs.width * size_of::<f32>() <= shared_bytes, ..shape }
    }

    /// Words of a block's header.
    pub fn header_words(&self) -> usize {
        block::WORDS + self.sites
    }

    /// Units over the output channels.
    pub fn depth(&self) -> usize {
        self.outputs.vectors.div_ceil(self.vectors)
    }

    /// Weight vectors of a unit.
    pub fn weights(&self) -> usize {
        self.taps * self.inputs.padded() * self.vectors
    }
}

/// Channels of one of the two factors of a weight gradient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Factor {
    /// All of them.
    pub channels: Channels,
    /// Vectors of a unit.
    pub vectors: usize,
}

impl Factor {
    /// Channels of a unit.
    pub fn block(&self) -> usize {
        self.vectors * self.channels.width
    }

    /// Units over the channels.
    pub fn blocks(&self) -> usize {
        self.channels.vectors.div_ceil(self.vectors)
    }
}

/// Compile-time shape of a weight gradient `Σ x · g`: a unit holds sums for all pairs of a block of channels at a site and
/// blocks of channels at its neighbours under several taps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct WeightShape {
    /// The factor at the site, loaded once for all taps: the one with more channels.
    pub here: Factor,
    /// The factor at the neighbours.
    pub there: Factor,
    /// Taps of a unit.
    pub taps: usize,
    /// Whether `here` is the input and not the gradient.
    pub inputs_here: bool,
}

impl WeightShape {
    /// The cheapest shape for a convolution of so many taps in use.
    pub fn new(inputs: usize, outputs: usize, most_taps: usize) -> Self {
        let inputs_here = inputs > outputs;
        let (more, fewer) = (Channels::of(inputs.max(outputs)), Channels::of(inputs.min(outputs)));
        let shapes = (1..=more.vectors).flat_map(|here| {
            (1..=fewer.vectors).flat_map(move |there| {
                (1..=most_taps.clamp(1, GRADIENT_SUMS)).map(move |taps| Self {
                    here: Factor { channels: more, vectors: here },
                    there: Factor { channels: fewer, vectors: there },
                    taps,
                    inputs_here,
                })
            })
        });
        let work = |shape: &Self| {
            let units = shape.here.blocks() * shape.there.blocks() * most_taps.div_ceil(shape.taps);
            units * cost(shape.here.block(), shape.taps * shape.there.block())
        };
        shapes
            .filter(|shape| shape.products() <= GRADIENT_SUMS)
            .min_by_key(work)
            .expect("a unit can hold one vector by another")
    }

    /// Sums of products of a unit.
    pub fn products(&self) -> usize {
        self.taps * self.here.block() * self.there.block()
    }

    /// Channels of the gradient.
    pub fn gradient(&self) -> Channels {
        if self.inputs_here { self.there.channels } else { self.here.channels }
    }

    /// Vectors of the gradient whose sum, the gradient by the bias, a unit makes.
    pub fn bias_vectors(&self) -> usize {
        self.gradient().vectors.min(BIAS_VECTORS)
    }

    /// Units for the gradient by the bias.
    pub fn bias_blocks(&self) -> usize {
        self.gradient().vectors.div_ceil(self.bias_vectors())
    }

    /// Sums of any unit.
    pub fn sums(&self) -> usize {
        self.products().max(self.bias_vectors() * self.gradient().width)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_of_the_fig_1_network_are_nearly_square() {
        let middle = WeightShape::new(12, 12, 25);
        assert_eq!((middle.here.block(), middle.there.block(), middle.taps), (12, 12, 1));
        let first = WeightShape::new(1, 12, 13);
        assert_eq!((first.here.block(), first.there.block(), first.taps), (12, 1, 7));
        let last = WeightShape::new(12, 2, 13);
        assert_eq!((last.here.block(), last.there.block(), last.taps, last.inputs_here), (12, 2, 5, true));
        let forward = GatherShape::new([12, 12, 25], true, Spread { sites: 8, parts: 1 }, 1 << 15);
        assert_eq!((forward.vectors, forward.depth(), forward.shared), (3, 1, true));
        // A batch of 128 on 10 x 10 leaves most of a card idle unless every vector has its own unit.
        let small = GatherShape::new([12, 12, 25], true, Spread::over(4 * 100), 1 << 15);
        assert_eq!((small.sites, small.vectors, small.depth()), (1, 1, 3));
    }

    #[test]
    fn every_shape_covers_its_channels_within_the_registers() {
        for (inputs, outputs) in [(1, 2), (6, 32), (32, 25), (64, 64), (200, 3), (1, 100)] {
            for taps in [1, 4, 9, 49] {
                let shape = WeightShape::new(inputs, outputs, taps);
                assert!(shape.products() <= GRADIENT_SUMS, "{shape:?}");
                assert!(shape.here.blocks() * shape.here.block() >= inputs.max(outputs), "{shape:?}");
                assert!(shape.there.blocks() * shape.there.block() >= inputs.min(outputs), "{shape:?}");
                for rows in [1, 400, 2500, 10_000, 100_000] {
                    let spread = Spread::over(rows);
                    let shape = GatherShape::new([inputs, outputs, taps], true, spread, 1 << 14);
                    assert!(shape.depth() * shape.vectors >= shape.outputs.vectors, "{shape:?}");
                    assert!(
                        !shape.shared || shape.weights() * shape.outputs.width * 4 <= 1 << 14,
                        "{shape:?}"
                    );
                }
            }
        }
    }
}
