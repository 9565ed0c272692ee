//! The figures of the page: drawn as SVG, to be replaced by what can be pointed at where there is a script.

use super::super::canvas::{Width, svg};
use super::super::digits::{grouped, short};
use super::super::figure::Figure;
use super::super::gather::Gathered;
use super::super::sheet::undrawn;
use super::curves::Plot;
use super::document::Section;
use super::markup::{Field, Heading, Purpose, table};
use crate::error::Result;
use maud::{Markup, PreEscaped, html};
use std::path::Path;

/// All figures.
pub struct Plots {
    /// What the script reads.
    pub data: String,
    markup: Vec<Markup>,
}

/// The figures that there is data for.
///
/// # Errors
/// [`Error::BadFile`](crate::error::Error::BadFile) for data that cannot be drawn.
pub fn plots(gathered: &Gathered) -> Result<Plots> {
    let (mut data, mut markup) = (Vec::new(), Vec::new());
    for figure in gathered.all() {
        let svg = svg(&[figure], Width::Page).map_err(|rule| undrawn(Path::new(&figure.name), rule))?;
        let (plot, parts) = Plot::new(figure);
        data.push(serde_json::to_string(&plot).expect("plain data"));
        markup.push(drawn(figure, &svg, parts));
    }
    Ok(Plots { data: format!("[{}]", data.join(",")), markup })
}

impl Plots {
    /// The section of the page.
    pub fn section(&self) -> Section {
        let body = html! {
            @if self.markup.is_empty() { p { "There is nothing to draw: no row of training, and no cells that differ in a number." } }
            @else {
                p.live-only {
                    "Point at a curve to read its values, drag across a figure to enlarge a part of it and double-click to have all back; "
                    "a name above a figure hides its curve and shows it again."
                }
            }
            @for figure in &self.markup { (figure) }
        };
        Section::new("figures", "Figures", body)
    }
}

fn drawn(figure: &Figure, svg: &str, parts: Option<usize>) -> Markup {
    let id = format!("figure-{}", figure.name);
    let caption = format!("{} against {}", figure.y.label, figure.x.label);
    html! {
        figure.plot id=(id) {
            figcaption id=(format!("{id}-caption")) {
                strong { (caption) }
                @for remark in figure.remarks() { "; " (remark) }
            }
            div.still role="img" aria-labelledby=(format!("{id}-caption")) { (PreEscaped(svg)) }
            @if let Some(parts) = parts {
                p.note {
                    "Curves have more points than can be seen: in each of " (grouped(parts as f64)) " equal parts of the axis the first, the "
                    "last, the least and the greatest are kept (without a script, means); all are in train.csv."
                }
            }
            (numbers(figure, &caption))
        }
    }
}

/// The points of a figure that has few.
fn numbers(figure: &Figure, caption: &str) -> Markup {
    let points = figure.series.iter().filter(|series| !series.line);
    let points = points.flat_map(|series| series.points.iter().map(move |point| (series, point)));
    let rows = points.map(|(series, point)| {
        let end = |end: usize| Field::some(point.range.map(|range| range[end]), short);
        let y = format!("{}{}", if point.lower_bound { "≥ " } else { "" }, short(point.y));
        let seeds = Field::Number(Some(point.seeds as f64), point.seeds.to_string());
        let place = Field::Number(Some(point.x), short(point.x));
        vec![Field::Text(series.label.clone()), place, Field::Number(Some(point.y), y), end(0), end(1), seeds]
    });
    let rows: Vec<Vec<Field>> = rows.collect();
    let [x, y] = [&figure.x.label, &figure.y.label].map(Heading::number);
    let [low, high, seeds] = ["low", "high", "seeds"].map(Heading::number);
    html! {
        @if !rows.is_empty() {
            details {
                summary { "The numbers" }
                (table(caption, Purpose::Sorted, &[Heading::text("series"), x, y, low, high, seeds], &rows))
            }
        }
    }
}
