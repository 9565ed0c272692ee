//! What a specification needs of a machine's memory, at least: estimates that no size overflows, made before anything is built.

use super::flow::FlowSpec;
use super::loss::LossSpec;
use super::specification::{ModelSpec, Spec};
use serde::Serialize;

/// Bytes that something a specification asks for takes, at least.
#[derive(Debug, Clone, PartialEq)]
pub struct Need {
    /// The key that asks for it.
    pub key: String,
    /// Its value.
    pub value: String,
    /// What takes the memory.
    pub what: &'static str,
    /// How much, about; not whole, because it may be more than can be counted.
    pub bytes: f64,
}

/// Bytes of a site in the masks of a layer.
const MASKS: f64 = 2.0;

/// Bytes of a parameter and its gradient.
const PARAMETER: f64 = 4.0 + 8.0;

/// Bytes of what an optimizer remembers of a parameter, each.
const MOMENT: f64 = 4.0;

/// Bytes of a configuration of a batch beside its field: loss, log weight and relative weight.
const IN_BATCH: f64 = 3.0 * 8.0;

/// Configurations that are trained on side by side in the vector units, if only one is.
const LANES: usize = 16;

impl Spec {
    /// What training needs, where something is trained. `suited` says how many configurations, with so many numbers kept of each, suit the processor
    /// at once; nothing if they are kept elsewhere.
    pub fn training_needs(&self, suited: Option<&dyn Fn(f64) -> usize>) -> Vec<Need> {
        let Some(ModelSpec { flow, train, .. }) = self.model() else { return Vec::new() };
        let batch = &train.batch;
        let (volume, held) = (self.volume(), train.loss.passes_held() as f64);
        let kept = held * flow.kept_per_site() * volume;
        let suited = suited.map(|suited| batch.micro_batch.unwrap_or_else(|| suited(kept)).min(batch.size));
        let together = suited.map_or(0, |suited| suited.max(LANES)) as f64;
        let bytes = 4.0 * kept * together + MASKS * flow.layers() as f64 * volume;
        let of_parameter = PARAMETER + MOMENT * train.optimizer.moments() as f64;
        let parameters = of_parameter * flow.parameters(self.theory.extents());
        let chains = train.loss.forward().and_then(|forward| forward.hmc()).map_or(0, |hmc| hmc.chains);
        let mixed = if matches!(train.loss, LossSpec::Mixture(_)) { "mixture." } else { "" };
        vec![
            self.of_lattice("the configurations that are trained on at once", bytes),
            of_flow(flow, "the parameters with their moments", parameters),
            need("train.batch.size", batch.size as f64, "the weights of a batch", IN_BATCH),
            // As below, and the state that they began the step from.
            need(
                &format!("train.loss.{mixed}forward_kl.hmc.chains"),
                chains as f64,
                "the fields of all chains",
                4.0 * 8.0 * volume * self.theory.components() as f64,
            ),
        ]
    }

    /// What sampling needs: all weights and measurements are held until the last is drawn.
    pub fn sampling_needs(&self) -> Vec<Need> {
        let measured = 8.0 * (2.0 + (self.theory.extents()[0] / 2) as f64);
        let (drawn, sample) = ("weights and measurements", &self.sample);
        let direct = sample.direct.as_ref().map_or(0, |direct| direct.configurations);
        let proposals = sample.independence.as_ref().map_or(0, |chain| chain.proposals);
        let chains = sample.hmc.as_ref().map_or(0, |hmc| hmc.chains);
        let of_heat_bath = sample.heat_bath.as_ref().map_or(0, |chains| chains.chains);
        let fields = "the fields of all chains";
        let numbers = self.volume() * self.theory.components() as f64;
        let evaluated = self.model().map_or(0, |model| model.evaluate.samples);
        // Every thread has its own.
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(chains.max(1));
        let bytes = self.theory.elimination_bytes() * threads as f64;
        let eliminated = self.of_lattice("the elimination of the fermions", bytes);
        vec![
            eliminated,
            need("evaluate.samples", evaluated as f64, drawn, measured),
            need("sample.direct.configurations", direct as f64, drawn, measured),
            need("sample.independence.proposals", proposals as f64, drawn, measured),
            // Field, momenta, and the field to go back to.
            need("sample.hmc.chains", chains as f64, fields, 3.0 * 8.0 * numbers),
            need("sample.heat_bath.chains", of_heat_bath as f64, fields, 8.0 * numbers),
        ]
    }

    /// Number of sites, which may be more than can be counted.
    fn volume(&self) -> f64 {
        self.theory.extents().iter().map(|&extent| extent as f64).product()
    }

    fn of_lattice(&self, what: &'static str, bytes: f64) -> Need {
        let (key, value) = (format!("theory.{}.extents", choice(&self.theory)), self.theory.extents());
        Need { key, value: format!("{value:?}"), what, bytes }
    }
}

fn of_flow(flow: &FlowSpec, what: &'static str, bytes: f64) -> Need {
    let (key, value) = (format!("flow.{}", choice(flow)), toml::Value::try_from(flow));
    Need { key, value: value.map(|value| value.to_string()).unwrap_or_default(), what, bytes }
}

/// What a number of things needs that take so many bytes each.
fn need(key: &str, count: f64, what: &'static str, bytes_of_each: f64) -> Need {
    Need { key: key.into(), value: count.to_string(), what, bytes: count * bytes_of_each }
}

/// The name of a choice.
fn choice(table: &impl Serialize) -> String {
    let table = toml::Table::try_from(table).unwrap_or_default();
    table.keys().next().cloned().unwrap_or_default()
}
