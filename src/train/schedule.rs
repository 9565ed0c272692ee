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
    match spec {
        LearningRateSpec::Constant => rate,
        LearningRateSpec::Halve(halve) => rate * 0.5f64.powf((step / halve.every) as f64),
    }
}

/// Configurations flowed until the stop rules on steps and samples end the training; `None` without such a rule, or if there are
/// 2⁶⁴ or more.
pub fn samples_until(batch: &BatchSpec, stop: &StopSpec) -> Option<u64> {
    if stop.samples.is_none() && stop.steps.is_none() {
        return None;
    }
    let (mut samples, mut step) = (0u64, 0u64);
    loop {
        let by_steps = stop.steps.map_or(u64::MAX, |limit| limit - step);
        let missing = stop.samples.map_or(u64::MAX, |limit| limit.saturating_sub(samples));
        if by_steps == 0 || missing == 0 {
            return Some(samples);
        }
        // All steps until the batch grows again, if it does: there are as many such stretches as doublings.
        let size = batch_size(batch, step) as u64;
        let grows = batch.double.as_ref().filter(|double| size < double.maximum as u64);
        let stretch = grows.map_or(u64::MAX, |double| double.every - step % double.every);
        let steps = stretch.min(by_steps).min(missing.div_ceil(size));
        samples = samples.checked_add(steps.checked_mul(size)?)?;
        step += steps;
    }
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
        let spec = LearningRateSpec::Halve(HalveSpec { every: 5000 });
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

    #[test]
    fn the_samples_of_more_steps_than_can_be_walked_are_exact_or_none() {
        let double = Some(DoubleSpec { every: 1, maximum: 1 << 20 });
        let batch = BatchSpec { size: 1, micro_batch: None, double };
        let until =
            |steps: u64| samples_until(&batch, &StopSpec { steps: Some(steps), ..StopSpec::default() });
        // 1 + 2 + … + 2¹⁹, then 2²⁰ each.
        assert_eq!(until(1 << 43), Some((1 << 20) - 1 + ((1 << 43) - 20) * (1 << 20)));
        assert_eq!(until(1 << 53), None, "there is no such number of configurations");
        let constant = BatchSpec { size: 1, micro_batch: None, double: None };
        let both = StopSpec { steps: Some(1 << 53), samples: Some(1 << 40), ..StopSpec::default() };
        assert_eq!(samples_until(&constant, &both), Some(1 << 40));
        assert_eq!(samples_until(&constant, &StopSpec { samples: None, ..both }), Some(1 << 53));
    }
}
