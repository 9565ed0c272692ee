//! Chains as processes share them: which tiles each moves, and how they come home.

use super::chains::{Chains, ChainsState, Kind};
use super::sums::TrajectorySums;
use super::tiles::{Leg, RunningTile};
use super::trajectory::Stop;
use crate::comm::{Call, Crew, Task};
use crate::device::ComputeDevice;
use crate::error::Result;
use crate::rng::Seed;
use crate::theory::Theory;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Between two questions whether the leader has no use any more for chains that move.
const PAUSE: Duration = Duration::from_millis(5);

/// What a process has to know to move tiles.
#[derive(Serialize, Deserialize)]
struct Job {
    /// Of which chains, as JSON: a specification leaves out what is not set.
    kind: String,
    seed: u64,
    every: Option<u64>,
    leg: Leg,
    /// All tiles that are not there yet, by their numbers.
    tiles: Vec<(usize, Standing)>,
}

/// Where a tile stands.
#[derive(Serialize, Deserialize)]
struct Standing {
    field: Vec<f64>,
    actions: Vec<f64>,
    made: u64,
    sums: TrajectorySums,
}

/// A tile that another process has moved.
#[derive(Serialize, Deserialize)]
struct Moved {
    number: usize,
    to: Standing,
    kept: Vec<f64>,
    rows: Vec<f64>,
}

impl Standing {
    fn of(running: &RunningTile) -> Self {
        let RunningTile { tile, made, sums, .. } = running;
        Self { field: tile.field.clone(), actions: tile.actions.clone(), made: *made, sums: *sums }
    }

    fn take(self, running: &mut RunningTile) {
        running.tile.field = self.field;
        running.tile.actions = self.actions;
        (running.made, running.sums) = (self.made, self.sums);
    }
}

impl Chains<'_> {
    /// Moves all tiles on, with the others' help; who stops the leader stops the others. The state is whole, and no step lost, however it
    /// ends.
    ///
    /// # Errors
    /// That of another process, whose tiles are then as they were.
    pub(super) fn move_tiles(&self, state: &mut ChainsState, leg: Leg, stop: Stop<'_>) -> Result<()> {
        let (crew, mover, side_by_side) = (&self.crew, &self.mover, self.mover.theory.dynamics.chains());
        let open = state.tiles.iter().enumerate().filter(|(_, tile)| tile.made < leg.last);
        let open: Vec<usize> = open.map(|(number, _)| number).collect();
        crew.call(Task::Chains, || self.job(state, &open, leg));
        let own = &open[crew.share(open.len(), 1)];
        let places = state.tiles.par_iter_mut().zip(state.series.par_chunks_mut(side_by_side)).enumerate();
        let is_own = |number: &usize| own.binary_search(number).is_ok();
        let advance = || {
            places.filter(|(number, _)| is_own(number)).for_each(|(number, (tile, series))| {
                mover.record(number, &mover.advance(number, tile, leg, stop), series);
            });
        };
        match crew.is_alone() {
            true => advance(),
            // A signal to another process is heard of meanwhile.
            false => stoppable(crew, |_| advance()),
        }
        crew.wait(&|| stop());
        for Moved { number, to, kept, rows } in crew.collect(Ok(Vec::new()))?.into_iter().flatten() {
            let running = &mut state.tiles[number];
            to.take(running);
            running.kept.extend(kept);
            mover.record(number, &rows, &mut state.series[number * side_by_side..]);
        }
        Ok(())
    }

    fn job(&self, state: &ChainsState, open: &[usize], leg: Leg) -> Job {
        let kind = serde_json::to_string(&self.kind).expect("plain data");
        let tiles = open.iter().map(|&number| (number, Standing::of(&state.tiles[number]))).collect();
        Job { kind, seed: self.seed.0, every: self.mover.every, leg, tiles }
    }

    /// A tile where it stands.
    fn running(&self, standing: Standing, number: usize) -> RunningTile {
        let (tile, kept) = (self.mover.moves.place(number), Vec::new());
        let mut running = RunningTile { tile, made: 0, sums: TrajectorySums::default(), kept };
        standing.take(&mut running);
        running
    }

    /// This process's share of a job.
    fn share(&self, leg: Leg, mut tiles: Vec<(usize, Standing)>) -> Vec<Moved> {
        let Range { start, end } = self.crew.share(tiles.len(), 1);
        let own = tiles.drain(start..end).map(|(number, standing)| (number, self.running(standing, number)));
        let (mut own, mover) = (own.collect::<Vec<_>>(), &self.mover);
        let rows = stoppable(&self.crew, |stop| {
            own.par_iter_mut()
                .map(|(number, tile)| mover.advance(*number, tile, leg, stop))
                .collect::<Vec<_>>()
        });
        let moved = own.into_iter().zip(rows).map(|((number, running), rows)| {
            let to = Standing::of(&running);
            Moved { number, to, kept: running.kept, rows }
        });
        moved.collect()
    }
}

