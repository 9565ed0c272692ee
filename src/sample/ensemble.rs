//! An ensemble drawn into a file, or by several processes into one each with an index beside them.

use super::drawing::{Drawing, Opening};
use super::draws::Model;
use super::rounds::{Rounds, answer};
use crate::comm::{Call, Task};
use crate::device::ComputeDevice;
use crate::ensemble::{
    CompleteEnsemble, EnsembleWriter, Index, IndexedFile, MODEL, Provenance, array_shape, file_shape,
};
use crate::error::{Error, Result};
use crate::flow::{BoundFlow, Flow};
use crate::rng::Stream;
use crate::theory::Theory;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Which ensemble, and where to.
#[derive(Debug, Clone)]
pub struct WantedEnsemble<'a> {
    /// Where its random numbers come from.
    pub stream: &'a Stream,
    /// Which items of it.
    pub items: Range<u64>,
    /// Its name: that of the archive, or what those of several and their index are named by.
    pub file: &'a Path,
    /// The resolved specification, which goes into every archive.
    pub spec: &'a str,
}

/// An ensemble that was drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct DrawnEnsemble {
    /// The archive, or the index of several.
    pub file: PathBuf,
    /// How many archives.
    pub archives: usize,
    /// Bytes of these.
    pub bytes: u64,
    /// `log w` of every configuration.
    pub log_weights: Vec<f64>,
}

/// What all have to know who draw it.
#[derive(Serialize, Deserialize)]
struct Job<'a> {
    drawing: Opening<'a>,
    items: Range<u64>,
    file: Cow<'a, Path>,
    spec: Cow<'a, str>,
}

/// What all do together.
#[derive(Debug, Serialize, Deserialize)]
enum Round {
    /// A batch each.
    Draw,
    /// What belongs to the configurations.
    Complete,
    /// Names.
    Place,
}

/// What a process draws: consecutive configurations.
struct Share<'a> {
    drawing: Drawing<'a>,
    /// Items that are not drawn yet.
    left: Range<u64>,
    file: PathBuf,
    spec: &'a str,
    writer: Option<EnsembleWriter>,
    complete: Option<CompleteEnsemble>,
}

impl Model<'_> {
    /// Draws an ensemble in batches that fit the device, of all processes at once; `each` hears the `log w` of every batch. Its files
    /// appear whole or not at all, the index last.
    ///
    /// # Errors
    /// What `each` returns, [`Error::Device`] or [`Error::Io`].
    pub fn draw_ensemble(
        &self,
        bound: &BoundFlow<'_>,
        wanted: &WantedEnsemble<'_>,
        each: &mut dyn FnMut(&[f64]) -> Result<()>,
    ) -> Result<DrawnEnsemble> {
        let (crew, WantedEnsemble { stream, items, file, spec }) = (self.crew(), wanted);
        // Others may be started in another folder.
        let place = std::path::absolute(file).map_err(Error::io(file, "write"))?;
        let opening = || Opening::of(self, stream, true);
        let rounds = Rounds::open(crew, Task::Ensemble, || {
            let (file, spec) = (Cow::Borrowed(&*place), Cow::Borrowed(*spec));
            Job { drawing: opening(), items: items.clone(), file, spec }
        });
        let mut own = Share::new(Drawing::new(self, bound, stream, true), items, file, spec);
        let mut log_weights = vec![Vec::new(); crew.size()];
        let mut left = items.end - items.start;
        while left > 0 {
            rounds.call(|| Round::Draw);
            for (all, newest) in log_weights.iter_mut().zip(crew.collect(own.draw())?) {
                left -= newest.len() as u64;
                each(&newest)?;
                all.extend(newest);
            }
        }
        rounds.call(|| Round::Complete);
        let files: Vec<IndexedFile> = crew.collect(own.complete())?.into_iter().flatten().collect();
        let index = (!crew.is_alone()).then(|| Index::place(file));
        index.as_deref().map_or(Ok(()), Index::remove)?;
        rounds.call(|| Round::Place);
        let placed = crew.collect(own.place());
        let (archives, bytes) = (files.len(), files.iter().map(|file| file.bytes).sum());
        match &index {
            Some(path) => {
                let (field, shape) = (self.action.field_name().to_owned(), file_shape(self.action));
                let index = Index { field, shape: array_shape(items.end - items.start, &shape), files };
                // What is no part of an ensemble does not stay.
                placed.and_then(|_| index.write(path)).inspect_err(|_| index.remove_archives(path))?;
            }
            None => drop(placed?),
        }
        let file = index.unwrap_or_else(|| file.to_path_buf());
        Ok(DrawnEnsemble { file, archives, bytes, log_weights: log_weights.concat() })
    }
}

