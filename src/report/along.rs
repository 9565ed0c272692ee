//! The key along the axis of the figures of a study.

use super::columns::Columns;
use super::names::Names;
use super::value::number;
use crate::error::{Error, Result};

/// The key of repeats, which tells nothing apart.
pub const SEED: &str = "seed";

/// The key along the axis if there is a choice: other keys usually follow the volume.
const EXTENTS: &str = "extents";

/// What stands before the key for its inverse.
const INVERSE: &str = "1/";

/// A key that has numbers, or its inverse, or another column.
#[derive(Debug, Clone, PartialEq)]
pub struct Along {
    /// The column.
    pub key: String,
    inverse: bool,
    /// Whether it is no key.
    is_field: bool,
}

impl Along {
    /// The key asked for, `coupling` or `1/coupling`, or the first that has several numbers.
    ///
    /// # Errors
    /// [`Error::Usage`] for a key that does not vary over numbers, or the inverse of zero.
    pub fn choose(tables: &[&Columns], asked: Option<&str>) -> Result<Option<Self>> {
        let fitting = fitting(tables);
        let Some(asked) = asked else {
            let key = fitting.first().map(|key| (*key).to_owned());
            return Ok(key.map(|key| Self { key, inverse: false, is_field: false }));
        };
        let inverse = asked.strip_prefix(INVERSE).filter(|_| !fitting.contains(&asked));
        let key = inverse.unwrap_or(asked).trim();
        if !fitting.contains(&key) {
            return Err(Error::Usage {
                message: format!("--x = {asked}: must vary over numbers in the finished cells"),
                hint: match fitting.is_empty() {
                    true => "no key does in these runs: leave --x out".into(),
                    false => format!("these do: {}", fitting.join(", ")),
                },
            });
        }
        if inverse.is_some() && values(tables, key).any(|text| number(text) == Some(0.0)) {
            return Err(Error::Usage {
                message: format!("--x = {asked}: {key} = 0 has no inverse"),
                hint: format!("leave it out with --where, or take --x {key}"),
            });
        }
        Ok(Some(Self { key: key.to_owned(), inverse: inverse.is_some(), is_field: false }))
    }

    /// A column that is no key.
    pub fn field(name: &str) -> Self {
        Self { key: name.to_owned(), inverse: false, is_field: true }
    }

    /// The text of the column in a row.
    pub fn text<'t>(&self, table: &'t Columns, row: usize) -> &'t str {
        if self.is_field { table.field(&self.key, row) } else { table.text(&self.key, row) }
    }

    /// Whether a run that has no such column may say its value in its specification.
    pub fn may_be_constant(&self, table: &Columns) -> bool {
        !self.is_field && table.key(&self.key).is_none()
    }

    /// What is written along the axis.
    pub fn label(&self, names: Names) -> String {
        let key = names.key(&self.key);
        if self.inverse { format!("{INVERSE}{key}") } else { key.to_owned() }
    }

    /// Whether it is that of the volume.
    pub fn is_of_volume(&self) -> bool {
        self.key == EXTENTS
    }

    /// Where the text of the key is, if it is a number.
    pub fn place(&self, text: &str) -> Option<f64> {
        let number = number(text)?;
        Some(if self.inverse { number.recip() } else { number }).filter(|place| place.is_finite())
    }
}

/// Keys that vary over numbers: the extents first, seeds last, and between them those with more values before those with fewer.
fn fitting<'a>(tables: &[&'a Columns]) -> Vec<&'a str> {
    let mut keys: Vec<&str> = Vec::new();
    for key in tables.iter().flat_map(|table| table.keys()) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let numbers = |key: &str| values(tables, key).map(number).collect::<Option<Vec<f64>>>();
    let count = |key: &str| {
        let mut numbers = numbers(key).unwrap_or_default();
        numbers.sort_by(f64::total_cmp);
        numbers.dedup();
        numbers.len()
    };
    let counted = keys.into_iter().map(|key| (key, count(key))).filter(|(_, count)| *count > 1);
    let mut fitting: Vec<(&str, usize)> = counted.collect();
    fitting.sort_by_key(|(key, count)| (*key == SEED, *key != EXTENTS, std::cmp::Reverse(*count)));
    fitting.into_iter().map(|(key, _)| key).collect()
}

fn values<'a>(tables: &[&'a Columns], key: &str) -> impl Iterator<Item = &'a str> {
    tables.iter().filter_map(move |table| table.key(key)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Columns {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ess.csv"), text).unwrap();
        Columns::read(&folder.path().join("ess.csv"), "stage").unwrap()
    }

    const CELLS: &str = "cell,coupling,mass_squared,extents,seed,stage\n0,2.0,0,\"[4, 4]\",1,final\n\
                         1,4.0,-1.0,\"[8, 8]\",2,final\n";

    #[test]
    fn extents_are_preferred_and_inverses_can_be_asked_for() {
        let table = table(CELLS);
        let along = |asked: Option<&str>| Along::choose(&[&table], asked).unwrap().unwrap();
        let place = |along: &Along, row: usize| along.place(table.text(&along.key, row));
        assert_eq!(along(None).label(Names::Columns), "extents");
        assert_eq!(place(&along(Some("coupling")), 1), Some(4.0));
        let inverse = along(Some("1/coupling"));
        assert_eq!((inverse.label(Names::Columns), place(&inverse, 1)), ("1/coupling".into(), Some(0.25)));
        assert_eq!(inverse.label(Names::Symbols), "1/λ");
        assert_eq!(place(&along(Some("1/extents")), 0), Some(0.25));
    }

    #[test]
    fn what_cannot_be_an_axis_is_refused() {
        let table = table(CELLS);
        let refused = |asked: &str| Along::choose(&[&table], Some(asked)).unwrap_err().to_string();
        assert!(refused("1/mass_squared").contains("--x = 1/mass_squared: mass_squared = 0 has no inverse"));
        let error = refused("1/abacus");
        assert!(error.contains("--x = 1/abacus: must vary over numbers"), "{error}");
        assert!(error.contains("these do: extents, coupling, mass_squared, seed"), "{error}");
    }
}
