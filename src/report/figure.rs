//! One figure: a legend above a chart; as SVG and as PNG.

use super::axis::{Axis, Scale};
use super::chart::{Chart, Done};
use super::legend::{Entry, Legend, ROW, Symbol};
use super::palette::Style;
use super::raster::{FINER, png};
use super::series::Series;
use super::volume_law;
use crate::error::{Error, Result};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};
use std::path::{Path, PathBuf};

/// Width of an SVG.
const WIDTH: u32 = 800;

/// Height of an SVG with one row of legend.
const HEIGHT: u32 = 500;

/// Dots of a PNG for one unit of the SVG, in each direction.
const DOTS: u32 = 2;

/// A figure with its file name.
pub struct Figure {
    /// Name of the files without extension.
    pub name: String,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// What is drawn.
    pub series: Vec<Series>,
    /// Values of `y` marked by a broken line.
    pub levels: Vec<f64>,
}

impl Figure {
    /// Whether there is anything to draw.
    pub fn has_data(&self) -> bool {
        self.series.iter().any(|series| !series.points.is_empty())
    }

    /// `NAME.svg` and `NAME.png` in a folder, and what they are to hold.
    ///
    /// # Errors
    /// [`Error::BadFile`] for data that cannot be drawn.
    pub fn files(&self, folder: &Path) -> Result<[(PathBuf, Vec<u8>); 2]> {
        let [svg, png] = ["svg", "png"].map(|kind| folder.join(format!("{}.{kind}", self.name)));
        let text = self.svg().map_err(|rule| undrawn(&svg, rule))?;
        let dots = self.png().map_err(|rule| undrawn(&png, rule))?;
        Ok([(svg, text.into_bytes()), (png, dots)])
    }

    /// Width and height of the SVG: long legends make it higher.
    fn size(&self) -> (u32, u32) {
        (WIDTH, HEIGHT + ROW * self.legend().rows().saturating_sub(1))
    }

    /// The figure as SVG, or why it cannot be drawn.
    pub fn svg(&self) -> Result<String, String> {
        let (x, y) = self.scales();
        if [x, y].iter().any(|scale| !(scale.range.end - scale.range.start).is_finite()) {
            return Err("its numbers are too large".into());
        }
        let mut text = String::new();
        let area = SVGBackend::with_string(&mut text, self.size()).into_drawing_area();
        self.draw(&area, 1).and_then(|()| area.present()).map_err(|error| error.to_string())?;
        drop(area);
        Ok(text)
    }

    fn png(&self) -> Result<Vec<u8>, String> {
        let fine = DOTS * FINER;
        let (width, height) = self.size();
        let size = (width * fine, height * fine);
        let mut dots = vec![0; (3 * size.0 * size.1) as usize];
        {
            let area = BitMapBackend::with_buffer(&mut dots, size).into_drawing_area();
            self.draw(&area, fine).and_then(|()| area.present()).map_err(|error| error.to_string())?;
        }
        png(&dots, size)
    }

    /// Draws with `unit` dots for each unit of the SVG.
    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, unit: u32) -> Done<B> {
        register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular()).ok();
        area.fill(&WHITE)?;
        let legend = self.legend();
        let (above, area) = area.split_vertically(legend.height() * unit);
        legend.draw(&above, unit)?;
        let mut chart = Chart::new(&area, (&self.x, &self.y), self.scales(), unit)?;
        chart.draw_levels(&self.levels)?;
        let styles = self.styles();
        let drawn = || self.series.iter().zip(&styles);
        drawn().try_for_each(|(series, style)| chart.draw_bands(series, style))?;
        drawn().try_for_each(|(series, style)| chart.draw_series(series, style))
    }

    /// The axes for all points with their errors.
    pub fn scales(&self) -> (Scale, Scale) {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let heights = points().flat_map(|p| p.range.unwrap_or([p.y; 2]).into_iter().chain([p.y]));
        // The error of a value on a logarithmic axis may reach below zero.
        let heights = heights.filter(|y| !self.y.log || *y > 0.0).chain(self.levels.iter().copied());
        (self.x.scale(points().map(|p| p.x)), self.y.scale(heights))
    }

    /// The style of every series: of those with the same name the same, and of a law that of its series, broken.
    pub fn styles(&self) -> Vec<Style> {
        let names = self.names();
        let place = |label: &String| Style::of(names.iter().position(|name| name == label).unwrap_or(0));
        let style = |series: &Series| match &series.law_of {
            None => place(&series.label),
            Some(label) => place(label).broken(),
        };
        self.series.iter().map(style).collect()
    }

    /// The names of the series, each once; laws are remarked on.
    fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for series in self.series.iter().filter(|series| series.law_of.is_none()) {
            if !names.contains(&series.label.as_str()) {
                names.push(&series.label);
            }
        }
        names
    }

    fn legend(&self) -> Legend {
        let entry = |(place, label): (usize, &str)| {
            let mut alike = self.series.iter().filter(|series| series.label == label);
            let line = alike.clone().any(|series| series.line);
            let band = alike.any(Series::has_means);
            let symbol = Symbol { style: Style::of(place), line: line || band, mark: !line, band };
            Entry { label: label.into(), symbol: Some(symbol) }
        };
        let remarks = self.remarks().into_iter().map(|label| Entry { label, symbol: None });
        Legend::new(self.names().into_iter().enumerate().map(entry).chain(remarks).collect(), WIDTH)
    }

    /// What bands, open points and broken lines are, if there are any.
    pub fn remarks(&self) -> Vec<String> {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let seeds = || points().map(|point| point.seeds);
        let (least, most) = (seeds().min().unwrap_or(1), seeds().max().unwrap_or(1));
        let count = if least == most { most.to_string() } else { format!("{least} to {most}") };
        let bands = (most > 1).then(|| format!("mean of {count} seeds, band: smallest to largest"));
        let open = points()
            .any(|point| point.lower_bound)
            .then(|| "open: stopped before its ESS, a lower bound".into());
        let laws = self.series.iter().any(|series| series.law_of.is_some());
        let laws = laws.then(|| format!("broken: {}, V₀ the largest", volume_law::FORMULA));
        bands.into_iter().chain(open).chain(laws).collect()
    }
}

