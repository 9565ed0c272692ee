//! The determinant of the Wilson operator and its gradient, one core, beside the dense matrix; or on a GPU, beside the host.
//!
//! usage: cargo bench --bench determinant [-- FOLDER | --device D]
//!
//! With a folder, fields and results are left there for `benches/determinant.py`. With a device, actions of a batch and their gradients
//! by links that are there: from the host in double precision with all cores, as a training step waits for them, and from the device in
//! single precision; and how far these are apart.

use burn::tensor::{Device, Tensor, TensorData};
use flowqcd::device::{self, ComputeDevice};
use flowqcd::kernel::gauge::GaugeAction;
use flowqcd::kernel::wilson::{Wilson, reference::dense};
use flowqcd::lattice::Lattice;
use flowqcd::rng::Seed;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

const EXTENTS: [[usize; 2]; 9] =
    [[4, 4], [8, 8], [16, 8], [32, 8], [8, 16], [16, 16], [32, 16], [32, 32], [48, 48]];

const KAPPA: f64 = 0.25;

/// Extents and batches on a device.
const ON_DEVICE: [([usize; 2], usize); 6] =
    [([8, 8], 256), ([8, 8], 1024), ([8, 8], 8192), ([16, 16], 256), ([16, 16], 1024), ([32, 32], 256)];

fn main() {
    let words: Vec<String> = std::env::args().collect();
    if let Some(place) = words.iter().position(|word| word == "--device") {
        let device = ComputeDevice::select(&words[place + 1]).unwrap_or_else(|error| panic!("{error}"));
        return beside_host(&device, words.iter().any(|word| word == "--short"));
    }
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

/// One line for each lattice and batch; a short table leaves out all but the first of a lattice of 8 x 8 and 16 x 16, for devices that are
/// none.
fn beside_host(device: &ComputeDevice, short: bool) {
    println!(
        "actions and gradients, kappa = {KAPPA}; {}, and the host in double precision on {} threads",
        device.name(),
        device::threads()
    );
    println!(
        "{:>8} {:>6} {:>12} {:>12} {:>12} {:>12} {:>8} {:>12} {:>12}",
        "T x X",
        "batch",
        "host/ms",
        "device/ms",
        "host values",
        "device val.",
        "ratio",
        "off",
        "gradient off"
    );
    for (extents, batch) in ON_DEVICE {
        if short && (extents[0] > 16 || batch > 256) {
            continue;
        }
        let lattice = Lattice::new(extents);
        let action = Arc::new(GaugeAction::new(lattice, 2.0, Some(Wilson::new(lattice, KAPPA, true))));
        let normals = Seed(1).stream("field").normals(0, batch, 2 * lattice.volume());
        let links: Vec<f32> = normals.into_iter().map(|angle| 0.5 * angle).collect();
        let links = TensorData::new(links, [batch, 2, lattice.volume()]);
        let both = |action: &dyn Fn(Tensor<3>) -> Tensor<1>| {
            let field = Tensor::<3>::from_data(links.clone(), &device.autodiff()).require_grad();
            let actions = action(field.clone());
            let gradient = field.grad(&actions.clone().sum().backward()).expect("it is tracked");
            [actions.into_data(), gradient.into_data()].map(|data| data.iter::<f64>().collect::<Vec<f64>>())
        };
        let (of_host, of_device) =
            (|angles: Tensor<3>| action.action(angles), |angles: Tensor<3>| action.action_on_device(angles));
        let (exact, found) = (both(&of_host), both(&of_device));
        let off = |index: usize| {
            let pairs = found[index].iter().zip(&exact[index]);
            pairs.map(|(found, exact)| (found - exact).abs()).fold(0.0, f64::max)
        };
        let [host, on_device] = [&of_host as &dyn Fn(Tensor<3>) -> Tensor<1>, &of_device]
            .map(|action| milliseconds(&device.autodiff(), &links, action));
        let [host_values, device_values] = [&of_host as &dyn Fn(Tensor<3>) -> Tensor<1>, &of_device]
            .map(|action| milliseconds(&device.plain(), &links, action));
        println!(
            "{:>8} {batch:>6} {host:>12.3} {on_device:>12.3} {host_values:>12.3} {device_values:>12.3} {:>8.2} {:>12.1e} {:>12.1e}",
            format!("{} x {}", extents[0], extents[1]),
            host / on_device,
            off(0),
            off(1)
        );
    }
}

/// The fastest of several calls that leave everything on the device; with gradients where it tracks them.
fn milliseconds(device: &Device, links: &TensorData, action: &dyn Fn(Tensor<3>) -> Tensor<1>) -> f64 {
    let field = Tensor::<3>::from_data(links.clone(), device);
    let field = if device.is_autodiff() { field.require_grad() } else { field };
    let call = || {
        let start = Instant::now();
        let actions = action(field.clone());
        if device.is_autodiff() {
            black_box(field.grad(&actions.sum().backward()));
        } else {
            black_box(actions);
        }
        device.clone().inner().sync().expect("the device computes");
        1e3 * start.elapsed().as_secs_f64()
    };
    call();
    (0..7).map(|_| call()).fold(f64::INFINITY, f64::min)
}
