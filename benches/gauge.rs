//! Gauge-equivariant couplings on one lattice: training and sampling through the flow alone, by share of the FMA peak.
//!
//! usage: cargo bench --bench gauge [-- [MAP] [L=EXTENT] [B=BATCH]]
//!
//! The model of A22 for the Schwinger model: 24 layers, K = 3, hidden widths [32, 32]. Only convolutions are counted, and only where they
//! are computed; the time is that of everything: loops, maps, log dets. Training is forwards and backwards with gradients by the
//! parameters and by the links; sampling is forwards; density is the inverse.

use burn::tensor::{Device, Tensor, TensorData};
use flowqcd::device;
use flowqcd::kernel::coupling::{Coupling, CouplingMap};
use flowqcd::kernel::{
    ConvStack, CouplingStack, Direction, GaugeCoupling, Isa, Spline, TanMixture, coupling_stack, fma_peak,
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
/// Time for each figure.
const SECONDS: f64 = 3.0;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let peak = fma_peak(&Device::flex());
    println!(
        "{LAYERS} layers, K = {KERNEL}, {HIDDEN:?}; {}, {} threads, FMA peak {:.0} GFLOP/s",
        Isa::active().name(),
        device::threads(),
        peak / 1e9
    );
    println!(
        "{:9} {:>3} {:>6} {:>12} {:>11} {:>9} {:>9}",
        "map", "L", "batch", "", "samples/s", "GFLOP/s", "of peak"
    );
    for (extent, batch) in EXTENTS.into_iter().flat_map(|extent| BATCHES.map(|batch| (extent, batch))) {
        let wants = |map: &str| {
            let fits = |word: &String| match word.split_once('=') {
                Some(("L", value)) => value == extent.to_string(),
                Some(("B", value)) => value == batch.to_string(),
                _ => word == map,
            };
            words.iter().all(fits)
        };
        if wants("spline") {
            report("spline", Spline { knots: 8 }, [extent, batch], peak);
        }
        if wants("mixture") {
            report("mixture", TanMixture { components: 6 }, [extent, batch], peak);
        }
    }
}

fn stack<M: CouplingMap>(map: M, extent: usize) -> CouplingStack<GaugeCoupling<M>> {
    let lattice = Lattice::new([extent, extent]);
    let layer = |index: usize| {
        let coupling = GaugeCoupling::new(map.clone(), lattice, index);
        let channels = [&[coupling.own_features()], &HIDDEN[..], &[map.parameters()]].concat();
        let mut network = ConvStack::new(lattice, channels, KERNEL);
        (network.inputs, network.outputs) = (coupling.conditioned(), coupling.active());
        (coupling, Arc::new(network))
    };
    CouplingStack::new((0..LAYERS).map(layer).collect())
}

fn report<M: CouplingMap>(name: &str, map: M, [extent, batch]: [usize; 2], peak: f64) {
    let (stack, stream) = (stack(map, extent), Seed(1).stream("gauge"));
    let volume = extent * extent;
    let links = TensorData::new(stream.uniforms(0, batch * 2 * volume, 3.0), [batch, 2, volume]);
    // About the width of fresh weights at a fan-in of 9 · 32.
    let theta = stream.uniforms(1, stack.networks().parameter_count(), 0.06);
    let pass = |device: &Device, direction: Direction| {
        let (x, theta) =
            (Tensor::<3>::from_data(links.clone(), device), Tensor::<1>::from_data(&theta[..], device));
        let (x, theta) = match device.is_autodiff() {
            true => (x.require_grad(), theta.require_grad()),
            false => (x, theta),
        };
        coupling_stack(x, theta, &stack, direction)
    };
    let flops: u64 = stack.networks().layers().iter().map(|network| 2 * network.multiply_adds()).sum();
    let line = |what: &str, seconds: f64, times: f64| {
        let (rate, flops) = (batch as f64 / seconds, times * flops as f64);
        println!(
            "{name:9} {extent:>3} {batch:>6} {what:>12} {rate:>11.0} {:>9.1} {:>8.1}%",
            rate * flops / 1e9,
            100.0 * rate * flops / peak
        );
    };
    let device = Device::flex().autodiff();
    let training = median_seconds(|| {
        let (y, log_det) = pass(&device, Direction::Forward);
        drop((y.sum() + log_det.sum()).backward());
    });
    line("training", training, 3.0);
    line("sampling", median_seconds(|| drop(pass(&Device::flex(), Direction::Forward))), 1.0);
    line("density", median_seconds(|| drop(pass(&Device::flex(), Direction::Inverse))), 1.0);
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
