//! Sums over a batch, by however many processes its parts are computed.

use super::gradient::BatchSums;
use crate::comm::{Crew, FixedPointSum};
use crate::error::Result;
use serde::{Deserialize, Serialize};

/// Sums over the parts of a batch. Their gradients are added so that neither their order nor the number of processes that have computed
/// them matters.
#[derive(Debug, Clone)]
pub struct BatchTotals {
    of_configurations: OfConfigurations,
    gradient: FixedPointSum,
}

/// What is kept of each configuration, in their order.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct OfConfigurations {
    losses: Vec<f64>,
    log_weights: Vec<f64>,
    scores: Vec<f64>,
}

impl OfConfigurations {
    fn add(&mut self, part: Self) {
        self.losses.extend(part.losses);
        self.log_weights.extend(part.log_weights);
        self.scores.extend(part.scores);
    }
}

impl BatchTotals {
    /// Of no part yet, with a gradient by so many parameters.
    pub fn new(parameters: usize) -> Self {
        let gradient = FixedPointSum::new(parameters);
        Self { of_configurations: OfConfigurations::default(), gradient }
    }

    /// Configurations so far.
    pub fn count(&self) -> usize {
        self.of_configurations.losses.len()
    }

    /// Adds the part that follows.
    pub fn add(&mut self, part: BatchSums) {
        let BatchSums { losses, log_weights, scores, gradient } = part;
        self.gradient.add(&gradient);
        self.of_configurations.add(OfConfigurations { losses, log_weights, scores });
    }

    /// The sums over all parts.
    pub fn finish(self) -> BatchSums {
        let OfConfigurations { losses, log_weights, scores } = self.of_configurations;
        BatchSums { losses, log_weights, gradient: self.gradient.total(), scores }
    }

    /// Brings the shares of all processes together at the leader, where `own` is this one's with the configurations that it had room for
    /// at once; the least number of these comes with the totals. To the others it gives what is left of their own.
    ///
    /// # Errors
    /// The leader's own, else the first of another process.
    pub fn collect(own: Result<(Self, usize)>, parameters: usize, crew: &Crew) -> Result<(Self, usize)> {
        let mut words = match &own {
            _ if crew.is_alone() => Vec::new(),
            Ok((totals, _)) => totals.gradient.to_words(),
            Err(_) => FixedPointSum::new(parameters).to_words(),
        };
        let (own, gradient) = match own {
            Ok((totals, room)) => (Ok((totals.of_configurations, room)), totals.gradient),
            Err(error) => (Err(error), FixedPointSum::new(parameters)),
        };
        let shares = crew.collect(own);
        crew.sum(&mut words);
        let gradient = if crew.is_alone() { gradient } else { FixedPointSum::from_words(&words) };
        let (mut of_configurations, mut least) = (OfConfigurations::default(), usize::MAX);
        for (share, room) in shares? {
            of_configurations.add(share);
            least = least.min(room);
        }
        Ok((Self { of_configurations, gradient }, least))
    }
}
