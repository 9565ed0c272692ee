//! Chains without a flow: force updates of HMC, whole trajectories, and the accept-reject step of independence Metropolis.
//!
//! usage: cargo bench --bench chains

use flowqcd::lattice::Lattice;
use flowqcd::rng::Seed;
use flowqcd::sample::metropolis::{Proposed, Walkers};
use flowqcd::sample::{Chains, Watch};
use flowqcd::spec::{HmcSpec, Integrator};
use flowqcd::theory::Theory;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EXTENTS: [usize; 5] = [8, 16, 32, 64, 128];

fn main() {
    forces();
    trajectories();
    proposals();
}

/// One core: `p += ε F`, then `φ += ε p`, on a tile of chains.
fn forces() {
    println!("force and field updates, one core, chains side by side, double precision");
    println!(
        "{:>4} {:>12} {:>16} {:>10} {:>12}",
        "L", "tile/KiB", "site updates/s", "GFLOP/s", "loads, GB/s"
    );
    for extent in EXTENTS {
        let dynamics = Theory::phi4(Lattice::new([extent, extent]), -4.0, 1.5).dynamics;
        let numbers = extent * extent * dynamics.chains();
        let (mut field, mut momenta) = (vec![0.1; numbers], vec![0.2; numbers]);
        let repeats = (20_000_000 / numbers).max(10);
        let seconds = median_seconds(|| {
            for _ in 0..repeats {
                dynamics.kick(&field, 1e-6, &mut momenta);
                dynamics.drift(&mut field, 1e-6, &momenta);
            }
        });
        let rate = (repeats * numbers) as f64 / seconds;
        // Kick: the site, four neighbours and the momentum; drift: field and momentum.
        let bytes = 8.0 * 8.0 * rate;
        println!(
            "{extent:>4} {:>12.0} {rate:>16.3e} {:>10.1} {:>12.0}",
            2.0 * 8.0 * numbers as f64 / 1024.0,
            12.0 * rate / 1e9,
            bytes / 1e9
        );
    }
}

/// All cores: whole trajectories with fresh momenta, accept-reject and measurement.
fn trajectories() {
    println!("\nHMC, all cores, 64 chains, 10 steps (Omelyan), measured after each trajectory");
    println!("{:>4} {:>16} {:>16}", "L", "trajectories/s", "site updates/s");
    for extent in &EXTENTS[..4] {
        let theory = Theory::phi4(Lattice::new([*extent, *extent]), -4.0, 1.5);
        let spec = HmcSpec {
            trajectories: (2_000_000 / (extent * extent * 64)).max(4) as u64,
            thermalization: 0,
            chains: 64,
            trajectory_length: 1.0,
            length_spread: 0.0,
            save_every: None,
            instanton_every: None,
            fermions: None,
            gauge_steps: None,
            steps: 10,
            integrator: Integrator::Omelyan,
            tune: false,
            target_acceptance: 0.8,
        };
        let mut flops = 0.0;
        let seconds = median_seconds(|| {
            let run = Chains::hmc(&theory, &spec, Seed(1), None).run(None, Watch::NOBODY);
            flops = run.expect("nothing interrupts a benchmark").cost.flops_per_configuration;
        });
        let rate = (spec.trajectories * 64) as f64 / seconds;
        let forces = flops / theory.dynamics.force_flops();
        println!("{extent:>4} {rate:>16.0} {:>16.3e}", rate * forces * (extent * extent) as f64);
    }
}

/// One core: the loop that runs use, with given weights and the 13 measurements of a 8 x 8 field.
fn proposals() {
    let n = 2_000_000;
    println!("\nindependence Metropolis, one core, {n} proposals with given weights, measurements recorded");
    let width = Theory::phi4(Lattice::new([8, 8]), -4.0, 1.5).observables.width();
    let rows = vec![0.5; n * width];
    for spread in [0.5f64, 1.0, 2.0] {
        let normals = Seed(1).stream("weights").normals(0, n / 1000, 1000);
        let log_weights: Vec<f64> = normals.iter().map(|&v| spread * f64::from(v)).collect();
        let stream = Seed(1).stream("accept");
        let mut acceptance = 0.0;
        let seconds = median_seconds(|| {
            let mut walkers = Walkers::new(1, width, false);
            // As many at once as a batch from a model.
            for (log_weights, rows) in log_weights.chunks(1024).zip(rows.chunks(1024 * width)) {
                walkers.judge(Proposed { log_weights, rows, fields: &[] }, &stream);
            }
            acceptance = walkers.acceptance();
        });
        println!(
            "log-normal weights, spread {spread}: {:.3e} proposals/s (acceptance {acceptance:.2})",
            n as f64 / seconds
        );
    }
}

/// Median of five calls after one to warm up.
fn median_seconds(mut call: impl FnMut()) -> f64 {
    call();
    let mut times: Vec<f64> = (0..5)
        .map(|_| {
            let start = Instant::now();
            call();
            start.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
