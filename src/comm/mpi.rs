//! Processes that a launcher has started together, over MPI.

use super::{Comm, Launched, Neighbours};
use crate::error::{Error, Result};
use ::mpi::collective::SystemOperation;
use ::mpi::environment::Universe;
use ::mpi::request::{Request, Scope, scope};
use ::mpi::topology::SimpleCommunicator;
use ::mpi::traits::{Communicator, CommunicatorCollectives, Destination, MatchedReceiveVec, Root, Source};
use ::mpi::{Tag, Threading};
use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Of answers.
const ANSWER: Tag = 1;

/// Of what tells that a call is of no use any more.
const LEFT: Tag = 2;

/// Of a signal.
const SIGNAL: Tag = 3;

/// Bytes or numbers of one message, at most: MPI counts them in 31 bits.
const AT_ONCE: usize = 1 << 28;

/// Time that a wait asks without a pause: what is waited for is often there at once.
const EAGER: Duration = Duration::from_micros(100);

/// Between two questions after that: cores are left to those who compute, and who sleeps is woken before others have had their turn.
const PAUSE: Duration = Duration::from_micros(50);

/// How long a process that was asked to end waits for others. Those that are there hear of the signal, too, and answer in seconds, once they
/// have saved what there is; those that are gone never do, and a launcher may take longer to end the rest.
const PATIENCE: Duration = Duration::from_secs(30);

/// Exit status that all processes have after a panic of one.
const PANICKED: i32 = 101;

/// All processes of a job.
pub struct Mpi {
    world: SimpleCommunicator,
    left: Cell<Option<u64>>,
    neighbours: Neighbours,
    /// Number of a signal that asks for an end.
    signal: Arc<AtomicUsize>,
    /// Whether the leader was told of it.
    has_told: Cell<bool>,
    /// Ends MPI when it goes.
    _universe: Universe,
}

impl fmt::Debug for Mpi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mpi(rank {} of {})", self.rank(), self.size())
    }
}

impl Mpi {
    /// Joins the others; `cores` says which cores this process may use, in whatever way, and `signal` holds the number of a signal once one
    /// asks for an end.
    ///
    /// # Errors
    /// [`Error::Usage`] if the launcher was another MPI's, [`Error::Device`] if MPI cannot be started.
    pub fn join(launched: &Launched, cores: &str, signal: Arc<AtomicUsize>) -> Result<Self> {
        let failed = |rule: &str| Error::Device {
            name: "MPI".into(),
            rule: rule.into(),
            hint: "start the program with the mpirun of the MPI that it was built with".into(),
        };
        // One thread speaks; those of the kernels never do.
        let (universe, level) = ::mpi::initialize_with_threading(Threading::Funneled)
            .ok_or_else(|| failed("was started before"))?;
        let world = universe.world();
        launched.check(world.size() as usize)?;
        if level < Threading::Funneled {
            return Err(failed("does not allow other threads beside the one that speaks"));
        }
        let neighbours = neighbours(&world, cores);
        Ok(Self {
            world,
            left: Cell::default(),
            neighbours,
            signal,
            has_told: Cell::default(),
            _universe: universe,
        })
    }

    /// The processes on the same machine.
    pub fn neighbours(&self) -> Neighbours {
        self.neighbours
    }

    /// From the leader to everybody.
    fn spread(&self, bytes: &mut [u8], wait: Wait) {
        let root = self.world.process_at_rank(0);
        for part in bytes.chunks_mut(AT_ONCE) {
            scope(|scope| self.finish(root.immediate_broadcast_into(scope, part), wait));
        }
    }

    /// Waits for what was begun.
    fn finish<'a, D: ?Sized, S: Scope<'a>>(&self, mut request: Request<'a, D, S>, wait: Wait) {
        let (start, mut asked) = (Instant::now(), None);
        while let Err(pending) = request.test() {
            request = pending;
            match wait {
                Wait::ForOthers => rest(start),
                Wait::ForData => std::thread::yield_now(),
            }
            asked = asked.or_else(|| self.asked_to_end());
            self.end_without_others(asked);
        }
    }

    /// The time now if a signal has come, of which the leader is told.
    fn asked_to_end(&self) -> Option<Instant> {
        let signal = self.signal.load(Ordering::Relaxed) as u64;
        if signal > 0 && self.rank() > 0 {
            self.tell(signal);
        }
        (signal > 0).then(Instant::now)
    }

    /// Ends all processes if others say nothing after a signal: they are gone, and the launcher is about to end the rest.
    fn end_without_others(&self, asked: Option<Instant>) {
        if asked.is_some_and(|asked| asked.elapsed() > PATIENCE) {
            self.world.abort(128 + self.signal.load(Ordering::Relaxed) as i32);
        }
    }

