//! A layer in momentum space, which makes independent normals a Gaussian field with a spectrum that is learned.

use super::Bijection;
use super::spectrum::Spectrum;
use crate::kernel::Hartley;
use crate::lattice::Lattice;
use crate::rng::Stream;
use burn::tensor::Tensor;
use std::sync::Arc;

/// `φ(k) → σ_k φ(k)` with a spectrum σ that is even in every component of k.
///
/// - inverse: `φ(k) → φ(k)/σ_k`
/// - log det: `Σ_k ln σ_k` for each component of the field
///
/// A real transform takes the place of the Fourier transform, because σ is the same for k and -k. Source: A22, App. A.
#[derive(Debug)]
pub struct MomentumScaling {
    transform: Arc<Hartley>,
    spectrum: Spectrum,
}

impl MomentumScaling {
    /// With a spectrum of the same lattice.
    pub fn new(lattice: Lattice, spectrum: Spectrum) -> Self {
        Self { transform: Arc::new(Hartley::new(lattice)), spectrum }
    }

    /// The field with momentum k times `e^{factors_k}`, and the log det.
    fn scaled(&self, x: Tensor<3>, factors: Tensor<1>) -> (Tensor<3>, Tensor<1>) {
        let [batch, components, volume] = x.dims();
        let waves = self.transform.transform(x);
        let log_det = factors.clone().sum() * components as f64;
        let y = self.transform.transform(waves * factors.exp().reshape([1, 1, volume]));
        (y, log_det.expand([batch]))
    }
}

