//! A run on a screen of any size: a pure function of what is known of it. Nothing is told by colour.

use super::facts::{Shown, facts, warnings};
use super::panel::panels;
use super::text::{beginning, end, lines, packed, wrapped};
use crate::cli::status::{state, sums};
use crate::cli::table::count;
use crate::study::{CellStatus, Progression};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph};

/// Columns of a screen from which on the cells have a list of their own.
const WIDE: u16 = 120;

/// What signs of cells mean.
const SIGNS: &str = "# done > running . waiting ! failed";

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, shown: &Shown<'_>) {
    let area = frame.area();
    let head = head(shown, usize::from(area.width));
    let [top, middle, bottom, keys] = Layout::vertical([
        Constraint::Length(head.len() as u16),
        Constraint::Min(6),
        Constraint::Length((area.height / 5).clamp(4, 12)),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(head), top);
    let list = if area.width >= WIDE && shown.cells.len() > 1 { (area.width / 4).min(60) } else { 0 };
    let [left, right] = Layout::horizontal([Constraint::Length(list), Constraint::Min(0)]).areas(middle);
    if list > 0 {
        frame.render_widget(cells(shown, left), left);
    }
    panels(frame, shown, right);
    frame.render_widget(said(shown, bottom), bottom);
    let help = match shown.cells.len() {
        1 => "q quit   x axis   y quantity",
        _ => "q quit   x axis   y quantity   ←/→ cell   PgUp/PgDn ten cells   Home/End",
    };
    frame.render_widget(Paragraph::new(help).style(Style::new().add_modifier(Modifier::REVERSED)), keys);
}

/// The run, the cell and where it is.
fn head(shown: &Shown<'_>, width: usize) -> Vec<Line<'static>> {
    let sums = format!("{}: {}", count(shown.cells.len(), "cell"), sums(shown.cells));
    let run = end(&shown.run, width.saturating_sub(sums.chars().count() + 2));
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let mut lines = vec![Line::styled(format!("{run}  {sums}"), bold)];
    if shown.cells.len() > 1 && width < usize::from(WIDE) {
        lines.push(strip(shown, width));
    }
    let Some(cell) = shown.cell() else { return lines };
    let values = cell.values.to_string();
    let separator = if values.is_empty() { "" } else { ": " };
    lines.push(Line::raw(beginning(&format!("cell {}{separator}{values}", cell.cell), width)));
    let state = match &cell.progression {
        Progression::Done { finished } => format!("done at {finished}"),
        other => state(other),
    };
    lines.push(Line::raw(beginning(&state, width)));
    let facts = shown.files.map(|files| facts(shown, files)).unwrap_or_default();
    lines.extend(packed(&facts, width).into_iter().map(Line::raw));
    lines
}

/// A sign for each cell, those around the chosen one if there is no room for all.
fn strip(shown: &Shown<'_>, width: usize) -> Line<'static> {
    // Brackets around the chosen one, and what says that there are more at either end.
    let room = width.saturating_sub(SIGNS.len() + 2 + 4).clamp(1, shown.cells.len());
    let (first, seen) = around(shown, room);
    let more = |there: bool| Span::raw(if there { "…" } else { "" });
    let mut spans = vec![more(first > 0)];
    spans.extend(seen.iter().enumerate().map(|(place, cell)| match first + place == shown.choices.cell {
        true => {
            let bold = Style::new().add_modifier(Modifier::BOLD);
            Span::styled(format!("[{}]", sign(&cell.progression)), bold)
        }
        false => Span::raw(sign(&cell.progression).to_string()),
    }));
    spans.extend([more(first + room < shown.cells.len()), Span::raw(format!("  {SIGNS}"))]);
    Line::from(spans)
}

/// So many cells around the chosen one, and the place of the first.
fn around<'a>(shown: &Shown<'a>, room: usize) -> (usize, &'a [CellStatus]) {
    let first = shown.choices.cell.saturating_sub(room / 2).min(shown.cells.len() - room);
    (first, &shown.cells[first..first + room])
}

fn sign(progression: &Progression) -> char {
    match progression {
        Progression::Done { .. } => '#',
        Progression::Running { .. } => '>',
        Progression::Waiting { .. } => '.',
        Progression::Failed { .. } => '!',
    }
}

/// The cells with their states, those around the chosen one.
fn cells(shown: &Shown<'_>, area: Rect) -> Paragraph<'static> {
    let width = usize::from(area.width.saturating_sub(2));
    let (first, seen) = around(shown, usize::from(area.height.saturating_sub(2)).clamp(1, shown.cells.len()));
    let line = |(place, cell): (usize, &CellStatus)| {
        let text = format!("{} {}: {}", sign(&cell.progression), cell.cell, cell.values);
        let text = format!("{:width$}", beginning(&text, width));
        match first + place == shown.choices.cell {
            true => Line::styled(text, Style::new().add_modifier(Modifier::REVERSED)),
            false => Line::raw(text),
        }
    };
    let lines: Vec<Line<'static>> = seen.iter().enumerate().map(line).collect();
    Paragraph::new(lines).block(Block::bordered().title(beginning(&format!(" {SIGNS} "), width)))
}

/// What cannot be read, the last line of the log, and the latest warnings first.
fn said(shown: &Shown<'_>, area: Rect) -> Paragraph<'static> {
    let problem = shown.problem.into_iter().flat_map(str::lines);
    let log = shown.files.and_then(|files| files.last_line.as_deref());
    let mut texts: Vec<&str> = problem.chain(log).chain(warnings(shown)).collect();
    if texts.is_empty() {
        texts.push("nothing was logged yet");
    }
    lines(&wrapped(texts, area.width.into(), area.height.into()))
}
