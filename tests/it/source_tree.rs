//! Which source file uses which, from the paths they write: `crate::`, `super::`, `self::` and names of child modules, re-exports
//! followed to the file that defines an item.

use super::support::files;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The source files of a library by their path below `src`, comments and strings blanked for the reader of paths.
pub struct Source {
    texts: BTreeMap<String, String>,
    code: BTreeMap<String, String>,
    /// File of every module, by its path from the root.
    modules: BTreeMap<Vec<String>, String>,
}

/// One file uses an item that another defines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    pub from: String,
    pub to: String,
}

impl Source {
    /// Reads every `.rs` file of a folder, but those of the program, which only starts the library.
    pub fn read(folder: &Path) -> Self {
        let is_source = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "rs");
        let text = |path: PathBuf| {
            let name = path.strip_prefix(folder).expect("below the folder").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).expect("the source can be read"))
        };
        let texts: Vec<(String, String)> = files(folder).into_iter().filter(is_source).map(text).collect();
        Self::from_texts(
            texts
                .iter()
                .map(|(name, text)| (name.as_str(), text.as_str()))
                .filter(|t| !["main.rs", "allocator.rs"].contains(&t.0)),
        )
    }

    /// A tree from its texts.
    pub fn from_texts<'a>(texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let texts: BTreeMap<String, String> =
            texts.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect();
        let code = texts.iter().map(|(name, text)| (name.clone(), blanked(text))).collect();
        let modules = texts.keys().map(|name| (module_of(name), name.clone())).collect();
        Self { texts, code, modules }
    }

    /// Files with their texts.
    pub fn files(&self) -> impl Iterator<Item = (&String, &String)> {
        self.texts.iter()
    }

    /// Files with their texts, comments and strings blanked.
    pub fn code(&self) -> impl Iterator<Item = (&String, &String)> {
        self.code.iter()
    }

    /// Names of the modules that a file declares in files of their own.
    pub fn children(&self, file: &str) -> Vec<String> {
        let module = module_of(file);
        let direct =
            self.modules.keys().filter(|path| path.len() == module.len() + 1 && path.starts_with(&module));
        direct.map(|path| path[module.len()].clone()).collect()
    }

    /// Every use of one file by another, once.
    pub fn uses(&self) -> Vec<Use> {
        let mut found = BTreeSet::new();
        for (file, code) in &self.code {
            for (module, path) in self.paths(file, code) {
                if let Some(to) = self.defining_file(&module, &path, 0).filter(|to| to != file) {
                    found.insert(Use { from: file.clone(), to });
                }
            }
        }
        found.into_iter().collect()
    }

    /// The paths that a file writes, each with the module it is written in; re-exports are no uses.
    fn paths(&self, file: &str, code: &str) -> Vec<(Vec<String>, Vec<String>)> {
        let inline = inline_modules(code);
        let children = self.children(file);
        let exports = ranges_of(code, "pub use ");
        let mut found = Vec::new();
        for (at, word) in words(code) {
            let starts =
                ["crate", "super", "self"].contains(&word) || children.iter().any(|child| child == word);
            let rest = &code[at + word.len()..];
            let before = code[..at].trim_end();
            if !starts
                || !rest.starts_with("::")
                || before.ends_with("::")
                || exports.iter().any(|r| r.contains(&at))
            {
                continue;
            }
            let mut module = module_of(file);
            let around = inline.iter().filter(|(range, _)| range.contains(&at));
            module.extend(around.map(|(_, name)| name.clone()));
            found.extend(expanded(&code[at..]).into_iter().map(|path| (module.clone(), path)));
        }
        found
    }

    /// The file that defines what a path names.
    fn defining_file(&self, module: &[String], path: &[String], depth: usize) -> Option<String> {
        assert!(depth < 20, "re-exports lead in a circle: {path:?}");
        let mut here = module.to_vec();
        let mut rest = path;
        while let Some((first, others)) = rest.split_first() {
            match first.as_str() {
                "crate" => here.clear(),
                "super" => drop(here.pop()),
                "self" => {}
                name => {
                    let mut child = self.with_file(&here);
                    child.push(name.to_owned());
                    if self.modules.contains_key(&child) {
                        here = child;
                    } else {
                        return self.item_file(&here, name, depth);
                    }
                }
            }
            rest = others;
        }
        self.modules.get(&self.with_file(&here)).cloned()
    }

    /// The file that defines an item of a module, through its re-exports.
    fn item_file(&self, module: &[String], name: &str, depth: usize) -> Option<String> {
        let module = self.with_file(module);
        let file = self.modules.get(&module)?;
        let code = &self.code[file];
        for range in ranges_of(code, "pub use ").into_iter().chain(ranges_of(code, "pub(super) use ")) {
            let exports = expanded_use(&code[range]);
            if let Some((path, _)) = exports.iter().find(|(_, alias)| alias == name) {
                let is_local = !["crate", "super", "self"].contains(&path[0].as_str());
                let child = [&module[..], &path[..1]].concat();
                if !is_local || self.modules.contains_key(&child) {
                    return self.defining_file(&module, path, depth + 1);
                }
            }
        }
        Some(file.clone())
    }

    /// The innermost enclosing module that has a file: inline modules belong to it.
    fn with_file(&self, module: &[String]) -> Vec<String> {
        let mut module = module.to_vec();
        while !self.modules.contains_key(&module) {
            module.pop();
        }
        module
    }
}