/// What a process that does not lead does when it is called for chains.
pub fn assist(call: &Call, theory: &Theory, device: &ComputeDevice) {
    let Job { kind, seed, every, leg, tiles } = call.job();
    let kind: Kind = serde_json::from_str(&kind).expect("leader and others are the same program");
    let chains = Chains::of(theory, kind, Seed(seed), every).expect("the leader has them, too");
    let chains = chains.among(device.crew());
    // What is wrong with an answer the leader says.
    let _ = device.crew().collect(Ok(chains.share(leg, tiles)));
}

/// Computes in threads, which are asked to stop once the leader has no use any more for it: only this thread may talk to others.
fn stoppable<T: Send>(crew: &Crew, compute: impl FnOnce(Stop<'_>) -> T + Send) -> T {
    let stopped = AtomicBool::new(false);
    let (finished, waits) = channel::<()>();
    std::thread::scope(|scope| {
        let stopped = &stopped;
        let running = scope.spawn(move || {
            let found = compute(&|| stopped.load(Ordering::Relaxed));
            drop(finished);
            found
        });
        while let Err(RecvTimeoutError::Timeout) = waits.recv_timeout(PAUSE) {
            stopped.fetch_or(crew.is_left(), Ordering::Relaxed);
        }
        running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comm::Leading;
    use crate::comm::threads::together;
    use crate::error::{Error, Signal};
    use crate::lattice::Lattice;
    use crate::sample::arrays::Arrays;
    use crate::sample::{MethodRun, Store, Watch};
    use crate::spec::{Fermions, HeatBathSpec, HmcSpec, Integrator};
    use std::path::Path;
    use std::sync::atomic::AtomicU64;

    fn hmc(chains: usize) -> HmcSpec {
        HmcSpec {
            trajectories: 40,
            thermalization: 30,
            chains,
            trajectory_length: 1.0,
            steps: 3,
            integrator: Integrator::Omelyan,
            tune: true,
            target_acceptance: 0.8,
            length_spread: 0.5,
            save_every: None,
            instanton_every: Some(2),
            fermions: None,
            gauge_steps: None,
        }
    }

    /// Several tiles of several chains, the last one not whole; tiles of one chain; a solver; sweeps.
    fn kinds() -> [(Theory, Kind); 3] {
        let schwinger = |kappa| Theory::schwinger(Lattice::new([4, 4]), 1.0, kappa, true);
        let noisy = HmcSpec { fermions: Some(Fermions::Pseudofermions), gauge_steps: Some(2), ..hmc(2) };
        let sweeps = HeatBathSpec {
            sweeps: 40,
            thermalization: 30,
            chains: 5,
            overrelaxation: 2,
            instanton_every: None,
        };
        [
            (Theory::phi4(Lattice::new([4, 6]), -4.0, 2.0), Kind::Hmc(hmc(20))),
            (schwinger(0.2), Kind::Hmc(noisy)),
            (schwinger(0.0), Kind::HeatBath(sweeps)),
        ]
    }

    /// What the leader of so many processes finds; `obey` is what the others do.
    fn led<T: Send>(
        size: usize,
        lead: impl Fn(&Crew) -> T + Sync,
        obey: impl Fn(&Call, &ComputeDevice) + Sync,
    ) -> T {
        let found = together(size, |crew| {
            let device = ComputeDevice::cpu().among(crew.clone());
            if crew.leads() {
                let _leading = Leading(&crew);
                return Some(lead(&crew));
            }
            loop {
                match crew.heed() {
                    Call { task: Task::End, .. } => return None,
                    call => obey(&call, &device),
                }
            }
        });
        found.into_iter().flatten().next().expect("somebody leads")
    }

    fn run(
        (theory, kind): &(Theory, Kind),
        crew: &Crew,
        folder: &Path,
        watch: Watch<'_>,
    ) -> Result<MethodRun> {
        let chains = Chains::of(theory, kind.clone(), Seed(5), Some(7)).unwrap().among(crew);
        let (width, mut never) = (Some(theory.dynamics.numbers()), || false);
        let mut store = Store::open(folder, "chains", chains.identity(), width, &mut never)?;
        chains.run(Some(&mut store), watch)
    }

    /// What a store has kept, without times.
    fn saved(folder: &Path) -> (Arrays, Vec<u8>) {
        let mut arrays = Arrays::load(&folder.join("chains.safetensors")).unwrap().unwrap();
        for time in ["wall_s", "thermalization_s"] {
            arrays.header["state"][time] = 0.0.into();
        }
        (arrays, std::fs::read(folder.join("chains.records")).unwrap())
    }

    fn interrupted() -> Error {
        Error::InterruptedDraw { signal: Signal(15), done: 0, count: 1 }
    }

    /// As a whole, and stopped in the middle of trajectories and continued with another number of processes.
    #[test]
    fn any_number_of_processes_moves_the_same_chains() {
        // About as many questions as a few steps of all tiles have.
        for (kind, few) in kinds().iter().zip([12, 60, 20]) {
            // By so many processes in turn, each stopped after so many questions of its tiles and its leader.
            let in_turns = |sizes: &[usize], questions: u64| {
                let folder = tempfile::tempdir().unwrap();
                let mut stops = 0;
                loop {
                    let lead = |crew: &Crew| {
                        let asked = AtomicU64::new(0);
                        let is_stopped = || asked.fetch_add(1, Ordering::Relaxed) > questions;
                        let hear = |_| if is_stopped() { Err(interrupted()) } else { Ok(()) };
                        run(kind, crew, folder.path(), Watch { hear: &hear, is_stopped: &is_stopped })
                    };
                    let size = sizes[stops % sizes.len()];
                    match led(size, lead, |call, device| assist(call, &kind.0, device)) {
                        Ok(run) => return (run.ensemble, run.chain, saved(folder.path()), stops),
                        Err(error) => assert!(matches!(error, Error::InterruptedDraw { .. }), "{error}"),
                    }
                    stops += 1;
                }
            };
            let alone = in_turns(&[1], u64::MAX);
            assert!(!alone.2.1.is_empty(), "configurations are kept");
            for (sizes, questions) in [
                (&[2][..], u64::MAX),
                (&[3], u64::MAX),
                (&[4], u64::MAX),
                (&[7], u64::MAX),
                (&[1, 2, 7, 3], few),
            ] {
                let found = in_turns(sizes, questions);
                let is_same = (&found.0, &found.1, &found.2) == (&alone.0, &alone.1, &alone.2);
                assert!(is_same, "{sizes:?}, {} stops", found.3);
                // Few steps of one process, and of the tiles that the leader of two has.
                assert!(found.3 > 1 || questions == u64::MAX, "{sizes:?}, {} stops", found.3);
            }
        }
    }

    #[test]
    fn an_error_names_the_process_and_leaves_chains_that_go_on() {
        let kind = &kinds()[0];
        let folders = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let failures = AtomicU64::new(0);
        let lead = |crew: &Crew| {
            let run = || run(kind, crew, folders[0].path(), Watch::NOBODY);
            let error = run().map(drop).expect_err("a process fails").to_string();
            assert!(error.contains("rank 2") && error.contains("SIGTERM"), "{error}");
            run().unwrap().ensemble
        };
        let obey = |call: &Call, device: &ComputeDevice| {
            // In the middle of the chains.
            let is_first = || failures.fetch_add(1, Ordering::Relaxed) == 7;
            match device.crew().rank() == 2 && is_first() {
                true => drop(device.crew().collect(Err::<Vec<Moved>, _>(interrupted()))),
                false => assist(call, &kind.0, device),
            }
        };
        let found = led(3, lead, obey);
        let alone = run(kind, &Crew::alone(), folders[1].path(), Watch::NOBODY).unwrap();
        assert!(found == alone.ensemble && failures.into_inner() > 8);
        assert!(saved(folders[0].path()) == saved(folders[1].path()));
    }

    /// Two tiles are moved by the two processes that do not lead, a trajectory of each takes about a minute, and the leader, who has
    /// nothing to move, is stopped while it waits.
    #[test]
    fn who_stops_the_leader_stops_long_trajectories_of_others() {
        let theory = Theory::schwinger(Lattice::new([8, 8]), 1.0, 0.2, true);
        let asked = HmcSpec { steps: 200_000, tune: false, ..hmc(2) };
        let kind = (theory, Kind::Hmc(asked));
        let folder = tempfile::tempdir().unwrap();
        let lead = |crew: &Crew| {
            let hear = |_| Err(interrupted());
            run(&kind, crew, folder.path(), Watch { hear: &hear, is_stopped: &|| true })
        };
        let ended = led(3, lead, |call, device| assist(call, &kind.0, device));
        assert!(matches!(ended, Err(Error::InterruptedDraw { .. })));
        assert_eq!(saved(folder.path()).0.take("made"), Some(vec![0.0, 0.0]));
    }
}
