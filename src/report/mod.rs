//! Figures, comparisons and pages from the tables of run directories; reads files only and computes no physics.

mod against;
mod along;
mod axis;
mod canvas;
mod chart;
mod column;
mod columns;
mod compare;
mod curve;
mod digits;
mod drawn;
mod figure;
mod gather;
mod layout;
mod legend;
mod letters;
pub mod live;
mod names;
mod page;
mod palette;
mod pdf;
mod points;
mod raster;
mod results;
mod run;
mod selection;
mod series;
mod sheet;
mod source;
mod study;
mod training;
mod value;
mod volume_law;

pub use against::Against;
pub use column::Errors;
pub use compare::{CellComparison, Comparison, Estimate, Largest, Rate, RunInfo, Verdict, compare};
pub use digits::{short, with_error};
pub use layout::Layout;
pub use page::{PageRequest, page};
pub use points::{StudyFigure, StudyPoint};
pub use selection::Condition;
pub use sheet::{Format, Log};
pub use training::{Level, Reached};

use crate::error::{Error, Result};
use crate::files::{create_folder, write_atomically};
use gather::Gathered;
use layout::Asked;
use run::{Run, labelled};
use selection::select;
use serde::Serialize;
use sheet::Sheet;
use std::path::{Path, PathBuf};

/// Which figures.
#[derive(Debug, Clone)]
pub enum What<'a> {
    /// All that there is data for.
    Everything,
    /// Some layouts.
    Layouts(&'a [Layout]),
    /// One column against another.
    Against(Against<'a>),
}

/// What to draw.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Run directories; several are drawn into the same figures.
    pub runs: &'a [PathBuf],
    /// The rows to draw; all if there are none.
    pub only: &'a [Condition],
    /// Values of the ESS to mark, and to look up the cost of.
    pub levels: &'a [f64],
    /// The varied key along the axis of studies, by the name of its column, or `1/KEY`; if left out the extents, or another that
    /// varies.
    pub key: Option<&'a str>,
    /// Which figures.
    pub what: What<'a>,
    /// Axes that are logarithmic whatever is drawn.
    pub log: Log,
    /// A file for each.
    pub formats: &'a [Format],
    /// Where figures go.
    pub folder: &'a Path,
}

/// What was drawn.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// The files, a figure in every format that was asked for.
    pub files: Vec<PathBuf>,
    /// The numbers of each figure, as CSV.
    pub data: Vec<PathBuf>,
    /// The cost of every level that was asked for.
    pub levels: Vec<Level>,
    /// The figures of studies, and of layouts but for their curves, in numbers.
    pub studies: Vec<StudyFigure>,
}

/// Draws figures from the tables of runs, each with its numbers as CSV beside it.
///
/// # Errors
/// [`Error::Usage`] for a folder that is no run directory, a key that does not vary, a column that there is not, rows that there are not,
/// or nothing to draw, [`Error::BadFile`] for a table without an expected column or with something else than a number in it,
/// [`Error::Io`].
pub fn plot(request: &Request<'_>) -> Result<Figures> {
    let mut runs = labelled(request.runs)?;
    select(&mut runs, request.only)?;
    let (sheets, studies) = match &request.what {
        What::Everything => everything(&runs, request)?,
        What::Layouts(layouts) => {
            let asked = Asked { levels: request.levels, key: request.key };
            let sheets: Vec<Sheet> =
                layouts.iter().map(|layout| layout.sheet(&runs, asked)).collect::<Result<_>>()?;
            let panels = sheets.iter().flat_map(|sheet| &sheet.panels);
            let studies = panels.map(StudyFigure::from).filter(|figure| !figure.points.is_empty()).collect();
            (sheets, studies)
        }
        What::Against(asked) => {
            let sheet = against::against(&runs, asked)?;
            let studies = sheet.panels.iter().map(StudyFigure::from).collect();
            (vec![sheet], studies)
        }
    };
    if sheets.is_empty() {
        return Err(nothing(request));
    }
    let levels = match request.levels {
        [] => Vec::new(),
        levels => training::levels(&curve::curves(&runs)?, levels),
    };
    let (mut files, mut data) = (Vec::new(), Vec::new());
    for sheet in sheets {
        let sheet = sheet.with_log(request.log)?;
        files.extend(sheet.files(request.folder, request.formats)?);
        data.push(sheet.numbers(request.folder));
    }
    create_folder(request.folder)?;
    files.iter().chain(&data).try_for_each(|(path, bytes)| write_atomically(path, bytes))?;
    let [files, data] = [files, data].map(|of| of.into_iter().map(|(path, _)| path).collect());
    Ok(Figures { files, data, levels, studies })
}

/// All figures that there is data for, and those of studies in numbers.
fn everything(runs: &[Run], request: &Request<'_>) -> Result<(Vec<Sheet>, Vec<StudyFigure>)> {
    let gathered = Gathered::new(runs, request.levels, request.key)?;
    let studies = gathered.studies.iter().map(StudyFigure::from).collect();
    let mut sheets: Vec<Sheet> = gathered.into_figures().map(Sheet::from).collect();
    for layout in Layout::MEASURED {
        match layout.sheet(runs, Asked { levels: request.levels, key: None }) {
            Ok(sheet) => sheets.push(sheet),
            // No data for it, or too much for one figure.
            Err(Error::Usage { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok((sheets, studies))
}

/// The tables have no rows to draw.
fn nothing(request: &Request<'_>) -> Error {
    let [message, hint] = match request.only.is_empty() {
        true => [
            "nothing to draw: no run has a row in train.csv, or finished cells that differ in a number",
            "let a run write its first rows; what a single cell without a model found is in observables.csv",
        ],
        false => [
            "nothing to draw: no row has all that --where asks for, or those that do differ in no number",
            "leave one of the conditions out",
        ],
    };
    Error::Usage { message: message.into(), hint: hint.into() }
}
