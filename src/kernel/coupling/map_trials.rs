//! Maps of single numbers for tests: results and gradients of lists of samples, by the kernels and by burn.

use super::map::CouplingMap;
use super::networks::Direction;
use crate::kernel::element::Element;
use crate::kernel::isa::{Isa, Scalar};
use crate::kernel::vector::{Kernel, Vector};
use burn::tensor::{DType, Device, Tensor, TensorData};

/// Samples of a map.
#[derive(Debug, Clone)]
pub struct Samples<T> {
    /// `[sample][parameter]`.
    pub parameters: Vec<T>,
    pub x: Vec<T>,
}

impl Samples<f64> {
    /// The same in single precision.
    pub fn single(&self) -> Samples<f32> {
        let single = |values: &[f64]| values.iter().map(|value| *value as f32).collect();
        Samples { parameters: single(&self.parameters), x: single(&self.x) }
    }
}

/// Images and log dets.
pub fn images<M: CouplingMap, T: Scalar>(
    isa: Isa,
    map: &M,
    direction: Direction,
    samples: &Samples<T>,
) -> [Vec<T>; 2] {
    T::dispatch(isa, Images { map, direction, samples })
}

/// Gradients by x, `[sample]`, and by parameters, `[sample][parameter]`, of sums with the weights `g` and `by_log_det` over the results.
pub fn gradients<M: CouplingMap, T: Scalar>(
    isa: Isa,
    map: &M,
    direction: Direction,
    samples: &Samples<T>,
    weights: [&[T]; 2],
) -> [Vec<T>; 2] {
    T::dispatch(isa, Gradients { map, direction, samples, weights })
}

/// Numbers `[sample][channel]` of the samples from `first` on as `[channel][lane]`; the last sample fills further lanes.
fn lanes<T: Copy>(from: &[T], channels: usize, first: usize, lanes: usize) -> Vec<T> {
    let last = from.len() / channels - 1;
    let at = |index: usize| from[(first + index % lanes).min(last) * channels + index / lanes];
    (0..channels * lanes).map(at).collect()
}

/// The way back of [`lanes`], behind what is there.
fn append<T: Copy>(to: &mut Vec<T>, from: &[T], channels: usize, lanes: usize, samples: usize) {
    for lane in 0..lanes.min(samples - to.len() / channels) {
        to.extend((0..channels).map(|channel| from[channel * lanes + lane]));
    }
}

struct Images<'a, M, T> {
    map: &'a M,
    direction: Direction,
    samples: &'a Samples<T>,
}

impl<M: CouplingMap, T: Element> Kernel for Images<'_, M, T> {
    type Elem = T;
    type Output = [Vec<T>; 2];
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = T>>(self) -> [Vec<T>; 2] {
        let Samples { parameters, x } = self.samples;
        let mut found = [Vec::new(), Vec::new()];
        for first in (0..x.len()).step_by(V::LANES) {
            let own = lanes(parameters, self.map.parameters(), first, V::LANES);
            let (mut image, mut log_det) = (lanes(x, 1, first, V::LANES), vec![T::default(); V::LANES]);
            self.map.apply::<V>(self.direction, &own, &mut image, &mut log_det);
            append(&mut found[0], &image, 1, V::LANES, x.len());
            append(&mut found[1], &log_det, 1, V::LANES, x.len());
        }
        found
    }
}

struct Gradients<'a, M, T> {
    map: &'a M,
    direction: Direction,
    samples: &'a Samples<T>,
    weights: [&'a [T]; 2],
}

impl<M: CouplingMap, T: Element> Kernel for Gradients<'_, M, T> {
    type Elem = T;
    type Output = [Vec<T>; 2];
    #[inline(always)]
    unsafe fn run<V: Vector<Elem = T>>(self) -> [Vec<T>; 2] {
        let (Samples { parameters, x }, count) = (self.samples, self.map.parameters());
        let mut found = [Vec::new(), Vec::new()];
        for first in (0..x.len()).step_by(V::LANES) {
            let own = lanes(parameters, count, first, V::LANES);
            let before = lanes(x, 1, first, V::LANES);
            let [mut g, by_log_det] = self.weights.map(|weights| lanes(weights, 1, first, V::LANES));
            // A map writes all of it.
            let mut by = vec![T::from_f64(f64::NAN); own.len()];
            self.map.gradient::<V>(self.direction, &own, &before, &by_log_det, &mut g, &mut by);
            append(&mut found[0], &g, 1, V::LANES, x.len());
            append(&mut found[1], &by, count, V::LANES, x.len());
        }
        found
    }
}

/// Images, log dets and both gradients by burn from the plain operations, in double precision.
pub fn plain<M: CouplingMap>(
    map: &M,
    direction: Direction,
    samples: &Samples<f64>,
    weights: [&[f64]; 2],
) -> [Vec<f64>; 4] {
    let device = Device::flex().autodiff();
    let (count, size) = (map.parameters(), samples.x.len());
    let on = |values: &[f64], shape: [usize; 3]| {
        let data = TensorData::new(values.to_vec(), shape).convert_dtype(DType::F64);
        Tensor::<3>::from_data(data, (&device, DType::F64))
    };
    let x = on(&samples.x, [size, 1, 1]).require_grad();
    let parameters = on(&samples.parameters, [size, count, 1]).require_grad();
    let (y, log_det) = map.plain_apply(direction, x.clone(), parameters.clone());
    let [by_y, by_log_det] = weights.map(|weights| on(weights, [size, 1, 1]));
    let grads = ((y.clone() * by_y) + (log_det.clone() * by_log_det)).sum().backward();
    let list = |tensor: Tensor<3>| tensor.into_data().iter::<f64>().collect();
    let [by_x, by_parameters] = [&x, &parameters].map(|input| input.grad(&grads).expect("tracked"));
    [list(y), list(log_det), list(by_x), list(by_parameters)]
}
