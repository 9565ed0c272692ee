//! A step of training as processes share it: what the leader says of it, and what each computes.

use super::estimator::{Batch, BatchSums, BatchTotals, Begun, Draws, Part};
use super::schedule;
use super::step::Step;
use super::trainer::Trainer;
use crate::comm::{Call, Crew, Task};
use crate::error::Result;
use crate::flow::BoundFlow;
use std::ops::Range;

impl Trainer<'_> {
    /// The sums over the batch of a step, with the others' help; `go_on` may end it between two parts.
    ///
    /// # Errors
    /// What `go_on` returns, or [`crate::error::Error::Device`].
    pub(super) fn lead(&self, step: &Step<'_>, go_on: &dyn Fn() -> Result<()>) -> Result<BatchSums> {
        let crew = self.device.crew();
        crew.call(Task::Step, || step);
        let go_on = || {
            crew.pass_signals();
            go_on()
        };
        let (sums, room) = self.share(step, &go_on)?;
        self.micro_batch.set(room);
        Ok(sums.finish())
    }

    /// What a process that does not lead does when it is called for a step. Its errors are the leader's to tell.
    pub fn assist(&self, call: &Call) {
        let (step, crew) = (call.job::<Step<'_>>(), self.device.crew());
        let go_on = || if crew.is_left() { Err(Crew::left_error()) } else { Ok(()) };
        let _ = self.share(&step, &go_on);
    }

    /// This process's share of a step, a micro-batch at a time, so that memory does not grow with the batch; the whole for the leader.
    /// With it comes the size of a part that had room.
    fn share(&self, step: &Step<'_>, go_on: &dyn Fn() -> Result<()>) -> Result<(BatchTotals, usize)> {
        let crew = self.device.crew();
        let bound = self.flow.bind_for_training(&step.parameters, &self.device.autodiff());
        let items = step.first..step.first + step.batch_size as u64;
        let batch = Batch { items, draws: None, target: step.target.as_deref() };
        let (draws, room) = self.draws(&bound, step, &batch, go_on)?;
        let batch = Batch { draws: draws.as_ref(), ..batch };
        let own = self.totals(&bound, &step.in_parts_of(room), &batch, go_on);
        BatchTotals::collect(own, self.flow.layout().len(), crew)
    }

    /// What this process's parts add up to.
    fn totals<'b>(
        &'b self,
        bound: &'b BoundFlow<'_>,
        step: &Step<'_>,
        batch: &Batch<'b>,
        go_on: &dyn Fn() -> Result<()>,
    ) -> Result<(BatchTotals, usize)> {
        let mut totals = BatchTotals::new(self.flow.layout().len());
        let count = self.places(step.batch_size, step.micro_batch).len();
        let begin = |part: &Part<'b>| self.estimator.begin(bound, part);
        let add = |sums| {
            totals.add(sums);
            if totals.count() < count { go_on() } else { Ok(()) }
        };
        let room = self.in_parts(step, batch, begin, add)?;
        Ok((totals, room))
    }

    /// This process's configurations and the losses of the whole batch, where an estimator has to have these first.
    fn draws<'b>(
        &'b self,
        bound: &'b BoundFlow<'_>,
        step: &Step<'_>,
        batch: &Batch<'b>,
        go_on: &dyn Fn() -> Result<()>,
    ) -> Result<(Option<Draws>, usize)> {
        let Some(estimator) = self.estimator.draws_first() else { return Ok((None, step.micro_batch)) };
        let mut draws = Draws::from(self.places(step.batch_size, step.micro_batch).start);
        let begin = |part: &Part<'b>| estimator.begin_draw(bound, part);
        let add = |part| {
            draws.add(part);
            go_on()
        };
        let room = self.in_parts(step, batch, begin, add);
        let shares =
            self.device.crew().exchange(room.map(|room| (std::mem::take(&mut draws.losses), room)))?;
        let room = shares.iter().map(|(_, room)| *room).min().expect("there is one process at least");
        draws.losses = shares.into_iter().flat_map(|(losses, _)| losses).collect();
        Ok((Some(draws), room))
    }

    /// Computes this process's parts of a batch, in order; gives the size of a part that had room.
    fn in_parts<'b, T>(
        &'b self,
        step: &Step<'_>,
        batch: &Batch<'b>,
        begin: impl Fn(&Part<'b>) -> Begun<'b, T>,
        each: impl FnMut(T) -> Result<()>,
    ) -> Result<usize> {
        let share = self.places(step.batch_size, step.micro_batch);
        let place = |place: usize| share.start + place;
        let begin = |part: Range<usize>| begin(&self.part(step, batch, place(part.start)..place(part.end)));
        self.device.in_parts_ahead(share.len(), step.micro_batch, self.goes_ahead(), begin, each)
    }

    /// This process's places in a batch.
    fn places(&self, batch_size: usize, micro_batch: usize) -> Range<usize> {
        self.device.crew().share(batch_size, micro_batch)
    }

    /// Whether a part is begun before the one before it is finished: where a device would wait for the host.
    fn goes_ahead(&self) -> bool {
        !self.device.is_cpu() && self.estimator.waits_for_host()
    }

    /// A part of a step's batch, by its places there.
    fn part<'b>(&self, step: &Step<'_>, batch: &Batch<'b>, places: Range<usize>) -> Part<'b> {
        let item = |place: usize| batch.items.start + place as u64;
        let next = (!self.device.is_cpu()).then(|| self.next_items(step, &places));
        Part { items: item(places.start)..item(places.end), next, batch: batch.clone() }
    }

    /// The items after a part of a step's batch that are this process's: of its next part or of the next step's first, if neither has
    /// to be made smaller.
    fn next_items(&self, step: &Step<'_>, part: &Range<usize>) -> Range<u64> {
        let share = self.places(step.batch_size, step.micro_batch);
        let (start, count) = match share.end - part.end {
            0 => {
                let size = schedule::batch_size(&self.spec.batch, step.finished + 1);
                let next = self.places(size, step.micro_batch);
                (step.batch_size + next.start, next.len().min(step.micro_batch))
            }
            left => (part.end, left.min(part.len())),
        };
        let start = step.first + start as u64;
        start..start + count as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::comm::threads::together;
    use crate::device::ComputeDevice;
    use crate::error::{Error, Signal};
    use crate::flow::Flow;
    use crate::rng::Seed;
    use crate::spec::Spec;
    use crate::theory;
    use crate::train::{StepFailure, Trainer};

    const PHI4: &str = "version = 1\nseed = 1\n\
                        theory.phi4 = { extents = [4, 4], mass_squared = 1.0, coupling = 0.5 }\n\
                        flow.affine = { layers = 2, kernel_size = 3, hidden = [4] }\n\
                        train.batch = { size = 23, micro_batch = 4 }\n\
                        train.optimizer.adam.learning_rate = 1e-3\ntrain.stop.steps = 3\n";
    const SECTORS: &str = "version = 1\nseed = 1\n\
                           theory.schwinger = { extents = [4, 4], beta = 1.0, kappa = 0.2 }\n\
                           flow.gauge = { layers = 8, kernel_size = 3, hidden = [4], sectors = { largest = 1, weights.learned = {} } }\n\
                           train.batch = { size = 9, micro_batch = 2 }\n\
                           train.optimizer.adam.learning_rate = 1e-3\ntrain.stop.steps = 2\n";

    /// Builds the trainer of a specification on one of several processes and hands it over.
    fn with_trainer<T>(text: &str, set: &[String], crew: &Crew, use_it: impl FnOnce(&Trainer<'_>) -> T) -> T {
        let spec = Spec::parse(text, set).unwrap();
        let action = theory::build(&spec.theory).action;
        let model = spec.model().expect("it has one");
        let flow = Flow::new(model.flow, action.lattice());
        let device = ComputeDevice::cpu().among(crew.clone());
        use_it(&Trainer::new(&flow, &*action, model.train, None, &device, Seed(1)).unwrap())
    }

    /// Helps with so many steps.
    fn assist(trainer: &Trainer<'_>, crew: &Crew, steps: usize) {
        for _ in 0..steps {
            let call = crew.heed();
            assert_eq!(call.task, Task::Step);
            trainer.assist(&call);
        }
    }

    #[test]
    fn any_number_of_processes_trains_the_same_model_to_the_bit() {
        let losses = ["", "reparametrised", "path", "reinforce"].map(|gradient| match gradient {
            "" => Vec::new(),
            gradient => vec![format!("train.loss.reverse_kl.gradient={gradient}")],
        });
        for (text, set) in [(PHI4, &losses[1..]), (SECTORS, &losses[..1])]
            .into_iter()
            .flat_map(|(text, sets)| sets.iter().map(move |set| (text, set)))
        {
            let trained = |size: usize| {
                let of_all = together(size, |crew| {
                    with_trainer(text, set, &crew, |trainer| {
                        if !crew.leads() {
                            assist(trainer, &crew, 2);
                            return None;
                        }
                        let mut state = trainer.initial_state(Seed(1));
                        let losses =
                            [(); 2].map(|()| trainer.step(&mut state).expect("the CPU computes").loss);
                        Some((state.parameters, losses))
                    })
                });
                of_all.into_iter().flatten().next().expect("somebody leads")
            };
            let alone = trained(1);
            for size in [2, 3, 4, 7] {
                assert_eq!(trained(size), alone, "{size} processes, {set:?}");
            }
        }
    }

    /// Within a step the leader is interrupted: the others are let go, the state is as it was, and the next step is that of an
    /// undisturbed run.
    #[test]
    fn a_step_that_is_left_leaves_nothing_behind() {
        let found = together(3, |crew| {
            with_trainer(PHI4, &[], &crew, |trainer| {
                if !crew.leads() {
                    assist(trainer, &crew, 2);
                    return None;
                }
                let mut state = trainer.initial_state(Seed(1));
                let before = state.clone();
                let signal = || Err(Error::InterruptedDraw { signal: Signal(15), done: 0, count: 1 });
                let ended = trainer.try_step(&mut state, &signal);
                assert!(matches!(ended, Err(StepFailure::Ended(Error::InterruptedDraw { .. }))));
                assert_eq!(state, before);
                trainer.step(&mut state).expect("the CPU computes");
                Some(state.parameters)
            })
        });
        let alone = with_trainer(PHI4, &[], &Crew::alone(), |trainer| {
            let mut state = trainer.initial_state(Seed(1));
            trainer.step(&mut state).expect("the CPU computes");
            state.parameters
        });
        assert_eq!(found[0].as_ref(), Some(&alone));
    }
}
