//! What is known of a cell in short texts: where its training is, and how good the model.

use super::choices::Choices;
use crate::cli::progress::duration;
use crate::report::live::{CellFiles, ChainFacts, Evaluation, TrainPoint, seconds_left};
use crate::report::short;
use crate::spec::StopSpec;
use crate::study::{CellStatus, Progression};

/// What there is to show.
pub struct Shown<'a> {
    /// The run directory.
    pub run: String,
    /// All cells.
    pub cells: &'a [CellStatus],
    /// What was read of the chosen one.
    pub files: Option<&'a CellFiles>,
    /// When its training is to end, if it has one.
    pub stop: Option<&'a StopSpec>,
    /// Why the files cannot be read, if they cannot.
    pub problem: Option<&'a str>,
    /// What is drawn.
    pub choices: Choices,
}

impl Shown<'_> {
    /// The chosen cell.
    pub fn cell(&self) -> Option<&CellStatus> {
        self.cells.get(self.choices.cell)
    }
}

/// Where training is, how good the model, and how chains went.
pub fn facts(shown: &Shown<'_>, files: &CellFiles) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(last) = files.training.last() {
        facts.extend(of_training(last, shown.stop));
        facts.extend(of_time(shown, files, last));
        facts.push(of_batches(last, shown.stop));
    }
    facts.extend(files.evaluations.last().into_iter().flat_map(of_evaluation));
    facts.extend(of_chains(&files.chains));
    facts
}

fn of_training(last: &TrainPoint, stop: Option<&StopSpec>) -> Vec<String> {
    let of = |limit: Option<u64>| limit.map_or(String::new(), |limit| format!(" of {limit}"));
    let (steps, samples) = (stop.and_then(|stop| stop.steps), stop.and_then(|stop| stop.samples));
    vec![
        format!("step {}{}", last.step, of(steps)),
        format!("samples {}{}", last.samples, of(samples)),
        format!("batch {}", last.batch_size),
        format!("learning rate {}", short(last.learning_rate)),
        format!("loss {}", with_decimals(last.loss)),
        format!("gradient norm {}", short(last.grad_norm)),
    ]
}

/// Speed, the time that is left, and that which has passed.
fn of_time(shown: &Shown<'_>, files: &CellFiles, last: &TrainPoint) -> Vec<String> {
    let pace = files.training.pace().map(|[_, samples, seconds]| samples / seconds);
    let of = shown.stop.and_then(|stop| stop.seconds).map(|limit| format!(" of {}", duration(limit)));
    let speed = pace.map(|pace| format!("samples/s {}", short(pace)));
    let passed = format!("trained for {}{}", duration(last.wall_s), of.unwrap_or_default());
    speed.into_iter().chain(time_left(shown, files, last)).chain([passed]).collect()
}

/// The time until the end of training, if that is still to come: a promise only where somebody works on it. How long an ESS takes
/// nobody knows.
fn time_left(shown: &Shown<'_>, files: &CellFiles, last: &TrainPoint) -> Option<String> {
    let stop = shown.stop.filter(|stop| stop.ess.is_none_or(|target| last.ess_smoothed < target))?;
    let left = seconds_left(stop, &files.training);
    match (&shown.cell()?.progression, left) {
        (Progression::Done { .. } | Progression::Failed { .. }, _) | (_, Some(0.0)) => None,
        (Progression::Running { .. }, None) if !stop.has_clock() => None,
        (Progression::Running { .. }, left) => Some(format!("ETA {}", left.map_or("?".into(), duration))),
        (Progression::Waiting { .. }, left) => left.map(|left| format!("{} to go", duration(left))),
    }
}

fn of_batches(last: &TrainPoint, stop: Option<&StopSpec>) -> String {
    let target = stop.and_then(|stop| stop.ess).map_or(String::new(), |target| format!(" of {target}"));
    format!("ESS training {}{target} (last batch {})", short(last.ess_smoothed), short(last.ess))
}

fn of_evaluation(found: &Evaluation) -> Vec<String> {
    let interval = found.interval.map(|[low, high]| format!(" (68%: {} to {})", short(low), short(high)));
    let fresh =
        format!("ESS fresh {}{} at step {}", short(found.ess), interval.unwrap_or_default(), found.step);
    let target = found.ess_target.map(|target| format!("ESS target samples {}", short(target)));
    std::iter::once(fresh).chain(target).collect()
}

fn of_chains(chains: &[ChainFacts]) -> Option<String> {
    let each: Vec<String> =
        chains.iter().map(|chain| format!("{} {}", chain.method, short(chain.acceptance))).collect();
    (!each.is_empty()).then(|| format!("acceptance: {}", each.join(", ")))
}

/// The warnings of the chosen cell, the latest first.
pub fn warnings<'a>(shown: &Shown<'a>) -> impl Iterator<Item = &'a str> {
    shown.files.into_iter().flat_map(|files| files.warnings.iter().rev()).map(String::as_str)
}

/// Losses differ late in training by little beside what they are.
fn with_decimals(value: f64) -> String {
    if value.abs() < 1e7 { format!("{value:.3}") } else { short(value) }
}

#[cfg(test)]
mod tests {
    use super::with_decimals;

    #[test]
    fn a_loss_has_decimals_and_says_what_is_no_number() {
        let shown = [-1234.5678, 0.0, 2.5e9, f64::NAN, f64::INFINITY].map(with_decimals);
        assert_eq!(shown, ["-1234.568", "0.000", "2500000000", "NaN", "inf"]);
    }
}