impl Bijection for MomentumScaling {
    fn parameter_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let (name, count) = self.spectrum.parameters();
        vec![(format!("base.{name}"), vec![count])]
    }

    fn initial_parameters(&self, _: &Stream) -> Vec<f32> {
        self.spectrum.initial()
    }

    /// None: there is no convolution.
    fn multiply_adds(&self) -> u64 {
        0
    }

    fn activations(&self) -> usize {
        // The waves before and after, and the field.
        3 * self.transform.lattice().volume()
    }

    fn working(&self) -> usize {
        3 * self.transform.lattice().volume()
    }

    fn forward_and_log_det(&self, x: Tensor<3>, parameters: Tensor<1>) -> (Tensor<3>, Tensor<1>) {
        self.scaled(x, self.spectrum.log_sigma(parameters))
    }

    fn inverse_and_log_det(&self, y: Tensor<3>, parameters: Tensor<1>) -> (Tensor<3>, Tensor<1>) {
        self.scaled(y, -self.spectrum.log_sigma(parameters))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::{Flow, UnitNormal};
    use crate::rng::Seed;
    use crate::spec::{BaseSpec, FreeFieldSpec};
    use burn::tensor::Device;
    use std::f64::consts::PI;

    const MASS_SQUARED: f64 = 0.7;

    /// The layer alone, as a free field and with one number for each class of momenta, on lattices of one to four dimensions with
    /// even and odd extents.
    fn flows() -> Vec<Flow> {
        let lattices: [&[usize]; 7] = [&[6], &[7], &[4, 6], &[5, 4], &[3, 4, 2], &[2, 3, 2, 4], &[4, 4, 4]];
        let free = FreeFieldSpec { mass_squared: MASS_SQUARED };
        let bases = [BaseSpec::FreeField(free.clone()), BaseSpec::LearnedSpectrum(free)];
        let flow = |(lattice, base): (Lattice, &BaseSpec)| {
            let spectrum = Spectrum::new(base, &lattice).expect("it is not a unit normal");
            let layer = Box::new(MomentumScaling::new(lattice, spectrum));
            Flow::from_parts(lattice, Arc::new(UnitNormal::new(lattice, 1)), vec![layer])
        };
        lattices.iter().flat_map(|l| bases.iter().map(move |b| flow((Lattice::new(l), b)))).collect()
    }

    fn list<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
        tensor.into_data().iter::<f64>().collect()
    }

    /// `(1/V) Σ_k cos(k·x) / (μ + k̂²)`, and `-½ Σ_k ln(μ + k̂²)`.
    fn propagator(lattice: &Lattice, site: usize) -> f64 {
        let at = lattice.coordinates(site);
        let wave = |k: usize| {
            let n = lattice.coordinates(k);
            let turns =
                lattice.extents().iter().enumerate().map(|(mu, &l)| n[mu] as f64 * at[mu] as f64 / l as f64);
            (2.0 * PI * turns.sum::<f64>()).cos() / (MASS_SQUARED + lattice.momentum_squared(k))
        };
        (0..lattice.volume()).map(wave).sum::<f64>() / lattice.volume() as f64
    }

    /// The map A of unit normals has A Aᵀ for its covariance; A is taken from its action on every site. Initial parameters are in
    /// single precision, which bounds how well σ is known.
    #[test]
    fn the_covariance_is_the_propagator_and_the_log_det_its_half() {
        for flow in flows() {
            let lattice = flow.lattice();
            let volume = lattice.volume();
            let parameters: Vec<f64> = flow.initial_parameters(Seed(1)).into_iter().map(f64::from).collect();
            let bound = flow.bind(&parameters, &Device::flex());
            let units =
                (0..volume * volume).map(|place| f64::from(u8::from(place / volume == place % volume)));
            let (columns, log_det) = bound.forward_and_log_det(bound.field(units.collect::<Vec<f64>>()));
            let columns = list(columns);
            let covariance = |x: usize, y: usize| -> f64 {
                (0..volume).map(|z| columns[z * volume + x] * columns[z * volume + y]).sum()
            };
            for x in 0..volume {
                let from_origin = lattice.coordinates(x).map(|step| step as isize);
                for origin in [0, volume / 2] {
                    let y = lattice.shifted(origin, &from_origin);
                    let (found, expected) = (covariance(origin, y), propagator(&lattice, x));
                    assert!((found - expected).abs() < 1e-7, "{found} is not {expected} on {lattice:?}");
                }
            }
            let logs = (0..volume).map(|k| (MASS_SQUARED + lattice.momentum_squared(k)).ln());
            let expected = -0.5 * logs.sum::<f64>();
            let rounding = 1e-7 * volume as f64;
            assert!(list(log_det).iter().all(|found| (found - expected).abs() < rounding), "{lattice:?}");
        }
    }

    #[test]
    fn the_inverse_undoes_the_layer() {
        for flow in flows() {
            let parameters: Vec<f64> = flow.initial_parameters(Seed(1)).into_iter().map(f64::from).collect();
            let bound = flow.bind(&parameters, &Device::flex());
            let volume = flow.lattice().volume();
            let z: Vec<f64> = Seed(2).stream("z").normals(0, 3, volume).into_iter().map(f64::from).collect();
            let (phi, log_det) = bound.forward_and_log_det(bound.field(z.clone()));
            let (back, inverse_log_det) = bound.inverse_and_log_det(phi);
            assert!(list(back).iter().zip(&z).all(|(a, b)| (a - b).abs() < 1e-13));
            assert!(list(log_det + inverse_log_det).iter().all(|sum| sum.abs() < 1e-13));
        }
    }

    /// `⟨|φ(k)|²⟩/V` of draws in single precision against `1/(μ + k̂²)`, within five standard errors.
    #[test]
    fn draws_have_the_spectrum_of_the_free_field() {
        const DRAWS: usize = 4096;
        for flow in flows() {
            let lattice = flow.lattice();
            let parameters = flow.initial_parameters(Seed(1));
            let bound = flow.bind(&parameters, &Device::flex());
            let z = flow.base().draw(&Seed(5).stream("z"), 0, DRAWS);
            let (phi, _) = bound.sample_and_log_prob(bound.field(z));
            let waves = list(Arc::new(Hartley::new(lattice)).transform(phi));
            for momentum in 0..lattice.volume() {
                let squares = waves.iter().skip(momentum).step_by(lattice.volume()).map(|wave| wave * wave);
                let found = squares.sum::<f64>() / DRAWS as f64;
                let expected = 1.0 / (MASS_SQUARED + lattice.momentum_squared(momentum));
                // A square of a normal has twice its variance squared.
                let error = expected * (2.0 / DRAWS as f64).sqrt();
                assert!((found - expected).abs() < 5.0 * error, "{found} is not {expected} on {lattice:?}");
            }
        }
    }
}
