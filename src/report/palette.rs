//! Colours, shapes and dashes that tell series apart.

use plotters::style::colors::colormaps::{ColorMap, ViridisRGB};
use plotters::style::{BLACK, Color, RGBColor, ShapeStyle};

/// Colours that remain apart for colour-blind readers (Okabe and Ito), grey in the place of yellow, which is too pale for lines.
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
    RGBColor(140, 140, 140),
];

/// Series of a figure that have colours of their own, at most; more have those of a scale.
pub const DISTINCT: usize = 16;

/// Part of the scale that is dark enough for lines on white.
const DARK: f64 = 0.85;

/// How much of its colour a band has.
const BAND: f64 = 0.18;

/// How a series is drawn: when all colours are used once, shapes and dashes change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Style {
    colour: RGBColor,
    round: usize,
    broken: bool,
}

impl Style {
    /// The style of a series by its place in the legend.
    pub fn of(place: usize) -> Self {
        Self { colour: COLOURS[place % COLOURS.len()], round: place / COLOURS.len(), broken: false }
    }

    /// The style of one of so many series: of few one that differs from all others, of many a colour between those of its neighbours, as
    /// their order is often that of a number.
    pub fn among(place: usize, count: usize) -> Self {
        if count <= DISTINCT {
            return Self::of(place);
        }
        let part = DARK * place as f64 / (count - 1) as f64;
        Self { colour: ViridisRGB.get_color(part), round: 0, broken: false }
    }

    /// That of lines across a figure.
    pub fn of_levels() -> Self {
        Self { colour: BLACK, round: 0, broken: true }
    }

    /// The same with lines that are broken.
    pub fn broken(self) -> Self {
        Self { broken: true, ..self }
    }

    /// Its colour as HTML writes it.
    pub fn hex(&self) -> String {
        let RGBColor(red, green, blue) = self.colour;
        format!("#{red:02x}{green:02x}{blue:02x}")
    }

    /// A line of so many dots.
    pub fn stroke(&self, width: u32) -> ShapeStyle {
        self.colour.stroke_width(width)
    }

    /// What lies behind lines.
    pub fn band(&self) -> ShapeStyle {
        self.colour.mix(BAND).filled()
    }

    /// Length of dashes and of the gaps between them; none for a whole line.
    pub fn dashes(&self) -> Option<(u32, u32)> {
        match self.round {
            0 if self.broken => Some((6, 5)),
            0 => None,
            1 => Some((8, 4)),
            _ => Some((2, 3)),
        }
    }

    /// The shape of points.
    pub fn shape(&self) -> Shape {
        match self.round {
            0 => Shape::Circle,
            1 => Shape::Triangle,
            _ => Shape::Cross,
        }
    }

    /// What is inside a shape.
    pub fn filled(&self) -> ShapeStyle {
        self.colour.filled()
    }
}

/// How a point looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    Circle,
    Triangle,
    Cross,
}

impl Shape {
    /// Size in units of the SVG at which all look as large.
    pub fn size(self) -> u32 {
        if self == Self::Triangle { 5 } else { 4 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_series_differ() {
        let styles: Vec<Style> = (0..3 * COLOURS.len()).map(Style::of).collect();
        assert!((1..styles.len()).all(|place| !styles[..place].contains(&styles[place])));
        let dashes = |place: usize| styles[place].dashes();
        let shapes = [0, 8, 16].map(|place| styles[place].shape());
        assert_eq!(shapes, [Shape::Circle, Shape::Triangle, Shape::Cross]);
        assert_eq!([dashes(0), dashes(8), dashes(16)], [None, Some((8, 4)), Some((2, 3))]);
        assert_eq!(styles[9].hex(), "#d55e00");
    }

    #[test]
    fn more_series_than_can_be_told_apart_have_the_colours_of_a_scale() {
        assert_eq!(Style::among(9, DISTINCT), Style::of(9));
        let styles: Vec<Style> = (0..31).map(|place| Style::among(place, 31)).collect();
        assert!((1..styles.len()).all(|place| !styles[..place].contains(&styles[place])));
        assert!(styles.iter().all(|style| style.dashes().is_none() && style.shape() == Shape::Circle));
        // Viridis begins with a dark violet; its end is too pale.
        assert_eq!(styles[0].hex(), "#440154");
        let brightness = |style: &Style| u32::from(style.colour.0) + u32::from(style.colour.1);
        assert!(styles.is_sorted_by_key(brightness) && brightness(&styles[30]) < 420);
    }
}
