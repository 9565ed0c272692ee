//! The numbers that are drawn, and their table.

use super::axis::{Axis, Scale};
use super::figure::Figure;
use super::series::{Point, Series};

/// Parts of the axis in each of which a line has one point: the units across an SVG.
const COLUMNS: f64 = 800.0;

/// The columns of the table.
const HEADER: [&str; 9] = ["panel", "series", "x", "y", "low", "high", "range", "seeds", "lower_bound"];

/// What a range of a single point is: the true value is in it with 68.3%.
const INTERVAL: &str = "interval_68";

/// The points of a series as they are drawn: those of a line are means over columns of the axis, because more of them would only
/// blur it; then the last one, at which a run ended.
pub fn drawn(series: &Series, figure: &Figure, x: &Scale) -> Vec<Point> {
    if !series.line || series.points.len() < 2 {
        return series.points.clone();
    }
    let column = (x.range.end - x.range.start) / COLUMNS;
    column_means(&series.points, (&figure.x, &figure.y), column)
}

/// Means of coordinates, so that a line is where the eye would put it.
fn column_means(points: &[Point], (x, y): (&Axis, &Axis), column: f64) -> Vec<Point> {
    let mut columns: Vec<&[Point]> = Vec::new();
    let mut start = 0;
    for end in 1..=points.len() {
        if points.get(end).is_none_or(|point| x.place(point.x) - x.place(points[start].x) >= column) {
            columns.push(&points[start..end]);
            start = end;
        }
    }
    let means = columns.into_iter().map(|column| match column {
        [only] => *only,
        several => {
            let n = several.len() as f64;
            let mean = |axis: &Axis, of: &dyn Fn(&Point) -> f64| {
                axis.value(several.iter().map(|point| axis.place(of(point))).sum::<f64>() / n)
            };
            let ends: Option<Vec<[f64; 2]>> = several.iter().map(|point| point.range).collect();
            let range =
                ends.map(|ends| [0, 1].map(|end| ends.iter().map(|range| range[end]).sum::<f64>() / n));
            Point { x: mean(x, &|point| point.x), y: mean(y, &|point| point.y), range, ..several[0] }
        }
    });
    means.chain(points.last().copied()).collect()
}

/// A row for every point of every panel, and one for every broken line across, which has no `x`. `range` says what `low` and `high` are:
/// `interval_68`, `standard_error` of a mean, or `smallest_to_largest`.
pub fn csv(panels: &[Figure]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |row: [String; 9]| writer.write_record(row).expect("a table in memory");
    write(HEADER.map(str::to_owned));
    for figure in panels {
        let panel = format!("{} against {}", figure.y.label, figure.x.label);
        let columns = figure.scales().0;
        for series in &figure.series {
            for point in drawn(series, figure, &columns) {
                write(row(&panel, &series.label, figure, &point));
            }
        }
        for level in &figure.levels {
            let empty = String::new;
            let (y, line) = (level.to_string(), "broken line".to_owned());
            write([panel.clone(), line, empty(), y, empty(), empty(), empty(), empty(), empty()]);
        }
    }
    writer.into_inner().expect("a table in memory")
}

fn row(panel: &str, series: &str, figure: &Figure, point: &Point) -> [String; 9] {
    let end = |end: usize| point.range.map(|range| range[end].to_string()).unwrap_or_default();
    let range = match point.range {
        None => "",
        Some(_) if point.is_mean() => figure.spread.name(),
        Some(_) => INTERVAL,
    };
    [
        panel.to_owned(),
        series.to_owned(),
        point.x.to_string(),
        point.y.to_string(),
        end(0),
        end(1),
        range.to_owned(),
        point.seeds.to_string(),
        point.lower_bound.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::figure::tests::figure;
    use super::*;

    #[test]
    fn points_of_a_column_are_one() {
        let points = [(0.0, 1.0), (0.5, 3.0), (1.0, 5.0), (7.0, 7.0)].map(|(x, y)| Point::new(x, y));
        let plain = Axis::plain("");
        let means = column_means(&points, (&plain, &plain), 1.0);
        let places: Vec<(f64, f64)> = means.iter().map(|point| (point.x, point.y)).collect();
        assert_eq!(places, [(0.25, 2.0), (1.0, 5.0), (7.0, 7.0), (7.0, 7.0)]);
    }

    #[test]
    fn the_table_has_every_number_that_is_drawn() {
        let single = Point { range: Some([0.25, 0.75]), ..Point::new(1.0, 0.5) };
        let mean = Point { seeds: 3, lower_bound: true, ..Point { x: 2.0, ..single } };
        let points = vec![single, mean, Point::new(3.0, 0.125)];
        let text = csv(&[figure(vec![Series { label: "a, b".into(), points, line: false, law_of: None }])]);
        let expected = "panel,series,x,y,low,high,range,seeds,lower_bound\n\
                        y against x,\"a, b\",1,0.5,0.25,0.75,interval_68,1,false\n\
                        y against x,\"a, b\",2,0.5,0.25,0.75,smallest_to_largest,3,true\n\
                        y against x,\"a, b\",3,0.125,,,,1,false\n\
                        y against x,broken line,,0.2,,,,,\n";
        assert_eq!(String::from_utf8(text).unwrap(), expected);
    }
}
