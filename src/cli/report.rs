//! `flowqcd report`.

use super::args::ReportArgs;
use super::beside::beside;
use super::output::print;
use crate::error::Result;
use crate::files::{create_folder, write_atomically};
use crate::report::{PageRequest, page};
use std::path::Path;

/// The name of the page.
const PAGE: &str = "report.html";

/// Writes the page and prints where it is.
pub fn report(args: &ReportArgs) -> Result<()> {
    let text = page(&PageRequest { runs: &args.runs, levels: &args.ess, key: args.x.as_deref() })?;
    let path = match &args.out {
        Some(path) => path.clone(),
        None => beside(&args.runs, PAGE, "say where the page goes: --out FILE")?,
    };
    write(&path, &text)?;
    match args.json {
        true => print(&serde_json::json!({ "file": path, "bytes": text.len() }).to_string()),
        false => print(&path.display().to_string()),
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        create_folder(folder)?;
    }
    write_atomically(path, text.as_bytes())
}
