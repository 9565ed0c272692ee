//! The accept-reject step of independence Metropolis: chains that move to proposals with given weights.

use super::arrays::Arrays;
use super::store::Resumable;
use crate::rng::Stream;
use crate::stats::TimeSeries;
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// Uniform numbers of one item of the acceptance stream: item `i` serves the proposals from `i · BLOCK` on.
const BLOCK: u64 = 4096;

/// Proposals whose weights are kept for the exact autocorrelation time.
const KEPT: usize = 1 << 18;

/// Chains side by side: where each is, and what was counted and measured on the way.
#[derive(Debug, Clone, PartialEq)]
pub struct Walkers {
    walkers: Vec<Walker>,
    series: Vec<TimeSeries>,
    keeps_fields: bool,
    /// `log w` of the first proposals, 2¹⁸ at most.
    log_weights: Vec<f64>,
    /// Their measurements `[proposal][width]`.
    rows: Vec<f64>,
    /// Trajectories of each chain between proposals.
    pub(super) trajectories: u64,
    pub(super) wall_s: f64,
}

/// Where a chain is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Walker {
    pub counts: ProposalCounts,
    pub log_weight: f64,
    pub row: Vec<f64>,
    /// The configuration, which only trajectories need.
    pub field: Vec<f64>,
}

/// Proposals of one chain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalCounts {
    /// Proposals made, the first configuration included.
    pub proposals: u64,
    /// Proposals accepted, the first configuration included.
    pub accepted: u64,
    /// Proposals rejected in a row, up to now.
    pub run: u64,
    /// The longest such run.
    pub longest_run: u64,
}

impl ProposalCounts {
    #[inline]
    fn count(&mut self, accepted: bool) {
        self.proposals += 1;
        self.accepted += u64::from(accepted);
        self.run = if accepted { 0 } else { self.run + 1 };
        self.longest_run = self.longest_run.max(self.run);
    }

    /// Accepted proposals per proposal, the first configuration aside.
    fn acceptance(&self) -> f64 {
        self.accepted.saturating_sub(1) as f64 / (self.proposals.max(2) - 1) as f64
    }
}

/// Consecutive proposals.
#[derive(Debug, Clone, Copy)]
pub struct Proposed<'a> {
    /// `log w = -S - log q` of each.
    pub log_weights: &'a [f64],
    /// Measurements `[proposal][width]`.
    pub rows: &'a [f64],
    /// Configurations `[proposal][number]`; read only where walkers keep theirs.
    pub fields: &'a [f64],
}

impl Walkers {
    /// So many chains that are nowhere yet, with so many numbers of a measurement; with their configurations where something else
    /// moves them as well.
    pub fn new(chains: usize, width: usize, keeps_fields: bool) -> Self {
        Self {
            walkers: vec![Walker::default(); chains],
            series: vec![TimeSeries::of_chains(width, chains); chains],
            keeps_fields,
            log_weights: Vec::new(),
            rows: Vec::new(),
            trajectories: 0,
            wall_s: 0.0,
        }
    }

    /// Accepts with probability `min(1, w'/w)` or rejects, in order; proposal i of all belongs to chain i mod chains, and the first of
    /// a chain is where it starts.
    ///
    /// # Shapes
    /// `proposed`: any number of proposals; `accept`: the stream of all of the chains' uniform numbers
    pub fn judge(&mut self, proposed: Proposed<'_>, accept: &Stream) {
        let count = proposed.log_weights.len();
        if count == 0 {
            return;
        }
        let (numbers, width) = (proposed.fields.len() / count, proposed.rows.len() / count);
        let kept = count.min(KEPT.saturating_sub(self.log_weights.len()));
        self.log_weights.extend(&proposed.log_weights[..kept]);
        self.rows.extend(&proposed.rows[..kept * width]);
        let first = self.proposals();
        let mut chain = (first % self.walkers.len() as u64) as usize;
        for ((index, &log_weight), u) in proposed.log_weights.iter().enumerate().zip(uniforms(accept, first))
        {
            let walker = &mut self.walkers[chain];
            let accepted = walker.counts.proposals == 0 || accepts(walker.log_weight, log_weight, u);
            walker.counts.count(accepted);
            if accepted {
                walker.log_weight = log_weight;
                walker.row.clear();
                walker.row.extend_from_slice(&proposed.rows[index * width..][..width]);
                if self.keeps_fields {
                    walker.field.clear();
                    walker.field.extend_from_slice(&proposed.fields[index * numbers..][..numbers]);
                }
            }
            self.series[chain].push(&walker.row, 1);
            chain = if chain + 1 == self.walkers.len() { 0 } else { chain + 1 };
        }
    }

