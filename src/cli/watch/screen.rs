//! The terminal while something is shown on all of it, and given back as it was, however that ends.

use crate::error::{Error, Result};
use ratatui::DefaultTerminal;
use std::io::{IsTerminal, stdin, stdout};
use std::path::Path;

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
        match ratatui::try_init() {
            Ok(terminal) => Ok(Self(terminal)),
            Err(error) => {
                let _ = ratatui::try_restore();
                Err(failed(error))
            }
        }
    }

    /// Draws a frame.
    ///
    /// # Errors
    /// [`Error::Io`] if the terminal is gone.
    pub fn draw(&mut self, frame: impl FnOnce(&mut ratatui::Frame<'_>)) -> Result<()> {
        self.0.draw(frame).map(|_| ()).map_err(failed)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = self.0.show_cursor();
        // Of a terminal that is gone there is nothing to give back.
        let _ = ratatui::try_restore();
    }
}

/// That the terminal does not answer.
pub fn failed(error: std::io::Error) -> Error {
    Error::io(Path::new("terminal"), "use")(error)
}
