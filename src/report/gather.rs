//! Every figure that the tables of runs have data for.

use super::curve::curves;
use super::figure::Figure;
use super::run::Run;
use super::study;
use super::training;
use crate::error::Result;

/// The figures of runs.
pub struct Gathered {
    /// Figures of training.
    pub training: Vec<Figure>,
    /// Figures of finished cells along a key.
    pub studies: Vec<Figure>,
}

impl Gathered {
    /// Those of some runs, which are laid over each other, with these values of the ESS marked and this key along the axis of studies.
    ///
    /// # Errors
    /// [`Error::BadFile`](crate::error::Error::BadFile) for a table that is not one, [`Error::Usage`](crate::error::Error::Usage) for
    /// a key that does not vary over numbers.
    pub fn new(runs: &[Run], levels: &[f64], key: Option<&str>) -> Result<Self> {
        let curves = curves(runs)?;
        let [mut training, mut studies] = [training::figures(&curves, levels), study::figures(runs, key)?];
        [&mut training, &mut studies].into_iter().for_each(|figures| figures.retain(Figure::has_data));
        Ok(Self { training, studies })
    }

    /// All figures.
    pub fn all(&self) -> impl Iterator<Item = &Figure> {
        self.training.iter().chain(&self.studies)
    }

    /// The same to be drawn.
    pub fn into_figures(self) -> impl Iterator<Item = Figure> {
        self.training.into_iter().chain(self.studies)
    }
}
