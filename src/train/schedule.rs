//! Learning rate and batch size as functions of the step.

use crate::spec::{BatchSpec, LearningRateSpec, StopSpec};

/// `min(size · 2^⌊step/every⌋, maximum)`, or `size`.
pub fn batch_size(spec: &BatchSpec, step: u64) -> usize {
    let Some(double) = &spec.double else { return spec.size };
    let doublings = u32::try_from(step / double.every).unwrap_or(u32::MAX);
    let factor = 2usize.checked_pow(doublings).unwrap_or(usize::MAX);
    spec.size.saturating_mul(factor).min(double.maximum)
}

/// `rate · 2^{-⌊step/every⌋}`, or `rate`.
pub fn learning_rate(spec: &LearningRateSpec, rate: f64, step: u64) -> f64 {
    spec.halve.as_ref().map_or(rate, |halve| rate * 0.5f64.powf((step / halve.every) as f64))
}

/// Configurations flowed until the stop rules on steps and samples end the training; `None` without such a rule.
pub fn samples_until(batch: &BatchSpec, stop: &StopSpec) -> Option<u64> {
    let limit = |samples: u64, step: u64| {
        stop.samples.is_some_and(|limit| samples >= limit) || stop.steps.is_some_and(|limit| step >= limit)
    };
    if stop.samples.is_none() && stop.steps.is_none() {
        return None;
    }
    let (mut samples, mut step) = (0u64, 0u64);
    while !limit(samples, step) {
        let size = batch_size(batch, step) as u64;
        // A whole stretch of equal batches at once.
        let stretch = batch.double.as_ref().map_or(u64::MAX, |d| d.every - step % d.every);
        let by_steps = stop.steps.map_or(u64::MAX, |limit| limit - step);
        let by_samples = stop.samples.map_or(u64::MAX, |limit| (limit - samples).div_ceil(size));
        let steps = stretch.min(by_steps).min(by_samples);
        (samples, step) = (samples.saturating_add(steps.saturating_mul(size)), step + steps);
    }
    Some(samples)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{DoubleSpec, HalveSpec};

    #[test]
    fn the_batch_doubles_to_its_maximum_and_stays() {
        let double = Some(DoubleSpec { every: 5000, maximum: 16384 });
        let spec = BatchSpec { size: 128, micro_batch: None, double };
        let sizes: Vec<usize> = [0, 4999, 5000, 10_000, 34_999, 35_000, 99_000, u64::MAX]
            .map(|step| batch_size(&spec, step))
            .to_vec();
        assert_eq!(sizes, [128, 128, 256, 512, 8192, 16384, 16384, 16384]);
    }

    #[test]
    fn the_rate_halves() {
        let spec = LearningRateSpec { halve: Some(HalveSpec { every: 5000 }) };
        assert_eq!(
            [0, 4999, 5000, 10_000].map(|step| learning_rate(&spec, 1e-3, step)),
            [1e-3, 1e-3, 5e-4, 2.5e-4]
        );
        assert_eq!(learning_rate(&LearningRateSpec::default(), 1e-3, 1_000_000), 1e-3);
    }

    #[test]
    fn the_samples_until_a_stop_are_those_of_the_steps() {
        let double = Some(DoubleSpec { every: 7, maximum: 1000 });
        let batch = BatchSpec { size: 128, micro_batch: None, double };
        for steps in [1, 6, 7, 8, 40] {
            let exact: u64 = (0..steps).map(|step| batch_size(&batch, step) as u64).sum();
            let stop = StopSpec { steps: Some(steps), ..StopSpec::default() };
            assert_eq!(samples_until(&batch, &stop), Some(exact));
            let stop = StopSpec { samples: Some(exact - 5), ..StopSpec::default() };
            assert_eq!(samples_until(&batch, &stop), Some(exact));
        }
        assert_eq!(samples_until(&batch, &StopSpec::default()), None);
    }
}
