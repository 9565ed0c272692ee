//! `flowqcd merge`.

use super::args::RunDirArgs;
use super::output::print;
use crate::error::Result;
use crate::study::Overview;

/// Puts the tables of a study together, and says which were not as the cells have them.
pub fn merge(args: &RunDirArgs) -> Result<()> {
    let changed = Overview::open(&args.run)?.merge()?;
    if args.json {
        return print(&serde_json::json!({ "changed": changed.unwrap_or_default() }).to_string());
    }
    print(&match changed.as_deref() {
        None => "a run of one cell: its tables are those of the cell".to_owned(),
        Some([]) => "the tables were as the cells have them".to_owned(),
        Some(names) => names.join("\n"),
    })
}
