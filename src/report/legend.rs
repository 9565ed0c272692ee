//! The names of the series above a figure, each beside what it looks like.

use super::palette::{Shape, Style};
use plotters::coord::Shift;
use plotters::drawing::{DrawingArea, DrawingAreaErrorKind};
use plotters::element::{Circle, Cross, DashedPathElement, PathElement, Rectangle, Text, TriangleMarker};
use plotters::prelude::{DrawingBackend, IntoTextStyle};
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Height of a row, in units of the SVG.
pub const ROW: u32 = 20;

/// Room above the first row.
const ABOVE: u32 = 8;

/// Where it begins, as the axis does.
const START: u32 = 76;

/// Room for what a series looks like.
const SYMBOL: u32 = 26;

/// Length of a line among them.
const LINE: u32 = 18;

/// Room between two names.
const GAP: u32 = 24;

/// Width of a letter, about.
const LETTER: u32 = 8;

/// A name with what it looks like, or a remark.
#[derive(PartialEq)]
pub struct Entry {
    /// The text.
    pub label: String,
    /// What the series of this name look like; none for a remark.
    pub symbol: Option<Symbol>,
}

/// What a series looks like.
#[derive(PartialEq)]
pub struct Symbol {
    /// Colour, shape, dashes.
    pub style: Style,
    /// A line is drawn.
    pub line: bool,
    /// A point is drawn.
    pub mark: bool,
    /// A band is drawn.
    pub band: bool,
}

/// Names in rows.
#[derive(PartialEq)]
pub struct Legend {
    entries: Vec<Entry>,
    /// Units from the left, and the row.
    places: Vec<(u32, u32)>,
}

impl Legend {
    /// Rows no wider than the figure, if no name alone is; names that need several are in columns.
    pub fn new(entries: Vec<Entry>, figure_width: u32) -> Self {
        let room = |entry: &Entry| SYMBOL + LETTER * entry.label.chars().count() as u32 + GAP;
        let named = || entries.iter().filter(|entry| entry.symbol.is_some());
        let is_one_row = START + named().map(room).sum::<u32>() <= figure_width;
        let column = if is_one_row { 0 } else { named().map(room).max().unwrap_or(0) };
        let (mut x, mut row) = (START, 0);
        let place = |entry: &Entry| {
            let width = if entry.symbol.is_some() { room(entry).max(column) } else { room(entry) };
            if x > START && x + width > figure_width {
                (x, row) = (START, row + 1);
            }
            x += width;
            (x - width, row)
        };
        let places = entries.iter().map(place).collect();
        Self { entries, places }
    }

    /// Rows that it has.
    pub fn rows(&self) -> u32 {
        self.places.last().map_or(0, |(_, row)| row + 1)
    }

    /// Room that it needs.
    pub fn height(&self) -> u32 {
        ABOVE + ROW * self.rows()
    }

    /// Draws with `unit` dots for each unit of the SVG.
    pub fn draw<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        unit: u32,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let beside = Pos::new(HPos::Left, VPos::Center);
        let text = ("sans-serif", 14 * unit).into_text_style(area).pos(beside);
        let dots = |units: u32| (units * unit) as i32;
        for (entry, &(left, row)) in self.entries.iter().zip(&self.places) {
            let (x, y) = (dots(left), dots(ABOVE + ROW * row + ROW / 2));
            if let Some(symbol) = &entry.symbol {
                symbol.draw(area, (x, y), unit)?;
            }
            area.draw(&Text::new(entry.label.as_str(), (x + dots(SYMBOL), y), text.clone()))?;
        }
        Ok(())
    }
}

impl Symbol {
    fn draw<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        (x, y): (i32, i32),
        unit: u32,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let dots = |units: u32| (units * unit) as i32;
        if self.band {
            let corners = [(x, y - dots(6)), (x + dots(LINE), y + dots(6))];
            area.draw(&Rectangle::new(corners, self.style.band()))?;
        }
        let ends = [(x, y), (x + dots(LINE), y)];
        let stroke = self.style.stroke(2 * unit);
        match self.style.dashes().filter(|_| self.line) {
            Some((dash, gap)) => {
                area.draw(&DashedPathElement::new(ends, dash * unit, gap * unit, stroke))?;
            }
            None if self.line => area.draw(&PathElement::new(ends, stroke))?,
            None => {}
        }
        if self.mark { self.draw_mark(area, (x + dots(LINE / 2), y), unit) } else { Ok(()) }
    }

    fn draw_mark<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        place: (i32, i32),
        unit: u32,
    ) -> Result<(), DrawingAreaErrorKind<B::ErrorType>> {
        let (size, filled) = (self.style.shape().size() * unit, self.style.filled());
        match self.style.shape() {
            Shape::Circle => area.draw(&Circle::new(place, size, filled)),
            Shape::Triangle => area.draw(&TriangleMarker::new(place, size, filled)),
            Shape::Cross => area.draw(&Cross::new(place, size, self.style.stroke(2 * unit))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(letters: usize) -> Entry {
        let symbol = Symbol { style: Style::of(0), line: true, mark: true, band: false };
        Entry { label: "x".repeat(letters), symbol: Some(symbol) }
    }

    #[test]
    fn names_that_do_not_fit_are_in_columns() {
        // A name of 30 letters takes 26 + 30 · 8 + 24 = 290 units, one of 5 letters 90.
        let places = |letters: &[usize]| Legend::new(letters.iter().map(|n| entry(*n)).collect(), 800).places;
        assert_eq!(places(&[30, 5, 30]), [(76, 0), (366, 0), (456, 0)]);
        assert_eq!(places(&[5, 30, 30]), [(76, 0), (166, 0), (456, 0)]);
        assert_eq!(places(&[30, 30, 5, 30]), [(76, 0), (366, 0), (76, 1), (366, 1)]);
        assert_eq!(places(&[500]), [(76, 0)]);
        assert_eq!(Legend::new(vec![], 800).height(), 8);
    }

    #[test]
    fn remarks_come_after_the_names() {
        let remark = |letters: usize| Entry { symbol: None, ..entry(letters) };
        let names = [30, 30, 5, 5].map(entry);
        let legend = Legend::new(names.into_iter().chain([10, 60].map(remark)).collect(), 800);
        assert_eq!(legend.places[2..], [(76, 1), (366, 1), (656, 1), (76, 2)]);
        assert_eq!(legend.height(), 8 + 3 * 20);
    }
}
