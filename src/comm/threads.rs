//! Threads that stand in for processes, where tests need some.

use super::{Comm, Crew};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

/// To another thread, and from there.
#[derive(Debug)]
struct Way {
    to: Sender<Vec<u8>>,
    from: Receiver<Vec<u8>>,
    /// What came before it was asked for.
    early: RefCell<Option<Vec<u8>>>,
}

impl Way {
    fn new(to: Sender<Vec<u8>>, from: Receiver<Vec<u8>>) -> Self {
        Self { to, from, early: RefCell::default() }
    }

    fn send(&self, bytes: Vec<u8>) {
        self.to.send(bytes).expect("the other thread is there");
    }

    fn receive(&self) -> Vec<u8> {
        let early = self.early.take();
        early.unwrap_or_else(|| self.from.recv().expect("the other thread is there"))
    }

    fn has_received(&self) -> bool {
        let mut early = self.early.borrow_mut();
        *early = early.take().or_else(|| self.from.try_recv().ok());
        early.is_some()
    }
}

/// A thread among others, with its ways to the leader or, of the leader, to all others.
#[derive(Debug)]
struct Threads {
    rank: usize,
    size: usize,
    ways: Vec<Way>,
    left: Arc<AtomicU64>,
    signal: Arc<AtomicU64>,
    has_told: Cell<bool>,
}

impl Comm for Threads {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn broadcast(&self, bytes: Vec<u8>) -> Vec<u8> {
        match self.rank {
            0 => {
                self.ways.iter().for_each(|way| way.send(bytes.clone()));
                bytes
            }
            _ => self.ways[0].receive(),
        }
    }

    fn gather(&self, bytes: Vec<u8>) -> Vec<Vec<u8>> {
        match self.rank {
            0 => std::iter::once(bytes).chain(self.ways.iter().map(Way::receive)).collect(),
            _ => {
                self.ways[0].send(bytes);
                Vec::new()
            }
        }
    }

    fn has_gathered(&self) -> bool {
        self.ways.iter().all(Way::has_received)
    }

    fn sum(&self, numbers: &mut [i64]) {
        for terms in self.gather(bytemuck::cast_slice(numbers).to_vec()).into_iter().skip(1) {
            let terms = terms.as_chunks().0.iter().map(|bytes| i64::from_ne_bytes(*bytes));
            numbers.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term);
        }
    }

    fn leave(&self, call: u64) {
        self.left.store(call, Ordering::SeqCst);
    }

    fn left(&self) -> Option<u64> {
        Some(self.left.load(Ordering::SeqCst)).filter(|&call| call > 0 && self.rank > 0)
    }

    fn tell(&self, signal: u64) {
        if !self.has_told.replace(true) {
            self.signal.store(signal, Ordering::SeqCst);
        }
    }

    fn told(&self) -> Option<u64> {
        Some(self.signal.swap(0, Ordering::SeqCst)).filter(|&signal| signal > 0)
    }
}

/// What each of so many threads returns that call and answer each other, in the order of ranks.
pub fn together<T: Send>(size: usize, work: impl Fn(Crew) -> T + Sync) -> Vec<T> {
    let (left, signal) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let pairs = (1..size).map(|_| {
        let ((down, from_leader), (up, from_other)) = (channel(), channel());
        (Way::new(down, from_other), Way::new(up, from_leader))
    });
    let (leader, others): (Vec<Way>, Vec<Way>) = pairs.unzip();
    let ways = std::iter::once(leader).chain(others.into_iter().map(|way| vec![way]));
    let members = ways.enumerate().map(|(rank, ways)| Threads {
        rank,
        size,
        ways,
        left: Arc::clone(&left),
        signal: Arc::clone(&signal),
        has_told: Cell::default(),
    });
    std::thread::scope(|scope| {
        let work = &work;
        let start = |member: Threads| scope.spawn(move || work(Crew::of(Rc::new(member), Arc::default())));
        let running: Vec<_> = members.map(start).collect();
        running.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    })
}
