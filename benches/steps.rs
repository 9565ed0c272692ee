//! Training steps and sampling over lattices, batches and networks: samples/s, GFLOP/s, share of the FMA peak, and the
//! memory of a GPU that was held.
//!
//! usage: cargo bench --bench steps [-- [NET] [L=EXTENT] [B=BATCH] [--seconds S] [--device D] [--all]]
//!
//! Each cell runs for about S seconds (default 1.5) and its median step is reported. Cells whose single step would
//! take more than 20 s are left out unless `--all` is given: the batch is split into micro-batches, so their speed
//! is that of the next smaller batch.

use flowqcd::device::{self, ComputeDevice};
use flowqcd::flow::Flow;
use flowqcd::kernel::fma_peak;
use flowqcd::lattice::Lattice;
use flowqcd::rng::Seed;
use flowqcd::sample::{Model, Watch, draw};
use flowqcd::spec::{Spec, TrainSpec};
use flowqcd::theory::Phi4;
use flowqcd::train::Trainer;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EXTENTS: [usize; 4] = [8, 10, 16, 32];
const BATCHES: [usize; 4] = [128, 1024, 16384, 65536];
const LONGEST_STEP_S: f64 = 20.0;

/// Layers, kernel size, hidden widths and base. The paper's text does not give the sizes in the legend of its Fig. 6;
/// these two bracket Fig. 1's network from below and above. Fig. 8 compares Fig. 1's with the same from a free field.
const NETS: [(&str, usize, usize, [usize; 2], &str); 4] = [
    ("fig1", 24, 5, [12, 12], "unit_normal"),
    ("fig8", 24, 5, [12, 12], "free_field"),
    ("small", 8, 3, [12, 12], "unit_normal"),
    ("large", 32, 7, [12, 12], "unit_normal"),
];

struct Options {
    words: Vec<String>,
    seconds: f64,
    all: bool,
    device: ComputeDevice,
}

impl Options {
    fn parse() -> Self {
        let mut words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
        let all = words.iter().any(|word| word == "--all");
        words.retain(|word| word != "--all");
        let mut take = |name: &str| {
            words.iter().position(|word| word == name).map(|at| {
                words.remove(at);
                words.remove(at)
            })
        };
        let seconds = take("--seconds").map_or(1.5, |text| text.parse().expect("--seconds takes a number"));
        let device = ComputeDevice::select(&take("--device").unwrap_or_else(|| "cpu".into()));
        Self { words, seconds, all, device: device.unwrap_or_else(|error| panic!("{error}")) }
    }

    /// Whether every given word fits this cell.
    fn wants(&self, net: &str, extent: usize, batch: usize) -> bool {
        let fits = |word: &String| match word.split_once('=') {
            Some(("L", value)) => value == extent.to_string(),
            Some(("B", value)) => value == batch.to_string(),
            _ => word == net,
        };
        self.words.iter().all(fits)
    }
}

fn main() {
    let options = Options::parse();
    let peak = fma_peak(&options.device.plain());
    println!("{}, {} threads, FMA peak {:.0} GFLOP/s", options.device.name(), device::threads(), peak / 1e9);
    println!("{:8} {:>3} {:>6}  {:^33}  {:^33}", "net", "L", "batch", "training step", "sampling");
    let unit = format!("{:>11} {:>10} {:>10}", "samples/s", "GFLOP/s", "of peak");
    println!("{:8} {:>3} {:>6}  {unit}  {unit}  {:>7}", "", "", "", "held MB");
    for (net, layers, kernel, hidden, base) in NETS {
        for extent in EXTENTS {
            for batch in BATCHES.into_iter().filter(|&batch| options.wants(net, extent, batch)) {
                let flow = Cell::flow(layers, kernel, &hidden, base, [extent, batch]);
                flow.report(net, &options, peak);
            }
        }
    }
}

/// One flow on one lattice with one batch.
struct Cell {
    extent: usize,
    batch: usize,
    flow: Flow,
    action: Phi4,
    train: TrainSpec,
}

impl Cell {
    fn flow(layers: usize, kernel: usize, hidden: &[usize], base: &str, [extent, batch]: [usize; 2]) -> Self {
        let text = format!(
            "version = 1\nseed = 1\ntheory.phi4 = {{ extents = [{extent}, {extent}], mass_squared = -1.0, coupling = 1.0 }}\n\
             flow.affine = {{ layers = {layers}, kernel_size = {kernel}, hidden = {hidden:?}, base.{base} = {{}} }}\n\
             train.batch.size = {batch}\ntrain.optimizer.adam.learning_rate = 1e-3\ntrain.stop.steps = 1\n"
        );
        let spec = Spec::parse(&text, &[]).expect("the specification is valid");
        let lattice = Lattice::new([extent, extent]);
        let flow = Flow::new(spec.flow.as_ref().expect("it has one"), lattice);
        Self {
            extent,
            batch,
            flow,
            action: Phi4::new(lattice, -1.0, 1.0),
            train: spec.train.expect("it has one"),
        }
    }

    fn report(&self, net: &str, options: &Options, peak: f64) {
        let device = &options.device;
        let seed = Seed(1);
        let trainer = Trainer::new(&self.flow, &self.action, &self.train, None, device, seed)
            .expect("no data is needed");
        let mut state = trainer.initial_state(seed);
        let flops = self.flow.flops_per_sample();
        if !options.all && 3.0 * flops * self.batch as f64 / (0.4 * peak) > LONGEST_STEP_S {
            println!(
                "{net:8} {:>3} {:>6}  left out: one step takes more than {LONGEST_STEP_S} s",
                self.extent, self.batch
            );
            return;
        }
        let train = median_seconds(options.seconds, || {
            trainer.step(&mut state).expect("finite");
        });
        let stream = seed.stream("bench");
        let model = Model {
            flow: &self.flow,
            parameters: &state.parameters,
            action: &self.action,
            device,
            observables: None,
            at_most: None,
        };
        let sample = median_seconds(options.seconds, || {
            draw(&model, &stream, self.batch as u64, None, Watch::NOBODY)
                .expect("nothing interrupts a benchmark");
        });
        let speed = |seconds: f64, flops: f64| speed(self.batch, seconds, flops, peak);
        println!(
            "{net:8} {:>3} {:>6}  {}  {}  {:>7}",
            self.extent,
            self.batch,
            speed(train, 3.0 * flops),
            speed(sample, flops),
            held(device)
        );
    }
}

/// Megabytes of a GPU that are held now; what no longer serves is given back, so that the next cell starts from nothing.
fn held(device: &ComputeDevice) -> String {
    let bytes = device.memory_held();
    device.plain().memory_cleanup();
    bytes.map_or("-".into(), |bytes| format!("{:.0}", bytes as f64 / 1e6))
}

fn speed(batch: usize, seconds: f64, flops: f64, peak: f64) -> String {
    let rate = batch as f64 / seconds;
    format!("{rate:>11.0} {:>10.1} {:>9.1}%", rate * flops / 1e9, 100.0 * rate * flops / peak)
}

/// Median time of one call: one call to warm up, then as many as fit, three at least.
fn median_seconds(budget_s: f64, mut call: impl FnMut()) -> f64 {
    call();
    let start = Instant::now();
    let mut times = Vec::new();
    while times.len() < 3 || start.elapsed().as_secs_f64() < budget_s {
        let begin = Instant::now();
        call();
        times.push(begin.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
