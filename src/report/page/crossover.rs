//! From when on a flow has paid, in a sentence.

use super::super::digits::{about, seconds};
use super::prices::{Price, slowest};

/// The baseline.
const HMC: &str = "hmc";

/// Whether a flow is cheaper than Hybrid Monte Carlo.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Crossover {
    /// From so many independent configurations on.
    From(f64),
    /// Never, because it takes as long for one, or longer.
    Never,
    /// It is faster, but nobody knows what the configurations cost that it learned from.
    Unknown,
    /// There is no baseline for the observable.
    NoBaseline,
}

/// A method that samples a flow, with what it is compared with.
pub struct Comparison<'p> {
    flow: &'p Price<'p>,
    hmc: Option<&'p Price<'p>>,
}

/// The comparison of each method of a flow, for the observable that takes it longest.
pub fn comparisons<'p>(prices: &'p [Price<'p>]) -> Vec<Comparison<'p>> {
    let of_flow = |price: &&&Price<'_>| ["direct", "independence"].contains(&price.method);
    let slowest = slowest(prices);
    let comparison = |flow: &&'p Price<'p>| {
        // All observables rest on the weights of direct sampling; HMC is judged by the one that takes it longest.
        let hmc = match flow.method {
            "direct" => slowest.iter().copied().find(|price| price.method == HMC),
            _ => prices.iter().find(|price| price.method == HMC && price.observable == flow.observable),
        };
        Comparison { flow, hmc }
    };
    slowest.iter().filter(of_flow).map(comparison).collect()
}

impl Comparison<'_> {
    /// What the table says.
    pub fn crossover(&self) -> Crossover {
        let Some(hmc) = self.hmc else { return Crossover::NoBaseline };
        match self.flow.crossover {
            Some(count) => Crossover::From(count),
            None if self.flow.independent_s < hmc.independent_s => Crossover::Unknown,
            None => Crossover::Never,
        }
    }

    /// The same in a sentence.
    pub fn sentence(&self) -> String {
        let name = match self.flow.method {
            "direct" => "direct sampling from the flow",
            _ => "independence Metropolis with the flow",
        };
        let took = |price: &Price<'_>| price.independent_s.map_or("an unknown time".into(), seconds);
        let hmc = self.hmc.map(|hmc| (took(hmc), hmc.observable));
        let (hmc_s, observable) = hmc.unwrap_or_default();
        match self.crossover() {
            Crossover::From(0.0) => {
                format!(
                    "From the first configuration on {name}, its training included, is cheaper than HMC ({observable})."
                )
            }
            Crossover::From(count) => format!(
                "From {} independent configurations on {name}, its training included, is cheaper than HMC ({observable}).",
                about(count)
            ),
            Crossover::Never => format!(
                "Never is {name} cheaper than HMC: an independent configuration takes it {}, HMC {hmc_s} ({observable}), and \
                 training took {} before.",
                took(self.flow),
                seconds(self.flow.setup_s.unwrap_or(0.0) + self.flow.before_s)
            ),
            Crossover::Unknown => format!(
                "An independent configuration takes {name} {}, HMC {hmc_s} ({observable}), but from when on it is cheaper cannot be \
                 said: what the configurations cost that it learned from is not known.",
                took(self.flow)
            ),
            Crossover::NoBaseline => {
                format!(
                    "There is no HMC to compare {name} with: a table [sample.hmc] in the specification adds it."
                )
            }
        }
    }
}

/// In how many cells a flow pays, and from when on.
pub fn over_cells(found: &[Crossover]) -> String {
    let count = |kind: Crossover| found.iter().filter(|crossover| **crossover == kind).count();
    let [never, unknown, without] = [Crossover::Never, Crossover::Unknown, Crossover::NoBaseline].map(count);
    let all = found.len();
    if all == without {
        return match all {
            0 => "No cell has a flow to compare with HMC.".into(),
            _ => "There is no HMC to compare the flows with: a table [sample.hmc] in the specification adds it.".into(),
        };
    }
    if all == never {
        return format!(
            "In none of {all} cells is the flow ever cheaper than HMC: an independent configuration takes it longer, training aside."
        );
    }
    let others = [(never, "never"), (unknown, "not known when"), (without, "without HMC to compare with")];
    let others =
        others.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("; {count} {what}"));
    let others: String = others.collect();
    let (paid, range) = (all - never - unknown - without, range(found));
    format!(
        "In {paid} of {all} cells the flow, its training included, becomes cheaper than HMC{range}{others}."
    )
}

