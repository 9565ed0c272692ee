//! Panels one above the other, each a legend above a chart.

use super::axis::Axis;
use super::chart::{Chart, Done};
use super::drawn::drawn;
use super::figure::Figure;
use super::legend::{Entry, Legend, ROW};
use super::pdf::{FINE, Page, Pen};
use super::raster::{FINER, png};
use super::series::Point;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::{FontStyle, register_font};

/// Dots of a PNG for one unit of the SVG, in each direction.
const DOTS: u32 = 2;

/// Rows of a legend that one column has room for.
const MOST_ROWS: u32 = 8;

/// How wide a figure is, with the same letters: a unit is 0.61 pt in print, so that letters of 13 to 15 units have 8 to 9 pt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// Both columns of a page, 17 cm.
    Page,
    /// One of two columns, 8.6 cm.
    Column,
}

impl Width {
    /// In units of the SVG.
    pub fn units(self) -> u32 {
        match self {
            Self::Page => 800,
            Self::Column => 400,
        }
    }

    /// One column where the legends have room there, else both.
    pub fn fitting(panels: &[Figure]) -> Self {
        let column = Self::Column.units();
        let panels: Vec<&Figure> = panels.iter().collect();
        let plan = Plan::new(&panels, Self::Column);
        let mut legends = plan.panels.iter().filter_map(|(_, legend)| legend.as_ref());
        match legends.all(|legend| legend.fits(column) && legend.rows() <= MOST_ROWS) {
            true => Self::Column,
            false => Self::Page,
        }
    }

    /// Height of a chart with one row of legend.
    fn height(self) -> u32 {
        match self {
            Self::Page => 500,
            Self::Column => 300,
        }
    }

    /// Marks along an axis, about.
    fn marks(self) -> [usize; 2] {
        match self {
            Self::Page => [10, 10],
            Self::Column => [6, 6],
        }
    }
}

/// The panels as SVG, or why they cannot be drawn.
pub fn svg(panels: &[&Figure], width: Width) -> Result<String, String> {
    check(panels)?;
    let plan = Plan::new(panels, width);
    let mut text = String::new();
    let area = SVGBackend::with_string(&mut text, plan.size()).into_drawing_area();
    plan.draw(&area, 1).and_then(|()| area.present()).map_err(|error| error.to_string())?;
    drop(area);
    Ok(text)
}

/// The panels as PDF, or why they cannot be drawn.
pub fn pdf(panels: &[&Figure], width: Width) -> Result<Vec<u8>, String> {
    check(panels)?;
    let plan = Plan::new(panels, width);
    let mut page = Page::new(plan.size());
    {
        let area = Pen(&mut page).into_drawing_area();
        plan.draw(&area, FINE).and_then(|()| area.present()).map_err(|error| error.to_string())?;
    }
    page.finish()
}

/// The panels as PNG, or why they cannot be drawn.
pub fn dots(panels: &[&Figure], width: Width) -> Result<Vec<u8>, String> {
    let (plan, fine) = (Plan::new(panels, width), DOTS * FINER);
    let (width, height) = plan.size();
    let size = (width * fine, height * fine);
    let mut dots = vec![0; (3 * size.0 * size.1) as usize];
    {
        let area = BitMapBackend::with_buffer(&mut dots, size).into_drawing_area();
        plan.draw(&area, fine).and_then(|()| area.present()).map_err(|error| error.to_string())?;
    }
    png(&dots, size)
}

fn check(panels: &[&Figure]) -> Result<(), String> {
    let scales = panels.iter().flat_map(|panel| <[_; 2]>::from(panel.scales()));
    let mut widths = scales.map(|scale| scale.range.end - scale.range.start);
    if widths.all(f64::is_finite) { Ok(()) } else { Err("its numbers are too large".into()) }
}

/// What stands where.
struct Plan<'a> {
    width: Width,
    panels: Vec<(&'a Figure, Option<Legend>)>,
}

