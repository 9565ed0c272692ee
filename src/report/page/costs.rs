//! What configurations cost: eqs. (4)-(7) of A22 as a table, and the crossover against Hybrid Monte Carlo.

use super::super::digits::{about, seconds};
use super::crossover::{Crossover, comparisons, over_cells};
use super::markup::{Field, Heading, Purpose, table};
use super::prices::{Price, prices, slowest};
use super::source::{CellKeys, Source};
use maud::{Markup, html};

/// The section.
pub fn costs(source: &Source<'_>) -> Markup {
    if source.run.cost.is_none() {
        return html! { p { "Nothing has been sampled: there is no cost.csv." } };
    }
    html! {
        @match source.cells.as_slice() {
            [cell] => {
                @let prices = prices(source, cell);
                @for comparison in comparisons(&prices) { p.crossover { (comparison.sentence()) } }
                (of_cell(source, cell))
            }
            _ => { p.crossover { (over_cells(&crossovers(source))) } (slowest_of_cells(source)) }
        }
        p.note {
            "Eqs. (4)–(7) of Abbott et al., doi:10.1140/epja/s10050-023-01154-w: N independent configurations cost C"
            sub { "setup" } " + ΔC" sub { "samp" } " N / ESS. The setup is N" sub { "train" } " ΔC" sub { "train" }
            " for a flow and thermalisation for chains; the ESS of a chain is 1/(2τ), for each observable. Times are those of the device "
            "named in the table, floating-point operations (FLOP) are counted."
        }
    }
}

/// From when on the flow of each cell has paid, for the first of its methods.
fn crossovers(source: &Source<'_>) -> Vec<Crossover> {
    let of = |cell| comparisons(&prices(source, cell)).first().map(|comparison| comparison.crossover());
    source.cells.iter().filter_map(of).collect()
}

/// All prices of a cell.
pub fn of_cell(source: &Source<'_>, cell: &CellKeys) -> Markup {
    // All digits of a study are in its table.
    let (title, purpose) = match source.is_study() {
        true => (format!("Cost of an independent configuration, cell {}", cell.number), Purpose::Read),
        false => ("Cost of an independent configuration".into(), Purpose::Digits),
    };
    let rows: Vec<Vec<Field>> = prices(source, cell).iter().map(|price| fields(price)).collect();
    html! { @if !rows.is_empty() { (table(&title, purpose, &headings(), &rows)) } }
}

/// For every cell and method the price of the observable that takes it longest.
fn slowest_of_cells(source: &Source<'_>) -> Markup {
    let mut rows = Vec::new();
    for cell in &source.cells {
        for price in slowest(&prices(source, cell)) {
            rows.push(cell.leading().map(Field::key).chain(fields(price)).collect());
        }
    }
    let keys = source.keys.iter().map(Heading::number);
    let headings: Vec<Heading> =
        std::iter::once(Heading::number("Cell")).chain(keys).chain(headings()).collect();
    table(
        "Cost of an independent configuration, for the observable that takes longest",
        Purpose::Sorted,
        &headings,
        &rows,
    )
}

fn headings() -> Vec<Heading> {
    let numbers = [
        "C setup",
        "N train",
        "ΔC train",
        "ΔC samp",
        "ESS",
        "τ",
        "independent one",
        "FLOP of it",
        "N drawn",
        "N indep",
        "per s",
    ];
    let names = ["Method", "Observable"].map(Heading::text).into_iter().chain(numbers.map(Heading::number));
    names.chain([Heading::text("Device")]).collect()
}

fn fields(price: &Price<'_>) -> Vec<Field> {
    let before = match price.before_s {
        0.0 => String::new(),
        before => format!(" after {}", seconds(before)),
    };
    let setup = match Field::seconds(price.setup_s) {
        Field::Number(value, shown) => Field::Number(value, shown + &before),
        other => other,
    };
    vec![
        Field::Text(price.method.into()),
        Field::Text(price.observable.into()),
        setup,
        Field::count(price.field("n_train")),
        Field::seconds(price.number("train_s_per_sample")),
        Field::seconds(price.number("sample_s_per_configuration")),
        Field::measured(price.field("ess_per_configuration"), price.field("ess_per_configuration_err")),
        Field::measured(price.field("tau_int"), price.field("tau_int_err")),
        Field::seconds(price.independent_s),
        Field::some(price.independent_flops(), |flops| format!("{flops:.2e}")),
        Field::count(price.field("n_raw")),
        Field::some(price.number("n_indep"), about),
        Field::number(price.field("effective_samples_per_s")),
        Field::Text(device(price)),
    ]
}

fn device(price: &Price<'_>) -> String {
    match price.field("threads") {
        "" => price.field("device").into(),
        "1" => format!("{}, 1 thread", price.field("device")),
        threads => format!("{}, {threads} threads", price.field("device")),
    }
}
