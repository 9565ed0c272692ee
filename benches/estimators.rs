//! A training step with each estimator of the gradient of the reverse divergence: time and counted operations of a configuration,
//! as ratios to the first, whose steps are taken in turn with the others'.
//!
//! usage: cargo bench --bench estimators [-- [--batch B] [--seconds S] [--device D]]

use flowqcd::device::{self, ComputeDevice};
use flowqcd::flow::Flow;
use flowqcd::lattice::Lattice;
use flowqcd::rng::Seed;
use flowqcd::spec::{Spec, TrainSpec};
use flowqcd::theory::Phi4;
use flowqcd::train::{TrainState, Trainer};
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const GRADIENTS: [&str; 3] = ["reparametrised", "path", "reinforce"];

/// The network of `configs/fig1_bs_schedule.toml`.
fn specification(gradient: &str, batch: usize) -> Spec {
    let text = format!(
        "version = 1\nseed = 1\ntheory.phi4 = {{ extents = [10, 10], mass_squared = -1.0, coupling = 1.0 }}\n\
         flow.affine = {{ layers = 24, kernel_size = 5, hidden = [12, 12] }}\n\
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
    let specs: Vec<TrainSpec> =
        GRADIENTS.iter().filter_map(|gradient| specification(gradient, batch).train).collect();
    let lattice = Lattice::new([10, 10]);
    let flow = Flow::new(specification(GRADIENTS[0], batch).flow.as_ref().expect("it has one"), lattice);
    let action = Phi4::new(lattice, -1.0, 1.0);
    let trainers: Vec<Trainer<'_>> = specs
        .iter()
        .map(|spec| Trainer::new(&flow, &action, spec, None, &device, Seed(1)).expect("no data is needed"))
        .collect();
    let times = in_turn(&trainers, seconds);
    println!("{:16} {:>12} {:>8} {:>8} {:>10}", "gradient", "samples/s", "time", "FLOPs", "GFLOP/s");
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
