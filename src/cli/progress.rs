//! Progress on stderr: a bar on a terminal, nothing when quiet or redirected.

use super::output::say;
use crate::spec::StopSpec;
use crate::study::Progress;
use crate::train::{StepInfo, TrainState};
use indicatif::{ProgressBar, ProgressStyle};
use std::cell::Cell;
use std::time::{Duration, Instant};

/// Progress for a person.
pub struct Terminal {
    quiet: bool,
    /// Whether others speak at the same time, so that only what names its cell is said.
    is_one_of_many: bool,
    bar: ProgressBar,
    /// Where the bar was when it first moved.
    start: Cell<Option<Start>>,
}

/// When a bar began to move, and from where.
#[derive(Clone, Copy)]
struct Start {
    time: Instant,
    /// Items done by then.
    done: u64,
    fraction: f64,
}

/// Steps of the bar.
const LENGTH: u64 = 1000;

impl Terminal {
    /// A bar that indicatif draws only on a terminal.
    pub fn new(quiet: bool, is_one_of_many: bool) -> Self {
        let bar = if quiet { ProgressBar::hidden() } else { ProgressBar::new(LENGTH) };
        let style = ProgressStyle::with_template("{bar:10} {wide_msg}").expect("the template is valid");
        bar.set_style(style);
        Self { quiet, is_one_of_many, bar, start: Cell::new(None) }
    }

    /// Prints a line above the bar.
    pub fn line(&self, text: &str) {
        if !self.quiet {
            self.above(text);
        }
    }

    /// Prints a line above the bar, quiet or not.
    pub fn above(&self, text: &str) {
        self.bar.suspend(|| say(text));
    }

    /// Removes the bar.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Moves the bar; gives items per second and, if the end can be foreseen, the time until it.
    fn advance(&self, done: u64, fraction: f64) -> (f64, Option<String>) {
        let start = self.start.get().unwrap_or_else(|| Start { time: Instant::now(), done, fraction });
        self.start.set(Some(start));
        self.bar.set_position((fraction * LENGTH as f64) as u64);
        let elapsed = start.time.elapsed().as_secs_f64();
        let rate = (done - start.done) as f64 / elapsed.max(1e-9);
        let left = elapsed * (1.0 - fraction) / (fraction - start.fraction).max(1e-9);
        (rate, (elapsed > 1.0 && left < 1e7).then(|| duration(left)))
    }
}

impl Progress for Terminal {
    fn begin(&self, text: &str) {
        self.start.set(None);
        if !self.is_one_of_many {
            self.line(text);
        }
    }

    fn step(&self, stop: &StopSpec, state: &TrainState, info: &StepInfo) {
        let clock = clock(stop, state);
        // The ESS does not grow evenly: it moves the bar, but promises no time.
        let fraction = clock.unwrap_or(stop.ess.map_or(0.0, |target| info.ess_smoothed / target)).min(1.0);
        let (rate, left) = self.advance(state.cost.samples, fraction);
        let eta = clock.map(|_| left.unwrap_or("?".into()));
        self.bar.set_message(in_training(stop, state.step, info, rate, eta.as_deref()));
    }

    fn done(&self, done: u64, total: u64, unit: &str) {
        let (rate, left) = self.advance(done, done as f64 / total as f64);
        let left = left.unwrap_or("?".into());
        self.bar.set_message(format!("{done} of {total} {unit}, ETA {left}, {rate:.0}/s"));
    }

    fn note(&self, text: &str) {
        self.line(text);
    }

    fn warn(&self, text: &str) {
        self.above(text);
    }
}

/// What matters most comes first: a terminal that is narrow shows the beginning.
fn in_training(stop: &StopSpec, step: u64, info: &StepInfo, rate: f64, eta: Option<&str>) -> String {
    let steps = stop.steps.map_or(String::new(), |limit| format!(" of {limit}"));
    let target = stop.ess.map_or(String::new(), |target| format!(" of {target}"));
    let eta = eta.map_or(String::new(), |eta| format!(", ETA {eta}"));
    format!(
        "step {step}{steps}, ESS {:.3}{target}{eta}, loss {:.3}, batch {}, {rate:.0} samples/s",
        info.ess_smoothed, info.loss, info.batch_size
    )
}

/// How far the nearest of the stop rules on steps, samples and seconds has come.
fn clock(stop: &StopSpec, state: &TrainState) -> Option<f64> {
    let clocks = [
        stop.steps.map(|limit| state.step as f64 / limit as f64),
        stop.samples.map(|limit| state.cost.samples as f64 / limit as f64),
        stop.seconds.map(|limit| state.cost.wall_s / limit),
    ];
    clocks.into_iter().flatten().reduce(f64::max)
}

/// `1 h 02 min`, `3 min 20 s` or `12 s`.
pub fn duration(seconds: f64) -> String {
    let seconds = Duration::from_secs_f64(seconds.clamp(0.0, 1e15)).as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s:02} s"),
        (h, m, _) if h < 48 => format!("{h} h {m:02} min"),
        (h, ..) => format!("{} days", h / 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_readable() {
        let shown = [0.4, 61.0, 3720.0, 400_000.0].map(duration);
        assert_eq!(shown, ["0 s", "1 min 01 s", "1 h 02 min", "4 days"]);
    }

    #[test]
    fn what_ends_training_stands_before_what_does_not() {
        let info = StepInfo {
            batch_size: 256,
            learning_rate: 1e-3,
            loss: -15.768,
            ess: 0.25,
            ess_smoothed: 0.309,
            gradient_norm: 1.0,
            micro_batch: 256,
            stop: None,
        };
        let by_ess = StopSpec { ess: Some(0.9), ..StopSpec::default() };
        let shown = in_training(&by_ess, 357, &info, 7630.4, None);
        assert_eq!(shown, "step 357, ESS 0.309 of 0.9, loss -15.768, batch 256, 7630 samples/s");
        let both = StopSpec { steps: Some(20_000), ..by_ess };
        let shown = in_training(&both, 357, &info, 7630.4, Some("12 min 35 s"));
        // Beside the bar, in the 60 columns of half a screen.
        assert!(shown[..49].starts_with("step 357 of 20000, ESS 0.309 of 0.9, ETA 12 min"), "{shown}");
    }
}
