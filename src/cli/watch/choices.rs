//! What is shown of a run, and the keys that change it.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// Cells that a page has.
const PAGE: usize = 10;

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
    /// A table instead.
    Observables,
    /// Texts instead.
    Warnings,
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
    pub const ALL: [Self; 7] = [
        Self::Ess,
        Self::Loss,
        Self::LearningRate,
        Self::BatchSize,
        Self::GradNorm,
        Self::Observables,
        Self::Warnings,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ess => "ESS",
            Self::Loss => "loss",
            Self::LearningRate => "learning rate",
            Self::BatchSize => "batch size",
            Self::GradNorm => "gradient norm",
            Self::Observables => "observables",
            Self::Warnings => "warnings",
        }
    }
}

impl Across {
    pub const ALL: [Self; 3] = [Self::Steps, Self::Samples, Self::Seconds];

    pub fn name(self) -> &'static str {
        match self {
            Self::Steps => "training steps",
            Self::Samples => "training samples",
            Self::Seconds => "training time in s",
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
            KeyCode::Right | KeyCode::Down | KeyCode::Char('n') => self.at((self.cell + 1).min(last)),
            KeyCode::Left | KeyCode::Up | KeyCode::Char('p') => self.at(self.cell.saturating_sub(1)),
            KeyCode::PageDown => self.at((self.cell + PAGE).min(last)),
            KeyCode::PageUp => self.at(self.cell.saturating_sub(PAGE)),
            KeyCode::Home => self.at(0),
            KeyCode::End => self.at(last),
            KeyCode::Char('x') => Self { across: next(&Across::ALL, self.across), ..self },
            KeyCode::Char('y') | KeyCode::Tab => {
                Self { quantity: next(&Quantity::ALL, self.quantity), ..self }
            }
            _ => return Asked::Nothing,
        })
    }

    fn at(self, cell: usize) -> Self {
        Self { cell, ..self }
    }
}

/// The one after another, the first after the last.
fn next<T: Copy + PartialEq>(all: &[T], one: T) -> T {
    let place = all.iter().position(|other| *other == one).map_or(0, |place| place + 1);
    all[place % all.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_go_round_axes_and_stop_at_the_ends_of_the_cells() {
        let key = |code: KeyCode| KeyEvent::new(code, KeyModifiers::NONE);
        let pressed = |from: Choices, codes: &[KeyCode]| {
            codes.iter().fold(from, |choices, code| match choices.after(key(*code), 13) {
                Asked::Show(choices) => choices,
                other => panic!("{other:?}"),
            })
        };
        let start = Choices::default();
        let there = pressed(start, &[KeyCode::Right, KeyCode::Char('n'), KeyCode::Down, KeyCode::Char('x')]);
        assert_eq!(there, Choices { cell: 3, across: Across::Samples, quantity: Quantity::Ess });
        assert_eq!(
            pressed(there, &[KeyCode::Home, KeyCode::Left, KeyCode::Char('x'), KeyCode::Char('x')]),
            start
        );
        assert_eq!(pressed(there, &[KeyCode::PageDown]).cell, 12);
        assert_eq!(pressed(there, &[KeyCode::End, KeyCode::PageUp, KeyCode::Up]).cell, 1);
        assert_eq!(pressed(start, &[KeyCode::Tab; 7]), start);
        assert_eq!(pressed(start, &[KeyCode::Char('y')]).quantity, Quantity::Loss);
        assert_eq!(start.after(key(KeyCode::Char('q')), 13), Asked::Quit);
        assert_eq!(start.after(key(KeyCode::Char('z')), 13), Asked::Nothing);
        let interrupt = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(start.after(interrupt, 13), Asked::Interrupt);
    }
}
