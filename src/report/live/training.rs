//! The course of a training as its table says, however long it is.

use super::growing::Row;
use std::collections::VecDeque;

/// Rows that are kept, at most: more than a terminal has columns.
const MOST: usize = 4096;

/// Rows that the speed is taken from.
const RECENT: usize = 50;

/// A row of `train.csv`; what it does not say is not a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainPoint {
    /// Finished steps.
    pub step: f64,
    /// Configurations flowed so far.
    pub samples: f64,
    /// Seconds of training so far.
    pub wall_s: f64,
    /// Configurations in the batch.
    pub batch_size: f64,
    /// Learning rate.
    pub learning_rate: f64,
    /// Loss.
    pub loss: f64,
    /// ESS of the batch.
    pub ess: f64,
    /// Its mean over the smoothing window.
    pub ess_smoothed: f64,
    /// Norm over all gradients.
    pub grad_norm: f64,
}

impl TrainPoint {
    /// The numbers of a row, if it has those that say where it is.
    pub fn of(row: &Row<'_>) -> Option<Self> {
        let number = |column: &str| row.number(column).unwrap_or(f64::NAN);
        Some(Self {
            step: row.number("step")?,
            samples: row.number("samples")?,
            wall_s: row.number("wall_s")?,
            batch_size: number("batch_size"),
            learning_rate: number("learning_rate"),
            loss: number("loss"),
            ess: number("ess"),
            ess_smoothed: number("ess_smoothed"),
            grad_norm: number("grad_norm"),
        })
    }
}

/// Rows of a training: every one at first, every second, every fourth, … as they become many, and the last ones.
#[derive(Debug)]
pub struct Training {
    kept: Vec<TrainPoint>,
    stride: usize,
    seen: usize,
    recent: VecDeque<TrainPoint>,
}

impl Default for Training {
    fn default() -> Self {
        Self { kept: Vec::new(), stride: 1, seen: 0, recent: VecDeque::new() }
    }
}

impl Training {
    /// Adds a row.
    pub fn push(&mut self, point: TrainPoint) {
        if self.seen.is_multiple_of(self.stride) {
            self.kept.push(point);
        }
        self.seen += 1;
        self.recent.push_back(point);
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
        if self.kept.len() > MOST {
            let mut places = 0..;
            self.kept.retain(|_| places.next().is_some_and(|place: usize| place.is_multiple_of(2)));
            self.stride *= 2;
        }
    }

    /// The rows that are kept, in their order, and the last.
    pub fn points(&self) -> impl Iterator<Item = &TrainPoint> {
        let last = self.recent.back().filter(|last| self.kept.last() != Some(last));
        self.kept.iter().chain(last)
    }

    /// The last row.
    pub fn last(&self) -> Option<&TrainPoint> {
        self.recent.back()
    }

    /// Steps, samples and seconds between the last row and one shortly before, if time has passed.
    pub fn pace(&self) -> Option<[f64; 3]> {
        let (first, last) = (self.recent.front()?, self.recent.back()?);
        let pace = [last.step - first.step, last.samples - first.samples, last.wall_s - first.wall_s];
        (pace[2] > 0.0).then_some(pace)
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A row at a step, of batches of 100 that take two seconds.
    pub fn point(step: f64) -> TrainPoint {
        TrainPoint {
            step,
            samples: 100.0 * step,
            wall_s: 2.0 * step,
            batch_size: 100.0,
            learning_rate: 1e-3,
            loss: -10.0 - step.ln(),
            ess: 0.4,
            ess_smoothed: 1.0 - 1.0 / (1.0 + step / 100.0),
            grad_norm: 1.0,
        }
    }

    #[test]
    fn few_rows_are_kept_of_many_evenly_and_the_last() {
        let mut training = Training::default();
        let steps = 10 * MOST as u64 + 3;
        (1..=steps).for_each(|step| training.push(point(step as f64)));
        let kept: Vec<f64> = training.points().map(|point| point.step).collect();
        assert!(kept.len() > MOST / 2 && kept.len() <= MOST + 1, "{}", kept.len());
        assert_eq!((kept[0], kept[1], kept.last()), (1.0, 17.0, Some(&(steps as f64))));
        assert!(kept[..kept.len() - 1].windows(2).all(|pair| pair[1] - pair[0] == 16.0));
        let pace = training.pace().unwrap();
        assert_eq!(pace[1] / pace[2], 50.0);
    }
}
