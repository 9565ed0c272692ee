//! Which cell of a run is the like of which of another: by their varied keys, whatever their numbers.

use super::found::{Cells, Found};
use crate::report::along::SEED;
use crate::report::value::canonical;
use crate::spec::Spec;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Numbers of cells, as text.
#[derive(Debug, Default, PartialEq)]
pub struct Pairs<'a> {
    /// Those that are alike.
    pub both: Vec<[&'a str; 2]>,
    /// Those that only the one run, or only the other, has.
    pub only: [Vec<&'a str>; 2],
}

/// A run: its specification and its cells.
pub type Side<'a> = (&'a Spec, &'a Cells);

/// Pairs of cells whose varied keys have the same values; where only one of the runs varies a key, that of the other is in its
/// specification. Repeats, which differ in their seeds, are paired if their seeds are equal, and the rest in their order.
pub fn pairs<'a>(sides: [Side<'a>; 2]) -> Pairs<'a> {
    let varied =
        |(_, cells): &Side<'a>| cells.values().flat_map(|found| &found.keys).map(|(key, _)| key.as_str());
    let keys: BTreeSet<&str> = sides.iter().flat_map(varied).filter(|key| *key != SEED).collect();
    let [left, right] = sides.map(|side| groups(side, &keys));
    let mut pairs = Pairs::default();
    let mut of_right = right.0;
    for place in &left.1 {
        let mut here = left.0[place].clone();
        let mut there = of_right.get_mut(place).map(std::mem::take).unwrap_or_default();
        let mut rest = Vec::new();
        while let Some((seed, number)) = here.pop_front() {
            match there.iter().position(|(other, _)| *other == seed) {
                Some(same) => pairs.both.extend(there.remove(same).map(|(_, other)| [number, other])),
                None => rest.push(number),
            }
        }
        let mut there = there.into_iter().map(|(_, number)| number);
        for number in rest {
            match there.next() {
                Some(other) => pairs.both.push([number, other]),
                None => pairs.only[0].push(number),
            }
        }
        pairs.only[1].extend(there);
    }
    let matched: BTreeSet<&Vec<String>> = left.1.iter().collect();
    let alone = right.1.iter().filter(|place| !matched.contains(place));
    pairs.only[1].extend(alone.flat_map(|place| of_right[place].iter().map(|(_, number)| *number)));
    let order = |number: &&str| number.parse::<u64>().unwrap_or(u64::MAX);
    pairs.both.sort_by_key(|[number, _]| order(number));
    pairs.only.iter_mut().for_each(|only| only.sort_by_key(order));
    pairs
}

/// The cells at one place: seeds and numbers.
type Group<'a> = VecDeque<(String, &'a str)>;

/// Cells by the values of keys, and these values in the order of the cells.
fn groups<'a>(
    (spec, cells): Side<'a>,
    keys: &BTreeSet<&str>,
) -> (BTreeMap<Vec<String>, Group<'a>>, Vec<Vec<String>>) {
    let constant: BTreeMap<&str, String> =
        keys.iter().map(|key| (*key, spec.shown(key).unwrap_or_default())).collect();
    let (mut groups, mut places) = (BTreeMap::<Vec<String>, Group<'a>>::new(), Vec::new());
    let mut ordered: Vec<(&String, &Found)> = cells.iter().collect();
    ordered.sort_by_key(|(number, _)| number.parse::<u64>().unwrap_or(u64::MAX));
    for (number, found) in ordered {
        let own = |key: &str| found.keys.iter().find(|(name, _)| name == key).map(|(_, text)| text.as_str());
        let place: Vec<String> =
            keys.iter().map(|key| canonical(own(key).unwrap_or(&constant[key]))).collect();
        let seed = own(SEED).map_or_else(|| spec.seed.to_string(), str::to_owned);
        let group = groups.entry(place.clone()).or_insert_with(|| {
            places.push(place);
            Group::new()
        });
        group.push_back((seed, number.as_str()));
    }
    (groups, places)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(coupling: f64, seed: u64) -> Spec {
        let text = format!(
            "version = 1\nseed = {seed}\nsample.hmc.trajectories = 2\n\
             theory.phi4 = {{ extents = [4, 4], mass_squared = 1.0, coupling = {coupling} }}\n"
        );
        Spec::parse(&text, &[]).unwrap()
    }

    fn cells(rows: &[(&str, &[(&str, &str)])]) -> Cells {
        let found = |keys: &[(&str, &str)]| Found {
            keys: keys.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())).collect(),
            ..Found::default()
        };
        rows.iter().map(|(number, keys)| ((*number).to_owned(), found(keys))).collect()
    }

    #[test]
    fn cells_are_alike_by_their_keys_whatever_their_numbers_and_order() {
        let spec = spec(1.0, 1);
        let one = cells(&[
            ("0", &[("coupling", "1.0"), ("extents", "[4, 4]")]),
            ("1", &[("coupling", "2"), ("extents", "[4, 4]")]),
        ]);
        let other = cells(&[
            ("10", &[("extents", "[4, 4]"), ("coupling", "1")]),
            ("2", &[("extents", "[4, 4]"), ("coupling", "2.0")]),
            ("3", &[("extents", "[8, 8]"), ("coupling", "2.0")]),
        ]);
        let found = pairs([(&spec, &one), (&spec, &other)]);
        assert_eq!(found.both, [["0", "10"], ["1", "2"]]);
        assert_eq!(found.only, [vec![], vec!["3"]]);
        let found = pairs([(&spec, &other), (&spec, &one)]);
        assert_eq!((found.both, found.only), (vec![["2", "1"], ["10", "0"]], [vec!["3"], vec![]]));
    }

    #[test]
    fn a_single_run_is_compared_with_the_cell_of_its_values() {
        let study = cells(&[("0", &[("coupling", "1.0")]), ("1", &[("coupling", "1.5")])]);
        let single = cells(&[("0", &[])]);
        let [of_single, of_study] = [1.5, 1.0].map(|coupling| spec(coupling, 1));
        let found = pairs([(&of_single, &single), (&of_study, &study)]);
        assert_eq!((found.both, found.only), (vec![["0", "1"]], [vec![], vec!["0"]]));
    }

    #[test]
    fn repeats_are_paired_by_equal_seeds_and_then_in_their_order() {
        let seeds = |seeds: [&'static str; 3]| -> Vec<(&'static str, [(&'static str, &'static str); 1])> {
            ["0", "1", "2"].into_iter().zip(seeds.map(|seed| [("seed", seed)])).collect()
        };
        let made = |rows: &[(&'static str, [(&'static str, &'static str); 1])]| {
            cells(&rows.iter().map(|(number, keys)| (*number, &keys[..])).collect::<Vec<_>>())
        };
        let (one, other) = (made(&seeds(["1", "2", "3"])), made(&seeds(["3", "4", "5"])));
        let [study, later] = [1, 4].map(|seed| spec(1.0, seed));
        let found = pairs([(&study, &one), (&study, &other)]);
        assert_eq!(found.both, [["0", "1"], ["1", "2"], ["2", "0"]]);
        // A run without repeats is the repeat of its seed.
        let single = cells(&[("0", &[])]);
        let found = pairs([(&later, &single), (&study, &other)]);
        assert_eq!((found.both, found.only), (vec![["0", "1"]], [vec![], vec!["0", "2"]]));
    }
}
