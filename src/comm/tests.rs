//! What calls and answers are worth, with threads that stand in for processes.

use super::threads::together;
use super::{Crew, Task};
use crate::error::{Error, Signal};
use std::sync::atomic::Ordering;

#[test]
fn shares_follow_each_other_and_are_whole_parts() {
    for size in 1..=7 {
        for (count, part) in [(100, 8), (5, 8), (0, 8), (64, 1), (1000, 128)] {
            let shares = together(size, |crew| crew.share(count, part));
            let mut end = 0;
            for share in shares {
                assert!(share.start == end && (share.end.is_multiple_of(part) || share.end == count));
                end = share.end;
            }
            assert_eq!(end, count);
        }
    }
}

#[test]
fn answers_come_in_the_order_of_ranks_and_errors_name_theirs() {
    let found = together(3, |crew| {
        let mut texts = Vec::new();
        for fails in [None, Some(2), Some(0)] {
            if crew.leads() {
                crew.call(Task::Step, || 5u64);
            } else {
                let call = crew.heed();
                assert_eq!((call.task, call.job::<u64>()), (Task::Step, 5));
            }
            let own = match fails == Some(crew.rank()) {
                true => Err(Error::InterruptedDraw { signal: Signal(2), done: 0, count: 1 }),
                false => Ok(10 * crew.rank()),
            };
            texts.push(match crew.exchange(own) {
                Ok(all) => format!("{all:?}"),
                Err(error) => error.to_string().lines().next().unwrap_or_default().to_owned(),
            });
        }
        texts
    });
    assert!(found.iter().all(|texts| texts[0] == "[0, 10, 20]"), "{found:?}");
    assert!(found[0][1].contains("rank 2"), "{found:?}");
    assert!(found[0][2].contains("SIGINT") && !found[0][2].contains("rank"), "{found:?}");
    assert!(found[1][1].contains("leading process"));
}

#[test]
fn a_signal_to_one_process_reaches_the_leader_within_a_call() {
    let heard = together(3, |crew| {
        if !crew.leads() {
            crew.heed();
            crew.signal.store(crew.rank() * 5, Ordering::Relaxed);
            while !crew.is_left() {}
            let _ = crew.collect::<()>(Err(Crew::left_error()));
            return 0;
        }
        crew.call(Task::Step, || ());
        while crew.signal.load(Ordering::Relaxed) == 0 {
            crew.pass_signals();
        }
        let _ = crew.collect::<()>(Err(Crew::left_error()));
        crew.signal.load(Ordering::Relaxed)
    });
    assert!([5, 10].contains(&heard[0]), "{heard:?}");
}

#[test]
fn a_call_that_the_leader_has_left_is_known_and_the_next_is_another() {
    let left = together(2, |crew| {
        let mut left = Vec::new();
        for is_left in [true, false] {
            if crew.leads() {
                crew.call(Task::Step, || ());
            } else {
                crew.heed();
            }
            let own = match crew.leads() && is_left {
                true => Err(Crew::left_error()),
                false => {
                    while !crew.leads() && is_left && !crew.is_left() {}
                    Ok(())
                }
            };
            left.push(crew.is_left());
            let _ = crew.collect(own);
        }
        left
    });
    assert_eq!(left, [[false, false], [true, false]]);
}

/// A leader that is stopped while it waits stops those that it waits for, who answer with what they have.
#[test]
fn who_is_waited_for_is_told_when_there_is_no_use_any_more() {
    let found = together(3, |crew| {
        let mut found = Vec::new();
        for is_stopped in [true, false] {
            if crew.leads() {
                crew.call(Task::Step, || is_stopped);
                crew.wait(&|| is_stopped);
            } else {
                crew.heed();
                while crew.rank() == 2 && is_stopped && !crew.is_left() {}
            }
            found.push(crew.collect(Ok(crew.rank())).expect("nobody fails"));
        }
        found
    });
    assert_eq!(found[0], [[0, 1, 2], [0, 1, 2]]);
}
