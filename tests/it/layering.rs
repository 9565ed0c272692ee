//! A module uses only modules above it in the list of `lib.rs`, and no file takes part in a circle of files.

use super::source_tree::{Source, Use};
use super::support::repository;
use std::collections::{BTreeMap, BTreeSet};

/// The modules in the order of the list in `lib.rs`.
const ORDER: [&str; 19] = [
    "error", "files", "lattice", "rng", "cost", "spec", "comm", "kernel", "device", "theory", "flow",
    "ensemble", "stats", "train", "sample", "study", "report", "verify", "cli",
];

#[test]
fn modules_use_only_modules_above_them() {
    let mut seen = 0;
    for Use { from, to, .. } in Source::read(&repository("src")).uses() {
        // The library itself only lists its modules, and the program only calls it.
        let (Some(from_layer), Some(to_layer)) = (layer(&from), layer(&to)) else { continue };
        assert!(to_layer <= from_layer, "{from} uses {to}, which is below it");
        seen += usize::from(to_layer < from_layer);
    }
    assert!(seen > 200, "only {seen} uses were found: the reader of paths is broken");
}

#[test]
fn no_file_takes_part_in_a_circle_of_files() {
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for Use { from, to, .. } in Source::read(&repository("src")).uses() {
        edges.entry(from).or_default().insert(to);
    }
    assert!(edges.len() > 80, "only {} files use others: the reader of paths is broken", edges.len());
    let circles: Vec<String> = edges
        .keys()
        .filter_map(|file| shortest_way_back(&edges, file))
        .map(|circle| circle.join(" -> "))
        .collect();
    assert!(circles.is_empty(), "{} files are in circles:\n{}", circles.len(), circles.join("\n"));
}

#[test]
fn every_module_has_its_layer_and_every_file_its_first_sentence() {
    let source = Source::read(&repository("src"));
    let modules = source.children("lib.rs");
    assert_eq!(modules.len(), ORDER.len());
    assert!(modules.iter().all(|module| ORDER.contains(&module.as_str())), "{modules:?} and {ORDER:?}");
    for (file, text) in source.files() {
        assert!(text.starts_with("//! "), "{file} does not say what it is");
    }
}

/// Every block says why it is sound: clippy's `undocumented_unsafe_blocks` holds that.
#[test]
fn unsafe_code_is_in_the_kernels_and_where_it_is_known_of() {
    let source = Source::read(&repository("src"));
    let words =
        |code: &str| code.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|word| word == "unsafe");
    let found: Vec<&str> =
        source.code().filter(|(_, code)| words(code)).map(|(file, _)| file.as_str()).collect();
    assert!(found.len() > 20, "the reader of words is broken");
    for file in found.into_iter().filter(|file| !file.starts_with("kernel/")) {
        // One variable of the environment, before there are threads; the memory of an adapter.
        assert!(["cli/mod.rs", "device/adapters.rs"].contains(&file), "{file} has unsafe code");
    }
}

/// The reader of paths on a tree whose edges are known.
#[test]
fn re_exports_groups_and_inline_modules_are_followed() {
    let source = Source::from_texts([
        ("lib.rs", "pub mod a;\npub mod b;\n"),
        ("a/mod.rs", "mod inner;\nmod other;\npub use inner::{Thing, other_name as Renamed};\n"),
        ("a/inner.rs", "// use crate::b::Nothing\npub struct Thing; const S: &str = \"crate::b\";\n"),
        ("a/other.rs", "use super::Thing;\nmod deep { use super::super::inner; }\n"),
        (
            "b.rs",
            "use crate::a::{Renamed, other::{self, X}};\nfn f() { crate::a::Thing; }\nmod tests { use super::*; }\n",
        ),
    ]);
    let found: Vec<(String, String)> = source.uses().into_iter().map(|u| (u.from, u.to)).collect();
    let expected = [("a/other.rs", "a/inner.rs"), ("b.rs", "a/inner.rs"), ("b.rs", "a/other.rs")];
    assert_eq!(found, expected.map(|(from, to)| (from.to_owned(), to.to_owned())));
}

/// The place of a file's module in the order.
fn layer(file: &str) -> Option<usize> {
    let module = file.split('/').next().unwrap_or_default().trim_end_matches(".rs");
    ORDER.iter().position(|name| *name == module)
}

/// The files on a shortest way from a file back to itself, if there is one.
fn shortest_way_back(edges: &BTreeMap<String, BTreeSet<String>>, file: &str) -> Option<Vec<String>> {
    let mut ways = vec![vec![file.to_owned()]];
    let mut seen = BTreeSet::new();
    while !ways.is_empty() {
        let mut longer = Vec::new();
        for way in ways {
            for next in edges.get(way.last()?).into_iter().flatten() {
                let further = [way.clone(), vec![next.clone()]].concat();
                if next == file {
                    return Some(further);
                }
                if seen.insert(next.clone()) {
                    longer.push(further);
                }
            }
        }
        ways = longer;
    }
    None
}
