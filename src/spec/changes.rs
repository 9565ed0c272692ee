//! What was changed from one specification to another, choices taken as a whole.

use super::specification::Spec;
use super::varied::text;
use serde::Serialize;
use std::collections::BTreeSet;
use toml::{Table, Value};

/// A key whose value is not the same in two specifications.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Its dotted path.
    pub key: String,
    /// Its value in the first; nothing if it is not set.
    pub a: Option<Value>,
    /// The same in the second.
    pub b: Option<Value>,
}

impl Change {
    /// Both values as tables show them: a choice as `adam learning_rate=0.001`.
    pub fn texts(&self) -> [Option<String>; 2] {
        [&self.a, &self.b].map(|value| value.as_ref().map(text))
    }
}

impl Spec {
    /// The keys in which two specifications differ. A table that only one of them has, and a choice that was made differently, is one
    /// of them.
    pub fn changes(&self, other: &Self) -> Vec<Change> {
        let mut found = Vec::new();
        compare("", &self.to_table(), &other.to_table(), &mut found);
        found
    }

    /// The value of the only key whose path ends with these parts, as tables show it.
    pub fn shown(&self, name: &str) -> Option<String> {
        let mut found = Vec::new();
        ending("", &self.to_table(), name, &mut found);
        if found.len() == 1 { found.pop() } else { None }
    }
}

fn compare(path: &str, a: &Table, b: &Table, found: &mut Vec<Change>) {
    let keys: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    for name in keys {
        let key = join(path, name);
        match (a.get(name), b.get(name)) {
            (a, b) if a == b => {}
            (Some(Value::Table(a)), Some(Value::Table(b))) if !are_other_choices(a, b) => {
                compare(&key, a, b, found);
            }
            (a, b) => found.push(Change { key, a: a.cloned(), b: b.cloned() }),
        }
    }
}

/// Whether each holds one table, by another name.
fn are_other_choices(a: &Table, b: &Table) -> bool {
    let choice = |table: &Table| match table.iter().next() {
        Some((name, Value::Table(_))) if table.len() == 1 => Some(name.clone()),
        _ => None,
    };
    choice(a).zip(choice(b)).is_some_and(|(a, b)| a != b)
}

fn ending(path: &str, table: &Table, name: &str, found: &mut Vec<String>) {
    for (key, value) in table {
        let path = join(path, key);
        if path.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('.')) {
            found.push(text(value));
        } else if let Value::Table(inner) = value {
            ending(&path, inner, name, found);
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPEC: &str = "version = 1\nseed = 1\nflow.affine = { layers = 4, kernel_size = 3, hidden = [6] }\n\
        theory.phi4 = { extents = [4, 4], mass_squared = 1.0, coupling = 0.5 }\n\
        train.batch.size = 16\ntrain.stop.steps = 3\n";

    fn spec(more: &str) -> Spec {
        Spec::parse(&format!("{SPEC}{more}"), &[]).unwrap()
    }

    #[test]
    fn a_choice_and_a_table_that_one_side_has_are_one_change_each() {
        let adam = spec("train.optimizer.adam.learning_rate = 1e-3\n");
        let sgd = spec("train.optimizer.sgd = { learning_rate = 0.5 }\nsample.direct.configurations = 10\n");
        let changes = adam.changes(&sgd);
        let keys: Vec<&str> = changes.iter().map(|change| change.key.as_str()).collect();
        assert_eq!(keys, ["sample.direct", "train.optimizer"]);
        assert_eq!(changes[0].texts(), [None, Some("configurations=10".into())]);
        let [there, here] = changes[1].texts().map(Option::unwrap);
        assert!(there.starts_with("adam ") && there.contains("learning_rate=0.001"), "{there}");
        assert!(here.starts_with("sgd ") && here.contains("learning_rate=0.5"), "{here}");
        assert!(adam.changes(&adam).is_empty());
    }

    #[test]
    fn the_same_choice_is_told_key_by_key() {
        let [slow, fast] =
            ["1e-3", "2e-3"].map(|rate| spec(&format!("train.optimizer.adam.learning_rate = {rate}\n")));
        let changes = slow.changes(&fast);
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].key, "train.optimizer.adam.learning_rate");
        assert_eq!(changes[0].texts(), ["0.001", "0.002"].map(|text| Some(text.to_owned())));
    }

    #[test]
    fn a_value_is_found_by_the_end_of_its_key_if_that_is_clear() {
        let spec = spec("train.optimizer.adam.learning_rate = 1e-3\n");
        assert_eq!(spec.shown("coupling").as_deref(), Some("0.5"));
        assert_eq!(spec.shown("extents").as_deref(), Some("[4, 4]"));
        assert_eq!(spec.shown("phi4.coupling").as_deref(), Some("0.5"));
        assert_eq!(spec.shown("pling"), None);
    }
}
