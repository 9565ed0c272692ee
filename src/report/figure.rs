//! One figure: axes, lines or points with errors, a legend; as SVG and as PNG.

use crate::error::{Error, Result};
use plotters::coord::Shift;
use plotters::coord::ranged1d::{DefaultFormatting, KeyPointHint, Ranged};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};
use std::path::{Path, PathBuf};

/// Width of an SVG.
const WIDTH: u32 = 800;

/// Height of an SVG with one row of legend.
const HEIGHT: u32 = 500;

/// Dots of a PNG for one unit of the SVG, in each direction.
const DOTS: u32 = 2;

/// Dots drawn for one dot of the PNG, in each direction: their mean smooths edges.
const FINER: u32 = 2;

/// Height of a row of the legend, in units of the SVG.
const ROW: u32 = 20;

/// Where the legend begins, as the axis does.
const LEGEND_START: u32 = 76;

/// Room for the mark of a series in the legend.
const LEGEND_MARK: u32 = 26;

/// Room between two names in the legend.
const LEGEND_GAP: u32 = 24;

/// Width of a letter in the legend, about.
const LETTER: u32 = 8;

/// Colours that remain apart for colour-blind readers (Okabe and Ito).
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
];

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

/// An axis: what it shows and how.
pub struct Axis {
    label: String,
    log: bool,
    from_zero: bool,
}

/// A line, or points with errors.
pub struct Series {
    /// In the legend.
    pub label: String,
    /// In the order of `x`.
    pub points: Vec<Point>,
    /// Joined by a line, without marks.
    pub line: bool,
}

/// A point.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    /// Horizontal.
    pub x: f64,
    /// Vertical.
    pub y: f64,
    /// Where the bar begins and ends that tells its error.
    pub bar: Option<[f64; 2]>,
}

impl Axis {
    /// A linear axis.
    pub fn plain(label: &str) -> Self {
        Self { label: label.into(), log: false, from_zero: false }
    }

    /// A linear axis that begins at zero.
    pub fn from_zero(label: &str) -> Self {
        Self { label: label.into(), log: false, from_zero: true }
    }

    /// A logarithmic axis if the values are positive and span more than two decades, else a linear one from zero.
    pub fn wide(label: &str, values: impl Iterator<Item = f64>) -> Self {
        let (least, most) = bounds(values).unwrap_or((1.0, 1.0));
        let log = least > 0.0 && most / least > 100.0;
        Self { label: label.into(), log, from_zero: !log }
    }

    /// The same without zero at its beginning.
    pub fn without_zero(self) -> Self {
        Self { from_zero: false, ..self }
    }

    /// The coordinate of a value.
    fn place(&self, value: f64) -> f64 {
        if self.log { value.log10() } else { value }
    }

