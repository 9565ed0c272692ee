//! Direct sampling: independent configurations of the model with `log w = -S - log q`.

use super::draws::Model;
use super::{DrawStore, Watch};
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
/// and its measurements. With a store, continues what it holds and saves there.
///
/// # Errors
/// What `watch` returns, which is called after every batch, once the state is saved; errors of the store, or
/// [`crate::error::Error::Device`].
pub fn draw(
    model: &Model<'_>,
    stream: &Stream,
    count: u64,
    mut store: Option<&mut DrawStore<'_>>,
    watch: Watch<'_>,
) -> Result<Draws> {
    let width = model.width();
    // Room for all at once: growing would need twice as much.
    let mut log_weights = Vec::with_capacity(count as usize);
    let mut rows = Vec::with_capacity(count as usize * width);
    let mut before_s = 0.0;
    if let Some(store) = store.as_deref_mut() {
        before_s = store.wall_s;
        store.draws().read(&mut |kept| {
            let wanted = count as usize - log_weights.len();
            for draw in kept.chunks_exact(width + 1).take(wanted) {
                log_weights.push(draw[0]);
                rows.extend(&draw[1..]);
            }
            Ok(())
        })?;
    }
    let start = Instant::now();
    let first = log_weights.len() as u64;
    model.draw(&model.bind(), stream, first, count - first, &mut |batch| {
        let new = log_weights.len();
        log_weights.extend((0..batch.log_q.len()).map(|i| batch.log_weight(i)));
        rows.extend(&batch.rows);
        let asked = watch(log_weights.len() as u64);
        if let Some(store) = store.as_deref_mut() {
            let draws = (new..log_weights.len()).flat_map(|i| {
                std::iter::once(log_weights[i]).chain(rows[i * width..][..width].iter().copied())
            });
            store.draws().append(&draws.collect::<Vec<f64>>())?;
            let is_whole = log_weights.len() as u64 == count;
            if asked.is_err() || is_whole || (store.is_due)() {
                store.save(before_s + start.elapsed().as_secs_f64())?;
            }
        }
        asked
    })?;
    Ok(Draws { log_weights, rows, width, wall_s: before_s + start.elapsed().as_secs_f64() })
}
