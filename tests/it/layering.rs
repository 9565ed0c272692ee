//! A module uses only modules above it in the list of `lib.rs`.

use super::support::repository;
use std::path::Path;

const ORDER: [&str; 18] = [
    "error", "files", "lattice", "rng", "cost", "spec", "kernel", "device", "theory", "flow", "ensemble",
    "stats", "train", "sample", "study", "report", "verify", "cli",
];

#[test]
fn modules_use_only_modules_above_them() {
    let source = repository("src");
    let mut seen = 0;
    for (layer, module) in ORDER.iter().enumerate() {
        for file in rust_files(&source, module) {
            let text = std::fs::read_to_string(&file).unwrap();
            for used in used_modules(&text) {
                let place = ORDER.iter().position(|name| *name == used);
                let place = place.unwrap_or_else(|| panic!("{} is in no layer", used));
                assert!(place <= layer, "{}: {module} uses {used}, which is below it", file.display());
                seen += usize::from(place < layer);
            }
        }
    }
    assert!(seen > 50, "only {seen} uses were found: the reader of `use crate::` lines is broken");
}

#[test]
fn every_module_has_its_layer_and_every_file_its_first_sentence() {
    let source = repository("src");
    let library = std::fs::read_to_string(source.join("lib.rs")).unwrap();
    let modules: Vec<&str> =
        library.lines().filter_map(|l| l.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert_eq!(modules.len(), ORDER.len());
    for module in modules {
        assert!(ORDER.contains(&module), "{module} is in no layer");
        for file in rust_files(&source, module) {
            let text = std::fs::read_to_string(&file).unwrap();
            assert!(text.starts_with("//! "), "{} does not say what it is", file.display());
        }
    }
}

fn rust_files(source: &Path, module: &str) -> Vec<std::path::PathBuf> {
    let single = source.join(format!("{module}.rs"));
    let mut found: Vec<_> = single.exists().then_some(single).into_iter().collect();
    let mut folders = vec![source.join(module)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push(path),
            }
        }
    }
    assert!(!found.is_empty(), "{module} has no files");
    found
}

/// First path segment after every `crate::`, groups included.
fn used_modules(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        assert!(!rest.starts_with('{'), "write one `use crate::module` line per module");
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        found.push(&rest[..end]);
    }
    found
}