    /// What is written beside a mark.
    fn mark(&self, place: f64) -> String {
        let superscript = |n: i32| {
            let digit = |c: char| {
                if c == '-' {
                    '⁻'
                } else {
                    ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'][c as usize - '0' as usize]
                }
            };
            n.to_string().chars().map(digit).collect::<String>()
        };
        let scientific = |decade: i32, factor: f64| match factor.round() {
            1.0 => format!("10{}", superscript(decade)),
            factor => format!("{factor}·10{}", superscript(decade)),
        };
        if self.log {
            // A mark at a whole decade may be a rounding below it.
            let decade = (place + 1e-9).floor();
            return scientific(decade as i32, 10f64.powf(place - decade));
        }
        if place != 0.0 && !(1e-4..1e6).contains(&place.abs()) {
            return format!("{place:.3e}").replace(".000e", "e");
        }
        let text = format!("{place:.6}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    /// Coordinates from end to end, with a margin.
    fn scale(&self, values: impl Iterator<Item = f64>) -> Scale {
        let (least, most) = bounds(values.map(|value| self.place(value))).unwrap_or((0.0, 1.0));
        let least = if self.from_zero { least.min(0.0) } else { least };
        let span = if most > least { most - least } else { most.abs().max(1.0) };
        let below = if self.from_zero && least == 0.0 { 0.0 } else { 0.04 * span };
        Scale { range: (least - below)..(most + 0.04 * span), log: self.log }
    }
}

/// Coordinates of an axis with their marks.
#[derive(Clone)]
struct Scale {
    range: std::ops::Range<f64>,
    log: bool,
}

impl Ranged for Scale {
    type FormatOption = DefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        RangedCoordf64::from(self.range.clone()).map(value, limit)
    }

    /// Of a logarithmic axis whole decades, and 2 and 5 between them where there are few.
    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if !self.log {
            return RangedCoordf64::from(self.range.clone()).key_points(hint);
        }
        let decades = self.range.start.floor() as i32..=self.range.end.ceil() as i32;
        let factors: &[f64] = if self.range.end - self.range.start < 3.0 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let marks = decades.flat_map(|decade| factors.iter().map(move |f| f64::from(decade) + f.log10()));
        marks.filter(|mark| self.range.contains(mark)).collect()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.range.clone()
    }
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
        let (x, y) = self.scales();
        if [x, y].iter().any(|scale| !(scale.range.end - scale.range.start).is_finite()) {
            return Err(undrawn(&svg, "its numbers are too large".into()));
        }
        let text = self.svg().map_err(|rule| undrawn(&svg, rule))?;
        let dots = self.png().map_err(|rule| undrawn(&png, rule))?;
        Ok([(svg, text.into_bytes()), (png, dots)])
    }

    /// Width and height of the SVG: long legends make it higher.
    fn size(&self) -> (u32, u32) {
        (WIDTH, HEIGHT + ROW * self.legend().last().map_or(0, |(_, row)| *row))
    }

    fn svg(&self) -> Result<String, String> {
        let mut text = String::new();
        let area = SVGBackend::with_string(&mut text, self.size()).into_drawing_area();
        self.draw(&area, 1).and_then(|()| area.present()).map_err(|error| error.to_string())?;
        drop(area);
        Ok(text)
    }

    fn png(&self) -> Result<Vec<u8>, String> {
        let fine = DOTS * FINER;
        let size = self.size();
        let (width, height) = (size.0 * fine, size.1 * fine);
        let mut dots = vec![0; (3 * width * height) as usize];
        {
            let area = BitMapBackend::with_buffer(&mut dots, (width, height)).into_drawing_area();
            self.draw(&area, fine).and_then(|()| area.present()).map_err(|error| error.to_string())?;
        }
        let dots = smoothed(&dots, width as usize, height as usize);
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, size.0 * DOTS, size.1 * DOTS);
        encoder.set_color(png::ColorType::Rgb);
        let mut writer = encoder.write_header().map_err(|error| error.to_string())?;
        writer.write_image_data(&dots).map_err(|error| error.to_string())?;
        writer.finish().map_err(|error| error.to_string())?;
        Ok(file)
    }

    /// Draws with `unit` dots for each unit of the SVG.
    fn draw<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        unit: u32,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        register_font("sans-serif", FontStyle::Normal, dejavu::sans::regular()).ok();
        let font = |size: u32| ("sans-serif", size * unit).into_font();
        area.fill(&WHITE)?;
        let entries = self.legend();
        let rows = entries.last().map_or(0, |(_, row)| row + 1);
        let (legend, area) = area.split_vertically((8 + ROW * rows) * unit);
        self.draw_legend(&legend, &entries, unit)?;
        let (x, y) = self.scales();
        let mut chart = ChartBuilder::on(&area)
            .margin(12 * unit)
            .set_label_area_size(LabelAreaPosition::Left, 64 * unit)
            .set_label_area_size(LabelAreaPosition::Bottom, 44 * unit)
            .build_cartesian_2d(x.clone(), y)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(BLACK.mix(0.12).stroke_width(unit))
            .axis_style(BLACK.stroke_width(unit))
            .label_style(font(13))
            .axis_desc_style(font(15))
            .x_desc(self.x.label.as_str())
            .y_desc(self.y.label.as_str())
            .x_label_formatter(&|place| self.x.mark(*place))
            .y_label_formatter(&|place| self.y.mark(*place))
            .set_all_tick_mark_size(4 * unit)
            .draw()?;
        for level in &self.levels {
            let place = self.y.place(*level);
            let ends = vec![(x.range.start, place), (x.range.end, place)];
            chart.draw_series(DashedLineSeries::new(ends, 6 * unit, 4 * unit, BLACK.stroke_width(unit)))?;
        }
        for (series, colour) in self.series.iter().zip(COLOURS.iter().cycle()) {
            let places = series.points.iter().map(|p| (self.x.place(p.x), self.y.place(p.y)));
            let style = colour.stroke_width(2 * unit);
            if series.line && series.points.len() > 1 {
                let column = (x.range.end - x.range.start) / f64::from(WIDTH);
                chart.draw_series(LineSeries::new(column_means(places, column), style))?;
            } else {
                chart.draw_series(self.bars(series, style))?;
                chart.draw_series(places.map(|place| Circle::new(place, 4 * unit, colour.filled())))?;
            }
        }
        Ok(())
    }

    /// The axes for all points with their errors.
    fn scales(&self) -> (Scale, Scale) {
        let points = || self.series.iter().flat_map(|series| &series.points);
        let heights = points().flat_map(|p| p.bar.unwrap_or([p.y; 2]).into_iter().chain([p.y]));
        // The error of a value on a logarithmic axis may reach below zero.
        let heights = heights.filter(|y| !self.y.log || *y > 0.0).chain(self.levels.iter().copied());
        (self.x.scale(points().map(|p| p.x)), self.y.scale(heights))
    }

    /// Where the names of the series are: units from the left, and the row.
    fn legend(&self) -> Vec<(u32, u32)> {
        let (mut x, mut row) = (LEGEND_START, 0);
        let place = |series: &Series| {
            let width = LEGEND_MARK + LETTER * series.label.chars().count() as u32 + LEGEND_GAP;
            if x > LEGEND_START && x + width > WIDTH {
                (x, row) = (LEGEND_START, row + 1);
            }
            x += width;
            (x - width, row)
        };
        self.series.iter().map(place).collect()
    }

    fn draw_legend<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        entries: &[(u32, u32)],
        unit: u32,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let beside = Pos::new(HPos::Left, VPos::Center);
        let style = ("sans-serif", 14 * unit).into_text_style(area).pos(beside);
        let of_series = self.series.iter().zip(COLOURS.iter().cycle()).zip(entries);
        for ((series, colour), &(left, row)) in of_series {
            let dots = |units: u32| (units * unit) as i32;
            let (x, y) = (dots(left), dots(8 + ROW * row + ROW / 2));
            if series.line {
                let ends = [(x, y), (x + dots(18), y)];
                area.draw(&PathElement::new(ends, colour.stroke_width(2 * unit)))?;
            } else {
                area.draw(&Circle::new((x + dots(9), y), 4 * unit, colour.filled()))?;
            }
            area.draw(&Text::new(series.label.as_str(), (x + dots(LEGEND_MARK), y), style.clone()))?;
        }
        Ok(())
    }

    /// Errors as vertical lines; one that reaches below a logarithmic axis ends at the value.
    fn bars(&self, series: &Series, style: ShapeStyle) -> impl Iterator<Item = PathElement<(f64, f64)>> {
        let ends = series.points.iter().filter_map(|p| {
            let [low, high] = p.bar?;
            let low = if self.y.log && low <= 0.0 { p.y } else { low };
            Some([low, high].map(|y| (self.x.place(p.x), self.y.place(y))))
        });
        ends.map(move |ends| PathElement::new(ends, style))
    }
}