/// From when on, in all cells in which that is known.
fn range(found: &[Crossover]) -> String {
    let number = |crossover: &Crossover| match crossover {
        Crossover::From(count) => Some(*count),
        _ => None,
    };
    let from = || found.iter().filter_map(number);
    match from().reduce(f64::min).zip(from().reduce(f64::max)) {
        None => String::new(),
        Some((least, most)) if least == most => {
            format!(", from {} independent configurations on", about(least))
        }
        Some((least, most)) => {
            format!(", from {} to {} independent configurations on", about(least), about(most))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::columns::Columns;
    use super::*;

    /// What is said of rows of method, observable, effective samples per second, and crossover.
    fn said(rows: &[&str]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cost.csv");
        let header = "cell,method,observable,effective_samples_per_s,crossover_n_indep,setup_s";
        let rows = rows.iter().map(|row| format!("0,{row},60\n"));
        std::fs::write(&path, format!("{header}\n{}", rows.collect::<String>())).unwrap();
        let table = Columns::read(&path, "method").unwrap();
        let prices: Vec<Price<'_>> = (0..table.count()).map(|row| Price::new((&table, row))).collect();
        comparisons(&prices).iter().map(Comparison::sentence).collect()
    }

    #[test]
    fn the_crossover_is_said_for_the_observable_that_takes_longest() {
        let rows = ["direct,weights,2000,123456", "hmc,chi,1000,", "hmc,phi,5000,"];
        let expected = "From 123\u{202f}000 independent configurations on direct sampling from the flow, its training included, is \
                        cheaper than HMC (chi).";
        assert_eq!(said(&rows), [expected]);
        let rows = ["independence,chi,500,", "independence,phi,100,7", "hmc,chi,1000,", "hmc,phi,50,"];
        let expected = "From 7 independent configurations on independence Metropolis with the flow, its training included, is cheaper \
                        than HMC (phi).";
        assert_eq!(said(&rows), [expected]);
        assert!(
            said(&["direct,weights,2000,0", "hmc,chi,1000,"])[0]
                .starts_with("From the first configuration on")
        );
    }

    #[test]
    fn it_is_said_why_there_is_no_crossover() {
        let expected = "Never is direct sampling from the flow cheaper than HMC: an independent configuration takes it 10.0 ms, HMC 1.00 \
                        ms (chi), and training took 60.0 s before.";
        assert_eq!(said(&["direct,weights,100,", "hmc,chi,1000,"]), [expected]);
        assert!(
            said(&["direct,weights,2000,", "hmc,chi,1000,"])[0].contains("that it learned from is not known")
        );
        assert!(said(&["direct,weights,2000,"])[0].starts_with("There is no HMC to compare direct sampling"));
        assert!(
            said(&["independence,chi,2000,", "hmc,phi,1000,"])[0].starts_with("There is no HMC to compare")
        );
        assert!(said(&["hmc,phi,1000,"]).is_empty());
    }

    #[test]
    fn cells_are_counted_by_what_is_known_of_them() {
        use Crossover::{From, Never, NoBaseline, Unknown};
        let paid = "In 2 of 5 cells the flow, its training included, becomes cheaper than HMC, from 10 to 3\u{202f}000 independent \
                    configurations on; 2 never; 1 not known when.";
        assert_eq!(over_cells(&[From(3000.0), Never, From(10.0), Unknown, Never]), paid);
        assert!(over_cells(&[Never, Never]).starts_with("In none of 2 cells is the flow ever cheaper"));
        assert!(over_cells(&[NoBaseline]).starts_with("There is no HMC"));
        assert_eq!(over_cells(&[]), "No cell has a flow to compare with HMC.");
    }
}