fn undrawn(path: &Path, rule: String) -> Error {
    let hint = "look at the tables that it is drawn from".into();
    Error::BadFile { path: path.to_owned(), rule: format!("cannot be drawn: {rule}"), hint }
}

#[cfg(test)]
mod tests {
    use super::super::series::Point;
    use super::*;

    fn figure(series: Vec<Series>) -> Figure {
        let xs = series.iter().flat_map(|series| series.points.iter().map(|p| p.x));
        let x = Axis::wide("x", xs);
        Figure { name: "figure".into(), x, y: Axis::from_zero("y"), series, levels: vec![0.2] }
    }

    #[test]
    fn degenerate_data_can_be_drawn() {
        for (points, log) in [(vec![(5.0, 0.5)], false), (vec![(1.0, 1.0), (1e6, 1.0)], true)] {
            for seeds in [1, 2] {
                let point = |&(x, y): &(f64, f64)| Point { range: Some([y, y]), seeds, ..Point::new(x, y) };
                let points = points.iter().map(point).collect();
                let figure = figure(vec![Series { label: "run".into(), points, line: false, law_of: None }]);
                assert_eq!(figure.x.log, log);
                let [(_, svg), (_, png)] = figure.files(Path::new("")).unwrap();
                assert!(svg.starts_with(b"<svg") && png.starts_with(b"\x89PNG"));
            }
        }
    }

    #[test]
    fn series_of_one_name_look_the_same_and_are_in_the_legend_once() {
        let series = |label: &str| Series {
            label: label.into(),
            points: [0.0, 1.0].map(|x| Point::new(x, x)).into(),
            line: true,
            law_of: None,
        };
        let figure = figure(["a", "b", "a"].map(series).into());
        let styles = figure.styles();
        assert_eq!((styles[0], styles[1]), (styles[2], Style::of(1)));
        assert_eq!(figure.svg().unwrap().matches("\na\n").count(), 1);
    }

    #[test]
    fn it_is_said_what_bands_and_open_points_are() {
        let point = |seeds: usize| Point { seeds, range: Some([0.1, 0.9]), ..Point::new(seeds as f64, 0.5) };
        let of = |points: Vec<Point>| {
            figure(vec![Series { label: "run".into(), points, line: false, law_of: None }])
        };
        let single = of(vec![point(1)]);
        assert!(single.remarks().is_empty() && !single.svg().unwrap().contains("<polygon"));
        let means = of(vec![point(3), Point { x: 4.0, ..point(3) }]);
        assert_eq!(means.remarks(), ["mean of 3 seeds, band: smallest to largest"]);
        assert_eq!(means.svg().unwrap().matches("<polygon").count(), 1);
        let open = of(vec![point(1), Point { lower_bound: true, ..point(3) }]);
        let expected = [
            "mean of 1 to 3 seeds, band: smallest to largest",
            "open: stopped before its ESS, a lower bound",
        ];
        assert_eq!(open.remarks(), expected);
        let circles = |figure: &Figure| figure.svg().unwrap().matches("<circle").count();
        // One in the legend, one for each point, and what makes the open one so.
        assert_eq!([circles(&means), circles(&open)], [3, 4]);
    }
}
