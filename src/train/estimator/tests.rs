//! The gradient of every estimator is that of its loss, whatever parts a batch comes in.

use super::*;
use crate::ensemble::{EnsembleWriter, Provenance, file_shape};
use crate::lattice::Lattice;
use crate::spec::{AffineSpec, BaseSpec, FlowSpec, ForwardKlSpec, FreeFieldSpec, Symmetrise};
use crate::theory::Phi4;
use burn::tensor::Device;

const BATCH: usize = 5;

/// Some configurations, as if they were of the target.
fn samples(action: &Phi4) -> TargetSamples {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("phi.npz");
    let volume = action.lattice().volume();
    let fields: Vec<f64> =
        Seed(2).stream("phi").normals(0, 7, volume).into_iter().map(|phi| 0.5 * f64::from(phi)).collect();
    let actions: Vec<f64> = fields.chunks_exact(volume).map(|field| action.action_f64(field)).collect();
    let mut writer =
        EnsembleWriter::create(&file, action.field_name(), &file_shape(action), actions.len() as u64)
            .unwrap();
    writer.push(&fields, &vec![0.0; actions.len()], &actions).unwrap();
    writer.finish(&Provenance { method: "hmc", spec: "" }).unwrap();
    TargetSamples::load(&file, action).unwrap()
}

/// Loss and gradient of the batch in parts of given ends, in double precision.
fn batch(estimator: &dyn Estimator, flow: &Flow, parameters: &[f64], parts: &[[u64; 2]]) -> BatchGradient {
    let bound = flow.bind_for_training(parameters, &Device::flex().autodiff());
    let mut sums = BatchSums::default();
    for &[start, end] in parts {
        let part = Part { items: start..end, next: None, batch_size: BATCH };
        sums.add(estimator.part(&bound, &part).expect("the CPU computes"));
    }
    estimator.finish(sums)
}

#[test]
fn the_gradient_is_that_of_finite_differences_of_the_loss() {
    let lattice = Lattice::new([4, 4]);
    let action = Phi4::new(lattice, -1.0, 0.7);
    let samples = samples(&action);
    let flow = |symmetrise| {
        let base = BaseSpec::FreeField(FreeFieldSpec::default());
        let (layers, kernel_size, hidden) = (2, 3, vec![4]);
        let affine = AffineSpec { layers, kernel_size, hidden, initial_width: 1.5, symmetrise, base };
        Flow::new(&FlowSpec::Affine(affine), lattice)
    };
    let flows = [Symmetrise::Never, Symmetrise::AfterTraining, Symmetrise::Always].map(flow);
    let parameters: Vec<f64> = flows[0].initial_parameters(Seed(4)).into_iter().map(f64::from).collect();
    let forward_kl = LossSpec::ForwardKl(ForwardKlSpec { ensemble: "phi.npz".into() });
    let losses = [LossSpec::ReverseKl, forward_kl];
    for (flow, loss) in flows.iter().flat_map(|flow| losses.iter().map(move |loss| (flow, loss))) {
        let estimator = build(loss, flow, &action, Some(&samples), Seed(5)).unwrap();
        let whole = batch(&*estimator, flow, &parameters, &[[3, 8]]);
        let parts = batch(&*estimator, flow, &parameters, &[[3, 5], [5, 8]]);
        let scale = whole.gradient.iter().fold(1.0, |scale: f64, g| scale.max(g.abs()));
        let same = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-12 * scale;
        assert!(whole.gradient.iter().zip(&parts.gradient).all(same), "{loss:?} in parts");
        for index in (0..parameters.len()).step_by(10) {
            let at = |step: f64| {
                let mut moved = parameters.clone();
                moved[index] += step;
                batch(&*estimator, flow, &moved, &[[3, 8]]).loss
            };
            let (found, expected) = (whole.gradient[index], (at(1e-5) - at(-1e-5)) / 2e-5);
            // Central differences in double precision.
            assert!((found - expected).abs() < 1e-7 * scale, "{loss:?}: {found} is not {expected}");
        }
    }
}
