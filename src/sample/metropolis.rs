//! The accept-reject step of independence Metropolis and its bookkeeping: nothing but weights and random numbers.

use crate::rng::Stream;
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// Uniform numbers of one item of the acceptance stream: item `i` serves the proposals from `i · BLOCK` on.
const BLOCK: u64 = 4096;

/// Counts of a chain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Proposals made, the first configuration included.
    pub proposals: u64,
    /// Proposals accepted, the first configuration included.
    pub accepted: u64,
    /// Proposals rejected in a row, up to now.
    pub run: u64,
    /// The longest such run.
    pub longest_run: u64,
}

impl Tally {
    /// Counts one proposal.
    pub fn count(&mut self, accepted: bool) {
        self.proposals += 1;
        self.accepted += u64::from(accepted);
        self.run = if accepted { 0 } else { self.run + 1 };
        self.longest_run = self.longest_run.max(self.run);
    }

    /// Both together; runs are those of chains side by side.
    pub fn join(self, other: Self) -> Self {
        Self {
            proposals: self.proposals + other.proposals,
            accepted: self.accepted + other.accepted,
            run: self.run.max(other.run),
            longest_run: self.longest_run.max(other.longest_run),
        }
    }

    /// Accepted proposals per proposal, the first configuration aside.
    pub fn acceptance(&self) -> f64 {
        self.accepted.saturating_sub(1) as f64 / (self.proposals.max(2) - 1) as f64
    }
}

/// Whether a proposal is accepted: with probability `min(1, w'/w)`, u uniform in [0, 1).
#[inline]
pub fn accepts(log_weight: f64, proposed: f64, u: f64) -> bool {
    let log_ratio = proposed - log_weight;
    // The exponential is needed only where the weight falls.
    log_ratio >= 0.0 || u < log_ratio.exp()
}

/// The uniform numbers of the proposals `first..`, one after the other.
pub struct Uniforms<'a> {
    stream: &'a Stream,
    next: u64,
    block: Vec<f64>,
}

impl<'a> Uniforms<'a> {
    /// Starts at a proposal.
    pub fn starting_at(stream: &'a Stream, first: u64) -> Self {
        Self { stream, next: first, block: Vec::new() }
    }
}

impl Iterator for Uniforms<'_> {
    type Item = f64;

    #[inline]
    fn next(&mut self) -> Option<f64> {
        let within = (self.next % BLOCK) as usize;
        if self.block.is_empty() || within == 0 {
            let mut rng = self.stream.item(self.next / BLOCK);
            self.block = (0..BLOCK).map(|_| rng.random()).collect();
        }
        self.next += 1;
        Some(self.block[within])
    }
}

/// Runs a chain over given weights; calls `stayed(index, times)` for every configuration that was held, in order.
///
/// # Shapes
/// `log_weights`: `[N]`, the proposals in order; the first is the start
pub fn chain(log_weights: &[f64], stream: &Stream, mut stayed: impl FnMut(usize, u64)) -> Tally {
    let mut tally = Tally::default();
    let Some(&first) = log_weights.first() else { return tally };
    tally.count(true);
    let (mut held, mut current) = (0, first);
    let proposals = log_weights.iter().enumerate().skip(1);
    for ((index, &proposed), u) in proposals.zip(Uniforms::starting_at(stream, 1)) {
        let accepted = accepts(current, proposed, u);
        if accepted {
            stayed(held, tally.run + 1);
            (held, current) = (index, proposed);
        }
        tally.count(accepted);
    }
    stayed(held, tally.run + 1);
    tally
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    /// Proposals of three kinds with weights 1, 2 and 4: the chain holds each as long as its weight says.
    #[test]
    fn a_chain_visits_configurations_by_their_weight() {
        let stream = Seed(3).stream("accept");
        let n = 400_000;
        let mut rng = Seed(3).stream("kinds").item(0);
        let kinds: Vec<usize> = (0..n).map(|_| rng.random_range(0..3)).collect();
        let log_weights: Vec<f64> = kinds.iter().map(|&kind| (kind as f64) * 2f64.ln()).collect();
        let mut held = [0u64; 3];
        let tally = chain(&log_weights, &stream, |index, times| held[kinds[index]] += times);
        assert_eq!(held.iter().sum::<u64>(), n as u64);
        for (kind, weight) in [1.0, 2.0, 4.0].into_iter().enumerate() {
            let share = held[kind] as f64 / n as f64;
            // τ is below 2 here, so the error is below √(2·2·¼/n) = 0.0016.
            assert!((share - weight / 7.0).abs() < 5.0 * 0.0016, "kind {kind}: {share}");
        }
        // Exact: Σ_x p(x) Σ_y ⅓ min(1, w_y/w_x) = (1/7)·1 + (2/7)(½+1+1)/3 + (4/7)(¼+½+1)/3.
        let exact = 1.0 / 7.0 + 2.0 / 7.0 * 2.5 / 3.0 + 4.0 / 7.0 * 1.75 / 3.0;
        assert!((tally.acceptance() - exact).abs() < 0.005, "{} is not {exact}", tally.acceptance());
    }

    #[test]
    fn runs_of_rejections_are_counted() {
        let mut log_weights = vec![0.0; 10];
        log_weights[2] = 1e4;
        let mut held = Vec::new();
        let stream = Seed(1).stream("accept");
        let tally = chain(&log_weights, &stream, |index, times| held.push((index, times)));
        assert_eq!(held.last(), Some(&(2, 8)));
        assert_eq!((tally.longest_run, tally.run, tally.proposals, tally.accepted), (7, 7, 10, 3));
    }

    #[test]
    fn uniforms_do_not_depend_on_where_one_starts() {
        let stream = Seed(1).stream("accept");
        let all: Vec<f64> = Uniforms::starting_at(&stream, 0).take(10_000).collect();
        let later: Vec<f64> = Uniforms::starting_at(&stream, 4321).take(5000).collect();
        assert_eq!(all[4321..9321], later);
    }
}
