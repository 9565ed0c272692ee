//! A chain of measurements in bounded memory: as it is while it is short, in ever longer bins once it is not.

/// Several numbers measured along one chain.
///
/// At most `capacity` bins are kept; when they are full, neighbours are merged. A bin is the mean of consecutive values, so
/// means and, for bins longer than the autocorrelation, errors stay what they were.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeSeries {
    width: usize,
    capacity: usize,
    bin: u64,
    /// `[bin][width]`.
    bins: Vec<f64>,
    open: Vec<f64>,
    open_count: u64,
    count: u64,
    /// First value, then sum and sum of squares of the deviations from it, of each number: `[3][width]`.
    moments: Vec<f64>,
}

/// Bins of all chains of a run together.
const BINS: usize = 1 << 21;

impl TimeSeries {
    /// An empty one of so many chains, which share a bounded memory.
    pub fn of_chains(width: usize, chains: usize) -> Self {
        Self::new(width, (BINS / chains.max(1)).next_multiple_of(2).max(1 << 6))
    }

    /// An empty chain of `width` numbers.
    ///
    /// # Panics
    /// If the capacity is not a positive even number.
    pub fn new(width: usize, capacity: usize) -> Self {
        assert!(
            capacity > 0 && capacity.is_multiple_of(2),
            "bins that can be merged in pairs, got {capacity}"
        );
        Self {
            width,
            capacity,
            bin: 1,
            bins: Vec::new(),
            open: vec![0.0; width],
            open_count: 0,
            count: 0,
            moments: vec![0.0; 3 * width],
        }
    }

    /// Adds the same measurement `times` times, as a chain that stays where it is.
    ///
    /// # Shapes
    /// `row`: `[width]`
    pub fn push(&mut self, row: &[f64], times: u64) {
        assert_eq!(row.len(), self.width, "numbers of a measurement");
        if self.count == 0 {
            self.moments[..self.width].copy_from_slice(row);
        }
        let weight = times as f64;
        for (i, value) in row.iter().enumerate() {
            let deviation = value - self.moments[i];
            self.moments[self.width + i] += weight * deviation;
            self.moments[2 * self.width + i] += weight * deviation * deviation;
        }
        self.count += times;
        let mut left = times;
        while left > 0 {
            let taken = left.min(self.bin - self.open_count);
            self.open.iter_mut().zip(row).for_each(|(sum, value)| *sum += taken as f64 * value);
            self.open_count += taken;
            left -= taken;
            if self.open_count == self.bin {
                self.close();
            }
        }
    }

    fn close(&mut self) {
        let size = self.bin as f64;
        self.bins.extend(self.open.iter().map(|sum| sum / size));
        self.open.fill(0.0);
        self.open_count = 0;
        if self.bins.len() == self.capacity * self.width {
            let width = self.width;
            let merged = |pair: &[f64]| -> Vec<f64> {
                (0..width).map(|i| 0.5 * (pair[i] + pair[width + i])).collect()
            };
            self.bins = self.bins.chunks_exact(2 * width).flat_map(merged).collect();
            self.bin *= 2;
        }
    }

    /// Values added.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Values in a bin.
    pub fn bin(&self) -> u64 {
        self.bin
    }

    /// The bins of all numbers, `[bin][width]`; values of an unfinished bin are left out.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, f64> {
        self.bins.chunks_exact(self.width.max(1))
    }

    /// Numbers of a measurement.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Sums of one number over all values: of itself, and of its square around `center`.
    pub fn sums(&self, number: usize, center: f64) -> (f64, f64) {
        let [first, sum, square] = [0, 1, 2].map(|part| self.moments[part * self.width + number]);
        let (n, shift) = (self.count as f64, first - center);
        (sum + n * first, square + 2.0 * shift * sum + n * shift * shift)
    }

    /// Everything as plain numbers, for checkpoints; [`Self::from_numbers`] makes it again.
    pub fn to_numbers(&self) -> Vec<f64> {
        let head = [self.width as u64, self.capacity as u64, self.bin, self.open_count, self.count];
        let head = head.map(|integer| integer as f64);
        [&head[..], &self.open, &self.moments, &self.bins].concat()
    }

    /// The series that was written, or nothing if the numbers are not those of a series.
    pub fn from_numbers(numbers: &[f64]) -> Option<Self> {
        let (head, rest) = numbers.split_at_checked(5)?;
        let [width, capacity, bin, open_count, count] = [0, 1, 2, 3, 4].map(|i| head[i] as u64);
        let (width, capacity) = (width as usize, capacity as usize);
        let (open, rest) = rest.split_at_checked(width)?;
        let (moments, bins) = rest.split_at_checked(3 * width)?;
        let (open, moments, bins) = (open.to_vec(), moments.to_vec(), bins.to_vec());
        Some(Self { width, capacity, bin, bins, open, open_count, count, moments })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(i: u64) -> [f64; 2] {
        [(i as f64 * 0.37).sin() + 5.0, (i % 7) as f64]
    }

    #[test]
    fn a_short_chain_is_kept_as_it_is() {
        let mut series = TimeSeries::new(2, 64);
        (0..50).for_each(|i| series.push(&value(i), 1));
        assert_eq!((series.bin(), series.count(), series.rows().len()), (1, 50, 50));
        assert!(series.rows().zip(0..).all(|(row, i)| row == value(i)));
    }

    #[test]
    fn a_long_chain_keeps_its_means_and_variances_in_few_bins() {
        let (mut series, n) = (TimeSeries::new(2, 64), 10_000);
        (0..n).for_each(|i| series.push(&value(i), 1));
        assert!(series.rows().len() <= 64 && series.bin() == 256);
        for number in 0..2 {
            let all: Vec<f64> = (0..n).map(|i| value(i)[number]).collect();
            let mean = all.iter().sum::<f64>() / n as f64;
            let square: f64 = all.iter().map(|v| (v - mean).powi(2)).sum();
            let (sum, around) = series.sums(number, mean);
            assert!((sum / n as f64 - mean).abs() < 1e-12 && (around / square - 1.0).abs() < 1e-10);
            let whole = n / 256 * 256;
            let of_bins = series.rows().map(|row| row[number]).sum::<f64>() / series.rows().len() as f64;
            let of_whole = (0..whole).map(|i| value(i)[number]).sum::<f64>() / whole as f64;
            assert!((of_bins - of_whole).abs() < 1e-12);
        }
    }

    #[test]
    fn staying_is_adding_the_same_value_again_and_numbers_restore_a_series() {
        let (mut at_once, mut one_by_one) = (TimeSeries::new(2, 16), TimeSeries::new(2, 16));
        for i in 0..40 {
            at_once.push(&value(i), 1 + i % 5);
            (0..1 + i % 5).for_each(|_| one_by_one.push(&value(i), 1));
        }
        assert!(
            at_once.rows().flatten().zip(one_by_one.rows().flatten()).all(|(a, b)| (a - b).abs() < 1e-12)
        );
        assert_eq!(TimeSeries::from_numbers(&at_once.to_numbers()), Some(at_once));
        assert_eq!(TimeSeries::from_numbers(&[1.0, 2.0]), None);
    }
}