    fn receive(&self, rank: usize) -> Vec<u8> {
        let (from, start) = (self.world.process_at_rank(rank as i32), Instant::now());
        let (mut bytes, mut expected, mut asked) = (Vec::new(), None, None);
        while expected.is_none_or(|expected| bytes.len() < expected) {
            let Some(message) = from.immediate_matched_probe_with_tag(ANSWER) else {
                rest(start);
                asked = asked.or_else(|| self.asked_to_end());
                self.end_without_others(asked);
                continue;
            };
            let (part, _) = message.matched_receive_vec::<u8>();
            match expected {
                None => expected = Some(length_of(&part)),
                Some(_) => bytes.extend(part),
            }
        }
        bytes
    }

    fn send(&self, bytes: &[u8]) {
        let leader = self.world.process_at_rank(0);
        let length = (bytes.len() as u64).to_le_bytes();
        for part in [&length[..]].into_iter().chain(bytes.chunks(AT_ONCE)) {
            scope(|scope| self.finish(leader.immediate_send_with_tag(scope, part, ANSWER), Wait::ForOthers));
        }
    }
}

/// What a process waits for.
#[derive(Debug, Clone, Copy)]
enum Wait {
    /// Others may compute for long: their cores are left to them.
    ForOthers,
    /// Everybody is there, and large messages move a piece further each time that somebody looks.
    ForData,
}

/// Waits a little, if it has been long enough that nothing is expected at once.
fn rest(since: Instant) {
    match since.elapsed() < EAGER {
        true => std::hint::spin_loop(),
        false => std::thread::sleep(PAUSE),
    }
}

fn length_of(bytes: &[u8]) -> usize {
    u64::from_le_bytes(bytes.try_into().expect("a length comes first")) as usize
}

fn neighbours(world: &SimpleCommunicator, cores: &str) -> Neighbours {
    let here = world.split_shared(world.rank());
    let own = *blake3::hash(cores.as_bytes()).as_bytes();
    let mut all = vec![0; own.len() * here.size() as usize];
    here.all_gather_into(&own[..], &mut all[..]);
    let same = all.chunks_exact(own.len()).filter(|other| **other == own).count();
    Neighbours { rank: here.rank() as usize, size: here.size() as usize, on_these_cores: same }
}

impl Comm for Mpi {
    fn rank(&self) -> usize {
        self.world.rank() as usize
    }

    fn size(&self) -> usize {
        self.world.size() as usize
    }

    fn broadcast(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        let mut length = (bytes.len() as u64).to_le_bytes();
        self.spread(&mut length, Wait::ForOthers);
        bytes.resize(length_of(&length), 0);
        self.spread(&mut bytes, Wait::ForData);
        bytes
    }

    fn gather(&self, bytes: Vec<u8>) -> Vec<Vec<u8>> {
        if self.rank() > 0 {
            self.send(&bytes);
            return Vec::new();
        }
        std::iter::once(bytes).chain((1..self.size()).map(|rank| self.receive(rank))).collect()
    }

    fn has_gathered(&self) -> bool {
        let has_sent = |rank| self.world.process_at_rank(rank).immediate_probe_with_tag(ANSWER).is_some();
        (1..self.world.size()).all(has_sent)
    }

    fn sum(&self, numbers: &mut [i64]) {
        self.finish(self.world.immediate_barrier(), Wait::ForOthers);
        let root = self.world.process_at_rank(0);
        for part in numbers.chunks_mut(AT_ONCE) {
            match self.rank() {
                0 => {
                    let own = part.to_vec();
                    let sum = SystemOperation::sum();
                    scope(|scope| {
                        let reduction = root.immediate_reduce_into_root(scope, &own[..], part, sum);
                        self.finish(reduction, Wait::ForData);
                    });
                }
                _ => scope(|scope| {
                    let reduction = root.immediate_reduce_into(scope, &*part, SystemOperation::sum());
                    self.finish(reduction, Wait::ForData);
                }),
            }
        }
    }

    fn leave(&self, call: u64) {
        for rank in 1..self.size() {
            self.world.process_at_rank(rank as i32).send_with_tag(&call, LEFT);
        }
    }

    fn left(&self) -> Option<u64> {
        if self.rank() > 0 {
            let leader = self.world.process_at_rank(0);
            while leader.immediate_probe_with_tag(LEFT).is_some() {
                self.left.set(Some(leader.receive_with_tag(LEFT).0));
            }
        }
        self.left.get()
    }

    fn tell(&self, signal: u64) {
        if self.has_told.replace(true) {
            return;
        }
        self.world.process_at_rank(0).send_with_tag(&signal, SIGNAL);
    }

    fn told(&self) -> Option<u64> {
        let anybody = self.world.any_process();
        anybody.immediate_probe_with_tag(SIGNAL).map(|_| anybody.receive_with_tag(SIGNAL).0)
    }
}

impl Drop for Mpi {
    fn drop(&mut self) {
        // Without this the others would wait for ever.
        if std::thread::panicking() {
            self.world.abort(PANICKED);
        }
        // What came too late to matter is taken in, or MPI complains of it.
        self.finish(self.world.immediate_barrier(), Wait::ForOthers);
        while self.told().is_some() {}
        self.left();
    }
}
