//! Several processes sample what one does, to the bit, whatever happens on the way.

use super::arrays::Arrays;
use super::rounds;
use super::*;
use crate::comm::threads::together;
use crate::comm::{Call, Crew, Leading, Task};
use crate::device::ComputeDevice;
use crate::ensemble::{EnsembleReader, IndexedFile, file_shape};
use crate::error::{Error, Result, Signal};
use crate::flow::Flow;
use crate::rng::Seed;
use crate::spec::{IndependenceSpec, Integrator, InterludeSpec, Spec};
use crate::theory::{self, Theory};
use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

const PHI4: &str = "version = 1\nseed = 1\n\
                    theory.phi4 = { extents = [4, 4], mass_squared = -1.0, coupling = 0.5 }\n\
                    flow.affine = { layers = 2, kernel_size = 3, hidden = [4], base.free_field.mass_squared = 0.5 }\n\
                    train = { batch.size = 2, optimizer.adam.learning_rate = 1e-3, stop.steps = 1 }\n";

/// Signs and charges are drawn beside the base here.
const SECTORS: &str = "version = 1\nseed = 1\n\
                       theory.schwinger = { extents = [4, 4], beta = 1.0, kappa = 0.2 }\n\
                       flow.gauge = { layers = 8, kernel_size = 3, hidden = [4], sectors = { largest = 1, weights.learned = {} } }\n\
                       train = { batch.size = 2, optimizer.adam.learning_rate = 1e-3, stop.steps = 1 }\n";

const SIZES: [usize; 4] = [2, 3, 4, 7];

/// Of one process, with what it does for the leader.
struct Process<'a> {
    theory: &'a Theory,
    flow: &'a Flow,
    parameters: &'a [f32],
    device: &'a ComputeDevice,
}

impl Process<'_> {
    fn model(&self) -> Model<'_> {
        Model {
            flow: self.flow,
            parameters: self.parameters,
            action: &*self.theory.action,
            device: self.device,
            observables: Some(&*self.theory.observables),
            at_most: None,
        }
    }

    fn obey(&self, call: &Call) {
        match call.task {
            Task::Draw => assist::draw(call, self.flow, self.theory, self.device),
            Task::Ensemble => assist::ensemble(call, self.flow, self.theory, self.device),
            Task::Density => assist::density(call, self.flow, self.theory, self.device),
            task => panic!("{task:?} is not asked for here"),
        }
    }
}

