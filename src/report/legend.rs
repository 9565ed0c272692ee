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

/// The same in a figure that has little room.
const NARROW_START: u32 = 20;

/// Width of such a figure, at most.
const NARROW: u32 = 500;

/// Room for what a series looks like.
const SYMBOL: u32 = 26;

/// Length of a line among them.
const LINE: u32 = 18;

/// Room between two names.
const GAP: u32 = 24;

/// Width of a letter, about.
const LETTER: u32 = 8;

/// A name with what it looks like, or a remark.
pub struct Entry {
    /// The text.
    pub label: String,
    /// What the series of this name look like; none for a remark.
    pub symbol: Option<Symbol>,
}

/// What a series looks like.
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
pub struct Legend {
    entries: Vec<Entry>,
    /// Units from the left, and the row.
    places: Vec<(u32, u32)>,
}

impl Legend {
    /// Rows no wider than the figure, if no name alone is; names that need several are in columns.
    pub fn new(entries: Vec<Entry>, figure_width: u32) -> Self {
        let start = if figure_width <= NARROW { NARROW_START } else { START };
        let named = || entries.iter().filter(|entry| entry.symbol.is_some());
        let is_one_row = start + named().map(Entry::room).sum::<u32>() <= figure_width;
        let column = if is_one_row { 0 } else { named().map(Entry::room).max().unwrap_or(0) };
        let (mut x, mut row) = (start, 0);
        let place = |entry: &Entry| {
            let width = if entry.symbol.is_some() { entry.room().max(column) } else { entry.room() };
            if x > start && x + width > figure_width {
                (x, row) = (start, row + 1);
            }
            x += width;
            (x - width, row)
        };
        let places = entries.iter().map(place).collect();
        Self { entries, places }
    }

    /// Whether every name is as narrow as the figure.
    pub fn fits(&self, figure_width: u32) -> bool {
        let ends = self.entries.iter().zip(&self.places).map(|(entry, (x, _))| x + entry.room() - GAP);
        ends.max().is_none_or(|end| end <= figure_width)
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

impl Entry {
    /// Room that it takes, about.
    fn room(&self) -> u32 {
        SYMBOL + LETTER * self.label.chars().count() as u32 + GAP
    }

    /// Whether it says the same of a series of the same look.
    pub fn is_like(&self, other: &Self) -> bool {
        let style = |entry: &Self| entry.symbol.as_ref().map(|symbol| symbol.style);
        self.label == other.label && style(self) == style(other)
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
