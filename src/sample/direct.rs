//! Direct sampling: independent configurations of the model with `log w = -S - log q`.

use super::arrays::Arrays;
use super::drawing::Wanted;
use super::draws::{Batch, Model};
use super::method::{Method, MethodCost, MethodRun};
use super::store::{Resumable, Store, identity};
use super::watch::Watch;
use crate::error::Result;
use crate::rng::Stream;
use crate::stats::Ensemble;
use std::time::Instant;

/// What has been drawn: of every configuration its weight and its measurements.
struct Draws {
    log_weights: Vec<f64>,
    rows: Vec<f64>,
    width: usize,
    wall_s: f64,
    /// Draws that are no new records.
    recorded: usize,
}

impl Draws {
    /// With room for all at once: growing would need twice as much.
    fn new(count: u64, width: usize) -> Self {
        let log_weights = Vec::with_capacity(count as usize);
        let rows = Vec::with_capacity(count as usize * width);
        Self { log_weights, rows, width, wall_s: 0.0, recorded: 0 }
    }

    fn count(&self) -> u64 {
        self.log_weights.len() as u64
    }

    fn add(&mut self, batch: &Batch) {
        self.log_weights.extend((0..batch.log_q.len()).map(|i| batch.log_weight(i)));
        self.rows.extend(&batch.rows);
    }

    /// Takes over the first records of a store, `count` at most.
    fn read(&mut self, store: &mut Store<'_>, count: u64) -> Result<()> {
        store.records().read(&mut |kept| {
            let wanted = (count - self.count()) as usize;
            for draw in kept.chunks_exact(self.width + 1).take(wanted) {
                self.log_weights.push(draw[0]);
                self.rows.extend(&draw[1..]);
            }
            Ok(())
        })?;
        self.recorded = self.log_weights.len();
        Ok(())
    }
}

impl Resumable for Draws {
    fn save(&self) -> Arrays {
        Arrays::new(serde_json::json!(self.wall_s))
    }

    fn restore(&mut self, saved: Arrays) -> Option<()> {
        self.wall_s = saved.header.as_f64()?;
        Some(())
    }

    fn take_records(&mut self) -> Vec<f64> {
        let new = self.recorded..self.log_weights.len();
        self.recorded = new.end;
        let rows = &self.rows;
        let record = |i: usize| {
            std::iter::once(self.log_weights[i]).chain(rows[i * self.width..][..self.width].iter().copied())
        };
        new.flat_map(record).collect()
    }
}

/// Whose the draws of a stream are; how many there are is no part of it.
pub fn draws_identity(model: &Model<'_>, stream: &Stream) -> String {
    identity(&[model.action.id().as_bytes(), stream.key(), &model.density_id()])
}

/// Draws the items `0..count` of a stream and measures them; memory holds one batch of fields, and of every configuration its weight
/// and its measurements. With a store, whose records are `[log w, measurements]`, continues what it holds and saves there.
///
/// # Errors
/// What `watch` returns, which hears after every batch, once the state is saved; errors of the store, or
/// [`crate::error::Error::Device`].
pub fn draw(
    model: &Model<'_>,
    stream: &Stream,
    count: u64,
    mut store: Option<&mut Store<'_>>,
    watch: Watch<'_>,
) -> Result<MethodRun> {
    let mut draws = Draws::new(count, model.width());
    if let Some(store) = store.as_deref_mut() {
        store.restore(&mut draws)?;
        draws.read(store, count)?;
    }
    let (start, before_s, first) = (Instant::now(), draws.wall_s, draws.count());
    let wanted = Wanted { stream, items: first..count, fields: false };
    model.draw(&model.bind(), &wanted, &mut |batch| {
        draws.add(&batch);
        draws.wall_s = before_s + start.elapsed().as_secs_f64();
        let asked = (watch.hear)(draws.count());
        let is_last = asked.is_err() || draws.count() == count;
        store.as_deref_mut().map_or(Ok(()), |store| store.keep(&mut draws, is_last))?;
        asked
    })?;
    let Draws { log_weights, rows, width, wall_s, .. } = draws;
    let cost = MethodCost { setup: None, flops_per_configuration: model.flops_per_sample(), wall_s };
    Ok(MethodRun::new(Method::Direct, Ensemble::Weighted { log_weights, rows, width }, cost, None))
}