/// Least and greatest, if there are values.
fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |bounds, value| {
        let (least, most) = bounds.unwrap_or((value, value));
        Some((value.min(least), value.max(most)))
    })
}

/// The mean of the points of every column of so wide a part of the axis, because more of them would only blur a line; then the
/// last point, at which a run ended.
fn column_means(places: impl Iterator<Item = (f64, f64)>, column: f64) -> Vec<(f64, f64)> {
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

/// Means of squares of dots.
fn smoothed(dots: &[u8], width: usize, height: usize) -> Vec<u8> {
    let fine = FINER as usize;
    let mean = |row: usize, column: usize, colour: usize| {
        let offsets = (0..fine * fine).map(|k| (row * fine + k / fine) * width + column * fine + k % fine);
        let sum: usize = offsets.map(|dot| usize::from(dots[3 * dot + colour])).sum();
        (sum / (fine * fine)) as u8
    };
    let places = (0..height / fine).flat_map(|row| (0..width / fine).map(move |column| (row, column)));
    places.flat_map(|(row, column)| [0, 1, 2].map(|colour| mean(row, column, colour))).collect()
}

fn undrawn(path: &Path, rule: String) -> Error {
    let hint = "look at the tables that it is drawn from".into();
    Error::BadFile { path: path.to_owned(), rule: format!("cannot be drawn: {rule}"), hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_short() {
        let linear = Axis::plain("");
        assert_eq!([0.0, 0.25, -24.0, 1e4].map(|v| linear.mark(v)), ["0", "0.25", "-24", "10000"]);
        assert_eq!([2e-7, 3e8].map(|v| linear.mark(v)), ["2e-7", "3e8"]);
        let log = Axis::wide("", [1.0, 1000.0].into_iter());
        assert_eq!([2.0, 5f64.log10(), 3f64, -1.0].map(|v| log.mark(v)), ["10²", "5·10⁰", "10³", "10⁻¹"]);
    }

    #[test]
    fn an_axis_is_logarithmic_where_values_span_decades() {
        assert!(Axis::wide("", [1e3, 1e6].into_iter()).log);
        assert!(!Axis::wide("", [1e3, 2e3].into_iter()).log);
        assert!(!Axis::wide("", [0.0, 1e6].into_iter()).log);
    }

    #[test]
    fn points_of_a_column_are_one() {
        let points = [(0.0, 1.0), (0.5, 3.0), (1.0, 5.0), (7.0, 7.0)];
        assert_eq!(column_means(points.into_iter(), 1.0), [(0.25, 2.0), (1.0, 5.0), (7.0, 7.0), (7.0, 7.0)]);
    }

    #[test]
    fn degenerate_data_can_be_drawn() {
        for (points, log) in [(vec![(5.0, 0.5)], false), (vec![(1.0, 1.0), (1e6, 1.0)], true)] {
            let x = Axis::wide("x", points.iter().map(|p| p.0));
            assert_eq!(x.log, log);
            let points = points.into_iter().map(|(x, y)| Point { x, y, bar: Some([y, y]) }).collect();
            let series = vec![Series { label: "run".into(), points, line: false }];
            let figure =
                Figure { name: "figure".into(), x, y: Axis::from_zero("y"), series, levels: vec![0.2] };
            let [(_, svg), (_, png)] = figure.files(Path::new("")).unwrap();
            assert!(svg.starts_with(b"<svg") && png.starts_with(b"\x89PNG"));
        }
    }
}
