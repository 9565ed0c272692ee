//! What processes say to each other in a training step, without what they compute: `mpirun -n N` of this benchmark.

use flowqcd::comm::{Comm, Crew, FixedPointSum, Launched, Mpi, Task};
use flowqcd::spec::AdamSpec;
use flowqcd::stats::effective_sample_size;
use flowqcd::train::{Adam, Optimizer};
use std::rc::Rc;
use std::time::Instant;

const REPEATS: usize = 60;

/// Medians of the seconds of a part of a step.
struct Seconds {
    call: f64,
    answers: f64,
    sums: f64,
    alone: f64,
}

fn main() {
    let launched = Launched::here().unwrap_or(Launched { variable: "none", size: 1 });
    let mpi = Mpi::join(&launched, "", Default::default()).expect("started by mpirun");
    let (rank, ranks) = (mpi.rank(), mpi.size());
    let crew = Crew::of(Rc::new(mpi), Default::default());
    if rank == 0 {
        println!("ranks,parameters,batch,call_us,answers_us,sums_us,leader_us");
    }
    for parameters in [3_000, 30_000, 300_000] {
        for batch in [1024, 8192, 65_536] {
            let seconds = step(&crew, parameters, batch);
            if rank == 0 {
                let Seconds { call, answers, sums, alone } = seconds;
                let [call, answers, sums, alone] = [call, answers, sums, alone].map(|s| 1e6 * s);
                println!("{ranks},{parameters},{batch},{call:.0},{answers:.0},{sums:.0},{alone:.0}");
            }
        }
    }
}

fn step(crew: &Crew, parameters: usize, batch: usize) -> Seconds {
    let mut weights = vec![0.5f32; parameters];
    let own = vec![0.25f64; 2 * crew.share(batch, 1).len()];
    let gradient = vec![1e-3f64; parameters];
    let adam = Adam::new(&AdamSpec { learning_rate: 1e-3, beta_1: 0.9, beta_2: 0.999, epsilon: 1e-8 });
    let mut moments = adam.start(parameters);
    let mut times: [Vec<f64>; 4] = Default::default();
    for _ in 0..REPEATS {
        let call = timed(|| match crew.leads() {
            true => crew.call(Task::Step, || &weights),
            false => drop(crew.heed().job::<Vec<f32>>()),
        });
        let mut words = Vec::new();
        let before = timed(|| {
            let mut sum = FixedPointSum::new(parameters);
            sum.add(&gradient);
            words = sum.to_words();
        });
        let answers = timed(|| drop(crew.collect(Ok(own.clone())).expect("nobody fails")));
        let sums = timed(|| crew.sum(&mut words));
        let after = timed(|| {
            let total = FixedPointSum::from_words(&words).total();
            adam.update(&mut moments, 1e-3, &total, &mut weights);
            assert!(effective_sample_size(&vec![0.25; batch]) > 0.0);
        });
        for (times, time) in times.iter_mut().zip([call, answers, sums, before + after]) {
            times.push(time);
        }
    }
    let [call, answers, sums, alone] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[times.len() / 2]
    });
    Seconds { call, answers, sums, alone }
}

/// Seconds that something takes.
fn timed(run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_secs_f64()
}
