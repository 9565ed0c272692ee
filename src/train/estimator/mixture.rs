//! A weighted sum of a divergence on configurations of the model and one on those of the target.

use super::gradient::{BatchSums, Begun, DrawsFirst, Estimator, Part};
use crate::flow::{BoundFlow, Flow};

/// The gradient of `w_r D_KL(q‖p) + w_f D_KL(p‖q)`, up to constants of both, each on a whole batch of its own; ESS of eq. (A7), of the
/// configurations of the model.
///
/// Source: H21.
pub struct Mixture<'a> {
    /// On configurations of the model, with its weight.
    pub reverse: (f64, Box<dyn Estimator + 'a>),
    /// On configurations of the target, with its weight.
    pub forward: (f64, Box<dyn Estimator + 'a>),
}

impl Estimator for Mixture<'_> {
    fn draws_first(&self) -> Option<&dyn DrawsFirst> {
        self.reverse.1.draws_first()
    }

    fn waits_for_host(&self) -> bool {
        self.reverse.1.waits_for_host()
    }

    fn begin<'a>(&'a self, flow: &'a BoundFlow<'_>, part: &Part<'a>) -> Begun<'a, BatchSums> {
        let ((reverse_weight, reverse), (forward_weight, forward)) = (&self.reverse, &self.forward);
        let (reverse, part) = (reverse.begin(flow, part), part.clone());
        Box::new(move || {
            let [reverse, forward] = [reverse()?, forward.begin(flow, &part)()?];
            let sum = |reverse: &[f64], forward: &[f64]| -> Vec<f64> {
                let pairs = reverse.iter().zip(forward);
                pairs.map(|(reverse, forward)| reverse_weight * reverse + forward_weight * forward).collect()
            };
            let losses = sum(&reverse.losses, &forward.losses);
            let gradient = sum(&reverse.gradient, &forward.gradient);
            let scores = reverse.scores.iter().map(|score| reverse_weight * score).collect();
            Ok(BatchSums { losses, log_weights: reverse.log_weights, gradient, scores })
        })
    }

    fn flops_per_sample(&self, flow: &Flow) -> f64 {
        [&self.reverse, &self.forward].map(|(_, part)| part.flops_per_sample(flow)).iter().sum()
    }
}