fn module_of(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    if path == "lib" { Vec::new() } else { path.split('/').map(str::to_owned).collect() }
}

/// The text with comments and the content of strings replaced by spaces.
fn blanked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let raw = rest.starts_with("r\"") || rest.starts_with("r#\"");
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if raw {
            let close = if rest.starts_with("r#") { "\"#" } else { "\"" };
            rest[3..].find(close).map_or(rest.len(), |end| 3 + end + close.len())
        } else if first == '"' {
            string_length(rest)
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        out.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = &rest[length..];
    }
    out
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Every identifier with its place.
fn words(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut start = None;
    for (at, c) in code.char_indices().chain([(code.len(), ' ')]) {
        let is_part = c.is_alphanumeric() || c == '_';
        match (start, is_part) {
            (None, true) => start = Some(at),
            (Some(from), false) => {
                found.push((from, &code[from..at]));
                start = None;
            }
            _ => {}
        }
    }
    found
}

/// The places from a keyword to the next semicolon.
fn ranges_of(code: &str, keyword: &str) -> Vec<std::ops::Range<usize>> {
    let starts = code.match_indices(keyword).map(|(at, _)| at + keyword.len());
    starts.map(|at| at..code[at..].find(';').map_or(code.len(), |end| at + end)).collect()
}

/// Modules that are written out in the file, with their places.
fn inline_modules(code: &str) -> Vec<(std::ops::Range<usize>, String)> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("mod ") {
        let rest = &code[at + 4..];
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let after = rest[name.len()..].trim_start();
        if !name.is_empty() && after.starts_with('{') {
            let open = code.len() - after.len();
            found.push((open..open + matching(after), name));
        }
    }
    found
}

/// Length of a text in braces.
fn matching(text: &str) -> usize {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// The paths at the start of a text, groups in braces expanded.
fn expanded(text: &str) -> Vec<Vec<String>> {
    expanded_use(text).into_iter().map(|(path, _)| path).collect()
}

/// The same with the name that each is known by.
fn expanded_use(text: &str) -> Vec<(Vec<String>, String)> {
    let text = text.trim_start();
    let name: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_' || *c == '*').collect();
    let rest = text[name.len()..].trim_start();
    if let Some(rest) = rest.strip_prefix("::") {
        let rest = rest.trim_start();
        let tails = match rest.starts_with('{') {
            true => split_group(&rest[1..matching(rest) - 1])
                .into_iter()
                .flat_map(|part| expanded_use(&part))
                .collect(),
            false => expanded_use(rest),
        };
        let prefixed = |(tail, alias): (Vec<String>, String)| {
            let alias = if alias == "self" { name.clone() } else { alias };
            ([vec![name.clone()], tail].concat(), alias)
        };
        return tails.into_iter().map(prefixed).collect();
    }
    let alias = rest.strip_prefix("as ").map(|alias| alias.split(|c: char| !c.is_alphanumeric() && c != '_'));
    let alias = alias.and_then(|mut words| words.next()).map_or(name.clone(), str::to_owned);
    // Generic arguments and globs end a path.
    if name.is_empty() || name == "*" { vec![(Vec::new(), alias)] } else { vec![(vec![name], alias)] }
}

/// The parts of a group between commas that are in no inner braces.
fn split_group(text: &str) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for c in text.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(String::new());
                continue;
            }
            _ => {}
        }
        parts.last_mut().expect("there is one").push(c);
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}