/// What the leader of so many processes finds on this device; `obey` is what the others do.
fn led<T: Send>(
    (text, device, size): (&str, &str, usize),
    lead: impl Fn(&Process<'_>) -> T + Sync,
    obey: impl Fn(&Process<'_>, &Call) + Sync,
) -> T {
    let found = together(size, |crew| {
        let spec = Spec::parse(text, &[]).unwrap();
        let theory = theory::build(&spec.theory);
        let flow = Flow::new(spec.model().expect("it has one").flow, theory.action.lattice());
        // Others learn the parameters from the leader alone.
        let parameters = if crew.leads() { flow.initial_parameters(Seed(3)) } else { Vec::new() };
        let device = ComputeDevice::select(device).unwrap().among(crew.clone());
        let process = Process { theory: &theory, flow: &flow, parameters: &parameters, device: &device };
        if crew.leads() {
            let _leading = Leading(&crew);
            return Some(lead(&process));
        }
        loop {
            match crew.heed() {
                Call { task: Task::End, .. } => return None,
                call => obey(&process, &call),
            }
        }
    });
    found.into_iter().flatten().next().expect("somebody leads")
}

fn led_on_cpu<T: Send>(text: &str, size: usize, lead: impl Fn(&Process<'_>) -> T + Sync) -> T {
    led((text, "cpu", size), lead, |process, call| process.obey(call))
}

/// Draws some items, all in one batch.
fn drawn(model: &Model<'_>, fields: bool, count: u64) -> Result<Batch> {
    let (stream, mut all) = (Seed(5).stream("draws"), Batch::default());
    let wanted = Wanted { stream: &stream, items: 11..11 + count, fields };
    model.draw(&model.bind(), &wanted, &mut |batch| {
        all.fields.extend(batch.fields);
        all.log_q.extend(batch.log_q);
        all.actions.extend(batch.actions);
        all.rows.extend(batch.rows);
        Ok(())
    })?;
    Ok(all)
}

fn interrupted() -> Error {
    Error::InterruptedDraw { signal: Signal(15), done: 0, count: 1 }
}

/// An error after so many questions.
fn after(questions: usize) -> impl Fn(u64) -> Result<()> {
    let left = Cell::new(questions);
    move |_| {
        left.set(left.get().saturating_sub(1));
        if left.get() == 0 { Err(interrupted()) } else { Ok(()) }
    }
}

#[test]
fn any_number_of_processes_draws_the_same_configurations_with_the_same_densities() {
    // More than three batches of a CPU.
    for (text, count) in [(PHI4, 3333), (SECTORS, 1500)] {
        let found = |size| {
            led_on_cpu(text, size, |process| {
                let model = process.model();
                let (batch, slim) =
                    (drawn(&model, true, count).unwrap(), drawn(&model, false, count).unwrap());
                let log_q = model.log_prob(&model.bind(), &batch.fields).unwrap();
                let single: Vec<f32> = batch.fields.iter().map(|&number| number as f32).collect();
                let few = model.log_prob(&model.bind(), &single[..7 * model.numbers()]).unwrap();
                assert_eq!((&slim.log_q, slim.fields.len()), (&batch.log_q, 0));
                (batch, slim, log_q, few)
            })
        };
        let alone = found(1);
        assert_eq!(alone.0.log_q.len(), count as usize);
        // Rounding of log q in single precision.
        assert!(alone.0.log_q.iter().zip(&alone.2).all(|(a, b)| (a - b).abs() < 1e-3));
        for size in SIZES {
            assert!(found(size) == alone, "{size} processes, {text}");
        }
    }
}

/// Two processes share a batch that one takes whole.
#[test]
fn processes_with_gpus_draw_what_one_does() {
    if ComputeDevice::select("wgpu:0").is_err() {
        assert!(std::env::var_os("FLOWQCD_REQUIRE_GPU").is_none(), "no adapter, but one is required here");
        return;
    }
    for text in [PHI4, SECTORS] {
        let found = |size| {
            let lead = |process: &Process<'_>| drawn(&process.model(), true, 300).unwrap();
            led((text, "wgpu:0", size), lead, |process, call| process.obey(call))
        };
        assert!(found(2) == found(1), "{text}");
    }
}

#[test]
fn an_error_names_the_process_and_what_is_called_for_next_works() {
    let fails = || Error::Device { name: "cpu".into(), rule: "it is full".into(), hint: "empty it".into() };
    let found = |size: usize| {
        let failures = [AtomicUsize::new(0), AtomicUsize::new(0)];
        let obey = |process: &Process<'_>, call: &Call| {
            let crew: &Crew = process.device.crew();
            let place = usize::from(call.task == Task::Density);
            let is_first = || failures[place].fetch_add(1, Ordering::SeqCst) == 0;
            match crew.rank() == 2 && is_first() {
                true => {
                    rounds::answer(crew, call.task, |()| drop(crew.collect(Err::<Vec<f64>, _>(fails()))));
                }
                false => process.obey(call),
            }
        };
        let lead = |process: &Process<'_>| {
            let model = process.model();
            let mut errors = Vec::new();
            if size > 2 {
                errors.push(drawn(&model, true, 3000).unwrap_err().to_string());
                let fields = vec![0.5; 1000 * model.numbers()];
                errors.push(model.log_prob(&model.bind(), &fields).unwrap_err().to_string());
            }
            for questions in [1, 2] {
                let (stream, stops) = (Seed(5).stream("draws"), after(questions));
                let wanted = Wanted { stream: &stream, items: 0..9000, fields: false };
                let ended = model.draw(&model.bind(), &wanted, &mut |_| stops(0));
                assert!(matches!(ended, Err(Error::InterruptedDraw { .. })), "{ended:?}");
            }
            let batch = drawn(&model, true, 1000).unwrap();
            let log_q = model.log_prob(&model.bind(), &batch.fields).unwrap();
            (errors, batch, log_q)
        };
        led((PHI4, "cpu", size), lead, obey)
    };
    let (alone, together) = (found(1), found(4));
    for error in &together.0 {
        assert!(
            error.contains("rank 2") && error.contains("it is full") && error.contains("empty it"),
            "{error}"
        );
    }
    assert_eq!((together.0.len(), together.1, together.2), (2, alone.1, alone.2));
}

/// What a store has kept, without times.
fn saved(folder: &Path, method: &str) -> (Arrays, Option<Vec<u8>>) {
    let mut arrays = Arrays::load(&folder.join(format!("{method}.safetensors"))).unwrap().unwrap();
    match &mut arrays.header["state"] {
        serde_json::Value::Object(state) => drop(state.remove("wall_s")),
        wall_s => *wall_s = serde_json::Value::Null,
    }
    (arrays, std::fs::read(folder.join(format!("{method}.records"))).ok())
}

/// Runs with one number of processes after the other, each interrupted after some batches, until one has finished; gives what `run` does
/// and how often it was stopped.
fn in_turns<T: Send>(
    sizes: &[usize],
    questions: usize,
    run: impl Fn(&Process<'_>, Watch<'_>) -> Result<T> + Sync,
) -> (T, usize) {
    let mut stops = 0;
    loop {
        let size = sizes[stops % sizes.len()];
        let found = led_on_cpu(PHI4, size, |process| {
            let hear = after(questions);
            run(process, Watch { hear: &hear, is_stopped: &|| false })
        });
        match found {
            Ok(found) => return (found, stops),
            Err(error) => assert!(matches!(error, Error::InterruptedDraw { .. }), "{error}"),
        }
        stops += 1;
    }
}

#[test]
fn direct_sampling_goes_on_with_any_number_of_processes() {
    let sampled = |sizes: &[usize], questions| {
        let folder = tempfile::tempdir().unwrap();
        let (run, stops) = in_turns(sizes, questions, |process, watch| {
            let (model, stream) = (process.model(), Seed(5).stream("sample/direct"));
            let (identity, width) = (draws_identity(&model, &stream), Some(model.width() + 1));
            let mut never = || false;
            let mut store = Store::open(folder.path(), "direct", identity, width, &mut never)?;
            draw(&model, &stream, 9000, Some(&mut store), watch)
        });
        (run.ensemble, saved(folder.path(), "direct"), stops)
    };
    let (ensemble, state, _) = sampled(&[1], usize::MAX);
    for sizes in [&[2][..], &[7], &[3, 1, 4]] {
        let found = sampled(sizes, usize::MAX);
        assert!((&found.0, &found.1) == (&ensemble, &state), "{sizes:?}");
        let found = sampled(sizes, 3);
        assert!((&found.0, &found.1) == (&ensemble, &state) && found.2 > 1, "{sizes:?}, in turns");
    }
}

#[test]
fn independence_metropolis_goes_on_with_any_number_of_processes() {
    let interlude = InterludeSpec {
        every: 40,
        chains: 20,
        steps: 4,
        trajectory_length: 1.0,
        integrator: Integrator::Omelyan,
    };
    for (hmc, proposals, questions) in [(None, 9000, 3), (Some(interlude), 4000, 4)] {
        let asked = IndependenceSpec { proposals, hmc };
        let sampled = |sizes: &[usize], questions| {
            let folder = tempfile::tempdir().unwrap();
            let (run, stops) = in_turns(sizes, questions, |process, watch| {
                let model = process.model();
                let chains = Independence::new(&model, process.theory, &asked, Seed(5));
                let mut never = || false;
                let identity = chains.identity();
                let mut store = Store::open(folder.path(), "independence", identity, None, &mut never)?;
                chains.run(Some(&mut store), watch)
            });
            (run.ensemble, run.chain, saved(folder.path(), "independence"), stops)
        };
        let alone = sampled(&[1], usize::MAX);
        assert!(
            asked.hmc.is_none()
                || alone.1.as_ref().is_some_and(|chain| chain.trajectories_between == Some(5))
        );
        for sizes in [&[2][..], &[7], &[3, 1, 4]] {
            for questions in [usize::MAX, questions] {
                let found = sampled(sizes, questions);
                assert!(found.0 == alone.0 && found.1 == alone.1, "{sizes:?}, {questions}");
                assert!(found.2 == alone.2, "{sizes:?}, {questions}");
                assert!(found.3 > 1 || questions == usize::MAX, "{sizes:?}, {questions}: {}", found.3);
            }
        }
    }
}

/// Draws an ensemble into `phi.npz` of a folder.
fn ensemble_in(
    folder: &Path,
    process: &Process<'_>,
    count: u64,
    each: &mut dyn FnMut(&[f64]) -> Result<()>,
) -> Result<DrawnEnsemble> {
    let (model, stream, file) = (process.model(), Seed(5).stream("ensemble"), folder.join("phi.npz"));
    let wanted = WantedEnsemble { stream: &stream, items: 3..3 + count, file: &file, spec: PHI4 };
    model.draw_ensemble(&model.bind(), &wanted, each)
}

/// Names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn files_of_processes_are_together_the_one_of_one() {
    // Three shares of 64 among seven processes leave some without any.
    for (text, count) in [(PHI4, 3333), (SECTORS, 150)] {
        let found = |size| {
            let folder = tempfile::tempdir().unwrap();
            let lead = |process: &Process<'_>| {
                let mut heard = 0;
                let drawn = ensemble_in(folder.path(), process, count, &mut |log_weights| {
                    heard += log_weights.len() as u64;
                    Ok(())
                });
                let (drawn, action) = (drawn.unwrap(), &*process.theory.action);
                assert_eq!(heard, count);
                let mut reader =
                    EnsembleReader::open(&drawn.file, action.field_name(), &file_shape(action)).unwrap();
                let mut fields = Vec::new();
                reader
                    .fields(&mut |part| {
                        fields.extend_from_slice(part);
                        Ok(())
                    })
                    .unwrap();
                let arrays = ["log_q", "action", "log_w", "topological_charge"];
                let arrays = arrays.map(|name| reader.array(name).unwrap());
                assert_eq!(arrays[2].as_ref(), Some(&drawn.log_weights));
                (drawn.archives, (reader.method(), fields, arrays))
            };
            let (archives, arrays) = led_on_cpu(text, size, lead);
            let names = names(folder.path());
            match size {
                1 => assert_eq!(names, ["phi.npz"]),
                _ => assert!(names.len() == archives + 1 && names[0] == "phi.json", "{names:?}"),
            }
            (archives, arrays)
        };
        let alone = found(1);
        for size in SIZES {
            let (archives, arrays) = found(size);
            assert!(arrays == alone.1, "{size} processes, {text}");
            assert_eq!(archives, size.min(count.div_ceil(64) as usize));
        }
    }
}

