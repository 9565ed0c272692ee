//! The middle of the screen: curves against an axis, or the observables in a table.

use super::axis::Axis;
use super::choices::{Choices, Quantity};
use super::curves::{Curve, curves, ends};
use super::facts::{Shown, warnings};
use super::text::{beginning, lines, wrapped};
use crate::report::live::Measured;
use crate::report::with_error;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::symbols::Marker;
use ratatui::widgets::{self, Block, Chart, Dataset, GraphType, Paragraph};

/// Lines, and columns, that a mark of an axis has for itself, at least.
const ROOM: [u16; 2] = [2, 12];

/// Lines from which on there is room for two.
const TALL: u16 = 24;

/// Draws what is asked for, and another curve where there is room; the observables where nothing is trained.
pub fn panels(frame: &mut Frame<'_>, shown: &Shown<'_>, area: Rect) {
    let untrained = shown.files.is_some() && shown.stop.is_none();
    match shown.choices.quantity {
        Quantity::Warnings => return frame.render_widget(warning_panel(shown, area), area),
        quantity if untrained || quantity == Quantity::Observables => {
            return frame.render_widget(observables(shown, area), area);
        }
        _ => {}
    }
    if area.height < TALL {
        return curve_panel(frame, shown, shown.choices, area);
    }
    let other = if shown.choices.quantity == Quantity::Loss { Quantity::Ess } else { Quantity::Loss };
    let [upper, lower] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(area);
    curve_panel(frame, shown, shown.choices, upper);
    curve_panel(frame, shown, Choices { quantity: other, ..shown.choices }, lower);
}

fn curve_panel(frame: &mut Frame<'_>, shown: &Shown<'_>, choices: Choices, area: Rect) {
    let Choices { quantity, across, .. } = choices;
    let curves = shown.files.map(|files| curves(files, choices)).unwrap_or_default();
    let named: Vec<String> = curves.iter().filter_map(named).collect();
    let legend = if named.is_empty() { String::new() } else { format!(": {}", named.join(", ")) };
    let ends = ends(&curves, quantity);
    let is_off = ends.is_some_and(|[_, [_, top]]| {
        curves.iter().flat_map(|curve| &curve.points).any(|point| point.1 > top)
    });
    let off = if is_off { ", its beginning off the scale" } else { "" };
    let title = format!(" {} against {}{legend}{off} ", quantity.name(), across.name());
    let block = Block::bordered().title(title);
    match ends {
        Some(ends) => {
            let inside = block.inner(area);
            frame.render_widget(block, area);
            chart(frame, &curves, ends, inside);
        }
        None => {
            let text = format!("no {} yet", quantity.name());
            frame.render_widget(Paragraph::new(text).block(block), area);
        }
    }
}

/// Curve and sign, where there are several.
fn named(curve: &Curve) -> Option<String> {
    match (curve.name, curve.sign) {
        ("", _) => None,
        (name, None) => Some(format!("line {name}")),
        (name, Some(sign)) => Some(format!("{sign} {name}")),
    }
}

fn chart(frame: &mut Frame<'_>, curves: &[Curve], [x, y]: [[f64; 2]; 2], area: Rect) {
    let [above, below] = Layout::vertical([Constraint::Min(0), Constraint::Length(2)]).areas(area);
    let y = Axis::over(y[0], y[1], usize::from(above.height / ROOM[0]));
    // As wide as the chart makes what is left of its vertical line.
    let left = y.marks.iter().map(|mark| mark.len() as u16).max().unwrap_or(0) + 1;
    if left > area.width / 3 {
        return frame.render_widget(Paragraph::new("no room"), area);
    }
    let right = Rect { x: below.x + left - 1, width: below.width - left + 1, ..below };
    let x = Axis::over(x[0], x[1], usize::from((right.width - 1) / ROOM[1]));
    let datasets = curves.iter().map(|curve| {
        let (marker, kind) = match curve.sign {
            None => (Marker::Braille, GraphType::Line),
            Some(sign) => (Marker::Custom(sign), GraphType::Scatter),
        };
        Dataset::default().marker(marker).graph_type(kind).data(&curve.points)
    });
    let upwards = widgets::Axis::default().bounds(y.ends).labels(y.marks).labels_alignment(RIGHT);
    let chart = Chart::new(datasets.collect())
        .x_axis(widgets::Axis::default().bounds(x.ends))
        .y_axis(upwards)
        .legend_position(None);
    frame.render_widget(chart, above);
    frame.render_widget(ruler(&x.marks, right), right);
}

const RIGHT: ratatui::layout::Alignment = ratatui::layout::Alignment::Right;

