//! The rolling mean that figures smooth with.

use std::collections::VecDeque;

/// Mean of the last `width` values; of all values while there are fewer.
#[derive(Debug, Clone, PartialEq)]
pub struct RollingMean {
    width: usize,
    values: VecDeque<f64>,
}

impl RollingMean {
    /// A window that already holds `values`, oldest first.
    pub fn new(width: usize, values: impl IntoIterator<Item = f64>) -> Self {
        Self { width, values: values.into_iter().collect() }
    }

    /// Adds a value and drops the oldest one if the window is full.
    pub fn push(&mut self, value: f64) {
        if self.is_full() {
            self.values.pop_front();
        }
        self.values.push_back(value);
    }

    /// Whether the window holds `width` values.
    pub fn is_full(&self) -> bool {
        self.values.len() >= self.width
    }

    /// The mean, summed afresh so that it depends on the window's content alone; `None` if there is none.
    pub fn mean(&self) -> Option<f64> {
        (!self.values.is_empty()).then(|| self.values.iter().sum::<f64>() / self.values.len() as f64)
    }

    /// The values held, oldest first.
    pub fn values(&self) -> impl Iterator<Item = f64> + '_ {
        self.values.iter().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_rolls() {
        let mut window = RollingMean::new(3, []);
        assert_eq!(window.mean(), None);
        let means: Vec<f64> = [1.0, 3.0, 5.0, 10.0]
            .map(|value| {
                window.push(value);
                window.mean().unwrap()
            })
            .to_vec();
        assert_eq!(means, [1.0, 2.0, 3.0, 6.0]);
        assert_eq!(window, RollingMean::new(3, [3.0, 5.0, 10.0]));
    }
}
