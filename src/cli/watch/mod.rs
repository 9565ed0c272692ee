//! `flowqcd watch`: a run as it goes, on the whole screen of a terminal.

mod axis;
mod choices;
mod curves;
mod facts;
mod panel;
mod screen;
#[cfg(test)]
mod tests;
mod text;
mod view;

use super::args::WatchArgs;
use super::signals;
use crate::error::Result;
use crate::report::live::Live;
use choices::{Asked, Choices};
use facts::Shown;
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use screen::{Screen, failed, give_back_between_frames};
use signal_hook::consts::SIGINT;
use signal_hook::low_level::emulate_default_handler;
use std::time::{Duration, Instant};
use view::draw;

/// Between two looks at the files of the chosen cell, if no key is pressed.
const LOOK: Duration = Duration::from_millis(250);

/// Between two looks at the states of all cells, at least.
const SURVEY: Duration = Duration::from_secs(2);

/// So many times as long as that took are left between two of them.
const PATIENCE: u32 = 10;

/// Keys that are obeyed at once, before the screen is drawn again.
const KEYS: usize = 64;

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Quit,
    Interrupt,
}

/// Shows a run until a key or a signal asks for an end.
pub fn watch(args: &WatchArgs) -> Result<()> {
    let live = Live::open(&args.run)?;
    // A thread of its own listens: a file system or a terminal that does not answer must not keep it from ending.
    signals::end_after(give_back_between_frames)?;
    if show(live, Screen::open(&args.run)?)? == End::Interrupt {
        // The terminal, which had the key, has been given back: now it is as if it had sent the signal.
        let _ = emulate_default_handler(SIGINT);
    }
    Ok(())
}

fn show(mut live: Live, mut screen: Screen) -> Result<End> {
    let mut choices = Choices { cell: live.first(), ..Choices::default() };
    let mut next_survey = Instant::now() + SURVEY;
    let mut of_survey = None;
    loop {
        if Instant::now() >= next_survey {
            let start = Instant::now();
            of_survey = live.survey().err().map(|error| error.to_string());
            next_survey = Instant::now() + SURVEY.max(PATIENCE * start.elapsed());
        }
        choices.cell = choices.cell.min(live.cells().len().saturating_sub(1));
        let looked = live.look(choices.cell).map(|files| files.is_behind);
        let is_behind = *looked.as_ref().unwrap_or(&false);
        let problem = of_survey.clone().or(looked.err().map(|error| error.to_string()));
        screen.draw(|frame| draw(frame, &shown(&live, choices, problem.as_deref())))?;
        match obey(choices, live.cells().len(), if is_behind { Duration::ZERO } else { LOOK })? {
            Ok(asked) => choices = asked,
            Err(end) => return Ok(end),
        }
    }
}

/// What is to be shown after the keys that come within a time, or an end.
fn obey(mut choices: Choices, cells: usize, mut within: Duration) -> Result<Result<Choices, End>> {
    for _ in 0..KEYS {
        if !event::poll(within).map_err(failed)? {
            break;
        }
        within = Duration::ZERO;
        if let Event::Key(key) = event::read().map_err(failed)?
            && key.kind != KeyEventKind::Release
        {
            match choices.after(key, cells) {
                Asked::Quit => return Ok(Err(End::Quit)),
                Asked::Interrupt => return Ok(Err(End::Interrupt)),
                Asked::Show(asked) => choices = asked,
                Asked::Nothing => {}
            }
        }
    }
    Ok(Ok(choices))
}

/// What there is to show of a run.
fn shown<'a>(live: &'a Live, choices: Choices, problem: Option<&'a str>) -> Shown<'a> {
    Shown {
        run: live.path().display().to_string(),
        cells: live.cells(),
        files: live.files(choices.cell),
        stop: live.stop(choices.cell),
        problem,
        choices,
    }
}
