//! What is shown of a run, and the keys that change it.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// What is drawn against what, of which cell.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Choices {
    /// The place of the cell.
    pub cell: usize,
    /// Upwards.
    pub quantity: Quantity,
    /// To the right.
    pub across: Across,
}

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Quantity {
    #[default]
    Ess,
    Loss,
    LearningRate,
    BatchSize,
    GradNorm,
}

/// Against what.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Across {
    #[default]
    Steps,
    Samples,
    Seconds,
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Asked {
    /// An end.
    Quit,
    /// An end, as a signal asks for it.
    Interrupt,
    /// Something else to be shown.
    Show(Choices),
    /// Nothing.
    Nothing,
}

impl Quantity {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ess => "ESS",
            Self::Loss => "loss",
            Self::LearningRate => "learning rate",
            Self::BatchSize => "batch size",
            Self::GradNorm => "gradient norm",
        }
    }

    fn next(self) -> Self {
        match self {
            Self::Ess => Self::Loss,
            Self::Loss => Self::LearningRate,
            Self::LearningRate => Self::BatchSize,
            Self::BatchSize => Self::GradNorm,
            Self::GradNorm => Self::Ess,
        }
    }
}

impl Across {
    pub fn name(self) -> &'static str {
        match self {
            Self::Steps => "steps",
            Self::Samples => "samples",
            Self::Seconds => "seconds",
        }
    }

    fn next(self) -> Self {
        match self {
            Self::Steps => Self::Samples,
            Self::Samples => Self::Seconds,
            Self::Seconds => Self::Steps,
        }
    }
}

impl Choices {
    /// What a key asks for where there are so many cells.
    pub fn after(self, key: KeyEvent, cells: usize) -> Asked {
        let last = cells.saturating_sub(1);
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return if key.code == KeyCode::Char('c') { Asked::Interrupt } else { Asked::Nothing };
        }
        Asked::Show(match key.code {
            KeyCode::Char('q') | KeyCode::Esc => return Asked::Quit,
            KeyCode::Right | KeyCode::Down | KeyCode::Char('n') => {
                Self { cell: (self.cell + 1).min(last), ..self }
            }
            KeyCode::Left | KeyCode::Up | KeyCode::Char('p') => {
                Self { cell: self.cell.saturating_sub(1), ..self }
            }
            KeyCode::Home => Self { cell: 0, ..self },
            KeyCode::End => Self { cell: last, ..self },
            KeyCode::Char('x') => Self { across: self.across.next(), ..self },
            KeyCode::Char('y') | KeyCode::Tab => Self { quantity: self.quantity.next(), ..self },
            _ => return Asked::Nothing,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_round_axes_and_stop_at_the_ends_of_the_cells() {
        let key = |code: KeyCode| KeyEvent::new(code, KeyModifiers::NONE);
        let pressed = |from: Choices, codes: &[KeyCode]| {
            codes.iter().fold(from, |choices, code| match choices.after(key(*code), 3) {
                Asked::Show(choices) => choices,
                other => panic!("{other:?}"),
            })
        };
        let start = Choices::default();
        let there = pressed(start, &[KeyCode::Right, KeyCode::Char('n'), KeyCode::Down, KeyCode::Char('x')]);
        assert_eq!(there, Choices { cell: 2, across: Across::Samples, quantity: Quantity::Ess });
        assert_eq!(
            pressed(there, &[KeyCode::Home, KeyCode::Left, KeyCode::Char('x'), KeyCode::Char('x')]),
            start
        );
        assert_eq!(pressed(start, &[KeyCode::Tab; 5]), start);
        assert_eq!(pressed(start, &[KeyCode::Char('y')]).quantity, Quantity::Loss);
        assert_eq!(start.after(key(KeyCode::Char('q')), 3), Asked::Quit);
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(start.after(interrupt, 3), Asked::Interrupt);
    }
}
