//! From a specification to a run directory: cell after cell trained, evaluated, sampled, and every figure written down.

mod cell;
mod cell_dir;
mod context;
mod costs;
mod estimates;
mod experiment;
mod log;
mod manifest;
mod measure;
mod merge;
mod progress;
mod record;
mod recorder;
mod results;
pub mod row;
mod run;
mod run_dir;
mod sampling;
mod summary;
mod table;
mod tables;
mod trained;
mod warnings;

pub use experiment::Experiment;
pub use manifest::Manifest;
pub use measure::{Measure, Measurements};
pub use progress::{Interrupt, Progress};
pub use record::CellRecord;
pub use run::Run;
pub use run_dir::RunDir;
pub use summary::{MethodSummary, ModelSummary, ObservableSummary, Summary};
pub use table::Leading;
pub use trained::{Draw, Drawn, Trained};
