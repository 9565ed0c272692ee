//! Lines, points with errors, and bands between two axes.

use super::axis::{Axis, Scale};
use super::palette::{Shape, Style};
use super::series::{Point, Series};
use plotters::coord::Shift;
use plotters::prelude::*;

/// Parts of the axis in each of which a line has one point: the units across an SVG.
const COLUMNS: f64 = 800.0;

/// Width of the band of a mean with no other beside it.
const LONE_BAND: u32 = 10;

/// Size of the hole in a point that is a lower bound.
const HOLE: u32 = 2;

/// What drawing gives.
pub type Done<B> = Result<(), DrawingAreaErrorKind<<B as DrawingBackend>::ErrorType>>;

/// The axes of a figure, to draw between.
pub struct Chart<'a, 'b, B: DrawingBackend> {
    context: ChartContext<'a, B, Cartesian2d<Scale, Scale>>,
    axes: (&'b Axis, &'b Axis),
    x: std::ops::Range<f64>,
    unit: u32,
}

impl<'a, 'b, B: DrawingBackend> Chart<'a, 'b, B> {
    /// Draws the axes, with `unit` dots for each unit of the SVG.
    pub fn new(
        area: &'a DrawingArea<B, Shift>,
        axes: (&'b Axis, &'b Axis),
        scales: (Scale, Scale),
        unit: u32,
    ) -> Result<Self, DrawingAreaErrorKind<B::ErrorType>> {
        let x = scales.0.range.clone();
        let context = ChartBuilder::on(area)
            .margin(12 * unit)
            .set_label_area_size(LabelAreaPosition::Left, 64 * unit)
            .set_label_area_size(LabelAreaPosition::Bottom, 44 * unit)
            .build_cartesian_2d(scales.0, scales.1)?;
        let mut chart = Self { context, axes, x, unit };
        chart.draw_mesh().map(|()| chart)
    }

    fn draw_mesh(&mut self) -> Done<B> {
        let ((x, y), unit) = (self.axes, self.unit);
        let font = |size: u32| ("sans-serif", size * unit).into_font();
        self.context
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12).stroke_width(unit))
            .axis_style(BLACK.stroke_width(unit))
            .label_style(font(13))
            .axis_desc_style(font(15))
            .x_desc(x.label.as_str())
            .y_desc(y.label.as_str())
            .x_label_formatter(&|place| x.mark(*place))
            .y_label_formatter(&|place| y.mark(*place))
            .set_all_tick_mark_size(4 * unit)
            .draw()
    }

    /// Broken lines at values of the vertical axis.
    pub fn draw_levels(&mut self, levels: &[f64]) -> Done<B> {
        let unit = self.unit;
        for level in levels {
            let place = self.axes.1.place(*level);
            let ends = vec![(self.x.start, place), (self.x.end, place)];
            let line = DashedLineSeries::new(ends, 6 * unit, 4 * unit, BLACK.stroke_width(unit));
            self.context.draw_series(line)?;
        }
        Ok(())
    }

    /// From the smallest to the largest value of every mean.
    pub fn draw_bands(&mut self, series: &Series, style: &Style) -> Done<B> {
        let (axes, unit) = (self.axes, self.unit);
        for means in series.points.chunk_by(|a, b| a.is_mean() && b.is_mean()).filter(|m| m[0].is_mean()) {
            let ends = means.iter().filter_map(|point| ends(axes, point));
            if means.len() == 1 {
                let width = style.band().stroke_width(LONE_BAND * unit);
                self.context.draw_series(ends.map(|ends| PathElement::new(ends, width)))?;
                continue;
            }
            let (low, high): (Vec<_>, Vec<_>) = ends.map(|[low, high]| (low, high)).unzip();
            let around: Vec<(f64, f64)> = low.into_iter().chain(high.into_iter().rev()).collect();
            self.context.draw_series([Polygon::new(around, style.band())])?;
        }
        Ok(())
    }

    /// The series as its kind is drawn: a line, points, or means that a line joins.
    pub fn draw_series(&mut self, series: &Series, style: &Style) -> Done<B> {
        let (x, y) = self.axes;
        let places: Vec<(f64, f64)> = series.points.iter().map(|p| (x.place(p.x), y.place(p.y))).collect();
        if series.line && places.len() > 1 {
            let column = (self.x.end - self.x.start) / COLUMNS;
            return self.draw_line(column_means(places, column), style);
        }
        if series.has_means() {
            self.draw_line(places.clone(), style)?;
        }
        self.draw_errors(series, style)?;
        self.draw_marks(places.clone(), style)?;
        let bounds = series.points.iter().zip(places).filter(|(point, _)| point.lower_bound);
        let size = HOLE * self.unit;
        self.context.draw_series(bounds.map(|(_, place)| Circle::new(place, size, WHITE.filled())))?;
        Ok(())
    }

    fn draw_marks(&mut self, places: Vec<(f64, f64)>, style: &Style) -> Done<B> {
        let (size, filled) = (style.shape().size() * self.unit, style.filled());
        let (places, stroke) = (places.into_iter(), style.stroke(2 * self.unit));
        match style.shape() {
            Shape::Circle => self.context.draw_series(places.map(|p| Circle::new(p, size, filled)))?,
            Shape::Triangle => {
                self.context.draw_series(places.map(|p| TriangleMarker::new(p, size, filled)))?
            }
            Shape::Cross => self.context.draw_series(places.map(|p| Cross::new(p, size, stroke)))?,
        };
        Ok(())
    }

    /// Errors as vertical lines; what several seeds leave open is a band.
    fn draw_errors(&mut self, series: &Series, style: &Style) -> Done<B> {
        let (axes, stroke) = (self.axes, style.stroke(2 * self.unit));
        let singles = series.points.iter().filter(|point| !point.is_mean());
        let ends = singles.filter_map(|point| ends(axes, point));
        self.context.draw_series(ends.map(|ends| PathElement::new(ends, stroke)))?;
        Ok(())
    }

    fn draw_line(&mut self, places: Vec<(f64, f64)>, style: &Style) -> Done<B> {
        let stroke = style.stroke(2 * self.unit);
        match style.dashes().map(|(dash, gap)| (dash * self.unit, gap * self.unit)) {
            None => self.context.draw_series(LineSeries::new(places, stroke))?,
            Some((dash, gap)) => {
                self.context.draw_series(DashedLineSeries::new(places, dash, gap, stroke))?
            }
        };
        Ok(())
    }
}