    /// Proposals of all chains.
    pub fn proposals(&self) -> u64 {
        self.walkers.iter().map(|walker| walker.counts.proposals).sum()
    }

    /// Accepted proposals per proposal.
    pub fn acceptance(&self) -> f64 {
        let n = self.walkers.len() as f64;
        self.walkers.iter().map(|walker| walker.counts.acceptance()).sum::<f64>() / n
    }

    /// The most proposals that a chain rejected in a row.
    pub fn longest_rejection_run(&self) -> u64 {
        self.walkers.iter().map(|walker| walker.counts.longest_run).max().unwrap_or(0)
    }

    /// The measurements of every chain.
    pub fn series(&self) -> &[TimeSeries] {
        &self.series
    }

    /// Whether the configurations of proposals are needed.
    pub(super) fn keeps_fields(&self) -> bool {
        self.keeps_fields
    }

    pub(super) fn walkers(&self) -> &[Walker] {
        &self.walkers
    }

    /// Moves every chain elsewhere, and records where.
    pub(super) fn move_to(&mut self, walkers: Vec<Walker>) {
        self.walkers = walkers;
        for (series, walker) in self.series.iter_mut().zip(&self.walkers) {
            series.push(&walker.row, 1);
        }
    }

    /// The series of the chains; `log w` and the measurements of the first proposals.
    pub(super) fn into_parts(self) -> (Vec<TimeSeries>, Vec<f64>, Vec<f64>) {
        (self.series, self.log_weights, self.rows)
    }
}

/// What is saved of walkers beside arrays.
#[derive(Serialize, Deserialize)]
struct Header {
    counts: Vec<ProposalCounts>,
    trajectories: u64,
    wall_s: f64,
}

impl Resumable for Walkers {
    fn save(&self) -> Arrays {
        let counts = self.walkers.iter().map(|walker| walker.counts).collect();
        let header = Header { counts, trajectories: self.trajectories, wall_s: self.wall_s };
        let mut arrays = Arrays::new(serde_json::to_value(&header).expect("a header is plain data"));
        arrays.push("log_weights", self.log_weights.clone());
        arrays.push("rows", self.rows.clone());
        for (chain, (series, walker)) in self.series.iter().zip(&self.walkers).enumerate() {
            arrays.push(format!("series.{chain}"), series.to_numbers());
            arrays.push(format!("log_weight.{chain}"), vec![walker.log_weight]);
            arrays.push(format!("row.{chain}"), walker.row.clone());
            arrays.push(format!("field.{chain}"), walker.field.clone());
        }
        arrays
    }

    fn restore(&mut self, mut saved: Arrays) -> Option<()> {
        let header: Header = serde_json::from_value(saved.header.take()).ok()?;
        let places = self.walkers.iter_mut().zip(&mut self.series);
        if header.counts.len() != places.len() {
            return None;
        }
        for ((chain, (walker, series)), counts) in places.enumerate().zip(header.counts) {
            let restored = TimeSeries::from_numbers(&saved.take(&format!("series.{chain}"))?)?;
            *series = Some(restored).filter(|restored| restored.width() == series.width())?;
            *walker = Walker {
                counts,
                log_weight: *saved.take(&format!("log_weight.{chain}"))?.first()?,
                row: saved.take(&format!("row.{chain}"))?,
                field: saved.take(&format!("field.{chain}"))?,
            };
        }
        self.log_weights = saved.take("log_weights")?;
        self.rows = saved.take("rows")?;
        (self.trajectories, self.wall_s) = (header.trajectories, header.wall_s);
        Some(())
    }
}