#[test]
fn an_ensemble_that_fails_leaves_nothing_and_the_next_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    for failing in 0..5 {
        let calls = AtomicUsize::new(0);
        let obey = |process: &Process<'_>, call: &Call| {
            let crew: &Crew = process.device.crew();
            if crew.rank() != 2 || calls.fetch_add(1, Ordering::SeqCst) > 0 {
                return process.obey(call);
            }
            // Some batches, the rest of the archive, its name: one of these fails.
            let mut round = 0;
            rounds::answer(crew, call.task, |()| {
                let answer = if round == failing { Err(interrupted()) } else { Ok(vec![0.0; 1024]) };
                round += 1;
                let _ = match round {
                    1..3 => crew.collect(answer).map(drop),
                    3 => crew.collect(answer.map(|_| None::<IndexedFile>)).map(drop),
                    _ => crew.collect(answer.map(drop)).map(drop),
                };
            });
        };
        let lead = |process: &Process<'_>| {
            let mut heard = 0;
            let failed = ensemble_in(folder.path(), process, 3 * 2048, &mut |_| {
                heard += 1;
                // The leader itself is stopped in the second round.
                if failing == 4 && heard == 5 { Err(interrupted()) } else { Ok(()) }
            });
            let error = failed.unwrap_err().to_string();
            assert_eq!(error.contains("rank 2"), failing < 4, "{error}");
            // Files under temporary names go as soon as each process hears of it.
            assert!(names(folder.path()).iter().all(|name| name.starts_with(".tmp-")), "{failing}");
            let drawn = ensemble_in(folder.path(), process, 1000, &mut |_| Ok(())).unwrap();
            assert_eq!(drawn.log_weights.len(), 1000);
        };
        led((PHI4, "cpu", 3), lead, obey);
        let expected = ["phi.json", "phi.rank-0.npz", "phi.rank-1.npz", "phi.rank-2.npz"];
        assert_eq!(names(folder.path()), expected);
        expected.iter().for_each(|name| std::fs::remove_file(folder.path().join(name)).unwrap());
    }
}
