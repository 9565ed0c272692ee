//! Figures as files: as SVG, PDF and PNG, and their numbers as CSV.

use super::axis::Axis;
use super::canvas::{Width, dots, pdf, svg};
use super::digits::short;
use super::drawn::csv;
use super::figure::Figure;
use super::series::Point;
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// Panels that are drawn into one file.
pub struct Sheet {
    /// Name of the files without extension.
    pub name: String,
    /// From top to bottom.
    pub panels: Vec<Figure>,
    /// How wide.
    pub width: Width,
}

/// Axes that are to be logarithmic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Log {
    /// The horizontal ones.
    pub x: bool,
    /// The vertical ones.
    pub y: bool,
}

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Scalable.
    Svg,
    /// For papers.
    Pdf,
    /// Dots.
    Png,
}

impl Format {
    /// All of them by their names, which are the extensions of the files.
    pub const ALL: [(&'static str, Self); 3] = [("svg", Self::Svg), ("pdf", Self::Pdf), ("png", Self::Png)];

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, format)| *format)
    }

    fn extension(self) -> &'static str {
        Self::ALL.iter().find(|(_, format)| *format == self).map_or("", |(name, _)| name)
    }
}

/// A file and what it is to hold.
pub type Content = (PathBuf, Vec<u8>);

impl From<Figure> for Sheet {
    fn from(figure: Figure) -> Self {
        Self { name: figure.name.clone(), panels: vec![figure], width: Width::Page }
    }
}

impl Sheet {
    /// Panels as wide as their legends need.
    pub fn fitting(name: &str, panels: Vec<Figure>) -> Self {
        Self { name: name.to_owned(), width: Width::fitting(&panels), panels }
    }

    /// The same with axes that are logarithmic.
    ///
    /// # Errors
    /// [`Error::Usage`] for values that have no place on one.
    pub fn with_log(mut self, log: Log) -> Result<Self> {
        for panel in &mut self.panels {
            let points = || panel.series.iter().flat_map(|series| &series.points);
            let least = |of: fn(&Point) -> f64| points().map(of).fold(f64::INFINITY, f64::min);
            let refused = |axis: &str, label: &str, least: f64| Error::Usage {
                message: format!("--log {axis}: {label} goes down to {}", short(least)),
                hint: "only numbers above zero have a logarithm".into(),
            };
            let [x, y] = [least(|point| point.x), least(|point| point.y)];
            if log.x && x <= 0.0 {
                return Err(refused("x", &panel.x.label, x));
            }
            if log.y && y <= 0.0 {
                return Err(refused("y", &panel.y.label, y));
            }
            let turn = |axis: &mut Axis| *axis = std::mem::replace(axis, Axis::plain("")).into_log();
            log.x.then(|| turn(&mut panel.x));
            log.y.then(|| turn(&mut panel.y));
        }
        Ok(self)
    }

    /// A file for every format in a folder.
    ///
    /// # Errors
    /// [`Error::BadFile`] for data that cannot be drawn.
    pub fn files(&self, folder: &Path, formats: &[Format]) -> Result<Vec<Content>> {
        let panels: Vec<&Figure> = self.panels.iter().collect();
        let file = |format: &Format| {
            let path = folder.join(format!("{}.{}", self.name, format.extension()));
            let bytes = match format {
                Format::Svg => svg(&panels, self.width).map(String::into_bytes),
                Format::Pdf => pdf(&panels, self.width),
                Format::Png => dots(&panels, self.width),
            };
            bytes.map_err(|rule| undrawn(&path, rule)).map(|bytes| (path, bytes))
        };
        formats.iter().map(file).collect()
    }

    /// `NAME.csv` with the numbers that are drawn.
    pub fn numbers(&self, folder: &Path) -> Content {
        (folder.join(format!("{}.csv", self.name)), csv(&self.panels))
    }
}

/// What is wrong with data that cannot be drawn into a file.
pub fn undrawn(path: &Path, rule: String) -> Error {
    let hint = "look at the tables that it is drawn from".into();
    Error::BadFile { path: path.to_owned(), rule: format!("cannot be drawn: {rule}"), hint }
}

#[cfg(test)]
mod tests {
    use super::super::figure::tests::figure;
    use super::super::series::Series;
    use super::*;

    #[test]
    fn degenerate_data_can_be_drawn() {
        for (points, log) in [(vec![(5.0, 0.5)], false), (vec![(1.0, 1.0), (1e6, 1.0)], true)] {
            for seeds in [1, 2] {
                let point = |&(x, y): &(f64, f64)| Point { range: Some([y, y]), seeds, ..Point::new(x, y) };
                let points = points.iter().map(point).collect();
                let figure = figure(vec![Series { label: "run".into(), points, line: false, law_of: None }]);
                assert_eq!(figure.x.log, log);
                let sheet = Sheet::from(figure);
                let files = sheet.files(Path::new(""), &[Format::Svg, Format::Png, Format::Pdf]).unwrap();
                assert!(files[0].1.starts_with(b"<svg") && files[1].1.starts_with(b"\x89PNG"));
                assert!(files[2].1.starts_with(b"%PDF-") && files[2].1.ends_with(b"%%EOF"));
            }
        }
    }
}
