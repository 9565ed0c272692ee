//! The results of two cells that are alike, and whether they agree.

use super::estimate::Estimate;
use super::found::{Found, MODEL, Name, TABLES};
use super::side::Side;
use serde::Serialize;

/// Two cells that are alike.
#[derive(Debug, Clone, Serialize)]
pub struct CellComparison {
    /// Number and varied keys in the first run.
    pub a: String,
    /// The same in the second.
    pub b: String,
    /// Tables with a row that is not the same to the last digit, but for times and where it was computed.
    pub differing_tables: Vec<&'static str>,
    /// Numbers with errors.
    pub results: Vec<Verdict>,
    /// Numbers without: acceptance, costs, rates.
    pub rates: Vec<Rate>,
    /// Results that only the first has.
    pub only_a: Vec<String>,
    /// Results that only the second has.
    pub only_b: Vec<String>,
}

/// A result of both.
#[derive(Debug, Clone, Serialize)]
pub struct Verdict {
    /// How it was sampled; `model` for what says how good the model is.
    pub method: String,
    /// The observable, `ess` or `ess_target`.
    pub quantity: String,
    /// In the first run.
    pub a: Estimate,
    /// In the second.
    pub b: Estimate,
    /// `b - a` in its standard errors; nothing if there is a difference and no error.
    pub sigmas: Option<f64>,
    /// Whether the two must agree: not the quality of two models, which were not trained alike.
    pub judged: bool,
    /// Whether they do, or need not.
    pub agrees: bool,
}

/// A number without an error.
#[derive(Debug, Clone, Serialize)]
pub struct Rate {
    /// How it was sampled.
    pub method: String,
    /// Name.
    pub quantity: String,
    /// In the first run.
    pub a: f64,
    /// In the second.
    pub b: f64,
}

impl Verdict {
    fn new(name: &Name, [a, b]: [Estimate; 2], same_model: bool, limit: f64) -> Self {
        let sigmas = a.sigmas(&b);
        let judged = same_model || name.method != MODEL;
        let agrees = !judged || sigmas.is_some_and(|sigmas| sigmas.abs() <= limit);
        Self { method: name.method.clone(), quantity: name.quantity.clone(), a, b, sigmas, judged, agrees }
    }

    /// The difference without its sign.
    pub fn size(&self) -> f64 {
        self.sigmas.map_or(f64::INFINITY, f64::abs)
    }
}

/// Compares two cells.
pub fn judge(cells: [(&Side, &str); 2], same_model: bool, limit: f64) -> CellComparison {
    let [a, b] = cells.map(|(side, cell)| side.name(cell));
    let [left, right] = cells.map(|(side, cell)| &side.cells[cell]);
    let results = both(&left.estimates, &right.estimates);
    let rates = both(&left.rates, &right.rates);
    CellComparison {
        a,
        b,
        differing_tables: differing(left, right),
        results: results.map(|(name, values)| Verdict::new(name, values, same_model, limit)).collect(),
        rates: rates
            .map(|(Name { method, quantity }, [a, b])| Rate {
                method: method.clone(),
                quantity: quantity.clone(),
                a,
                b,
            })
            .collect(),
        only_a: missing(left, right),
        only_b: missing(right, left),
    }
}

/// What both have.
fn both<'a, T: Copy>(
    left: &'a [(Name, T)],
    right: &'a [(Name, T)],
) -> impl Iterator<Item = (&'a Name, [T; 2])> {
    let of_right = |name: &Name| right.iter().find(|(other, _)| other == name).map(|(_, value)| *value);
    left.iter().filter_map(move |(name, value)| Some((name, [*value, of_right(name)?])))
}

/// Results that only the first has.
fn missing(here: &Found, there: &Found) -> Vec<String> {
    let is_there = |name: &Name| there.estimates.iter().any(|(other, _)| other == name);
    let alone = here.estimates.iter().filter(|(name, _)| !is_there(name));
    alone.map(|(Name { method, quantity }, _)| format!("{method} {quantity}")).collect()
}

/// The tables whose digests are not the same; one that neither has is.
fn differing(left: &Found, right: &Found) -> Vec<&'static str> {
    let digest = |found: &Found, name: &str| found.digests.get(name).map(blake3::Hasher::finalize);
    let names = TABLES.into_iter().map(|(name, _)| name);
    names.filter(|name| digest(left, name) != digest(right, name)).collect()
}
