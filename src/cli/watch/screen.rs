//! The terminal while something is shown on all of it, and given back as it was, however that ends.

use crate::error::{Error, Result};
use ratatui::DefaultTerminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use std::io::{IsTerminal, stdin, stdout};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Whether the terminal is to be given back.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// Held while a frame is drawn.
static FRAME: Mutex<()> = Mutex::new(());

/// For so long the end of a frame is waited for: one that takes longer goes to a terminal that does not answer.
const FRAME_TIME: Duration = Duration::from_millis(500);

/// A terminal of which the whole screen is drawn on; it is itself again when this is dropped, and before a panic is reported.
pub struct Screen(DefaultTerminal);

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is none, [`Error::Io`].
    pub fn open(run: &Path) -> Result<Self> {
        let can_only_print = std::env::var("TERM").is_ok_and(|name| name == "dumb");
        if can_only_print || !stdin().is_terminal() || !stdout().is_terminal() {
            return Err(Error::Usage {
                message: "there is no terminal to draw on".into(),
                hint: format!("`flowqcd status {}` prints how far the cells have come", run.display()),
            });
        }
        give_back_before_panics();
        take().inspect_err(|_| give_back()).map(Self).map_err(failed)
    }

    /// Draws a frame.
    ///
    /// # Errors
    /// [`Error::Io`] if the terminal is gone.
    pub fn draw(&mut self, frame: impl FnOnce(&mut ratatui::Frame<'_>)) -> Result<()> {
        let _frame = FRAME.lock();
        if TAKEN.load(Ordering::SeqCst) {
            self.0.draw(frame).map_err(failed)?;
        }
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// Gives the terminal back between two frames, for good; to be called from another thread than that which draws.
pub fn give_back_between_frames() {
    let start = Instant::now();
    while start.elapsed() < FRAME_TIME {
        if let Ok(_frame) = FRAME.try_lock() {
            return give_back();
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    // Who writes to a terminal that does not answer holds the output: what can be had without it must do.
    let _ = disable_raw_mode();
}

/// That the terminal does not answer.
pub fn failed(error: std::io::Error) -> Error {
    Error::io(Path::new("terminal"), "use")(error)
}

fn take() -> std::io::Result<DefaultTerminal> {
    let _frame = FRAME.lock();
    TAKEN.store(true, Ordering::SeqCst);
    enable_raw_mode()?;
    execute!(stdout(), EnterAlternateScreen)?;
    DefaultTerminal::new(CrosstermBackend::new(stdout()))
}

/// Once: a second time would put the cursor over what was printed since. Of a terminal that is gone there is nothing to give back.
fn give_back() {
    if TAKEN.swap(false, Ordering::SeqCst) {
        let _ = execute!(stdout(), Show, LeaveAlternateScreen);
        let _ = disable_raw_mode();
    }
}

fn give_back_before_panics() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        give_back();
        usual(info);
    }));
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    /// Set where the test runs in the terminal that it made.
    const INSIDE: &str = "FLOWQCD_TEST_INSIDE_TMUX";

    #[test]
    fn a_panic_is_reported_on_the_terminal_as_it_was() {
        if std::env::var_os(INSIDE).is_some() {
            let mut screen = Screen::open(Path::new("run")).unwrap();
            screen.draw(|_| ()).unwrap();
            screen.draw(|_| panic!("in the middle of a frame")).unwrap();
        }
        if Command::new("tmux").arg("-V").output().is_err() {
            assert!(std::env::var_os("FLOWQCD_REQUIRE_TMUX").is_none(), "no tmux, but it is required here");
            return eprintln!("left out: there is no tmux");
        }
        let server = format!("flowqcd-panic-{}", std::process::id());
        let tmux = |arguments: &[&str]| {
            let mut tmux = Command::new("tmux");
            let output = tmux.args(["-u", "-L", &server]).args(arguments).stdin(Stdio::null()).output();
            String::from_utf8(output.expect("tmux runs").stdout).expect("UTF-8")
        };
        let program = std::env::current_exe().unwrap();
        let test = "cli::watch::screen::tests::a_panic_is_reported_on_the_terminal_as_it_was";
        let script = format!(
            "{INSIDE}=1 RUST_BACKTRACE=0 \"{}\" --exact {test} --nocapture; stty -a; echo over; exec sleep 600",
            program.display()
        );
        tmux(&["-f", "/dev/null", "new-session", "-d", "-x", "150", "-y", "60", "sh", "-c", &script]);
        let start = Instant::now();
        let screen = loop {
            let screen = tmux(&["capture-pane", "-p"]);
            if screen.contains("\nover\n") || start.elapsed() > Duration::from_secs(60) {
                break screen;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let state = tmux(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"]);
        tmux(&["kill-server"]);
        assert!(screen.contains("in the middle of a frame"), "{screen}");
        assert!(screen.contains("test result: FAILED. 0 passed; 1 failed"), "{screen}");
        assert!(
            screen.contains(" icanon") && screen.contains(" echo "),
            "the terminal is not as it was:\n{screen}"
        );
        assert_eq!(state.trim(), "0 1", "the screen and the cursor are back");
    }
}
