//! What an independent configuration costs by each method, as `cost.csv` has it.

use super::super::columns::Columns;
use super::markup::parsed;
use super::source::{CellKeys, Source, rows};

/// A row of `cost.csv`; what is not in it is not known.
pub struct Price<'t> {
    /// How configurations are had.
    pub method: &'t str,
    /// What the ESS refers to.
    pub observable: &'t str,
    /// Seconds of training, or of thermalisation.
    pub setup_s: Option<f64>,
    /// Seconds of the trainings that this one went on from.
    pub before_s: f64,
    /// Seconds of a configuration over its ESS.
    pub independent_s: Option<f64>,
    /// From so many independent configurations on cheaper than HMC.
    pub crossover: Option<f64>,
    table: &'t Columns,
    row: usize,
}

impl<'t> Price<'t> {
    /// A row.
    pub fn new((table, row): (&'t Columns, usize)) -> Self {
        let number = |name: &str| parsed(table.field(name, row));
        Self {
            method: table.field("method", row),
            observable: table.field("observable", row),
            setup_s: number("setup_s"),
            before_s: number("setup_before_s").unwrap_or(0.0),
            independent_s: number("effective_samples_per_s").filter(|rate| *rate > 0.0).map(f64::recip),
            crossover: number("crossover_n_indep"),
            table,
            row,
        }
    }

    /// The text in a column.
    pub fn field(&self, name: &str) -> &'t str {
        self.table.field(name, self.row)
    }

    /// The number in a column.
    pub fn number(&self, name: &str) -> Option<f64> {
        parsed(self.field(name))
    }

    /// Counted floating-point operations for an independent configuration.
    pub fn independent_flops(&self) -> Option<f64> {
        Some(
            self.number("flops_per_sample")?
                / self.number("ess_per_configuration").filter(|ess| *ess > 0.0)?,
        )
    }
}

/// The prices of a cell.
pub fn prices<'t>(source: &'t Source<'_>, cell: &CellKeys) -> Vec<Price<'t>> {
    rows(source.run.cost.as_ref(), cell).map(Price::new).collect()
}

/// For each method the price of the observable that takes it longest.
pub fn slowest<'p, 't>(prices: &'p [Price<'t>]) -> Vec<&'p Price<'t>> {
    prices.iter().fold(Vec::new(), |mut slowest: Vec<&Price<'t>>, price| {
        match slowest.iter_mut().find(|known| known.method == price.method) {
            Some(known) if price.independent_s > known.independent_s => *known = price,
            Some(_) => {}
            None => slowest.push(price),
        }
        slowest
    })
}
