//! Which rows of the tables are drawn.

use super::run::Run;
use super::value::is;
use crate::error::{Error, Result};
use std::collections::BTreeSet;
use std::str::FromStr;

/// Values that a message lists, at most.
const MOST_VALUES: usize = 40;

/// Rows are drawn if a leading column, the cell or a key that varies, has this value; of several for one key any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// The column.
    pub key: String,
    /// Its text in the tables, but for the spelling of numbers; a number stands for lists of it, too.
    pub value: String,
}

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('=').filter(|(key, _)| !key.is_empty());
        let (key, value) = parts.ok_or("must be KEY=VALUE, e.g. study_stage=retrain")?;
        Ok(Self { key: key.into(), value: value.into() })
    }
}

impl Condition {
    fn refused(&self, rule: String, hint: String) -> Error {
        Error::Usage { message: format!("--where {}={}: {rule}", self.key, self.value), hint }
    }
}

/// Leaves the rows that are to be drawn.
///
/// # Errors
/// [`Error::Usage`] for a key that a run does not have, or a value that no row has.
pub fn select(runs: &mut [Run], conditions: &[Condition]) -> Result<()> {
    conditions.iter().try_for_each(|condition| check(runs, condition))?;
    let keys: BTreeSet<&str> = conditions.iter().map(|condition| condition.key.as_str()).collect();
    for key in keys {
        let asked: Vec<&str> = conditions.iter().filter(|c| c.key == key).map(|c| c.value.as_str()).collect();
        for table in runs.iter_mut().flat_map(Run::tables_mut) {
            let texts = table.leading_texts(key).unwrap_or_default();
            let kept: Vec<bool> =
                texts.iter().map(|text| asked.iter().any(|value| is(value, text))).collect();
            table.retain(&kept);
        }
    }
    Ok(())
}

fn check(runs: &[Run], condition: &Condition) -> Result<()> {
    let mut values: Vec<&str> = Vec::new();
    for run in runs {
        let mut leading: Vec<&str> = Vec::new();
        for table in run.tables() {
            leading.extend(table.leading().iter().map(String::as_str));
            values.extend(table.leading_texts(&condition.key).unwrap_or_default());
        }
        if !leading.is_empty() && !leading.contains(&condition.key.as_str()) {
            let rule = format!("{} has no such leading column", run.folder.display());
            return Err(condition.refused(rule, format!("there are: {}", list(&leading))));
        }
    }
    if values.iter().any(|value| is(&condition.value, value)) {
        return Ok(());
    }
    Err(condition.refused("no row has this value".into(), format!("there are: {}", list(&values))))
}

/// Every text once, as they come, as far as there is room.
fn list(texts: &[&str]) -> String {
    let mut seen = BTreeSet::new();
    let once: Vec<&str> = texts.iter().copied().filter(|text| seen.insert(*text)).collect();
    let shown = once.iter().take(MOST_VALUES).map(|text| if text.is_empty() { "\"\"" } else { text });
    let shown = shown.collect::<Vec<&str>>().join(", ");
    match once.len() {
        0..=MOST_VALUES => shown,
        count => format!("{shown}, and {} more", count - MOST_VALUES),
    }
}

#[cfg(test)]
mod tests {
    use super::super::run::labelled;
    use super::*;

    const ESS: &str = "cell,study_stage,extents,coupling,stage,ess\n0,base,\"[4, 4]\",1.0,final,0.1\n\
                       1,retrain,\"[4, 4]\",1.0,final,0.2\n2,retrain,\"[8, 8]\",1.5,final,0.3\n\
                       3,retrain,\"[4, 4, 4]\",2.0,final,0.4\n";

    /// Cells that are left, or what is refused.
    fn selected(conditions: &[&str]) -> Result<Vec<String>> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("spec.toml"), "").unwrap();
        std::fs::write(folder.path().join("ess.csv"), ESS).unwrap();
        let mut runs = labelled(&[folder.path().to_owned()])?;
        let conditions: Vec<Condition> = conditions.iter().map(|text| text.parse().unwrap()).collect();
        select(&mut runs, &conditions)?;
        let table = runs[0].ess.as_ref().unwrap();
        Ok(table.leading_texts("cell").unwrap().into_iter().map(str::to_owned).collect())
    }

    #[test]
    fn rows_are_those_with_any_value_of_every_key() {
        let cells = |conditions: &[&str]| selected(conditions).unwrap().concat();
        assert_eq!(cells(&[]), "0123");
        assert_eq!(cells(&["study_stage=retrain"]), "123");
        assert_eq!(cells(&["coupling=1"]), "01");
        assert_eq!(cells(&["coupling=1", "coupling=2.0"]), "013");
        assert_eq!(cells(&["coupling=1", "study_stage=retrain"]), "1");
        assert_eq!(cells(&["extents=4"]), "013");
        assert_eq!(cells(&["extents=[4,4]", "cell=1"]), "1");
    }

    #[test]
    fn what_no_row_has_is_refused_with_what_there_is() {
        let refused = |condition: &str| selected(&[condition]).unwrap_err();
        assert_eq!(refused("abacus=1").exit_code(), 2);
        let error = refused("abacus=1").to_string();
        assert!(error.contains("has no such leading column"), "{error}");
        assert!(error.contains("hint: there are: cell, study_stage, extents, coupling"), "{error}");
        let error = refused("coupling=3").to_string();
        assert!(error.contains("--where coupling=3: no row has this value"), "{error}");
        assert!(error.contains("hint: there are: 1.0, 1.5, 2.0"), "{error}");
        assert!("study_stage".parse::<Condition>().is_err() && "=1".parse::<Condition>().is_err());
        assert_eq!("a=b=1".parse(), Ok(Condition { key: "a".into(), value: "b=1".into() }));
    }
}
