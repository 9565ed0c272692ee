//! Draws of a base density that are made while the device works on the ones before.

use super::Base;
use crate::rng::Stream;
use std::cell::RefCell;
use std::ops::Range;
use std::sync::Arc;
use std::thread::JoinHandle;

/// A stream of draws, read part after part. What a part holds does not depend on when it was drawn.
#[derive(Debug)]
pub struct Ahead {
    base: Arc<dyn Base>,
    stream: Stream,
    /// Items that a thread is drawing.
    next: RefCell<Option<Drawing>>,
}

type Drawing = (Range<u64>, JoinHandle<Vec<f32>>);

impl Ahead {
    /// Draws of `base` from a stream.
    pub fn new(base: Arc<dyn Base>, stream: Stream) -> Self {
        Self { base, stream, next: RefCell::new(None) }
    }

    /// The stream that is read.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// The items `items`, as `[count, component, site]`; from now on `then` is drawn in a thread of its own, if anything is
    /// and there is one.
    ///
    /// # Panics
    /// If drawing does.
    pub fn draw(&self, items: Range<u64>, then: Option<Range<u64>>) -> Vec<f32> {
        let ready = self.next.take().filter(|(ready, _)| *ready == items);
        let now = match ready {
            Some((_, thread)) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            None => draw(&*self.base, &self.stream, items),
        };
        self.next.replace(then.and_then(|items| {
            let (base, stream, range) = (Arc::clone(&self.base), self.stream.clone(), items.clone());
            let thread = std::thread::Builder::new().spawn(move || draw(&*base, &stream, range));
            // Where there is no thread to be had, they are drawn when they are asked for.
            thread.ok().map(|thread| (items, thread))
        }));
        now
    }
}

fn draw(base: &dyn Base, stream: &Stream, items: Range<u64>) -> Vec<f32> {
    base.draw(stream, items.start, (items.end - items.start) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::UnitNormal;
    use crate::lattice::Lattice;
    use crate::rng::Seed;

    #[test]
    fn draws_are_the_same_whether_they_were_foreseen_or_not() {
        let base: Arc<dyn Base> = Arc::new(UnitNormal::new(Lattice::new([2, 3]), 1));
        let stream = Seed(3).stream("ahead");
        let expected = base.draw(&stream, 0, 9);
        let ahead = Ahead::new(Arc::clone(&base), stream);
        // Foreseen, wrongly foreseen, not at all.
        let parts = [(0..4, Some(4..6)), (4..6, Some(7..9)), (6..7, None), (7..9, None)];
        let found: Vec<f32> = parts.into_iter().flat_map(|(items, then)| ahead.draw(items, then)).collect();
        assert_eq!(found, expected);
    }
}