/// Where the range of a point begins and ends; one that reaches below a logarithmic axis begins at the value.
fn ends((x, y): (&Axis, &Axis), point: &Point) -> Option<[(f64, f64); 2]> {
    let [low, high] = point.range?;
    let low = if y.log && low <= 0.0 { point.y } else { low };
    Some([low, high].map(|value| (x.place(point.x), y.place(value))))
}

/// The mean of the points of every column of so wide a part of the axis, because more of them would only blur a line; then the
/// last point, at which a run ended.
fn column_means(places: Vec<(f64, f64)>, column: f64) -> Vec<(f64, f64)> {
    let mut means: Vec<(f64, (f64, f64), f64)> = Vec::new();
    let mut last = None;
    for (x, y) in places {
        last = Some((x, y));
        match means.last_mut().filter(|(start, ..)| x - *start < column) {
            Some((_, sum, count)) => (*sum, *count) = ((sum.0 + x, sum.1 + y), *count + 1.0),
            None => means.push((x, (x, y), 1.0)),
        }
    }
    means.into_iter().map(|(_, sum, count)| (sum.0 / count, sum.1 / count)).chain(last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_of_a_column_are_one() {
        let points = [(0.0, 1.0), (0.5, 3.0), (1.0, 5.0), (7.0, 7.0)];
        assert_eq!(column_means(points.into(), 1.0), [(0.25, 2.0), (1.0, 5.0), (7.0, 7.0), (7.0, 7.0)]);
    }

    #[test]
    fn a_range_below_a_logarithmic_axis_begins_at_the_value() {
        let (x, log) = (Axis::plain(""), Axis::wide("", [1.0, 1000.0].into_iter()));
        let point = Point { range: Some([-1.0, 100.0]), ..Point::new(3.0, 10.0) };
        assert_eq!(ends((&x, &log), &point), Some([(3.0, 1.0), (3.0, 2.0)]));
        assert_eq!(ends((&x, &x), &point), Some([(3.0, -1.0), (3.0, 100.0)]));
    }
}
