//! Sums that depend neither on the order of their terms nor on how these are spread over processes.

/// Binary digits after the point: numbers of single precision above 10⁻¹² keep all of theirs.
const DIGITS: i32 = 64;

/// Terms are smaller than this power of two; four million of them fit.
const LARGEST: i32 = 40;

/// Binary digits of a sum that a word carries; sums of words over two million processes fit.
const OF_WORD: u32 = 42;

/// Words of a sum.
const WORDS: usize = 3;

/// Sums of numbers in fixed point: `Σ round(2⁶⁴ x) / 2⁶⁴`, exactly.
///
/// A term that is not smaller than 2⁴⁰, or is no number, makes all sums NaN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedPointSum {
    sums: Vec<i128>,
    /// Terms that are not of this range.
    beyond: i64,
}

impl FixedPointSum {
    /// So many sums, of nothing yet.
    pub fn new(count: usize) -> Self {
        Self { sums: vec![0; count], beyond: 0 }
    }

    /// Adds a term to each sum.
    ///
    /// # Panics
    /// If there are not as many terms as sums.
    pub fn add(&mut self, terms: &[f64]) {
        assert_eq!(terms.len(), self.sums.len(), "terms and sums");
        let (one, largest) = (2f64.powi(DIGITS), 2f64.powi(LARGEST));
        for (sum, &term) in self.sums.iter_mut().zip(terms) {
            if term.abs() < largest {
                *sum += (term * one).round() as i128;
            } else {
                self.beyond += 1;
            }
        }
    }

    /// The sums.
    pub fn total(&self) -> Vec<f64> {
        let one = if self.beyond == 0 { 2f64.powi(-DIGITS) } else { f64::NAN };
        self.sums.iter().map(|&sum| sum as f64 * one).collect()
    }

    /// Integers that stand for the sums; sums of these over processes stand for the sums of all.
    pub fn to_words(&self) -> Vec<i64> {
        let mask = (1i128 << OF_WORD) - 1;
        let words = |sum: i128| [sum & mask, (sum >> OF_WORD) & mask, sum >> (2 * OF_WORD)];
        let words = self.sums.iter().flat_map(|&sum| words(sum)).map(|word| word as i64);
        words.chain([self.beyond]).collect()
    }

    /// The sums that integers stand for.
    pub fn from_words(words: &[i64]) -> Self {
        let (words, beyond) = words.split_at(words.len() - 1);
        let sum = |words: &[i64; WORDS]| {
            let [low, middle, high] = words.map(i128::from);
            low + (middle << OF_WORD) + (high << (2 * OF_WORD))
        };
        Self { sums: words.as_chunks().0.iter().map(sum).collect(), beyond: beyond[0] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Seed;

    fn sum_of(parts: &[Vec<f64>]) -> FixedPointSum {
        let mut sum = FixedPointSum::new(parts[0].len());
        parts.iter().for_each(|part| sum.add(part));
        sum
    }

    #[test]
    fn sums_do_not_depend_on_order_nor_on_processes_and_lose_nothing_of_single_precision() {
        let numbers = Seed(1).stream("terms").normals(0, 60, 7);
        // From 10⁻⁹ to 10⁹, so that a sum in floating point depends on its order.
        let scale = |place: usize| 10f64.powi(place as i32 % 19 - 9);
        let parts: Vec<Vec<f64>> = numbers
            .chunks_exact(7)
            .enumerate()
            .map(|(place, part)| {
                part.iter().map(|&x| f64::from((f64::from(x) * scale(place)) as f32)).collect()
            })
            .collect();
        let all = sum_of(&parts);
        let reversed: Vec<Vec<f64>> = parts.iter().rev().cloned().collect();
        assert_eq!(sum_of(&reversed), all);
        for processes in 1..=7 {
            let mut words = vec![0; 7 * WORDS + 1];
            for share in parts.chunks(parts.len().div_ceil(processes)) {
                words.iter_mut().zip(sum_of(share).to_words()).for_each(|(sum, word)| *sum += word);
            }
            assert_eq!(FixedPointSum::from_words(&words), all, "{processes}");
        }
        let total = all.total();
        for (place, total) in total.into_iter().enumerate() {
            let exact: f64 = parts.iter().map(|part| part[place]).sum();
            // Sixty roundings of a sum of 10⁹ in double precision.
            assert!((total - exact).abs() < 1e-5, "{total} {exact}");
            let one = parts[0][place];
            assert_eq!(sum_of(&[vec![one]]).total(), [one]);
        }
    }

    #[test]
    fn what_is_out_of_range_is_seen_in_every_sum() {
        for bad in [f64::NAN, f64::INFINITY, -2f64.powi(LARGEST)] {
            let mut sum = sum_of(&[vec![1.0, 2.0], vec![bad, 1.0]]);
            assert!(sum.total().into_iter().all(f64::is_nan), "{bad}");
            sum = FixedPointSum::from_words(&sum.to_words());
            assert!(sum.total().into_iter().all(f64::is_nan), "{bad}");
        }
        let largest = -2f64.powi(LARGEST) * (1.0 - f64::EPSILON);
        let sum = sum_of(&[vec![largest], vec![largest]]);
        assert_eq!(FixedPointSum::from_words(&sum.to_words()).total(), [2.0 * largest]);
    }
}