/// The horizontal line with its marks, from the vertical one on. That of ratatui puts marks beside their places.
fn ruler(marks: &[String], area: Rect) -> Paragraph<'static> {
    let width = usize::from(area.width);
    let places = |mark: usize| 1 + mark * (width - 2) / (marks.len() - 1);
    let mut line: Vec<char> = (0..width).map(|column| if column == 0 { '└' } else { '─' }).collect();
    let mut below = vec![' '; width];
    for (number, mark) in marks.iter().enumerate() {
        line[places(number)] = '┬';
        let begin = places(number).saturating_sub(mark.len() / 2).min(width.saturating_sub(mark.len()));
        below.iter_mut().skip(begin).zip(mark.chars()).for_each(|(place, sign)| *place = sign);
    }
    lines(&[line, below].map(String::from_iter))
}

/// All warnings of the cell, as far as there is room.
fn warning_panel(shown: &Shown<'_>, area: Rect) -> Paragraph<'static> {
    let block = Block::bordered().title(" warnings ");
    let inside = block.inner(area);
    let text = wrapped(warnings(shown), inside.width.into(), inside.height.into());
    lines(&if text.is_empty() { vec!["none".into()] } else { text }).block(block)
}

/// A line for each observable, as many as there is room for.
fn observables(shown: &Shown<'_>, area: Rect) -> Paragraph<'static> {
    let all: &[Measured] = shown.files.map_or(&[], |files| &files.observables);
    let block = Block::bordered().title(" observables ");
    if all.is_empty() {
        return Paragraph::new("no observables yet").block(block);
    }
    let inside = block.inner(area);
    let room = usize::from(inside.height);
    let shown = if all.len() > room { room.saturating_sub(1) } else { all.len() };
    let mut text = measured_lines(&all[..shown], usize::from(inside.width));
    if shown < all.len() {
        text.push(format!("and {} more in observables.csv", all.len() - shown));
    }
    lines(&text).block(block)
}

/// Method and name, value with its error, τ, the exact value: no number in part.
fn measured_lines(found: &[Measured], width: usize) -> Vec<String> {
    let names: Vec<String> =
        found.iter().map(|found| format!("{} {}", found.method, found.observable)).collect();
    let values: Vec<String> = found.iter().map(|found| with_error(found.value, found.error, "+-")).collect();
    let widest = |texts: &[String]| texts.iter().map(String::len).max().unwrap_or(0);
    let (of_names, of_values) = (widest(&names), widest(&values));
    let lines = found.iter().zip(names.iter().zip(&values)).map(|(found, (name, value))| {
        let value = format!("{value:of_values$}");
        let tau = found.tau.map(|tau| format!("tau {tau:.2}"));
        let exact = found.exact.map(|exact| format!("exact {}", like(exact, found.error)));
        let mut line = beginning(&format!("{name:of_names$}"), width);
        for text in [Some(value), tau, exact].into_iter().flatten() {
            if line.chars().count() + 2 + text.len() <= width {
                line = format!("{line}  {text}");
            }
        }
        line.trim_end().to_owned()
    });
    lines.collect()
}

/// A number with the decimals of one that has this error.
fn like(value: f64, error: f64) -> String {
    let text = with_error(value, error, "+-");
    text.split_once(' ').map_or(text.clone(), |(value, _)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_have_no_room_are_left_out_as_a_whole() {
        let of = |observable: &str, tau: Option<f64>| Measured {
            method: "hmc".into(),
            observable: observable.into(),
            value: 0.697613,
            error: 0.00052,
            tau,
            exact: Some(0.6977746579640077),
        };
        let found = [of("plaquette", Some(1.25)), of("topological_charge_squared", None)];
        let expected = [
            "hmc plaquette                   0.69761 +- 0.00052  tau 1.25  exact 0.69777",
            "hmc topological_charge_squared  0.69761 +- 0.00052  exact 0.69777",
        ];
        assert_eq!(measured_lines(&found, 78), expected);
        assert_eq!(measured_lines(&found, 60)[0], expected[0].split_once("  exact").unwrap().0);
        assert_eq!(measured_lines(&found[..1], 20), ["hmc plaquette"]);
        assert_eq!(measured_lines(&found[..1], 8), ["hmc pla…"]);
    }

    #[test]
    fn marks_stand_below_their_places() {
        let marks = ["0", "500", "1000"].map(str::to_owned);
        let area = Rect { x: 0, y: 0, width: 22, height: 2 };
        let mut buffer = ratatui::buffer::Buffer::empty(area);
        ratatui::widgets::Widget::render(ruler(&marks, area), area, &mut buffer);
        let lines: Vec<String> = (0..2).map(|y| (0..22).map(|x| buffer[(x, y)].symbol()).collect()).collect();
        assert_eq!(lines, ["└┬─────────┬─────────┬", " 0        500     1000"]);
    }
}
