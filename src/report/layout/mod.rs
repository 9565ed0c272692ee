//! Figures by name: those of A22, and what one looks at first.

mod curves;
mod measured;
mod paper;

use super::run::Run;
use super::sheet::Sheet;
use crate::error::{Error, Result};

/// A named layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// ESS of training batches against samples, with levels.
    Fig1,
    /// Training samples to a target ESS against 1/λ.
    Fig3,
    /// ESS of training batches, a panel for each stage.
    Fig4,
    /// ESS after so many steps against λ.
    Fig5,
    /// ESS and effective samples per second against λ.
    Fig6,
    /// ESS of fixed models against L beside eq. (8), and the pion mass.
    Fig7,
    /// ESS against the number of couplings.
    Fig8,
    /// ESS, on batches and on fresh configurations, and loss.
    Training,
    /// Two-point functions and effective masses.
    Correlator,
    /// Probabilities of topological charges.
    Charge,
}

/// What is asked of a layout.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Values of the ESS to mark.
    pub levels: &'a [f64],
    /// The key along the axis, in the place of that of the paper.
    pub key: Option<&'a str>,
}

impl Layout {
    /// All by their names.
    pub const ALL: [(&'static str, Self); 10] = [
        ("fig1", Self::Fig1),
        ("fig3", Self::Fig3),
        ("fig4", Self::Fig4),
        ("fig5", Self::Fig5),
        ("fig6", Self::Fig6),
        ("fig7", Self::Fig7),
        ("fig8", Self::Fig8),
        ("training", Self::Training),
        ("correlator", Self::Correlator),
        ("charge", Self::Charge),
    ];

    /// Those that are drawn where there is data for them, without being asked for.
    pub const MEASURED: [Self; 2] = [Self::Correlator, Self::Charge];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, layout)| *layout == self).map_or("", |(name, _)| name)
    }

    /// The layout of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, layout)| *layout)
    }

    /// The figure.
    ///
    /// # Errors
    /// [`Error::Usage`] if the tables have nothing for it, or too much to be told apart; [`Error::BadFile`] for a table that is not one.
    pub fn sheet(self, runs: &[Run], asked: Asked<'_>) -> Result<Sheet> {
        let mut sheet = match self {
            Self::Fig1 => curves::fig1(runs, asked.levels),
            Self::Fig4 => curves::fig4(runs, asked.levels),
            Self::Training => curves::training(runs, asked.levels),
            Self::Fig3 => paper::fig3(runs, asked.key),
            Self::Fig5 => paper::fig5(runs, asked.key),
            Self::Fig6 => paper::fig6(runs, asked.key),
            Self::Fig7 => paper::fig7(runs, asked.key),
            Self::Fig8 => paper::fig8(runs, asked.key),
            Self::Correlator => measured::correlator(runs),
            Self::Charge => measured::charge(runs),
        }?;
        sheet.panels.retain(super::figure::Figure::has_data);
        sheet.name = self.name().to_owned();
        if sheet.panels.is_empty() {
            return Err(self.nothing());
        }
        Ok(sheet)
    }

    fn nothing(self) -> Error {
        let (name, needs) = (
            self.name(),
            match self {
                Self::Fig1 | Self::Fig4 | Self::Training => "rows of training",
                Self::Fig3 => "finished cells that stopped at an ESS, not all at the same cost",
                Self::Fig5 | Self::Fig8 => "finished cells with an ESS",
                Self::Fig6 => "finished cells with an ESS or effective samples",
                Self::Fig7 => "finished cells with an ESS or a pion mass",
                Self::Correlator => "two-point functions or effective masses in observables.csv",
                Self::Charge => "probabilities of topological charges in observables.csv",
            },
        );
        Error::Usage {
            message: format!("nothing to draw: --style {name} needs {needs}"),
            hint: "choose another style, or leave out --where".into(),
        }
    }
}
