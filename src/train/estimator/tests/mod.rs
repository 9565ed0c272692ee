//! Laws of estimators: a flow, configurations and batches in parts to hold them against.

mod derivatives;
mod noise;
mod sectors;

use super::*;
use crate::ensemble::{EnsembleWriter, Provenance, TargetSamples, file_shape};
use crate::flow::{BoundFlow, Flow};
use crate::lattice::Lattice;
use crate::spec::{
    AffineSpec, BaseSpec, DeterminantSpec, FlowSpec, GaugeBaseSpec, GaugeSpec, InitialSpec, KaimingSpec,
    MapSpec, Symmetrise, TanSpec,
};
use crate::theory::{Action, Phi4};
use burn::tensor::{Device, Tensor};
use std::ops::Range;

const BATCH: usize = 5;
const GRADIENTS: [Gradient; 3] = [Gradient::Reparametrised, Gradient::Path, Gradient::Reinforce];

fn reverse_kl(gradient: Gradient) -> LossSpec {
    LossSpec::ReverseKl(ReverseKlSpec { gradient })
}

/// What estimators on configurations of the model have.
fn draws<'a>(flow: &Flow, action: &'a dyn Action, seed: u64) -> ModelDraws<'a> {
    ModelDraws::new(flow, action, DeterminantSpec::Host, Seed(seed))
}

/// Some configurations, as if they were of the target.
fn samples(action: &dyn Action) -> TargetSamples {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("phi.npz");
    let volume = action.lattice().volume();
    let fields: Vec<f64> = Seed(2)
        .stream("phi")
        .normals(0, 7, action.components() * volume)
        .into_iter()
        .map(|phi| 0.5 * f64::from(phi))
        .collect();
    let actions: Vec<f64> =
        fields.chunks_exact(action.components() * volume).map(|field| action.action_f64(field)).collect();
    let mut writer =
        EnsembleWriter::create(&file, action.field_name(), &file_shape(action), actions.len() as u64)
            .unwrap();
    writer.push(&fields, &vec![0.0; actions.len()], &actions).unwrap();
    writer.finish(&Provenance { method: "hmc", spec: "" }).unwrap();
    TargetSamples::load(&file, action).unwrap()
}

/// Two couplings on 4 x 4 with double-precision parameters of some size.
fn flow() -> (Flow, Vec<f64>) {
    flow_from(BaseSpec::UnitNormal, Symmetrise::Never)
}

/// The same from another base, made even or not.
fn flow_from(base: BaseSpec, symmetrise: Symmetrise) -> (Flow, Vec<f64>) {
    let affine = AffineSpec {
        layers: 2,
        kernel_size: 3,
        hidden: vec![4],
        initial: InitialSpec::Kaiming(KaimingSpec { width: 1.5 }),
        symmetrise,
        base,
    };
    let flow = Flow::new(&FlowSpec::Affine(affine), Lattice::new([4, 4]));
    let parameters = flow.initial_parameters(Seed(4)).into_iter().map(f64::from).collect();
    (flow, parameters)
}

/// Couplings of links on 4 x 4 with few parameters.
fn of_links() -> GaugeSpec {
    GaugeSpec {
        layers: 8,
        kernel_size: 3,
        hidden: vec![3],
        dilations: None,
        map: MapSpec::Tan(TanSpec { components: 2 }),
        initial: InitialSpec::default(),
        symmetrise: Symmetrise::Never,
        sectors: None,
        base: GaugeBaseSpec::default(),
    }
}

/// A batch in parts of given ends.
struct Parts<'a> {
    bound: BoundFlow<'a>,
    items: Range<u64>,
    ends: &'a [u64],
}

impl<'a> Parts<'a> {
    fn new(flow: &'a Flow, parameters: &[f64], items: Range<u64>, ends: &'a [u64]) -> Self {
        Self { bound: flow.bind_for_training(parameters, &Device::flex().autodiff()), items, ends }
    }

    fn each<'b>(&self, draws: Option<&'b Draws>) -> impl Iterator<Item = Part<'b>> {
        let starts = [self.items.start].into_iter().chain(self.ends.iter().copied());
        let batch = Batch { items: self.items.clone(), draws, target: None };
        let part = |(start, &end)| Part { items: start..end, next: None, batch: batch.clone() };
        starts.zip(self.ends).map(part).collect::<Vec<_>>().into_iter()
    }

    fn draws(&self, estimator: &dyn Estimator) -> Option<Draws> {
        let first = estimator.draws_first()?;
        let mut draws = Draws::default();
        self.each(None)
            .for_each(|part| draws.add(first.begin_draw(&self.bound, &part)().expect("the CPU computes")));
        Some(draws)
    }

    fn gradient(&self, estimator: &dyn Estimator) -> BatchGradient {
        let (draws, mut totals) = (self.draws(estimator), None);
        for part in self.each(draws.as_ref()) {
            let sums = estimator.begin(&self.bound, &part)().expect("the CPU computes");
            totals.get_or_insert_with(|| BatchTotals::new(sums.gradient.len())).add(sums);
        }
        estimator.finish(totals.expect("a batch has parts").finish())
    }
}

/// Loss and gradient of the items 3 to 8 in one part.
fn whole(estimator: &dyn Estimator, flow: &Flow, parameters: &[f64]) -> BatchGradient {
    Parts::new(flow, parameters, 3..3 + BATCH as u64, &[3 + BATCH as u64]).gradient(estimator)
}

fn largest(numbers: &[f64]) -> f64 {
    numbers.iter().fold(0.0, |largest: f64, number| largest.max(number.abs()))
}

fn mean(numbers: Tensor<1>) -> f64 {
    let numbers: Vec<f64> = numbers.into_data().iter::<f64>().collect();
    numbers.iter().sum::<f64>() / numbers.len() as f64
}
