//! A run on a screen of any size: a pure function of what is known of it. Nothing is told by colour.

use super::choices::Choices;
use super::curves::{Curve, bounds, curves};
use crate::cli::progress::duration;
use crate::cli::status::{state, sums};
use crate::cli::table::count;
use crate::report::live::{CellFiles, Evaluation, TrainPoint, seconds_left};
use crate::spec::StopSpec;
use crate::study::{CellStatus, Progression};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::symbols::Marker;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Axis, Block, Chart, Dataset, GraphType, Paragraph, Wrap};

/// Columns of a screen from which on the cells have a list of their own.
const WIDE: u16 = 120;

/// Columns of that list.
const LIST: u16 = 46;

/// Between two facts on a line.
const GAP: &str = "   ";

/// What there is to show.
pub struct Shown<'a> {
    /// The run directory.
    pub run: String,
    /// All cells.
    pub cells: &'a [CellStatus],
    /// What was read of the chosen one.
    pub files: Option<&'a CellFiles>,
    /// When its training is to end.
    pub stop: Option<&'a StopSpec>,
    /// Why the files cannot be read, if they cannot.
    pub problem: Option<&'a str>,
    /// What is drawn.
    pub choices: Choices,
}

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, shown: &Shown<'_>) {
    let area = frame.area();
    let head = head(shown, usize::from(area.width));
    let said = if area.height >= 40 { 9 } else { 4 };
    let [top, middle, bottom, keys] = Layout::vertical([
        Constraint::Length(head.len() as u16),
        Constraint::Min(6),
        Constraint::Length(said),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(Paragraph::new(head), top);
    let list = if area.width >= WIDE && shown.cells.len() > 1 { LIST } else { 0 };
    let [left, right] = Layout::horizontal([Constraint::Length(list), Constraint::Min(0)]).areas(middle);
    if list > 0 {
        frame.render_widget(cells(shown, left), left);
    }
    chart(frame, shown, right);
    frame.render_widget(warnings(shown), bottom);
    let help = "q quit   ←/→ cell   x axis   y quantity   Home/End first/last cell";
    frame.render_widget(Paragraph::new(help).style(Style::new().add_modifier(Modifier::REVERSED)), keys);
}

/// The run, the cell and where it is.
fn head(shown: &Shown<'_>, width: usize) -> Vec<Line<'static>> {
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let title = format!("{}  {}: {}", shown.run, count(shown.cells.len(), "cell"), sums(shown.cells));
    let mut lines = vec![Line::styled(title, bold)];
    if shown.cells.len() > 1 && width < usize::from(WIDE) {
        lines.push(strip(shown, width));
    }
    let Some(cell) = shown.cells.get(shown.choices.cell) else { return lines };
    let values = cell.values.to_string();
    let separator = if values.is_empty() { "" } else { ": " };
    lines.push(Line::raw(format!("cell {}{separator}{values}", cell.cell)));
    lines.push(Line::raw(state(&cell.progression)));
    let facts = shown.files.map(|files| facts(shown, files)).unwrap_or_default();
    lines.extend(packed(&facts, width).into_iter().map(Line::raw));
    lines
}

/// A sign for each cell, those around the chosen one if there is no room for all.
fn strip(shown: &Shown<'_>, width: usize) -> Line<'static> {
    let legend = "  # done > running . waiting ! failed";
    let room = width.saturating_sub(legend.len() + 2).clamp(1, shown.cells.len());
    let first = shown.choices.cell.saturating_sub(room / 2).min(shown.cells.len() - room);
    let mut spans = Vec::new();
    for (place, cell) in shown.cells.iter().enumerate().skip(first).take(room) {
        let sign = sign(&cell.progression);
        spans.push(match place == shown.choices.cell {
            true => Span::styled(format!("[{sign}]"), Style::new().add_modifier(Modifier::BOLD)),
            false => Span::raw(sign.to_string()),
        });
    }
    spans.push(Span::raw(legend));
    Line::from(spans)
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
    let room = usize::from(area.height.saturating_sub(2)).clamp(1, shown.cells.len());
    let first = shown.choices.cell.saturating_sub(room / 2).min(shown.cells.len() - room);
    let line = |(place, cell): (usize, &CellStatus)| {
        let text = format!("{} {}: {}", sign(&cell.progression), cell.cell, cell.values);
        match place == shown.choices.cell {
            true => Line::styled(text, Style::new().add_modifier(Modifier::REVERSED)),
            false => Line::raw(text),
        }
    };
    let lines: Vec<Line<'static>> = shown.cells.iter().enumerate().skip(first).take(room).map(line).collect();
    Paragraph::new(lines).block(Block::bordered().title(" # done > running . waiting ! failed "))
}

/// Where training is, and how good the model.
fn facts(shown: &Shown<'_>, files: &CellFiles) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(last) = files.training.last() {
        facts.extend(of_training(last, shown.stop));
        if let Some([_, samples, seconds]) = files.training.pace() {
            facts.push(format!("samples/s {}", short(samples / seconds)));
        }
        let is_done = matches!(shown.cells[shown.choices.cell].progression, Progression::Done { .. });
        let left = shown.stop.filter(|_| !is_done).map(|stop| seconds_left(stop, &files.training));
        facts.extend(left.map(|left| format!("ETA {}", left.map_or("?".into(), duration))));
        facts.push(format!("time {}", duration(last.wall_s)));
        let target =
            shown.stop.and_then(|stop| stop.ess).map_or(String::new(), |target| format!(" of {target}"));
        facts.push(format!("ESS training {}{target} (batch {})", short(last.ess_smoothed), short(last.ess)));
    }
    facts.extend(files.evaluations.last().into_iter().flat_map(of_evaluation));
    facts
}

fn of_training(last: &TrainPoint, stop: Option<&StopSpec>) -> Vec<String> {
    let of = |limit: Option<u64>| limit.map_or(String::new(), |limit| format!(" of {limit}"));
    let (steps, samples) = (stop.and_then(|stop| stop.steps), stop.and_then(|stop| stop.samples));
    vec![
        format!("step {}{}", last.step, of(steps)),
        format!("samples {}{}", last.samples, of(samples)),
        format!("batch {}", last.batch_size),
        format!("learning rate {}", short(last.learning_rate)),
        format!("loss {}", short(last.loss)),
        format!("gradient norm {}", short(last.grad_norm)),
    ]
}

fn of_evaluation(found: &Evaluation) -> Vec<String> {
    let interval = found.interval.map(|[low, high]| format!(" ({} to {})", short(low), short(high)));
    let fresh =
        format!("ESS fresh {}{} at step {}", short(found.ess), interval.unwrap_or_default(), found.step);
    let target = found.ess_target.map(|target| format!("ESS target {}", short(target)));
    std::iter::once(fresh).chain(target).collect()
}

/// Facts in as few lines as they fit into.
fn packed(facts: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for fact in facts {
        match lines.last_mut() {
            Some(line) if line.chars().count() + GAP.len() + fact.chars().count() <= width => {
                line.push_str(GAP);
                line.push_str(fact);
            }
            _ => lines.push(fact.clone()),
        }
    }
    lines
}

/// Four digits that count, without zeros at the end.
fn short(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        return "?".into();
    }
    if size != 0.0 && !(1e-4..1e7).contains(&size) {
        return format!("{value:.2e}");
    }
    let leading = if size == 0.0 { 0 } else { size.log10().floor() as i32 };
    let decimals = (3 - leading).clamp(0, 8) as usize;
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

fn chart(frame: &mut Frame<'_>, shown: &Shown<'_>, area: Rect) {
    let Choices { quantity, across, .. } = shown.choices;
    let curves = shown.files.map(|files| curves(files, shown.choices)).unwrap_or_default();
    let named: Vec<String> = curves.iter().filter_map(named).collect();
    let legend = if named.is_empty() { String::new() } else { format!(": {}", named.join(", ")) };
    let block = Block::bordered().title(format!(" {} against {}{legend} ", quantity.name(), across.name()));
    let Some([x, y]) = bounds(&curves, quantity) else {
        let text = format!("no {} yet", quantity.name());
        return frame.render_widget(Paragraph::new(text).block(block), area);
    };
    let datasets = curves.iter().map(|curve| {
        let (marker, kind) = match curve.sign {
            None => (Marker::Braille, GraphType::Line),
            Some(sign) => (Marker::Custom(sign), GraphType::Scatter),
        };
        Dataset::default().marker(marker).graph_type(kind).data(&curve.points)
    });
    let axis = |[low, high]: [f64; 2]| {
        let marks = [low, 0.5 * (low + high), high].map(short);
        Axis::default().bounds([low, high]).labels(marks)
    };
    let chart =
        Chart::new(datasets.collect()).block(block).x_axis(axis(x)).y_axis(axis(y)).legend_position(None);
    frame.render_widget(chart, area);
}

/// Curve and sign, where there are several.
fn named(curve: &Curve) -> Option<String> {
    match (curve.name, curve.sign) {
        ("smoothed", None) => Some("line training, smoothed".into()),
        (_, None) => None,
        (name, Some(sign)) => Some(format!("{sign} {name}")),
    }
}

/// The latest warnings first; without any the last line of the log.
fn warnings<'a>(shown: &Shown<'a>) -> Paragraph<'a> {
    let mut lines: Vec<Line<'a>> = Vec::new();
    lines.extend(shown.problem.into_iter().flat_map(str::lines).map(Line::raw));
    if let Some(files) = shown.files {
        lines.extend(files.last_line.as_deref().map(Line::raw));
        lines.extend(files.warnings.iter().rev().map(|text| Line::raw(text.as_str())));
    }
    if lines.is_empty() {
        lines.push(Line::raw("nothing was logged yet"));
    }
    Paragraph::new(lines).wrap(Wrap { trim: true })
}