impl<'a> Plan<'a> {
    /// What a legend above says is not said again.
    fn new(panels: &[&'a Figure], width: Width) -> Self {
        let (mut planned, mut said) = (Vec::new(), Vec::<Entry>::new());
        for panel in panels {
            let is_new = |entry: &Entry| !said.iter().any(|known| known.is_like(entry));
            let entries: Vec<Entry> = panel.entries().into_iter().filter(is_new).collect();
            said.extend(panel.entries());
            let legend = (!entries.is_empty()).then(|| Legend::new(entries, width.units()));
            planned.push((*panel, legend));
        }
        Self { width, panels: planned }
    }

    /// Height of a panel with its legend: long ones make it higher.
    fn height(&self, legend: Option<&Legend>) -> u32 {
        let alone = self.width.height() - ROW;
        alone + legend.map_or(0, |legend| ROW * legend.rows().max(1))
    }

    fn size(&self) -> (u32, u32) {
        let heights = self.panels.iter().map(|(_, legend)| self.height(legend.as_ref()));
        (self.width.units(), heights.sum())
    }

    /// Draws with `unit` dots for each unit of the SVG.
    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, unit: u32) -> Done<B> {
        register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular()).ok();
        area.fill(&WHITE)?;
        let mut rest = area.clone();
        for (panel, legend) in &self.panels {
            let (own, below) = rest.split_vertically(self.height(legend.as_ref()) * unit);
            self.draw_panel(panel, legend.as_ref(), &own, unit)?;
            rest = below;
        }
        Ok(())
    }

    fn draw_panel<B: DrawingBackend>(
        &self,
        panel: &Figure,
        legend: Option<&Legend>,
        area: &DrawingArea<B, Shift>,
        unit: u32,
    ) -> Done<B> {
        let (above, area) = area.split_vertically(legend.map_or(0, Legend::height) * unit);
        legend.map_or(Ok(()), |legend| legend.draw(&above, unit))?;
        let scales = panel.scales();
        let columns = scales.0.clone();
        let mut chart = Chart::new(&area, (&panel.x, &panel.y), scales, self.width.marks(), unit)?;
        chart.draw_levels(&panel.levels)?;
        let styles = panel.styles();
        let of = panel.series.iter().zip(panel.shifts());
        let drawn: Vec<_> =
            of.map(|(series, shift)| shifted(drawn(series, panel, &columns), &panel.x, shift)).collect();
        let all = || drawn.iter().zip(&styles);
        all().try_for_each(|(points, style)| chart.draw_bands(points, style))?;
        let mut series = panel.series.iter().zip(all());
        series.try_for_each(|(series, (points, style))| match series.line && points.len() > 1 {
            true => chart.draw_curve(points, style),
            false => chart.draw_points(points, panel.joined || series.has_means(), style),
        })
    }
}

/// Points at a distance from their places along an axis, in its coordinates.
fn shifted(points: Vec<Point>, x: &Axis, shift: f64) -> Vec<Point> {
    if shift == 0.0 {
        return points;
    }
    points.into_iter().map(|point| Point { x: x.value(x.place(point.x) + shift), ..point }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::figure::tests::figure;
    use super::super::palette::Style;
    use super::super::series::{Point, Series};
    use super::*;

    fn drawn(figure: &Figure) -> String {
        svg(&[figure], Width::Page).unwrap()
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
        assert_eq!(drawn(&figure).matches("\na\n").count(), 1);
    }

    #[test]
    fn it_is_said_what_bands_and_open_points_are() {
        let point = |seeds: usize| Point { seeds, range: Some([0.1, 0.9]), ..Point::new(seeds as f64, 0.5) };
        let of = |points: Vec<Point>| {
            figure(vec![Series { label: "run".into(), points, line: false, law_of: None }])
        };
        let single = of(vec![point(1)]);
        assert!(single.remarks().is_empty() && !drawn(&single).contains("<polygon"));
        let means = of(vec![point(3), Point { x: 4.0, ..point(3) }]);
        assert_eq!(means.remarks(), ["mean of 3 seeds, band: smallest to largest"]);
        assert_eq!(drawn(&means).matches("<polygon").count(), 1);
        let open = of(vec![point(1), Point { lower_bound: true, ..point(3) }]);
        let expected = [
            "mean of 1 to 3 seeds, band: smallest to largest",
            "open: stopped before its ESS, a lower bound",
        ];
        assert_eq!(open.remarks(), expected);
        let circles = |figure: &Figure| drawn(figure).matches("<circle").count();
        // One in the legend, one for each point, and what makes the open one so.
        assert_eq!([circles(&means), circles(&open)], [3, 4]);
    }
}
