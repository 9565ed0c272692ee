//! A training step with each estimator of the gradient of the reverse divergence: time and counted operations of a configuration,
//! as ratios to the first, whose steps are taken in turn with the others'.
//!
//! usage: cargo bench --bench estimators [-- [--batch B] [--seconds S] [--device D]]
//!
//! S seconds (default 20) for each network.

use flowqcd::device::{self, ComputeDevice};
use flowqcd::flow::Flow;
use flowqcd::lattice::Lattice;
use flowqcd::rng::Seed;
use flowqcd::spec::Spec;
use flowqcd::theory::Phi4;
use flowqcd::train::{TrainState, Trainer};
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const GRADIENTS: [&str; 3] = ["reparametrised", "path", "reinforce"];

/// Name, extent, layers, kernel size and hidden widths: `configs/fig1_bs_schedule.toml` and `configs/gradients.toml`.
type Net = (&'static str, usize, usize, usize, [usize; 2]);
const NETS: [Net; 2] = [("fig1", 10, 24, 5, [12, 12]), ("tutorial", 8, 16, 3, [8, 8])];

fn specification((_, extent, layers, kernel, hidden): Net, gradient: &str, batch: usize) -> Spec {
    let text = format!(
        "version = 1\nseed = 1\n\
         theory.phi4 = {{ extents = [{extent}, {extent}], mass_squared = -1.0, coupling = 1.0 }}\n\
         flow.affine = {{ layers = {layers}, kernel_size = {kernel}, hidden = {hidden:?} }}\n\
         train.loss.reverse_kl.gradient = \"{gradient}\"\ntrain.batch.size = {batch}\n\
         train.optimizer.adam.learning_rate = 1e-3\ntrain.stop.steps = 1\n"
    );
    Spec::parse(&text, &[]).expect("the specification is valid")
}

/// The value after a name on the command line.
fn option(name: &str) -> Option<String> {
    let words: Vec<String> = std::env::args().collect();
    let at = words.iter().position(|word| word == name)?;
    words.get(at + 1).cloned()
}

fn main() {
    let batch: usize = option("--batch").map_or(256, |text| text.parse().expect("--batch takes a number"));
    let seconds: f64 =
        option("--seconds").map_or(20.0, |text| text.parse().expect("--seconds takes a number"));
    let device = ComputeDevice::select(&option("--device").unwrap_or_else(|| "cpu".into()));
    let device = device.unwrap_or_else(|error| panic!("{error}"));
    println!("{}, {} threads, batch {batch}", device.name(), device::threads());
    NETS.into_iter().for_each(|net| report(net, batch, seconds, &device));
}

fn report(net: Net, batch: usize, seconds: f64, device: &ComputeDevice) {
    let specs = GRADIENTS.map(|gradient| specification(net, gradient, batch));
    let lattice = Lattice::new([net.1, net.1]);
    let flow = Flow::new(specs[0].flow.as_ref().expect("it has one"), lattice);
    let action = Phi4::new(lattice, -1.0, 1.0);
    let trainers = specs.each_ref().map(|spec| {
        let train = spec.train.as_ref().expect("it is trained");
        Trainer::new(&flow, &action, train, None, device, Seed(1)).expect("no data is needed")
    });
    let times = in_turn(&trainers, seconds);
    println!("{:16} {:>12} {:>8} {:>8} {:>10}", net.0, "samples/s", "time", "FLOPs", "GFLOP/s");
    for ((gradient, trainer), time) in GRADIENTS.iter().zip(&trainers).zip(&times) {
        let (rate, flops) = (batch as f64 / time, trainer.flops_per_sample());
        println!(
            "{gradient:16} {rate:>12.0} {:>8.2} {:>8.2} {:>10.1}",
            time / times[0],
            flops / trainers[0].flops_per_sample(),
            rate * flops / 1e9
        );
    }
}

/// Median seconds of a step of each, after one to warm up.
fn in_turn(trainers: &[Trainer<'_>], seconds: f64) -> Vec<f64> {
    let mut states: Vec<TrainState> = trainers.iter().map(|trainer| trainer.initial_state(Seed(1))).collect();
    let mut times = vec![Vec::new(); trainers.len()];
    let mut step = |index: usize| {
        let begin = Instant::now();
        trainers[index].step(&mut states[index]).expect("finite");
        begin.elapsed().as_secs_f64()
    };
    for index in 0..trainers.len() {
        step(index);
    }
    let start = Instant::now();
    while times[0].len() < 3 || start.elapsed().as_secs_f64() < seconds {
        times.iter_mut().enumerate().for_each(|(index, times)| times.push(step(index)));
    }
    let median = |mut times: Vec<f64>| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    };
    times.into_iter().map(median).collect()
}
