//! How the ESS of a fixed model falls with the volume, beside how it was found to.

use super::series::{Point, Series};
use super::value::product;

/// `ESS(V) = ESS(V₀)^{V/V₀}` of a model whose weights go from lattice to lattice as they are, once correlations are short against the
/// extents. Source: A22, eq. (8).
pub const FORMULA: &str = "ESS(V₀)^(V/V₀)";

/// Models that were judged on other lattices than they were trained on, by their series.
#[derive(Default)]
pub struct Transfers(Vec<(String, Vec<Transfer>)>);

/// Where one was judged, and on how many sites.
#[derive(Clone, Copy)]
struct Transfer {
    point: Point,
    volume: f64,
}

impl Transfers {
    /// Adds a point of a series, with its extents as tables show them.
    pub fn push(&mut self, label: &str, point: Point, extents: &str) {
        let Some(volume) = product(extents) else { return };
        let transfer = Transfer { point, volume };
        match self.0.iter_mut().find(|(of, _)| of == label) {
            Some((_, all)) => all.push(transfer),
            None => self.0.push((label.to_owned(), vec![transfer])),
        }
    }

    /// The law for every series with several volumes, through the mean at the largest, as in Fig. 7 of A22: where the volume is large
    /// the law holds, and what lies below it at smaller ones falls more slowly.
    pub fn laws(&self) -> Vec<Series> {
        self.0.iter().filter_map(|(label, all)| law(label, all)).collect()
    }
}

fn law(label: &str, all: &[Transfer]) -> Option<Series> {
    let largest = all.iter().map(|transfer| transfer.volume).max_by(f64::total_cmp)?;
    let at_largest: Vec<f64> =
        all.iter().filter(|transfer| transfer.volume == largest).map(|transfer| transfer.point.y).collect();
    if at_largest.len() == all.len() {
        return None;
    }
    let ess = at_largest.iter().sum::<f64>() / at_largest.len() as f64;
    let mut points: Vec<Point> = Vec::new();
    for Transfer { point, volume } in all {
        if points.iter().all(|known| known.x != point.x) {
            points.push(Point::new(point.x, ess.powf(volume / largest)));
        }
    }
    let law_of = Some(label.to_owned());
    Some(Series { label: format!("{label}: {FORMULA}"), points, line: true, law_of })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_law_goes_through_the_mean_at_the_largest_volume() {
        let mut transfers = Transfers::default();
        let found = [("[8, 8]", 0.9), ("[16, 16]", 0.3), ("[16, 16]", 0.2), ("[16, 8]", 0.7)];
        for (x, (extents, ess)) in [8.0, 16.0, 16.0, 11.3].into_iter().zip(found) {
            transfers.push("kappa = 0.25", Point::new(x, ess), extents);
        }
        transfers.push("kappa = 0", Point::new(8.0, 0.5), "[8, 8]");
        let laws = transfers.laws();
        assert_eq!(laws.len(), 1, "one volume alone has none");
        assert_eq!(laws[0].label, "kappa = 0.25: ESS(V₀)^(V/V₀)");
        assert_eq!(laws[0].law_of.as_deref(), Some("kappa = 0.25"));
        let points: Vec<(f64, f64)> = laws[0].points.iter().map(|point| (point.x, point.y)).collect();
        assert_eq!(points, [(8.0, 0.25f64.powf(0.25)), (16.0, 0.25), (11.3, 0.5)]);
    }
}
