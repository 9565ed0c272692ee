//! Spectra of Gaussian fields: how wide each momentum fluctuates, as a function of what is learned.

use crate::lattice::Lattice;
use crate::spec::{BaseSpec, FreeFieldSpec};
use burn::tensor::{Int, Tensor, TensorData};
use std::collections::HashMap;

/// `ln σ_k` of every momentum, and its parameters.
#[derive(Debug, Clone, PartialEq)]
pub enum Spectrum {
    /// `σ_k² = 1/(μ + k̂²)` with `μ = e^θ`; the one parameter θ does not depend on the lattice. Source: A22, eq. (A2).
    FreeField {
        /// `k̂² = 2d - 2 Σ_ν cos k_ν` of every momentum.
        momenta_squared: Vec<f64>,
        /// μ before training.
        mass_squared: f64,
    },
    /// `ln σ_k = θ_c`, one parameter for each class c of momenta that reflections of the lattice and permutations of its equal
    /// extents make one. The parameters are those of one lattice.
    PerClass {
        /// Class of every momentum.
        classes: Vec<usize>,
        /// `k̂²` of every class.
        momenta_squared: Vec<f64>,
        /// μ of the free field that training starts from.
        mass_squared: f64,
    },
}

impl Spectrum {
    /// The spectrum that a specification names; none where every number is a unit normal.
    pub fn new(spec: &BaseSpec, lattice: &Lattice) -> Option<Self> {
        match spec {
            BaseSpec::UnitNormal => None,
            BaseSpec::FreeField(free) => Some(Self::free_field(free, lattice)),
            BaseSpec::LearnedSpectrum(free) => Some(Self::per_class(free, lattice)),
        }
    }

    fn free_field(free: &FreeFieldSpec, lattice: &Lattice) -> Self {
        let momenta_squared = (0..lattice.volume()).map(|k| lattice.momentum_squared(k)).collect();
        Self::FreeField { momenta_squared, mass_squared: free.mass_squared }
    }

    fn per_class(free: &FreeFieldSpec, lattice: &Lattice) -> Self {
        let (mut numbers, mut momenta_squared) = (HashMap::new(), Vec::new());
        let mut class_of = |momentum: usize| {
            *numbers.entry(representative(lattice, momentum)).or_insert_with(|| {
                momenta_squared.push(lattice.momentum_squared(momentum));
                momenta_squared.len() - 1
            })
        };
        let classes = (0..lattice.volume()).map(&mut class_of).collect();
        Self::PerClass { classes, momenta_squared, mass_squared: free.mass_squared }
    }

    /// Name and length of its parameters.
    pub fn parameters(&self) -> (&'static str, usize) {
        match self {
            Self::FreeField { .. } => ("log_mass_squared", 1),
            Self::PerClass { momenta_squared, .. } => ("log_sigma", momenta_squared.len()),
        }
    }

    /// Its parameters before training: those of the free field.
    pub fn initial(&self) -> Vec<f32> {
        match self {
            Self::FreeField { mass_squared, .. } => vec![mass_squared.ln() as f32],
            Self::PerClass { momenta_squared, mass_squared, .. } => {
                momenta_squared.iter().map(|k| (-0.5 * (mass_squared + k).ln()) as f32).collect()
            }
        }
    }

    /// `ln σ_k` of every momentum.
    ///
    /// # Shapes
    /// `[parameters]` → `[momentum]`
    pub fn log_sigma(&self, parameters: Tensor<1>) -> Tensor<1> {
        match self {
            Self::FreeField { momenta_squared, .. } => {
                let data = TensorData::new(momenta_squared.clone(), [momenta_squared.len()]);
                let on = (&parameters.device(), parameters.dtype());
                let momenta_squared = Tensor::<1>::from_data(data.convert_dtype(on.1), on);
                (parameters.exp() + momenta_squared).log() * -0.5
            }
            Self::PerClass { classes, .. } => {
                let places: Vec<i64> = classes.iter().map(|&class| class as i64).collect();
                let data = TensorData::new(places, [classes.len()]);
                let places = Tensor::<1, Int>::from_data(data, &parameters.device());
                parameters.select(0, places)
            }
        }
    }
}

/// The momentum that stands for a class: reflected to at most half of each extent, sorted among equal extents.
fn representative(lattice: &Lattice, momentum: usize) -> Vec<usize> {
    let (n, extents) = (lattice.coordinates(momentum), lattice.extents());
    let mut folded: Vec<(usize, usize)> =
        extents.iter().zip(n).map(|(&extent, n)| (extent, n.min(extent - n))).collect();
    folded.sort_unstable();
    folded.into_iter().map(|(_, n)| n).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counted by hand: on equal extents n of each direction is one of L/2+1, and their order does not matter.
    #[test]
    fn momenta_are_one_class_where_reflections_and_permutations_make_them_one() {
        let cases: [(&[usize], usize); 6] =
            [(&[6], 4), (&[5], 3), (&[4, 4], 6), (&[4, 6], 12), (&[4, 6, 4], 24), (&[2, 2, 2, 2], 5)];
        for (extents, count) in cases {
            let lattice = Lattice::new(extents);
            let spec = BaseSpec::LearnedSpectrum(FreeFieldSpec::default());
            let spectrum = Spectrum::new(&spec, &lattice).expect("it is not a unit normal");
            assert_eq!(spectrum.parameters().1, count, "{lattice:?}");
            assert_eq!(spec.parameters(extents), count as f64, "{lattice:?}");
            let Spectrum::PerClass { classes, momenta_squared, .. } = spectrum else {
                panic!("one per class")
            };
            for (momentum, class) in classes.into_iter().enumerate() {
                let (found, expected) = (momenta_squared[class], lattice.momentum_squared(momentum));
                // Equal momenta, rounded in another order.
                assert!((found - expected).abs() < 1e-14, "{momentum} of {lattice:?}");
            }
        }
    }
}
