//! `flowqcd plot`.

use super::args::PlotArgs;
use super::beside::beside;
use super::output::{print, say};
use super::points::tables;
use super::progress::duration;
use super::table::lines;
use crate::error::Result;
use crate::report::{Against, Errors, Figures, Level, Request, What, plot as draw};

/// Draws figures from tables and prints where they are.
pub fn plot(args: &PlotArgs) -> Result<()> {
    let folder = match &args.out {
        Some(folder) => folder.clone(),
        None => beside(&args.runs, "figures", "say where the figures go: --out FOLDER")?,
    };
    let request = Request {
        runs: &args.runs,
        only: &args.only,
        levels: &args.ess,
        key: args.x.as_deref().filter(|_| args.y.is_none()),
        what: what(args),
        log: args.log.unwrap_or_default(),
        formats: &args.format,
        folder: &folder,
    };
    let drawn = draw(&request)?;
    if args.json {
        return print(&serde_json::to_string_pretty(&drawn).expect("plain data"));
    }
    if args.table && drawn.studies.is_empty() {
        say("no table: no finished cells differ in a number");
    }
    let above = if args.table { tables(&drawn.studies) } else { files(&drawn) };
    let parts = [above, levels(&drawn)];
    let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { Ok(()) } else { print(&parts.join("\n\n")) }
}

/// Which figures.
fn what(args: &PlotArgs) -> What<'_> {
    let (Some(x), Some(y)) = (&args.x, &args.y) else {
        return if args.style.is_empty() { What::Everything } else { What::Layouts(&args.style) };
    };
    let errors = match args.errors.as_deref() {
        None => Errors::Own,
        Some("none") => Errors::None,
        Some(column) => Errors::Column(column),
    };
    What::Against(Against { x, y, group: &args.group, errors })
}

fn files(drawn: &Figures) -> String {
    drawn.files.iter().map(|file| file.display().to_string()).collect::<Vec<String>>().join("\n")
}

fn levels(drawn: &Figures) -> String {
    let levels = drawn.levels.iter().map(|level| (format!("ESS {}, {}", level.ess, level.run), cost(level)));
    lines(&levels.collect::<Vec<_>>())
}

fn cost(level: &Level) -> String {
    level.reached.as_ref().map_or("not reached".into(), |reached| {
        let ratio = reached.ratio.map_or(String::new(), |ratio| format!(", {ratio:.1} times the fewest"));
        format!(
            "{} samples{ratio}; {} steps, {}, {:.2e} FLOP",
            reached.samples,
            reached.steps,
            duration(reached.wall_s),
            reached.flops
        )
    })
}
