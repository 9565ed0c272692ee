//! One seed → named streams whose every item can be drawn on its own, in any order and on any thread.
//!
//! A stream is ChaCha8 with a 256-bit key `BLAKE3(seed, name)`; item `i` of a stream (one configuration, one
//! layer's weights) is the ChaCha stream of number `i`. What is drawn depends on `(seed, name, i)` alone, so
//! neither threads nor interruptions nor the size of a batch change it.

use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal, Uniform};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::f32::consts::PI;

/// All randomness of a run.
#[derive(Debug, Clone, Copy)]
pub struct Seed(pub u64);

/// A named sequence of independent items.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stream {
    key: [u8; 32],
}

impl Seed {
    /// The stream of this name, e.g. `init`, `train/base`, `sample/direct`.
    pub fn stream(self, name: &str) -> Stream {
        let mut hasher = blake3::Hasher::new_derive_key("flowqcd 2026 random streams v1");
        hasher.update(&self.0.to_le_bytes()).update(name.as_bytes());
        Stream { key: *hasher.finalize().as_bytes() }
    }
}

impl Stream {
    /// What distinguishes it from all other streams.
    pub fn key(&self) -> &[u8; 32] {
        &self.key
    }

    /// A stream of its own for another purpose, whose items belong to the items of this one.
    pub fn beside(&self, purpose: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("flowqcd 2026 random streams beside others v1");
        hasher.update(&self.key).update(purpose.as_bytes());
        Self { key: *hasher.finalize().as_bytes() }
    }

    /// The generator of item `index`.
    pub fn item(&self, index: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::from_seed(self.key);
        rng.set_stream(index);
        rng
    }

    /// Unit normals of the items `first..first + count`, `width` numbers each, as `[count, width]`.
    pub fn normals(&self, first: u64, count: usize, width: usize) -> Vec<f32> {
        self.numbers(first, count, width, StandardNormal)
    }

    /// Angles of the items `first..first + count`, uniform on [-π, π) with π in single precision, as `[count, width]`.
    pub fn angles(&self, first: u64, count: usize, width: usize) -> Vec<f32> {
        self.numbers(first, count, width, Uniform::new(-PI, PI).expect("an interval"))
    }

    /// Numbers of the items `first..first + count` from one distribution.
    fn numbers<D>(&self, first: u64, count: usize, width: usize, distribution: D) -> Vec<f32>
    where
        D: Distribution<f32> + Copy + Sync,
    {
        let mut values = vec![0.0; count * width];
        values.par_chunks_mut(width.max(1)).enumerate().for_each(|(offset, row)| {
            let rng = self.item(first + offset as u64);
            row.iter_mut().zip(distribution.sample_iter(rng)).for_each(|(value, draw)| *value = draw);
        });
        values
    }

    /// `count` uniform numbers of `[-bound, bound)` from item `index`.
    pub fn uniforms(&self, index: u64, count: usize, bound: f32) -> Vec<f32> {
        match Uniform::new(-bound, bound) {
            Ok(uniform) => uniform.sample_iter(self.item(index)).take(count).collect(),
            Err(_) => vec![0.0; count],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_does_not_depend_on_how_it_is_reached() {
        let stream = Seed(7).stream("train/base");
        for draw in [Stream::normals, Stream::angles] {
            let all = draw(&stream, 0, 10, 33);
            assert_eq!(all[4 * 33..7 * 33], draw(&stream, 4, 3, 33));
        }
    }

    #[test]
    fn seeds_and_names_give_different_streams() {
        let draw = |seed, name| Seed(seed).stream(name).normals(0, 1, 8);
        assert_ne!(draw(1, "a"), draw(2, "a"));
        assert_ne!(draw(1, "a"), draw(1, "b"));
        let beside = |purpose| Seed(1).stream("a").beside(purpose).normals(0, 1, 8);
        assert_ne!(beside("a"), draw(1, "a"));
        assert_ne!(beside("a"), beside("b"));
    }

    /// Bounds are five standard errors of each estimator at this sample size.
    #[test]
    fn normals_have_the_moments_of_the_unit_normal_and_no_correlation() {
        let (count, width) = (50_000, 4);
        let values = Seed(3).stream("moments").normals(0, count, width);
        let n = values.len() as f64;
        let moment = |power: i32| values.iter().map(|&v| f64::from(v).powi(power)).sum::<f64>() / n;
        for (power, exact, variance) in [(1, 0.0, 1.0), (2, 1.0, 2.0), (3, 0.0, 15.0), (4, 3.0, 96.0)] {
            let bound = 5.0 * f64::sqrt(variance / n);
            assert!((moment(power) - exact).abs() < bound, "moment {power}: {}", moment(power));
        }
        let lag = |k: usize| values.windows(k + 1).map(|w| f64::from(w[0] * w[k])).sum::<f64>() / n;
        assert!([1, 2, width, 2 * width].iter().all(|&k| lag(k).abs() < 5.0 / n.sqrt()));
    }

    /// Bounds are five standard errors; `⟨cos kθ⟩` of whole k vanish.
    #[test]
    fn angles_fill_the_circle_and_have_no_correlation() {
        let values = Seed(3).stream("angles").angles(0, 50_000, 4);
        assert!(values.iter().all(|angle| (-PI..PI).contains(angle)));
        let n = values.len() as f64;
        let mean =
            |of: &dyn Fn(f64) -> f64| values.iter().map(|&angle| of(f64::from(angle))).sum::<f64>() / n;
        for k in 1..4 {
            let wave = |angle: f64| f64::from(k) * angle;
            for moment in [mean(&|angle| wave(angle).cos()), mean(&|angle| wave(angle).sin())] {
                assert!(moment.abs() < 5.0 * (0.5 / n).sqrt(), "k = {k}: {moment}");
            }
        }
        let neighbours = values.windows(2).map(|pair| f64::from(pair[0] - pair[1]).cos()).sum::<f64>() / n;
        assert!(neighbours.abs() < 5.0 * (0.5 / n).sqrt(), "{neighbours}");
    }

    #[test]
    fn uniforms_fill_their_interval() {
        let values = Seed(1).stream("init").uniforms(0, 20_000, 0.25);
        assert!(values.iter().all(|v| v.abs() <= 0.25));
        let n = values.len() as f64;
        let second = values.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / n;
        let (exact, variance) = (0.0625 / 3.0, 0.0625f64.powi(2) * (1.0 / 5.0 - 1.0 / 9.0));
        assert!((second - exact).abs() < 5.0 * (variance / n).sqrt());
        assert!(Seed(1).stream("init").uniforms(0, 3, 0.0).iter().all(|&v| v == 0.0));
    }
}
