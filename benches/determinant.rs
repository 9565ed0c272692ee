//! The determinant of the Wilson operator and its gradient, one core, beside the dense matrix.
//!
//! usage: cargo bench --bench determinant [-- FOLDER]
//!
//! With a folder, fields and results are left there for `benches/determinant.py`.

use flowqcd::kernel::wilson::{Wilson, reference::dense};
use flowqcd::lattice::Lattice;
use flowqcd::rng::Seed;
use std::hint::black_box;
use std::time::Instant;

const EXTENTS: [[usize; 2]; 9] =
    [[4, 4], [8, 8], [16, 8], [32, 8], [8, 16], [16, 16], [32, 16], [32, 32], [48, 48]];

const KAPPA: f64 = 0.25;

fn main() {
    let folder = std::env::args().nth(1).filter(|argument| !argument.starts_with('-'));
    println!("Wilson determinant and gradient, kappa = {KAPPA}, one core, double precision");
    println!(
        "{:>8} {:>14} {:>14} {:>10} {:>14} {:>14}",
        "T x X", "det/us", "gradient/us", "GFLOP/s", "dense det/us", "us / (T X^3)"
    );
    for extents in EXTENTS {
        let lattice = Lattice::new(extents);
        let wilson = Wilson::new(lattice, KAPPA, true);
        let normals = Seed(1).stream("field").normals(0, 2, lattice.volume());
        let angles: Vec<f64> = normals.into_iter().map(|angle| 0.5 * f64::from(angle)).collect();
        let (mut work, mut gradient) = (wilson.workspace(), vec![0.0; angles.len()]);
        let det = seconds(|| {
            black_box(wilson.determinant(&angles, &mut work));
        });
        let both = seconds(|| {
            black_box(wilson.gradient(&angles, 1.0, &mut work, &mut gradient));
        });
        let by_lu = (lattice.volume() <= 256).then(|| {
            seconds(|| {
                black_box(dense(lattice, &angles, KAPPA, true).determinant());
            })
        });
        let [times, space] = extents.map(|extent| extent as f64);
        println!(
            "{:>8} {:>14.1} {:>14.1} {:>10.1} {:>14} {:>14.4}",
            format!("{times} x {space}"),
            1e6 * det,
            1e6 * both,
            wilson.gradient_flops() / both / 1e9,
            by_lu.map_or("-".into(), |seconds| format!("{:.0}", 1e6 * seconds)),
            1e6 * both / (times * space.powi(3)),
        );
        if let Some(folder) = &folder {
            gradient.fill(0.0);
            let found = wilson.gradient(&angles, 1.0, &mut work, &mut gradient);
            let numbers: Vec<f64> = [&[found.log_abs, both][..], &angles, &gradient].concat();
            let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            std::fs::write(format!("{folder}/{times}x{space}.f64"), bytes)
                .expect("the folder can be written to");
        }
    }
}

/// The fastest of several rounds.
fn seconds(mut work: impl FnMut()) -> f64 {
    let start = Instant::now();
    work();
    let repeats = (0.02 / start.elapsed().as_secs_f64()).ceil().max(1.0) as usize;
    let mut round = || {
        let start = Instant::now();
        (0..repeats).for_each(|_| work());
        start.elapsed().as_secs_f64() / repeats as f64
    };
    (0..7).map(|_| round()).fold(f64::INFINITY, f64::min)
}
