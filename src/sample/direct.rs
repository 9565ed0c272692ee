//! Direct sampling: independent configurations of the model with `log w = -S - log q`.

use super::Watch;
use super::draws::Model;
use crate::error::Result;
use crate::rng::Stream;
use crate::stats::Ensemble;
use std::time::Instant;

/// Independent configurations with their weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Draws {
    /// `log w` of every configuration.
    pub log_weights: Vec<f64>,
    /// Measurements `[configuration][width]`.
    pub rows: Vec<f64>,
    /// Numbers of a measurement.
    pub width: usize,
    /// Seconds spent, measurements included.
    pub wall_s: f64,
}

impl Draws {
    /// What observables are computed from.
    pub fn ensemble(&self) -> Ensemble<'_> {
        Ensemble::Weighted { log_weights: &self.log_weights, rows: &self.rows, width: self.width }
    }
}

/// Draws the items `0..count` of a stream and measures them; memory holds one batch of fields, and of every configuration its weight
/// and its measurements.
///
/// # Errors
/// What `watch` returns, which is called after every batch, or [`crate::error::Error::Device`].
pub fn draw(model: &Model<'_>, stream: &Stream, count: u64, watch: Watch<'_>) -> Result<Draws> {
    let start = Instant::now();
    // Room for all at once: growing would need twice as much.
    let mut log_weights = Vec::with_capacity(count as usize);
    let mut rows = Vec::with_capacity(count as usize * model.width());
    model.draw(&model.bind(), stream, 0, count, &mut |batch| {
        log_weights.extend((0..batch.log_q.len()).map(|i| batch.log_weight(i)));
        rows.extend(batch.rows);
        watch(log_weights.len() as u64)
    })?;
    Ok(Draws { log_weights, rows, width: model.width(), wall_s: start.elapsed().as_secs_f64() })
}
