//! Markov chains: one trait for what moves them, one way to compose such moves, one loop that runs and continues them.

use super::store::{Resumable, Store};
use super::watch::Watch;
use crate::error::Result;

/// A move of Markov chains side by side that leaves the target distribution as it is: (state) → (state, info).
///
/// The info (what was accepted, by how much energies were off) adds up in the state, because chains that are continued need it too.
pub trait Transition {
    /// Where the chains are, with what was counted and measured on the way.
    type State;

    /// Steps between two questions whether to save.
    const PART: u64;

    /// Steps that the chains have made.
    fn made(&self, state: &Self::State) -> u64;

    /// Makes further steps, none beyond `until`. It may end earlier, of itself or because it was asked to; the state is whole then,
    /// after an error too.
    ///
    /// # Errors
    /// What `watch` returns, or [`crate::error::Error::Device`].
    fn advance(&self, state: &mut Self::State, until: u64, watch: Watch<'_>) -> Result<()>;
}

/// After every so many steps of one transition, one step of another on the same chains. Its steps are those of the first.
pub struct Alternate<A, B> {
    /// What is counted.
    pub first: A,
    /// Its steps between two of the other.
    pub every: u64,
    /// What comes between.
    pub second: B,
}

impl<A, B> Transition for Alternate<A, B>
where
    A: Transition,
    B: Transition<State = A::State>,
{
    type State = A::State;
    const PART: u64 = A::PART;

    fn made(&self, state: &Self::State) -> u64 {
        self.first.made(state)
    }

    fn advance(&self, state: &mut Self::State, until: u64, watch: Watch<'_>) -> Result<()> {
        loop {
            // What was stopped just before a step of the second begins with that.
            let due = self.first.made(state) / self.every;
            while self.second.made(state) < due {
                self.second.advance(state, due, watch)?;
            }
            if self.first.made(state) >= until {
                return Ok(());
            }
            self.first.advance(state, until.min((due + 1) * self.every), watch)?;
        }
    }
}

/// Steps until `total` are made; with a store, continues what it holds and saves there.
///
/// # Errors
/// What `watch` returns, which hears after every part, once the state is saved; errors of the transition and of the store.
pub fn run_chain<T>(
    transition: &T,
    state: &mut T::State,
    total: u64,
    mut store: Option<&mut Store<'_>>,
    watch: Watch<'_>,
) -> Result<()>
where
    T: Transition,
    T::State: Resumable,
{
    store.as_deref_mut().map_or(Ok(()), |store| store.restore(state))?;
    loop {
        // Once at least: what was stopped at its very end may have a step of an alternation due.
        let until = total.min(transition.made(state) + T::PART);
        let moved = transition.advance(state, until, watch);
        let asked = moved.and_then(|()| (watch.hear)(transition.made(state)));
        if let Some(store) = store.as_deref_mut() {
            store.keep(state, asked.is_err() || transition.made(state) >= total)?;
        }
        asked?;
        if transition.made(state) >= total {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use std::cell::Cell;

    /// Writes its letter down, a few steps at a time.
    struct Letter {
        letter: char,
        at_once: u64,
    }

    impl Transition for Letter {
        type State = String;
        const PART: u64 = 5;

        fn made(&self, state: &String) -> u64 {
            state.matches(self.letter).count() as u64
        }

        fn advance(&self, state: &mut String, until: u64, watch: Watch<'_>) -> Result<()> {
            let steps = (until - self.made(state)).min(self.at_once);
            (0..steps).for_each(|_| state.push(self.letter));
            (watch.hear)(self.made(state))
        }
    }

    #[test]
    fn an_alternation_is_the_same_wherever_it_was_stopped() {
        let alternation = |at_once| Alternate {
            first: Letter { letter: 'a', at_once },
            every: 3,
            second: Letter { letter: 'b', at_once: 1 },
        };
        for at_once in [1, 2, 7] {
            let both = alternation(at_once);
            for stops in [1, 2, 3, 100] {
                let (mut state, heard) = (String::new(), Cell::new(0));
                let hear = |_| {
                    heard.set(heard.get() + 1);
                    let error = Error::InterruptedDraw { signal: crate::error::Signal(2), done: 0, count: 0 };
                    if heard.get() % stops == 0 { Err(error) } else { Ok(()) }
                };
                while state != "aaabaaabaa" {
                    let before = state.len();
                    let _ = both.advance(&mut state, 8, Watch { hear: &hear, is_stopped: &|| false });
                    assert!(state.len() > before && state.len() <= 10, "{state}");
                }
            }
        }
    }
}
