//! Moves of link angles between topological sectors, by charges that are drawn: a density that is a mixture.

use super::log_sum::log_sum;
use crate::kernel::gauge::Plaquettes;
use crate::lattice::Lattice;
use crate::rng::Stream;
use crate::spec::{SectorWeights, SectorsSpec};
use burn::tensor::{DType, Device, Int, Tensor, TensorData, activation};
use rand::RngExt;
use std::ops::Range;

/// The moves `θ → θ + k A` with probabilities `w_k`, k = -n, …, n, where A is a field of uniform flux and charge 1, that of
/// instanton updates ([`Plaquettes::add_flux`]).
///
/// They leave the measure as it is, so that of a density q they make `Σ_k w_k q(θ - k A)`. Learned probabilities are
/// `w_k = e^{a_|k|} / Σ_j e^{a_|j|}` with `a_0 = 0`: those of k and -k are the same, and the mixture of an even density is even.
#[derive(Debug)]
pub struct Sectors {
    spec: SectorsSpec,
    flux: Vec<f64>,
}

impl Sectors {
    /// The moves that a specification names.
    ///
    /// # Panics
    /// If the lattice has not two dimensions.
    pub fn new(spec: &SectorsSpec, lattice: Lattice) -> Self {
        let mut flux = vec![0.0; 2 * lattice.volume()];
        Plaquettes::new(lattice).add_flux(1.0, &mut flux);
        Self { spec: spec.clone(), flux }
    }

    /// Charges, zero among them.
    pub fn charges(&self) -> usize {
        self.spec.charges()
    }

    /// Name and shape of what is learned, if something is.
    pub fn parameter_shapes(&self) -> Vec<(String, Vec<usize>)> {
        let count = self.spec.parameters();
        if count > 0 { vec![("sectors.logits".into(), vec![count])] } else { Vec::new() }
    }

    /// What tells apart densities with the same parameters.
    pub fn id(&self) -> String {
        format!("{:?}", self.spec)
    }

    /// `ln w_k` before it is normalised by |k|, from what is learned.
    fn logits(&self, learned: &[f64]) -> Vec<f64> {
        let others = match self.spec.weights {
            SectorWeights::Uniform => vec![0.0; self.spec.largest],
            SectorWeights::Fixed(fixed) => {
                let odds = fixed.moving / (1.0 - fixed.moving);
                vec![(odds / (2 * self.spec.largest) as f64).ln(); self.spec.largest]
            }
            SectorWeights::Learned(_) => learned.to_vec(),
        };
        [vec![0.0], others].concat()
    }

    /// The moves on a device; `learned` is what they know of the parameters, with a gradient or without.
    pub fn bind(
        &self,
        learned: &[f64],
        parameters: Option<Tensor<1>>,
        on: (&Device, DType),
    ) -> BoundSectors<'_> {
        let tensor = |values: Vec<f64>| {
            let count = values.len();
            Tensor::<1>::from_data(TensorData::new(values, [count]).convert_dtype(on.1), on)
        };
        let logits = self.logits(learned);
        let most = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights: Vec<f64> =
            self.each().map(|k| (logits[k.unsigned_abs() as usize] - most).exp()).collect();
        let sum = weights.iter().sum::<f64>();
        BoundSectors {
            sectors: self,
            weights: weights.into_iter().map(|weight| weight / sum).collect(),
            fixed: tensor(logits),
            parameters,
            flux: tensor(self.flux.clone()).reshape([1, 2, -1]),
        }
    }

    /// All charges.
    fn each(&self) -> std::ops::RangeInclusive<i64> {
        let largest = self.spec.largest as i64;
        -largest..=largest
    }
}

/// Moves on a device.
#[derive(Debug, Clone)]
pub struct BoundSectors<'a> {
    sectors: &'a Sectors,
    /// Probabilities of all charges.
    weights: Vec<f64>,
    /// Logits by |k|.
    fixed: Tensor<1>,
    /// What is learned of them.
    parameters: Option<Tensor<1>>,
    /// A, `[1, μ, site]`.
    flux: Tensor<3>,
}

