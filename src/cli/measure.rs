//! `flowqcd measure`.

use super::args::MeasureArgs;
use super::output::{print, say};
use super::table::{lines, measured};
use crate::device;
use crate::error::Result;
use crate::spec::Spec;
use crate::study::{Measure, Measurements};

/// Measures an ensemble and prints what was found.
pub fn measure(args: &MeasureArgs) -> Result<()> {
    device::start_threads(args.threads.map(|threads| threads as usize))?;
    let theory = args.spec.as_ref().map(|file| Spec::load_theory(file, &args.set)).transpose()?;
    let measure = Measure {
        file: &args.ensemble,
        theory,
        chains: args.chains.map(|chains| chains as usize),
        skip: args.skip,
    };
    let found = measure.run()?;
    found.warnings.iter().for_each(|text| say(&format!("warning: {text}")));
    if let Some(out) = &args.out {
        found.write(out)?;
        say(&format!("observables in {}", out.display()));
    }
    match args.json {
        true => print(&serde_json::to_string_pretty(&found).expect("plain data")),
        false => print(&text(&found)),
    }
}

fn text(found: &Measurements) -> String {
    let row = |name: &str, value: String| (name.to_owned(), value);
    let configurations = match found.chains {
        None => format!("{} of a model, reweighted", found.n),
        Some(1) => format!("{} of one chain", found.n),
        Some(chains) => format!("{} of {chains} chains", found.n),
    };
    let mut rows = vec![row("theory", found.theory.clone()), row("configurations", configurations)];
    rows.extend(found.observables.iter().map(|found| {
        let tau = found.tau_int.zip(found.tau_int_err).map(|tau| (tau, None));
        row(&found.observable, measured((found.value, found.error), tau, found.exact))
    }));
    lines(&rows)
}
