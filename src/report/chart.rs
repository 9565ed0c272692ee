//! Lines, points with errors, and bands between two axes.

use super::axis::{Axis, Scale};
use super::palette::{Shape, Style};
use super::series::Point;
use plotters::coord::Shift;
use plotters::prelude::*;

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
    /// Draws the axes with about so many marks along each, with `unit` dots for each unit of the SVG.
    pub fn new(
        area: &'a DrawingArea<B, Shift>,
        axes: (&'b Axis, &'b Axis),
        scales: (Scale, Scale),
        marks: [usize; 2],
        unit: u32,
    ) -> Result<Self, DrawingAreaErrorKind<B::ErrorType>> {
        let x = scales.0.range.clone();
        let context = ChartBuilder::on(area)
            .margin(12 * unit)
            .set_label_area_size(LabelAreaPosition::Left, 64 * unit)
            .set_label_area_size(LabelAreaPosition::Bottom, 44 * unit)
            .build_cartesian_2d(scales.0, scales.1)?;
        let mut chart = Self { context, axes, x, unit };
        chart.draw_mesh(marks).map(|()| chart)
    }

    fn draw_mesh(&mut self, marks: [usize; 2]) -> Done<B> {
        let ((x, y), unit) = (self.axes, self.unit);
        let font = |size: u32| ("sans-serif", size * unit).into_font();
        self.context
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12).stroke_width(unit))
            .axis_style(BLACK.stroke_width(unit))
            .label_style(font(13))
            .axis_desc_style(font(15))
            .x_labels(marks[0])
            .y_labels(marks[1])
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

    /// The range of every mean.
    pub fn draw_bands(&mut self, points: &[Point], style: &Style) -> Done<B> {
        let (axes, unit) = (self.axes, self.unit);
        for means in points.chunk_by(|a, b| a.is_mean() && b.is_mean()).filter(|m| m[0].is_mean()) {
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

    /// A line through points.
    pub fn draw_curve(&mut self, points: &[Point], style: &Style) -> Done<B> {
        self.draw_line(self.places(points), style)
    }

    /// Points with their errors, on a line if they are `joined`.
    pub fn draw_points(&mut self, points: &[Point], joined: bool, style: &Style) -> Done<B> {
        let places = self.places(points);
        if joined {
            self.draw_line(places.clone(), style)?;
        }
        self.draw_errors(points, style)?;
        self.draw_marks(places.clone(), style)?;
        let bounds = points.iter().zip(places).filter(|(point, _)| point.lower_bound);
        let size = HOLE * self.unit;
        self.context.draw_series(bounds.map(|(_, place)| Circle::new(place, size, WHITE.filled())))?;
        Ok(())
    }

    fn places(&self, points: &[Point]) -> Vec<(f64, f64)> {
        let (x, y) = self.axes;
        points.iter().map(|point| (x.place(point.x), y.place(point.y))).collect()
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
    fn draw_errors(&mut self, points: &[Point], style: &Style) -> Done<B> {
        let (axes, stroke) = (self.axes, style.stroke(2 * self.unit));
        let singles = points.iter().filter(|point| !point.is_mean());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_below_a_logarithmic_axis_begins_at_the_value() {
        let (x, log) = (Axis::plain(""), Axis::wide("", [1.0, 1000.0].into_iter()));
        let point = Point { range: Some([-1.0, 100.0]), ..Point::new(3.0, 10.0) };
        assert_eq!(ends((&x, &log), &point), Some([(3.0, 1.0), (3.0, 2.0)]));
        assert_eq!(ends((&x, &x), &point), Some([(3.0, -1.0), (3.0, 100.0)]));
    }
}