/// Whether a proposal is accepted: with probability `min(1, w'/w)`, u uniform in [0, 1).
#[inline]
fn accepts(log_weight: f64, proposed: f64, u: f64) -> bool {
    let log_ratio = proposed - log_weight;
    // The exponential is needed only where the weight falls.
    log_ratio >= 0.0 || u < log_ratio.exp()
}

/// The uniform numbers of the proposals `first..`, one after the other.
fn uniforms(stream: &Stream, first: u64) -> impl Iterator<Item = f64> + '_ {
    let of_block = |block: u64| {
        let mut rng = stream.item(block);
        std::iter::repeat_with(move || rng.random::<f64>()).take(BLOCK as usize)
    };
    (first / BLOCK..).flat_map(of_block).skip((first % BLOCK) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    /// Chains over proposals with given weights, that measure the number of the proposal.
    fn walked(chains: usize, log_weights: &[f64], parts: usize) -> Walkers {
        let mut walkers = Walkers::new(chains, 1, false);
        let rows: Vec<f64> = (0..log_weights.len()).map(|index| index as f64).collect();
        for (log_weights, rows) in log_weights.chunks(parts).zip(rows.chunks(parts)) {
            walkers.judge(Proposed { log_weights, rows, fields: &[] }, &Seed(3).stream("accept"));
        }
        walkers
    }

    /// Proposals of three kinds with weights 1, 2 and 4: the chain holds each as long as its weight says.
    #[test]
    fn a_chain_visits_configurations_by_their_weight() {
        let n = 400_000;
        let mut rng = Seed(3).stream("kinds").item(0);
        let kinds: Vec<usize> = (0..n).map(|_| rng.random_range(0..3)).collect();
        let log_weights: Vec<f64> = kinds.iter().map(|&kind| (kind as f64) * 2f64.ln()).collect();
        let walkers = walked(1, &log_weights, 1000);
        let mut held = [0u64; 3];
        walkers.series()[0].rows().for_each(|row| held[kinds[row[0] as usize]] += 1);
        assert_eq!(held.iter().sum::<u64>(), n as u64);
        for (kind, weight) in [1.0, 2.0, 4.0].into_iter().enumerate() {
            let share = held[kind] as f64 / n as f64;
            // τ is below 2 here, so the error is below √(2·2·¼/n) = 0.0016.
            assert!((share - weight / 7.0).abs() < 5.0 * 0.0016, "kind {kind}: {share}");
        }
        // Exact: Σ_x p(x) Σ_y ⅓ min(1, w_y/w_x) = (1/7)·1 + (2/7)(½+1+1)/3 + (4/7)(¼+½+1)/3.
        let exact = 1.0 / 7.0 + 2.0 / 7.0 * 2.5 / 3.0 + 4.0 / 7.0 * 1.75 / 3.0;
        assert!((walkers.acceptance() - exact).abs() < 0.005, "{} is not {exact}", walkers.acceptance());
    }

    #[test]
    fn runs_of_rejections_are_counted() {
        let mut log_weights = vec![0.0; 10];
        log_weights[2] = 1e4;
        let walkers = walked(1, &log_weights, 10);
        let held: Vec<f64> = walkers.series()[0].rows().map(|row| row[0]).collect();
        assert_eq!(held, [0.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0]);
        let counts = ProposalCounts { proposals: 10, accepted: 3, run: 7, longest_run: 7 };
        assert_eq!((walkers.walkers[0].counts, walkers.longest_rejection_run()), (counts, 7));
    }

    #[test]
    fn parts_of_any_size_and_a_saved_state_make_the_same_chains() {
        let normals = Seed(2).stream("weights").normals(0, 10, 1000);
        let log_weights: Vec<f64> = normals.into_iter().map(f64::from).collect();
        let whole = walked(3, &log_weights, log_weights.len());
        assert_eq!(walked(3, &log_weights, 77), whole);
        let mut restored = Walkers::new(3, 1, false);
        restored.restore(whole.save()).expect("it fits");
        assert_eq!(restored, whole);
        assert_eq!(Walkers::new(2, 1, false).restore(whole.save()), None);
        assert_eq!(Walkers::new(3, 2, false).restore(whole.save()), None);
    }
}
