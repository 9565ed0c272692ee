//! `flowqcd sample`.

use super::args::SampleArgs;
use super::output::print;
use super::progress::{Terminal, duration};
use super::table::{count, lines, of_tail, with_error};
use super::{crew, memory, signals};
use crate::comm::Leading;
use crate::error::{Error, Result};
use crate::study::{Draw, Drawn, Trained, assist};

/// Draws an ensemble from a checkpoint and prints what it is worth.
pub fn sample(args: &SampleArgs) -> Result<()> {
    // First of all, as every process has to come that was started.
    let interrupt = signals::watch()?;
    let Some(device) = crew::join(&args.device, &interrupt, false)? else { return Ok(()) };
    let crew = device.crew();
    if !crew.leads() {
        assist(&device);
        return Ok(());
    }
    let _leading = Leading(crew);
    let folder = args.out.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(Error::Usage {
            message: format!("--out = {}: there is no folder {}", args.out.display(), folder.display()),
            hint: format!("make it: mkdir -p {}", folder.display()),
        });
    }
    memory::check_number(args.number)?;
    let trained = Trained::load(&args.checkpoint)?;
    let progress = Terminal::new(args.quiet, false);
    let seed = args.seed.unwrap_or(trained.spec.seed);
    let last = args.first + args.number - 1;
    progress.line(&format!(
        "{} after {} steps; configurations {} to {last} of seed {seed} on {}, {}",
        trained.path.display(),
        trained.step,
        args.first,
        device.of_all(),
        count(device.threads_of_all(), "thread")
    ));
    progress.line(&trained.describe());
    let draw = Draw { seed, first: args.first, count: args.number, file: &args.out };
    let drawn = trained.draw(&draw, &device, &progress, &interrupt);
    progress.finish();
    let drawn = drawn?;
    match args.device.json {
        true => print(&serde_json::to_string_pretty(&drawn).expect("plain data")),
        false => print(&text(&drawn)),
    }
}

fn text(drawn: &Drawn) -> String {
    let row = |name: &str, value: String| (name.to_owned(), value);
    let tail = drawn
        .pareto
        .as_ref()
        .map_or_else(|| "not fitted: few weights, or all alike, or a few that rule".into(), of_tail);
    lines(&[
        row("configurations", format!("{}, {:.1} MB", drawn.count, drawn.bytes as f64 / 1e6)),
        row("ESS", with_error(drawn.ess, drawn.ess_err)),
        row("tail of the weights", tail),
        row("largest weight", format!("{:.3}%", 100.0 * drawn.max_weight_share)),
        row(
            "time",
            format!("{}, {:.0} configurations/s", duration(drawn.wall_s), drawn.count as f64 / drawn.wall_s),
        ),
    ])
}
