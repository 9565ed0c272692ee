//! The processes at work: the leader calls, all compute their share, and their answers come together at the leader.

use super::{Alone, Comm};
use crate::error::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Between two questions whether all have answered.
const PAUSE: Duration = Duration::from_millis(1);

/// What the leader can call the others for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Task {
    /// Another cell, which all that follows is about.
    Cell,
    /// A step of its training.
    Step,
    /// Configurations of its model.
    Draw,
    /// An ensemble of its model, into a file of each process.
    Ensemble,
    /// The density of its model where configurations are.
    Density,
    /// Trajectories or sweeps of chains.
    Chains,
    /// Nothing more.
    End,
}

/// A call as the others hear it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    number: u64,
    /// What is to be done.
    pub task: Task,
    job: Vec<u8>,
}

impl Call {
    /// What the task needs to be known.
    ///
    /// # Panics
    /// If something else was said with the call.
    pub fn job<T: DeserializeOwned>(&self) -> T {
        postcard::from_bytes(&self.job).expect("leader and others are the same program")
    }
}

/// The processes of a run, as one of them sees it.
#[derive(Debug, Clone)]
pub struct Crew {
    comm: Rc<dyn Comm>,
    /// Number of the last call.
    call: Rc<Cell<u64>>,
    /// Number of a signal that asks for an end; zero as long as none came.
    pub(super) signal: Arc<AtomicUsize>,
}

impl Crew {
    /// One process on its own.
    pub fn alone() -> Self {
        Self::of(Rc::new(Alone), Arc::default())
    }

    /// Processes that reach each other; signals to any of them count as signals to the leader.
    pub fn of(comm: Rc<dyn Comm>, signal: Arc<AtomicUsize>) -> Self {
        Self { comm, call: Rc::default(), signal }
    }

    /// Which of the processes this is.
    pub fn rank(&self) -> usize {
        self.comm.rank()
    }

    /// How many there are.
    pub fn size(&self) -> usize {
        self.comm.size()
    }

    /// Whether there is no other.
    pub fn is_alone(&self) -> bool {
        self.size() == 1
    }

    /// Whether this is the one that calls.
    pub fn leads(&self) -> bool {
        self.rank() == 0
    }

    /// The leader calls the others, who have to answer by [`Self::collect`] unless the task says otherwise.
    pub fn call<T: Serialize>(&self, task: Task, job: impl FnOnce() -> T) {
        let number = self.call.get() + 1;
        self.call.set(number);
        if !self.is_alone() {
            let job = bytes_of(&job());
            self.comm.broadcast(bytes_of(&Call { number, task, job }));
        }
    }

    /// Waits for the leader's next call.
    pub fn heed(&self) -> Call {
        let call: Call = of_bytes(&self.comm.broadcast(Vec::new()));
        self.call.set(call.number);
        call
    }

    /// Whether the leader has no use any more for what it called for. Asked now and then, by the thread that called or heeded alone;
    /// it tells the leader of a signal, too.
    pub fn is_left(&self) -> bool {
        self.pass_signals();
        self.comm.left() == Some(self.call.get())
    }

    /// A signal to any process is one to the leader, the first of several.
    pub fn pass_signals(&self) {
        let own = self.signal.load(Ordering::Relaxed);
        if self.leads() {
            if let Some(told) = self.comm.told().filter(|_| own == 0) {
                self.signal.store(told as usize, Ordering::Relaxed);
            }
        } else if own > 0 {
            self.comm.tell(own as u64);
        }
    }

    /// Waits until everybody has answered the leader, who has then to [`Self::collect`]; or until `has_no_use` says so, which tells the
    /// others that the leader has no use any more for what it called for, and is no error: they answer with what they have.
    pub fn wait(&self, has_no_use: &dyn Fn() -> bool) {
        while !self.comm.has_gathered() {
            self.pass_signals();
            if has_no_use() {
                return self.comm.leave(self.call.get());
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// What everybody found, in the order of ranks, for the leader; nothing for the others.
    ///
    /// # Errors
    /// The leader's own, else the first of another process.
    pub fn collect<T: Serialize + DeserializeOwned>(&self, own: Result<T>) -> Result<Vec<T>> {
        if self.is_alone() {
            return own.map(|found| vec![found]);
        }
        self.pass_signals();
        if !self.leads() {
            self.comm.gather(bytes_of(&own.map_err(|error| (error.exit_code(), error.to_string()))));
            return Ok(Vec::new());
        }
        if own.is_err() {
            self.comm.leave(self.call.get());
        }
        let answers = self.comm.gather(Vec::new());
        self.pass_signals();
        let mut all = vec![own?];
        for (rank, answer) in answers.iter().enumerate().skip(1) {
            let answer: Result<T, (u8, String)> = of_bytes(answer);
            all.push(answer.map_err(|(code, reason)| failed(rank, code, &reason))?);
        }
        Ok(all)
    }

    /// What everybody found, in the order of ranks, for everybody.
    ///
    /// # Errors
    /// As of [`Self::collect`] for the leader, and that there was one for the others.
    pub fn exchange<T: Serialize + DeserializeOwned>(&self, own: Result<T>) -> Result<Vec<T>> {
        let found = self.collect(own);
        if self.is_alone() {
            return found;
        }
        if self.leads() {
            self.comm.broadcast(bytes_of(&found.as_ref().ok()));
            return found;
        }
        let found: Option<Vec<T>> = of_bytes(&self.comm.broadcast(Vec::new()));
        found.ok_or_else(Self::left_error)
    }

    /// Sums of everybody's numbers, for the leader.
    pub fn sum(&self, numbers: &mut [i64]) {
        self.comm.sum(numbers);
    }

    /// This process's share of `count` things in parts of `size`: parts that follow each other, as many as those of the others or one
    /// more.
    pub fn share(&self, count: usize, size: usize) -> Range<usize> {
        let parts = count.div_ceil(size);
        let end_of = |ranks: usize| (parts * ranks / self.size() * size).min(count);
        end_of(self.rank())..end_of(self.rank() + 1)
    }

    /// What another process answers when the leader has left it alone; nobody reads it.
    pub fn left_error() -> Error {
        Error::Device {
            name: "the leading process".into(),
            rule: "has no use any more for what it called for".into(),
            hint: "see its own message".into(),
        }
    }
}

/// The error of another process, with the exit status that it would have had there.
fn failed(rank: usize, code: u8, reason: &str) -> Error {
    let reason = reason.strip_prefix("error: ").unwrap_or(reason).trim_end();
    let (rule, hint) = reason.split_once("\n\nhint: ").unwrap_or((reason, "see what it printed"));
    let (name, hint) = (format!("process of rank {rank}"), hint.to_owned());
    match code {
        2 => Error::Usage { message: format!("{name}: {rule}"), hint },
        _ => Error::Device { name, rule: rule.into(), hint },
    }
}

fn bytes_of<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).expect("plain data")
}

fn of_bytes<T: DeserializeOwned>(bytes: &[u8]) -> T {
    postcard::from_bytes(bytes).expect("leader and others are the same program")
}

/// The leader as long as it leads: lets the others go when it is done, however that comes.
#[derive(Debug)]
pub struct Leading<'a>(pub &'a Crew);

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        // The others are ended together with a leader that panics.
        if !std::thread::panicking() {
            self.0.call(Task::End, || ());
        }
    }
}
