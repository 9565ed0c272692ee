//! Figures by name: those of A22, and what one looks at first.

mod curves;
mod draws;
mod measured;
mod paper;
mod rows;

use super::figure::Figure;
use super::run::Run;
use super::series::Series;
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
    /// The topological charge along chains, and its probabilities.
    Charge,
    /// Histories of chains.
    Chain,
    /// Histograms of log w.
    Weights,
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
    pub const ALL: [(&'static str, Self); 12] = [
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
        ("chain", Self::Chain),
        ("weights", Self::Weights),
    ];

    /// Those that are drawn where there is data for them, without being asked for.
    pub const MEASURED: [Self; 4] = [Self::Correlator, Self::Charge, Self::Chain, Self::Weights];

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
        let mut panels = match self {
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
            Self::Chain => draws::chain(runs),
            Self::Weights => draws::weights(runs),
        }?;
        panels.retain(Figure::has_data);
        if panels.is_empty() {
            return Err(self.nothing());
        }
        share_colours(&mut panels);
        Ok(Sheet::fitting(self.name(), panels))
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
                Self::Charge => "topological charges in history.csv or observables.csv",
                Self::Chain => "history.csv, which runs with chains write",
                Self::Weights => "weights.csv, which runs with a model write",
            },
        );
        Error::Usage {
            message: format!("nothing to draw: --style {name} needs {needs}"),
            hint: "choose another style, or leave out --where".into(),
        }
    }
}

/// Gives series of one name in several panels the same colour: where a panel has some of the names of the first, it has all of them,
/// perhaps without points.
fn share_colours(panels: &mut [Figure]) {
    let Some((first, others)) = panels.split_first_mut() else { return };
    let names = |figure: &Figure| {
        let own = figure.series.iter().filter(|series| series.law_of.is_none());
        own.map(|series| series.label.clone()).collect::<Vec<String>>()
    };
    let all = names(first);
    for panel in others.iter_mut().filter(|panel| names(panel).iter().all(|name| all.contains(name))) {
        let empty =
            |label: &String| Series { label: label.clone(), points: Vec::new(), line: false, law_of: None };
        let marked = !panel.series.iter().any(|series| series.line);
        let before = all.iter().map(|label| Series { line: !marked, ..empty(label) });
        panel.series = before.chain(std::mem::take(&mut panel.series)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::super::figure::tests::figure;
    use super::super::series::Point;
    use super::*;

    #[test]
    fn layouts_have_their_names() {
        for (name, layout) in Layout::ALL {
            assert_eq!((layout.name(), Layout::named(name)), (name, Some(layout)));
        }
        assert_eq!(Layout::named("fig2"), None);
    }

    #[test]
    fn a_series_has_one_colour_in_all_panels() {
        let series = |label: &str| Series {
            label: label.into(),
            points: vec![Point::new(1.0, 0.5)],
            line: false,
            law_of: None,
        };
        let mut panels = [figure(vec![series("a"), series("b")]), figure(vec![series("b")])];
        share_colours(&mut panels);
        assert_eq!(panels[0].styles()[1], *panels[1].styles().last().unwrap());
        let mut others = [figure(vec![series("a")]), figure(vec![series("c")])];
        share_colours(&mut others);
        assert_eq!(others[1].series.len(), 1);
    }
}
