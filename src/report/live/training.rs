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
        let number = |column: &str| row.text(column).parse().unwrap_or(f64::NAN);
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

/// Rows of a training: all of them at first, at ever larger distances in steps as they become many, and the last ones.
#[derive(Debug, Default)]
pub struct Training {
    kept: Vec<TrainPoint>,
    /// Steps between two that are kept, at least.
    apart: f64,
    recent: VecDeque<TrainPoint>,
}

impl Training {
    /// Adds a row; one that is no step ahead is none of this training.
    pub fn push(&mut self, point: TrainPoint) {
        if self.last().is_some_and(|last| point.step <= last.step) {
            return;
        }
        self.recent.push_back(point);
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
        if is_apart(self.kept.last(), &point, self.apart) {
            self.kept.push(point);
        }
        if self.kept.len() > MOST {
            self.thin_out();
        }
    }

    /// Leaves half of what may be kept, at most, evenly.
    fn thin_out(&mut self) {
        let steps = self.kept[self.kept.len() - 1].step - self.kept[0].step;
        self.apart = 2.0 * steps / MOST as f64;
        let (mut before, apart) = (None, self.apart);
        self.kept.retain(|point| {
            let is_kept = is_apart(before.as_ref(), point, apart);
            if is_kept {
                before = Some(*point);
            }
            is_kept
        });
    }

    /// The rows that are kept, in their order, and the last.
    pub fn points(&self) -> impl Iterator<Item = &TrainPoint> {
        let last = self.last().filter(|last| self.kept.last().is_none_or(|kept| kept.step < last.step));
        self.kept.iter().chain(last)
    }

    /// The last row.
    pub fn last(&self) -> Option<&TrainPoint> {
        self.recent.back()
    }

    /// Seconds of training at a step, those of the first row from there on that is kept.
    pub fn time_of(&self, step: f64) -> Option<f64> {
        if step == 0.0 {
            return Some(0.0);
        }
        let from_there = self.kept.get(self.kept.partition_point(|point| point.step < step));
        from_there.or(self.last()).filter(|point| point.step >= step).map(|point| point.wall_s)
    }

    /// Steps, samples and seconds between the last row and one shortly before, or the beginning where it is the first; if time has
    /// passed.
    pub fn pace(&self) -> Option<[f64; 3]> {
        let numbers = |point: &TrainPoint| [point.step, point.samples, point.wall_s];
        let last = numbers(self.last()?);
        let before = if self.recent.len() == 1 { [0.0; 3] } else { numbers(&self.recent[0]) };
        let pace: [f64; 3] = std::array::from_fn(|which| last[which] - before[which]);
        (pace[2] > 0.0).then_some(pace)
    }
}

fn is_apart(before: Option<&TrainPoint>, point: &TrainPoint, apart: f64) -> bool {
    before.is_none_or(|before| point.step - before.step >= apart)
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
        assert!(kept.len() > MOST / 4 && kept.len() <= MOST + 1, "{}", kept.len());
        assert_eq!((kept[0], kept.last()), (1.0, Some(&(steps as f64))));
        let apart: Vec<f64> = kept[..kept.len() - 1].windows(2).map(|pair| pair[1] - pair[0]).collect();
        // A distance that is no whole number of rows is now one more, now one less.
        assert!(apart.iter().all(|steps| (steps - apart[0]).abs() <= 1.0), "{apart:?}");
        let pace = training.pace().unwrap();
        assert_eq!(pace[1] / pace[2], 50.0);
        assert_eq!(training.time_of(steps as f64), Some(2.0 * steps as f64));
        assert_eq!(training.time_of(steps as f64 + 1.0), None);
    }

    #[test]
    fn the_first_row_has_a_pace_and_steps_go_ahead() {
        let mut training = Training::default();
        assert_eq!((training.pace(), training.time_of(3.0)), (None, None));
        for step in [5.0, 5.0, 4.0] {
            training.push(point(step));
        }
        assert_eq!(training.points().count(), 1);
        assert_eq!(training.pace(), Some([5.0, 500.0, 10.0]));
        assert_eq!(training.time_of(3.0), Some(10.0));
    }
}
