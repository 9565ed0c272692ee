//! What processes do together in rounds: opened by the leader, called for round by round, closed.

use crate::comm::{Crew, Task};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A task that the leader has opened: the others wait for its rounds until it is dropped, however that comes.
#[derive(Debug)]
pub struct Rounds<'a> {
    crew: &'a Crew,
    task: Task,
}

impl<'a> Rounds<'a> {
    /// Opens a task with what every round needs.
    pub fn open<T: Serialize>(crew: &'a Crew, task: Task, job: impl FnOnce() -> T) -> Self {
        crew.call(task, job);
        Self { crew, task }
    }

    /// Calls for the next round, which everybody answers by [`Crew::collect`].
    pub fn call<T: Serialize>(&self, round: impl FnOnce() -> T) {
        self.crew.call(self.task, || Some(round()));
    }
}

impl Drop for Rounds<'_> {
    fn drop(&mut self) {
        // The others are ended together with a leader that panics.
        if !std::thread::panicking() {
            self.crew.call(self.task, || None::<()>);
        }
    }
}

/// Hands over every round of a task that was opened, until it is closed; each has to be answered by [`Crew::collect`].
///
/// # Panics
/// If the leader calls for something else before.
pub fn answer<R: DeserializeOwned>(crew: &Crew, task: Task, mut round: impl FnMut(R)) {
    loop {
        let call = crew.heed();
        assert_eq!(call.task, task, "one task at a time");
        let Some(asked) = call.job::<Option<R>>() else { return };
        round(asked);
    }
}
