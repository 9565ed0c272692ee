//! Where a training starts: from initial weights, or from a trained model.

use crate::error::{Error, Problem, Result};
use crate::flow::Flow;
use crate::rng::Seed;
use crate::spec::{FlowSpec, ModelSpec, ModelStartSpec, OptimizerStart, Spec, StartSpec, TrainSpec};
use crate::theory;
use crate::train::{TrainState, Trainer, build_optimizer, checkpoint};
use std::path::{Path, PathBuf};

/// A trained model that a training goes on from.
#[derive(Debug, Clone, PartialEq)]
pub struct Origin {
    /// A checkpoint, or a folder with some.
    pub path: PathBuf,
    /// What becomes of the moments of its optimizer.
    pub optimizer: OptimizerStart,
}

impl Origin {
    /// The model that a specification names, if it names one.
    pub fn of(train: &TrainSpec) -> Option<Self> {
        match &train.start {
            StartSpec::Scratch => None,
            StartSpec::Model(ModelStartSpec { file, optimizer }) => {
                Some(Self { path: file.into(), optimizer: *optimizer })
            }
        }
    }

    /// Reads the model for a flow that is built and trained as `model` says.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is none, [`Error::BadFile`] if it is damaged, of another architecture or, where its moments are
    /// carried over, of another optimizer; [`Error::Io`].
    pub fn load(&self, flow: &Flow, model: ModelSpec<'_>) -> Result<TrainState> {
        let train = model.train;
        let path = checkpoint_file(&self.path)?;
        let refuse =
            |rule: String, hint: &str| Err(Error::BadFile { path: path.clone(), rule, hint: hint.into() });
        let spec = match checkpoint::read_header(&path).and_then(|header| spec_of(&path, &header.spec)) {
            Ok(spec) => spec,
            Err(Error::BadFile { rule, .. }) => return refuse(rule, "name another checkpoint of that model"),
            Err(other) => return Err(other),
        };
        let there = spec.theory.extents();
        if spec.flow.as_ref().is_some_and(FlowSpec::is_of_one_lattice) && there != flow.lattice().extents() {
            let rule = format!("has learned the spectrum of extents {there:?}, which is of no use on others");
            return refuse(rule, "train on that lattice, or start from a model with another base");
        }
        let of_start = spec.train.expect("a model was trained somehow").optimizer;
        let own = train.optimizer.name();
        if self.optimizer == OptimizerStart::Carried && !train.optimizer.carries_on(&of_start) {
            let rule = format!("has the moments of `{}`, which `{own}` cannot carry on", of_start.name());
            return refuse(rule, "start with new ones: optimizer = \"reset\" beside the file");
        }
        let optimizer = build_optimizer(&of_start);
        match checkpoint::load(&path, flow.layout(), &*optimizer, train.smoothing_window) {
            Ok((_, state)) => match spec.flow.and_then(|there| other_meaning(&there, model.flow)) {
                Some(rule) => refuse(rule.into(), "a model can be gone on from with the same [flow]"),
                None => Ok(state),
            },
            Err(Error::BadFile { rule, .. }) => {
                refuse(rule, "a model can be gone on from with the same [flow] and number of dimensions")
            }
            Err(other) => Err(other),
        }
    }
}

/// How a flow whose weights have the right shapes is another one all the same, if it is.
fn other_meaning(there: &FlowSpec, here: &FlowSpec) -> Option<&'static str> {
    (!here.has_weights_of(there)).then_some(match here {
        FlowSpec::Affine(_) => {
            "has couplings that are equivariant where these are not, or the other way round"
        }
        FlowSpec::Gauge(_) => {
            "has couplings with another map or other dilations, or equivariant ones where these are not, or the other way round"
        },
    })
}

