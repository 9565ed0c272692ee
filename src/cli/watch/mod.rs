//! `flowqcd watch`: a run as it goes, on the whole screen of a terminal.

mod choices;
mod curves;
mod screen;
#[cfg(test)]
mod tests;
mod view;

use super::args::WatchArgs;
use super::signals;
use crate::error::Result;
use crate::report::live::Live;
use choices::{Asked, Choices};
use ratatui::crossterm::event::{self, Event, KeyEventKind};
use screen::{Screen, failed};
use signal_hook::consts::SIGINT;
use signal_hook::low_level::emulate_default_handler;
use std::time::{Duration, Instant};
use view::{Shown, draw};

/// Between two looks at the files of the chosen cell, if no key is pressed.
const LOOK: Duration = Duration::from_millis(250);

/// Between two looks at the states of all cells, at least.
const SURVEY: Duration = Duration::from_secs(2);

/// So many times as long as that took are left between two of them.
const PATIENCE: u32 = 10;

/// How it ended.
enum End {
    Quit,
    Signal(i32),
}

/// Shows a run until a key or a signal asks for an end.
pub fn watch(args: &WatchArgs) -> Result<()> {
    let live = Live::open(&args.run)?;
    let end = show(live, Screen::open(&args.run)?)?;
    if let End::Signal(signal) = end {
        // The terminal has been given back: now it is as if nothing had caught it.
        let _ = emulate_default_handler(signal);
    }
    Ok(())
}

fn show(mut live: Live, mut screen: Screen) -> Result<End> {
    let interrupt = signals::watch()?;
    let mut choices = Choices { cell: live.first(), ..Choices::default() };
    let mut next_survey = Instant::now() + SURVEY;
    let mut of_survey = None;
    loop {
        if let Some(signal) = interrupt.signal() {
            return Ok(End::Signal(signal.0.into()));
        }
        if Instant::now() >= next_survey {
            let start = Instant::now();
            of_survey = live.survey().err().map(|error| error.to_string());
            next_survey = Instant::now() + SURVEY.max(PATIENCE * start.elapsed());
        }
        choices.cell = choices.cell.min(live.cells().len().saturating_sub(1));
        let of_files = live.look(choices.cell).err().map(|error| error.to_string());
        screen.draw(|frame| draw(frame, &shown(&live, choices, of_survey.as_ref().or(of_files.as_ref()))))?;
        if event::poll(LOOK).map_err(failed)?
            && let Event::Key(key) = event::read().map_err(failed)?
            && key.kind != KeyEventKind::Release
        {
            match choices.after(key, live.cells().len()) {
                Asked::Quit => return Ok(End::Quit),
                Asked::Interrupt => return Ok(End::Signal(SIGINT)),
                Asked::Show(asked) => choices = asked,
                Asked::Nothing => {}
            }
        }
    }
}

/// What there is to show of a run.
fn shown<'a>(live: &'a Live, choices: Choices, problem: Option<&'a String>) -> Shown<'a> {
    Shown {
        run: live.path().display().to_string(),
        cells: live.cells(),
        files: live.files(choices.cell),
        stop: live.stop(choices.cell),
        problem: problem.map(String::as_str),
        choices,
    }
}
