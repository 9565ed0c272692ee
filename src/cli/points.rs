//! Points of figures as Markdown tables, which read as text, too.

use crate::report::{StudyFigure, StudyPoint, short};

/// Cells of a row: all but the first are numbers.
type Row = [String; 6];

/// A table for every figure, under its name.
pub fn tables(figures: &[StudyFigure]) -> String {
    figures
        .iter()
        .map(|figure| format!("{}:\n\n{}", figure.figure, table(figure)))
        .collect::<Vec<_>>()
        .join("\n\n")
}

fn table(figure: &StudyFigure) -> String {
    let header = ["series", &figure.x, &figure.y, "low", "high", "seeds"].map(cell);
    let rows: Vec<Row> = std::iter::once(header).chain(figure.points.iter().map(row)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..6).map(width).collect();
    let mut lines: Vec<String> = rows.iter().map(|row| line(row, &widths)).collect();
    let dashes = widths.iter().enumerate().map(|(column, width)| match column {
        0 => "-".repeat(width + 2),
        _ => format!("{}:", "-".repeat(width + 1)),
    });
    lines.insert(1, format!("|{}|", dashes.collect::<Vec<String>>().join("|")));
    lines.join("\n")
}

fn line(row: &Row, widths: &[usize]) -> String {
    let cells = row.iter().zip(widths).enumerate().map(|(column, (text, width))| match column {
        0 => format!(" {text:width$} "),
        _ => format!(" {text:>width$} "),
    });
    format!("|{}|", cells.collect::<Vec<String>>().join("|"))
}

fn row(point: &StudyPoint) -> Row {
    let end = |end: Option<f64>| end.map(short).unwrap_or_default();
    [
        cell(&point.series),
        short(point.x),
        if point.lower_bound { format!("≥ {}", short(point.y)) } else { short(point.y) },
        end(point.low),
        end(point.high),
        point.seeds.to_string(),
    ]
}

/// A text that does not end its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_aligned_markdown() {
        let point = |series: &str, x: f64, low: Option<f64>| StudyPoint {
            series: series.into(),
            x,
            y: 0.5,
            low,
            high: low.map(|low| 1.0 - low),
            seeds: 2,
            lower_bound: low.is_none(),
        };
        let points = vec![point("layers = 8", 0.25, Some(0.375)), point("a|b", 1.0, None)];
        let figure = StudyFigure { figure: "ess".into(), x: "1/coupling".into(), y: "ESS".into(), points };
        let expected = "ess:\n\n\
            | series     | 1/coupling |   ESS |   low |  high | seeds |\n\
            |------------|-----------:|------:|------:|------:|------:|\n\
            | layers = 8 |       0.25 |   0.5 | 0.375 | 0.625 |     2 |\n\
            | a\\|b       |          1 | ≥ 0.5 |       |       |     2 |";
        assert_eq!(tables(&[figure]), expected);
    }
}