/// The state that a training begins with, and the digest of the model that it goes on from, if it does.
///
/// # Errors
/// As [`Origin::load`].
pub fn first_state(
    trainer: &Trainer<'_>,
    flow: &Flow,
    model: ModelSpec<'_>,
    seed: Seed,
    origin: Option<&Origin>,
) -> Result<(TrainState, Option<String>)> {
    let Some(origin) = origin else { return Ok((trainer.initial_state(seed), None)) };
    let state = trainer.state_after(origin.load(flow, model)?, origin.optimizer);
    let digest = state.digest();
    Ok((state, Some(digest)))
}

/// What is wrong with the models that cells of a specification start from.
pub fn problems(spec: &Spec) -> Vec<Problem> {
    let (mut seen, mut problems) = (Vec::new(), Vec::<Problem>::new());
    for cell in spec.cells().expect("a parsed specification has valid cells") {
        let Some(model) = cell.spec.model().filter(|_| cell.start.is_none()) else { continue };
        let Some(origin) = Origin::of(model.train) else { continue };
        // All that decides whether a model fits.
        let (extents, optimizer) = (cell.spec.theory.extents().to_vec(), &model.train.optimizer);
        let this = (origin, model.flow.architecture(), extents, optimizer.name(), optimizer.moments());
        if seen.contains(&this) {
            continue;
        }
        let flow = Flow::new(model.flow, theory::build(&cell.spec.theory).action.lattice());
        if let Err(error) = this.0.load(&flow, model) {
            problems.push(problem(&this.0.path, error));
        }
        seen.push(this);
    }
    problems
}

fn problem(named: &Path, error: Error) -> Problem {
    let at = |rule: String| Problem::new("train.start.model.file", rule).value(named.display());
    match error {
        Error::BadFile { path, rule, hint } if path == named => at(rule).hint(hint),
        Error::BadFile { path, rule, hint } => at(format!("{}: {rule}", path.display())).hint(hint),
        Error::Usage { message, hint } => {
            let place = format!("{}: ", named.display());
            at(message.strip_prefix(&place).unwrap_or(&message).to_owned()).hint(hint)
        }
        Error::Io { path, action, source } => at(format!("{}: cannot {action}: {source}", path.display())),
        other => at(other.to_string().trim_start_matches("error: ").to_owned()),
    }
}

/// The specification that a checkpoint holds, which is that of a model.
///
/// # Errors
/// [`Error::Spec`], [`Error::BadFile`].
pub fn spec_of(path: &Path, text: &str) -> Result<Spec> {
    let spec = Spec::parse(text, &[]).map_err(|problems| Error::Spec { file: path.to_owned(), problems })?;
    match spec.model() {
        Some(_) => Ok(spec),
        None => Err(Error::BadFile {
            path: path.to_owned(),
            rule: "holds the specification of no model".into(),
            hint: "name a checkpoint of a training".into(),
        }),
    }
}

/// The checkpoint of this name; of a folder the newest one, and of a run directory the newest of its `checkpoints`.
///
/// # Errors
/// [`Error::Usage`] if there is none, [`Error::Io`].
pub fn checkpoint_file(path: &Path) -> Result<PathBuf> {
    let missing = |rule: String| Error::Usage {
        message: format!("{}: {rule}", path.display()),
        hint:
            "name a checkpoint, e.g. runs/smoke/checkpoints/step-0000000400.safetensors, or a run directory"
                .into(),
    };
    if path.is_file() {
        return Ok(path.to_owned());
    }
    if !path.is_dir() {
        return Err(missing("there is no such checkpoint".into()));
    }
    let cells = [
        ("cells/0000", "it is a study, whose cells have folders of their own"),
        ("checkpoints/cell-0000", "it is a study of an older version, whose cells have folders of their own"),
    ];
    if let Some((first, rule)) = cells.iter().find(|(first, _)| path.join(first).is_dir()) {
        return Err(Error::Usage {
            message: format!("{}: {rule}", path.display()),
            hint: format!("name one of them, e.g. {}", path.join(first).display()),
        });
    }
    let inner = path.join("checkpoints");
    let folder = if inner.is_dir() { inner } else { path.to_owned() };
    checkpoint::list(&folder)?.pop().ok_or_else(|| missing("holds no checkpoint".into()))
}
