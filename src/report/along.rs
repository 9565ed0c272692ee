//! The key along the axis of the figures of a study.

use super::columns::Columns;
use super::value::number;
use crate::error::{Error, Result};

/// The key of repeats, which tells nothing apart.
pub const SEED: &str = "seed";

/// The key along the axis if there is a choice: other keys usually follow the volume.
const EXTENTS: &str = "extents";

/// What stands before the key for its inverse.
const INVERSE: &str = "1/";

/// A key that has numbers, or its inverse.
#[derive(Debug, Clone, PartialEq)]
pub struct Along {
    /// The column.
    pub key: String,
    inverse: bool,
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
            return Ok(key.map(|key| Self { key, inverse: false }));
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
        Ok(Some(Self { key: key.to_owned(), inverse: inverse.is_some() }))
    }

    /// What is written along the axis.
    pub fn label(&self) -> String {
        if self.inverse { format!("{INVERSE}{}", self.key) } else { self.key.clone() }
    }

    /// Whether it is that of the volume.
    pub fn is_of_volume(&self) -> bool {
        self.key == EXTENTS
    }

    /// Where a row is, if it has a number for the key.
    pub fn place(&self, table: &Columns, row: usize) -> Option<f64> {
        let number = number(table.text(&self.key, row))?;
        Some(if self.inverse { number.recip() } else { number }).filter(|place| place.is_finite())
    }
}

/// Keys that vary over numbers: the extents first, seeds last.
fn fitting<'a>(tables: &[&'a Columns]) -> Vec<&'a str> {
    let mut keys: Vec<&str> = Vec::new();
    for key in tables.iter().flat_map(|table| table.keys()) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys.sort_by_key(|key| (*key == SEED, *key != EXTENTS));
    let varies = |key: &&str| {
        let numbers: Option<Vec<f64>> = values(tables, key).map(number).collect();
        numbers.is_some_and(|numbers| numbers.iter().any(|n| *n != numbers[0]))
    };
    keys.into_iter().filter(varies).collect()
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
        assert_eq!(along(None).label(), "extents");
        assert_eq!(along(Some("coupling")).place(&table, 1), Some(4.0));
        let inverse = along(Some("1/coupling"));
        assert_eq!((inverse.label(), inverse.place(&table, 1)), ("1/coupling".into(), Some(0.25)));
        assert_eq!(along(Some("1/extents")).place(&table, 0), Some(0.25));
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