/// What a process that does not lead does when it is called for an ensemble.
pub fn assist(call: &Call, flow: &Flow, theory: &Theory, device: &ComputeDevice) {
    let (Job { drawing, items, file, spec }, crew) = (call.job::<Job<'_>>(), device.crew());
    let model = drawing.model(flow, theory, device);
    let bound = model.bind();
    let drawing = Drawing::new(&model, &bound, &drawing.stream, true);
    let mut own = Share::new(drawing, &items, &file, &spec);
    // The leader says what became of it.
    answer(crew, Task::Ensemble, |round| match round {
        Round::Draw => drop(crew.collect(own.draw())),
        Round::Complete => drop(crew.collect(own.complete())),
        Round::Place => drop(crew.collect(own.place())),
    });
}

impl<'a> Share<'a> {
    fn new(drawing: Drawing<'a>, items: &Range<u64>, file: &Path, spec: &'a str) -> Self {
        let (left, crew) = (drawing.share(items), drawing.crew());
        let file = match crew.is_alone() {
            true => file.to_path_buf(),
            false => Index::place_of(file, crew.rank(), crew.size()),
        };
        Self { drawing, left, file, spec, writer: None, complete: None }
    }

    /// The next batch, with its `log w`.
    fn draw(&mut self) -> Result<Vec<f64>> {
        let (model, mut log_weights) = (self.drawing.model(), Vec::new());
        let action = model.action;
        let next = |start: u64| start..self.left.end.min(start + model.batch() as u64);
        let (items, after) = (next(self.left.start), next(next(self.left.start).end));
        if items.is_empty() {
            return Ok(log_weights);
        }
        if self.writer.is_none() {
            let (shape, count) = (file_shape(action), self.left.end - self.left.start);
            self.writer = Some(EnsembleWriter::create(&self.file, action.field_name(), &shape, count)?);
        }
        let writer = self.writer.as_mut().expect("it was made");
        for batch in self.drawing.compute(items.clone(), after)? {
            writer.push(&batch.fields, &batch.log_q, &batch.actions)?;
            let fields = batch.fields.chunks_exact(model.numbers());
            writer.push_charges(fields.filter_map(|field| action.topological_charge(field)));
            log_weights.extend((0..batch.log_q.len()).map(|index| batch.log_weight(index)));
        }
        self.left.start = items.end;
        Ok(log_weights)
    }

    /// What an index says of its archive, if it has one, which is whole now.
    fn complete(&mut self) -> Result<Option<IndexedFile>> {
        let Some(writer) = self.writer.take() else { return Ok(None) };
        let count = writer.count();
        let mut complete = writer.complete(&Provenance { method: MODEL, spec: self.spec })?;
        let (bytes, blake3) = match self.drawing.crew().is_alone() {
            true => (complete.bytes()?, String::new()),
            false => complete.digest()?,
        };
        self.complete = Some(complete);
        let file = self.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Some(IndexedFile { file, count, bytes, blake3 }))
    }

    fn place(&mut self) -> Result<()> {
        self.complete.take().map_or(Ok(()), CompleteEnsemble::put_in_place)
    }
}