impl BoundSectors<'_> {
    /// What is learned, if something is.
    pub fn parameters(&self) -> Option<&Tensor<1>> {
        self.parameters.as_ref()
    }

    /// The same moves, whose parameters have no gradients.
    pub fn at_fixed_parameters(&self) -> Self {
        Self { parameters: None, ..self.clone() }
    }

    /// Charges that a stream's items draw, from a stream of their own.
    pub fn draw(&self, draws: &Stream, items: Range<u64>) -> Vec<i64> {
        let coins = draws.beside("sector");
        items.map(|item| self.drawn(coins.item(item).random::<f64>())).collect()
    }

    /// The charge at a place of [0, 1), which the probabilities divide.
    fn drawn(&self, place: f64) -> i64 {
        let mut end = 0.0;
        let ends = self.weights.iter().map(|weight| {
            end += weight;
            end
        });
        let index = ends.take_while(|end| *end <= place).count().min(self.weights.len() - 1);
        index as i64 - self.sectors.spec.largest as i64
    }

    /// `∂ ln w_k / ∂a`, one after the other for all charges of a batch.
    pub fn scores(&self, charges: &[i64]) -> Vec<f64> {
        let largest = self.sectors.spec.parameters();
        let of = |k: i64| {
            let weight = |j: usize| self.weights[self.sectors.spec.largest + j];
            (1..=largest).map(move |j| f64::from(k.unsigned_abs() == j as u64) - 2.0 * weight(j))
        };
        charges.iter().flat_map(|&k| of(k)).collect()
    }

    /// `θ + k A`.
    ///
    /// # Shapes
    /// `[batch, μ, site]`
    pub fn moved(&self, theta: Tensor<3>, charges: &[i64]) -> Tensor<3> {
        let values: Vec<f64> = charges.iter().map(|&k| k as f64).collect();
        let data = TensorData::new(values, [charges.len(), 1, 1]).convert_dtype(theta.dtype());
        let charges = Tensor::<3>::from_data(data, (&theta.device(), theta.dtype()));
        theta + charges * self.flux.clone()
    }

    /// `ln Σ_k w_k q(θ - k A)`, from `ln q` of other configurations.
    ///
    /// # Shapes
    /// `[batch, μ, site]` → `[batch]`
    pub fn log_density(&self, theta: Tensor<3>, log_q: impl Fn(Tensor<3>) -> Tensor<1>) -> Tensor<1> {
        let batch = theta.dims()[0];
        let term = |k: i64| {
            let log_q = log_q(self.moved(theta.clone(), &vec![-k; batch]));
            self.log_weights(&vec![k; batch]) + log_q
        };
        // A charge and its opposite first, so that the sum does not depend on which is which.
        let pairs = (1..=self.sectors.spec.largest as i64).map(|k| log_sum(term(k), term(-k), 0.0));
        pairs.fold(term(0), |sum, pair| log_sum(sum, pair, 0.0))
    }

    /// The same at `θ + k A` with a charge for each configuration, where `ln q(θ)` is known.
    ///
    /// # Shapes
    /// As [`Self::log_density`]; `own`: `[batch]`
    pub fn log_density_of_moved(
        &self,
        (moved, charges): (Tensor<3>, &[i64]),
        own: Tensor<1>,
        log_q: impl Fn(Tensor<3>) -> Tensor<1>,
    ) -> Tensor<1> {
        let (largest, count) = (self.sectors.spec.largest as i64, self.sectors.charges() as i64);
        (1..count).fold(self.log_weights(charges) + own, |sum, step| {
            // All other charges of every configuration in turn.
            let others: Vec<i64> =
                charges.iter().map(|k| (k + largest + step).rem_euclid(count) - largest).collect();
            let back: Vec<i64> = others.iter().map(|k| -k).collect();
            log_sum(sum, self.log_weights(&others) + log_q(self.moved(moved.clone(), &back)), 0.0)
        })
    }

    /// `ln w_k` of a charge for each configuration.
    fn log_weights(&self, charges: &[i64]) -> Tensor<1> {
        let logits = match &self.parameters {
            Some(parameters) => Tensor::cat(vec![self.fixed.clone().narrow(0, 0, 1), parameters.clone()], 0),
            None => self.fixed.clone(),
        };
        let places = |charges: &mut dyn Iterator<Item = i64>| {
            let places: Vec<i64> = charges.collect();
            let count = places.len();
            Tensor::<1, Int>::from_data(TensorData::new(places, [count]), &logits.device())
        };
        let largest = self.sectors.spec.largest as i64;
        let all = logits.clone().select(0, places(&mut self.sectors.each().map(i64::abs)));
        let log_weights = activation::log_softmax(all, 0);
        log_weights.select(0, places(&mut charges.iter().map(|k| k + largest)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;
    use crate::spec::{FixedWeights, LearnedWeights};

    const LATTICE: [usize; 2] = [4, 6];

    fn sectors(largest: usize, weights: SectorWeights) -> Sectors {
        Sectors::new(&SectorsSpec { largest, weights }, Lattice::new(LATTICE))
    }

    /// Moves with their probabilities: the same, a fixed share of moved ones, and learned ones that are not the same.
    fn cases() -> Vec<(Sectors, Vec<f64>, Vec<f64>)> {
        let fixed = SectorWeights::Fixed(FixedWeights { moving: 0.2 });
        let learned = SectorWeights::Learned(LearnedWeights {});
        let ([a, b], one) = ([0.5f64, -1.0], 1.0);
        let sum = one + 2.0 * (a.exp() + b.exp());
        let [near, far] = [a, b].map(|logit| logit.exp() / sum);
        vec![
            (sectors(1, SectorWeights::Uniform), vec![], vec![one / 3.0; 3]),
            (sectors(2, fixed), vec![], vec![0.05, 0.05, 0.8, 0.05, 0.05]),
            (sectors(2, learned), vec![a, b], vec![far, near, one / sum, near, far]),
        ]
    }

    fn bound<'a>(sectors: &'a Sectors, learned: &[f64]) -> BoundSectors<'a> {
        let device = Device::flex();
        let data = TensorData::new(learned.to_vec(), [learned.len()]);
        let parameters = (!learned.is_empty()).then(|| Tensor::from_data(data, (&device, DType::F64)));
        sectors.bind(learned, parameters, (&device, DType::F64))
    }

    fn list<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
        tensor.into_data().iter::<f64>().collect()
    }

    #[test]
    fn probabilities_are_those_that_were_asked_for_and_those_that_are_drawn() {
        for (sectors, learned, expected) in cases() {
            let (bound, largest) = (bound(&sectors, &learned), sectors.spec.largest as i64);
            let logs = list(bound.log_weights(&sectors.each().collect::<Vec<i64>>()));
            for ((log, weight), expected) in logs.iter().zip(&bound.weights).zip(&expected) {
                assert!((log.exp() - expected).abs() < 1e-14 && (weight - expected).abs() < 1e-14);
            }
            let stream = Seed(3).stream("draws");
            let all = bound.draw(&stream, 0..20_000);
            assert_eq!(all[70..90], bound.draw(&stream, 70..90));
            for (k, expected) in sectors.each().zip(expected) {
                let share = all.iter().filter(|drawn| **drawn == k).count() as f64 / all.len() as f64;
                let error = (expected * (1.0 - expected) / all.len() as f64).sqrt();
                assert!((share - expected).abs() < 5.0 * error, "{k}: {share}, not {expected}");
            }
            assert_eq!([0.0, 1.0f64.next_down()].map(|place| bound.drawn(place)), [-largest, largest]);
        }
    }

    /// By differences of `ln w` in double precision; their mean vanishes, as that of every score.
    #[test]
    fn scores_are_derivatives_of_logarithms_of_probabilities() {
        let (sectors, learned, weights) = cases().pop().expect("learned ones");
        let charges: Vec<i64> = sectors.each().collect();
        let scores = bound(&sectors, &learned).scores(&charges);
        for parameter in 0..2 {
            let at = |step: f64| {
                let mut moved = learned.clone();
                moved[parameter] += step;
                list(bound(&sectors, &moved).log_weights(&charges))
            };
            let (up, down) = (at(1e-5), at(-1e-5));
            let own = || scores.iter().skip(parameter).step_by(2);
            for ((up, down), score) in up.iter().zip(&down).zip(own()) {
                assert!(((up - down) / 2e-5 - score).abs() < 1e-9, "{score}");
            }
            let mean = own().zip(&weights).map(|(score, weight)| score * weight).sum::<f64>();
            assert!(mean.abs() < 1e-14, "{mean}");
        }
    }

    #[test]
    fn moves_change_every_plaquette_alike_and_charges_by_as_much() {
        let (sectors, lattice) = (sectors(2, SectorWeights::Uniform), Lattice::new(LATTICE));
        let volume = lattice.volume();
        let smooth: Vec<f64> =
            Seed(5).stream("field").normals(0, 5, 2 * volume).iter().map(|n| 0.2 * f64::from(*n)).collect();
        let charges: Vec<i64> = sectors.each().collect();
        let data = TensorData::new(smooth.clone(), [5, 2, volume]);
        let theta = Tensor::<3>::from_data(data, (&Device::flex(), DType::F64));
        let moved = list(bound(&sectors, &[]).moved(theta, &charges));
        let plaquettes = Plaquettes::new(lattice);
        for ((before, after), k) in smooth.chunks(2 * volume).zip(moved.chunks(2 * volume)).zip(charges) {
            let [old, new] = [before, after].map(|field| {
                let mut found = vec![0.0; volume];
                plaquettes.angles(field, &mut found);
                found
            });
            let flux = 2.0 * std::f64::consts::PI * k as f64 / volume as f64;
            let is_uniform =
                |(new, old): (&f64, &f64)| crate::kernel::gauge::reduced(new - old - flux).abs() < 1e-12;
            assert!(new.iter().zip(&old).all(is_uniform), "k = {k}");
            let change = plaquettes.charge(after) - plaquettes.charge(before);
            assert!((change - k as f64).abs() < 1e-12, "{change} is not {k}");
        }
    }
}
