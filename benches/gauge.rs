//! Gauge-equivariant couplings on one lattice: training and sampling through the flow alone, by share of the FMA peak.
//!
//! usage: cargo bench --bench gauge [-- [MAP] [L=EXTENT] [B=BATCH] [--device D]]
//!
//! The model of A22 for the Schwinger model: 24 layers, K = 3, hidden widths [32, 32]. Only convolutions are counted, and only where they
//! are computed; the time is that of everything: loops, maps, log dets. Training is forwards and backwards with gradients by the
//! parameters and by the links; sampling is forwards; density is the inverse. On a GPU there is a line for training layer by layer, too: a
//! fused network and plain tensor operations for the rest, as where the kernels do not know a layer; and the memory that the device holds
//! at the end of a cell.

use burn::tensor::{Device, Tensor, TensorData};
use flowqcd::device::{self, ComputeDevice};
use flowqcd::kernel::coupling::{Coupling, CouplingMap, layer_by_layer};
use flowqcd::kernel::{
    ConvStack, CouplingStack, Direction, GaugeCoupling, Spline, TanMixture, coupling_stack, fma_peak,
};
use flowqcd::lattice::Lattice;
use flowqcd::rng::Seed;
use std::sync::Arc;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const LAYERS: usize = 24;
const HIDDEN: [usize; 2] = [32, 32];
const KERNEL: usize = 3;
const EXTENTS: [usize; 2] = [8, 16];
const BATCHES: [usize; 2] = [256, 1024];
/// The largest batch that is taken layer by layer: each of some hundred tensor operations of a layer keeps its result.
const MOST_BY_LAYER: usize = 256;
/// Time for each figure.
const SECONDS: f64 = 3.0;

fn main() {
    let mut words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let device = match words.iter().position(|word| word == "--device") {
        Some(place) => words.drain(place..=place + 1).nth(1).expect("a device"),
        None => "cpu".into(),
    };
    let device = ComputeDevice::select(&device).unwrap_or_else(|error| panic!("{error}"));
    let peak = fma_peak(&device.plain());
    println!(
        "{LAYERS} layers, K = {KERNEL}, {HIDDEN:?}; {}, {} threads, FMA peak {:.0} GFLOP/s",
        device.name(),
        device::threads(),
        peak / 1e9
    );
    println!(
        "{:9} {:>3} {:>6} {:>12} {:>11} {:>9} {:>9}",
        "map", "L", "batch", "", "samples/s", "GFLOP/s", "of peak"
    );
    let asked = |key: &str, usual: [usize; 2]| {
        let value = words.iter().find_map(|word| word.strip_prefix(key));
        value.map_or(usual.to_vec(), |value| vec![value.parse().expect("a number")])
    };
    let wants = |map: &str| words.iter().all(|word| word == map || word.contains('='));
    for extent in asked("L=", EXTENTS) {
        for batch in asked("B=", BATCHES) {
            if wants("spline") {
                Cell::new(Spline { knots: 8 }, [extent, batch]).report("spline", &device, peak);
            }
            if wants("mixture") {
                Cell::new(TanMixture { components: 6 }, [extent, batch]).report("mixture", &device, peak);
            }
        }
    }
}

/// One stack on one lattice with one batch.
struct Cell<M> {
    extent: usize,
    batch: usize,
    couplings: Vec<GaugeCoupling<M>>,
    stack: CouplingStack<GaugeCoupling<M>>,
    links: TensorData,
    theta: Vec<f32>,
}

impl<M: CouplingMap> Cell<M> {
    fn new(map: M, [extent, batch]: [usize; 2]) -> Self {
        let lattice = Lattice::new([extent, extent]);
        let couplings: Vec<_> =
            (0..LAYERS).map(|layer| GaugeCoupling::new(map.clone(), lattice, layer)).collect();
        let layer = |coupling: &GaugeCoupling<M>| {
            let channels = [&[coupling.own_features()], &HIDDEN[..], &[map.parameters()]].concat();
            let mut network = ConvStack::new(lattice, channels, KERNEL);
            (network.inputs, network.outputs) = (coupling.conditioned(), coupling.active());
            (coupling.clone(), Arc::new(network))
        };
        let stack = CouplingStack::new(couplings.iter().map(layer).collect());
        let (stream, volume) = (Seed(1).stream("gauge"), extent * extent);
        let links = TensorData::new(stream.uniforms(0, batch * 2 * volume, 3.0), [batch, 2, volume]);
        // About the width of fresh weights at a fan-in of 9 · 32.
        let theta = stream.uniforms(1, stack.networks().parameter_count(), 0.06);
        Self { extent, batch, couplings, stack, links, theta }
    }

    /// Links and parameters on a device.
    fn on(&self, device: &Device) -> (Tensor<3>, Tensor<1>) {
        let x = Tensor::<3>::from_data(self.links.clone(), device);
        let theta = Tensor::<1>::from_data(&self.theta[..], device);
        if device.is_autodiff() { (x.require_grad(), theta.require_grad()) } else { (x, theta) }
    }

    /// Forwards and backwards.
    fn train(&self, device: &Device, by_layer: bool) {
        let (x, theta) = self.on(device);
        let (y, log_det) = if by_layer {
            let parts = (self.stack.networks(), &self.couplings[..]);
            layer_by_layer(x, theta, parts, Direction::Forward)
        } else {
            coupling_stack(x, theta, &self.stack, Direction::Forward)
        };
        drop((y.sum() + log_det.sum()).backward());
    }

    /// Values alone.
    fn pass(&self, device: &Device, direction: Direction) {
        let (x, theta) = self.on(device);
        drop(coupling_stack(x, theta, &self.stack, direction));
    }

    fn report(&self, name: &str, device: &ComputeDevice, peak: f64) {
        let Self { extent, batch, stack, .. } = self;
        let flops: u64 = stack.networks().layers().iter().map(|network| 2 * network.multiply_adds()).sum();
        let line = |what: &str, times: f64, call: &dyn Fn()| {
            let seconds = median_seconds(|| {
                call();
                device.plain().sync().expect("the device computes");
            });
            let (rate, flops) = (*batch as f64 / seconds, times * flops as f64);
            println!(
                "{name:9} {extent:>3} {batch:>6} {what:>12} {rate:>11.0} {:>9.1} {:>8.1}%",
                rate * flops / 1e9,
                100.0 * rate * flops / peak
            );
        };
        line("training", 3.0, &|| self.train(&device.autodiff(), false));
        line("sampling", 1.0, &|| self.pass(&device.plain(), Direction::Forward));
        line("density", 1.0, &|| self.pass(&device.plain(), Direction::Inverse));
        let Some(held) = device.memory_held() else { return };
        println!("{name:9} {extent:>3} {batch:>6} {:>12} {:>11.0}", "held MB", held as f64 / 1e6);
        if *batch <= MOST_BY_LAYER {
            line("by layer", 3.0, &|| self.train(&device.autodiff(), true));
        }
        device.plain().memory_cleanup();
    }
}

/// Median time of one call after one to warm up.
fn median_seconds(mut call: impl FnMut()) -> f64 {
    call();
    let start = Instant::now();
    let mut times = Vec::new();
    while times.len() < 3 || start.elapsed().as_secs_f64() < SECONDS {
        let begin = Instant::now();
        call();
        times.push(begin.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
