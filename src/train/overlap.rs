//! On a GPU the host computes determinants of one part of a batch while the device flows the next, and nothing else comes of it.

use super::*;
use crate::device::ComputeDevice;
use crate::flow::Flow;
use crate::lattice::Lattice;
use crate::rng::Seed;
use crate::spec::Spec;
use crate::theory::{Action, BegunAction, Schwinger};
use burn::tensor::Tensor;
use std::sync::Mutex;

const TEXT: &str = "version = 1\nseed = 1\ntheory.schwinger = { extents = [4, 4], beta = 1.0, kappa = 0.2 }\n\
                    flow.gauge = { layers = 8, kernel_size = 3, hidden = [4] }\n\
                    train.batch = { size = 6, micro_batch = 2 }\n\
                    train.optimizer.adam.learning_rate = 1e-3\ntrain.stop.steps = 2\n";

/// The Schwinger model, and when its actions were begun and asked for.
#[derive(Debug)]
struct Watched {
    theory: Schwinger,
    /// Whether it says that a device waits for it.
    of_host: bool,
    events: Mutex<Vec<&'static str>>,
}

impl Watched {
    fn note(&self, event: &'static str) {
        self.events.lock().unwrap().push(event);
    }
}

impl Action for Watched {
    fn id(&self) -> String {
        self.theory.id()
    }

    fn describe(&self) -> String {
        self.theory.describe()
    }

    fn field_name(&self) -> &'static str {
        self.theory.field_name()
    }

    fn lattice(&self) -> Lattice {
        self.theory.lattice()
    }

    fn components(&self) -> usize {
        self.theory.components()
    }

    fn action(&self, field: Tensor<3>) -> Tensor<1> {
        self.theory.action(field)
    }

    fn is_of_host(&self) -> bool {
        self.of_host
    }

    fn begin<'a>(&'a self, field: &Tensor<3>, with_gradient: bool) -> BegunAction<'a> {
        self.note("begun");
        let begun = self.theory.begin(field, with_gradient);
        Box::new(move |field| {
            self.note("asked for");
            begun(field)
        })
    }

    fn action_f64(&self, field: &[f64]) -> f64 {
        self.theory.action_f64(field)
    }

    fn log_partition(&self) -> Option<f64> {
        None
    }
}

/// Two steps: parameters, losses, and what happened in the first.
fn trained(device: &ComputeDevice, gradient: &str, of_host: bool) -> (Vec<f32>, Vec<f64>, String) {
    let spec = Spec::parse(TEXT, &[format!("train.loss.reverse_kl.gradient={gradient}")]).unwrap();
    let theory = Schwinger::new(Lattice::new([4, 4]), 1.0, 0.2, true);
    let action = Watched { theory, of_host, events: Mutex::default() };
    let model = spec.model().expect("it has one");
    let flow = Flow::new(model.flow, action.lattice());
    let trainer = Trainer::new(&flow, &action, model.train, None, device, Seed(1)).unwrap();
    let mut state = trainer.initial_state(Seed(1));
    let mut step = || trainer.step(&mut state).expect("the device computes").loss;
    let first = step();
    let events = std::mem::take(&mut *action.events.lock().unwrap()).join(", ");
    let losses = vec![first, step()];
    (state.parameters, losses, events)
}

#[test]
fn a_gpu_flows_the_next_part_before_the_determinants_of_the_one_before_are_asked_for() {
    let in_turn = "begun, asked for, begun, asked for, begun, asked for";
    let ahead = "begun, begun, asked for, begun, asked for, asked for";
    for gradient in ["reparametrised", "path", "reinforce"] {
        let (_, _, on_cpu) = trained(&ComputeDevice::cpu(), gradient, true);
        assert_eq!(on_cpu, in_turn, "{gradient}");
        let Ok(device) = ComputeDevice::select("wgpu:0") else {
            assert!(
                std::env::var_os("FLOWQCD_REQUIRE_GPU").is_none(),
                "no adapter, but one is required here"
            );
            return;
        };
        let (expected, expected_losses, waiting) = trained(&device, gradient, false);
        let (found, losses, overlapping) = trained(&device, gradient, true);
        assert_eq!((&*waiting, &*overlapping), (in_turn, ahead), "{gradient}");
        assert_eq!((found, losses), (expected, expected_losses), "{gradient}: the same bits");
    }
}
