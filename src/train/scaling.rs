//! How long a training step would take on many processes: a model of what [`super::Trainer`] computes and sends.

/// Seconds that a message is on its way, whatever its size, with what both ends do for it: InfiniBand takes 1 to 2 µs, Ethernet 10 to 50.
const LATENCY_S: f64 = 5e-6;

/// Bytes per second between two machines: 40 Gbit/s.
const BYTES_PER_S: f64 = 5e9;

/// Seconds in which the leader takes an answer in.
const ANSWER_S: f64 = 2e-6;

/// Bytes of a parameter that the leader sends, and of a sum that comes back: three words of fixed point.
const BYTES_OF_PARAMETER: f64 = 4.0;
const BYTES_OF_SUM: f64 = 24.0;

/// Bytes of a configuration's loss and weight.
const BYTES_OF_CONFIGURATION: f64 = 16.0;

/// Seconds that the leader alone works for each parameter (its sum, the optimizer's update, words of both) and for each configuration
/// (mean, ESS), of one core: see `benches/results/scaling.md`.
const LEADER_S_PER_PARAMETER: f64 = 60e-9;
const LEADER_S_PER_CONFIGURATION: f64 = 30e-9;

/// What a step consists of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepSize {
    /// Configurations of a batch, and of a part that a process computes at once.
    pub batch: usize,
    pub micro_batch: usize,
    /// Parameters of the flow.
    pub parameters: usize,
    /// Training samples per second of one process.
    pub samples_per_s: f64,
}

/// A step on so many processes.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct PredictedStep {
    /// Processes.
    pub ranks: usize,
    /// Processes that have something to compute.
    pub busy: usize,
    /// Seconds in which the busiest one computes.
    pub compute_s: f64,
    /// Seconds in which messages are on their way.
    pub messages_s: f64,
    /// Seconds in which the leader works alone.
    pub leader_s: f64,
    /// Time of one process by the time of all, `t(1) / (ranks · t(ranks))`.
    pub efficiency: f64,
}

impl PredictedStep {
    /// Seconds of the step.
    pub fn seconds(&self) -> f64 {
        self.compute_s + self.messages_s + self.leader_s
    }
}

impl StepSize {
    /// A step on so many processes, each as fast as the one that was measured, each with a way of its own to the others.
    ///
    /// `t(R) = ⌈⌈B/m⌉/R⌉ m/v + 2 ⌈log₂ R⌉ l + (2·4 P + 2·24 P + 16 B)/b + (R - 1) a + P c_P + B c_B`: the parts of the batch, the
    /// latency of a broadcast and a sum, their bytes with those of the answers, and what the leader does alone.
    pub fn predict(&self, ranks: usize) -> PredictedStep {
        let alone = self.costs(1).seconds();
        let costs = self.costs(ranks);
        PredictedStep { efficiency: alone / (ranks as f64 * costs.seconds()), ..costs }
    }

    fn costs(&self, ranks: usize) -> PredictedStep {
        let parts = self.batch.div_ceil(self.micro_batch);
        let (batch, parameters) = (self.batch as f64, self.parameters as f64);
        let configurations = (parts.div_ceil(ranks) * self.micro_batch).min(self.batch);
        let stages = (ranks as f64).log2().ceil();
        let bytes = 2.0 * (BYTES_OF_PARAMETER + BYTES_OF_SUM) * parameters + BYTES_OF_CONFIGURATION * batch;
        let messages_s = match ranks {
            1 => 0.0,
            _ => 2.0 * stages * LATENCY_S + bytes / BYTES_PER_S + (ranks - 1) as f64 * ANSWER_S,
        };
        PredictedStep {
            ranks,
            busy: parts.min(ranks),
            compute_s: configurations as f64 / self.samples_per_s,
            messages_s,
            leader_s: parameters * LEADER_S_PER_PARAMETER + batch * LEADER_S_PER_CONFIGURATION,
            efficiency: 1.0,
        }
    }

    /// Predictions for 1, 2, 4, … and so many processes.
    pub fn predict_up_to(&self, ranks: usize) -> Vec<PredictedStep> {
        let doubled =
            std::iter::successors(Some(1), |ranks| Some(2 * ranks)).take_while(|&below| below < ranks);
        doubled.chain([ranks]).map(|ranks| self.predict(ranks)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: StepSize =
        StepSize { batch: 8192, micro_batch: 128, parameters: 30_000, samples_per_s: 1000.0 };

    #[test]
    fn more_processes_are_faster_until_there_are_no_more_parts() {
        let steps = SIZE.predict_up_to(1024);
        assert_eq!(
            steps.iter().map(|step| step.ranks).collect::<Vec<_>>(),
            [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024]
        );
        assert_eq!(steps[0].efficiency, 1.0);
        assert!(steps.windows(2).all(|pair| pair[1].efficiency < pair[0].efficiency));
        assert!(steps[..7].windows(2).all(|pair| pair[1].seconds() < pair[0].seconds()));
        let last = steps.last().unwrap();
        assert_eq!((last.busy, last.compute_s), (64, 0.128));
        assert!(last.efficiency < 64.0 / 1024.0);
    }

    #[test]
    fn an_uneven_number_is_predicted_too_and_a_small_batch_is_one_part() {
        assert_eq!(SIZE.predict_up_to(7).last().unwrap().ranks, 7);
        let small = StepSize { batch: 100, ..SIZE }.predict(3);
        assert_eq!((small.busy, small.compute_s), (1, 0.1));
    }
}
