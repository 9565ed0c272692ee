//! What was asked of a run: theory, flow, training and sampling in words, what varies, and the whole specification.

use super::markup::list;
use super::source::Source;
use super::theory;
use crate::spec::{BaseSpec, FlowSpec, GaugeBaseSpec, MapSpec, STAGE, Spec};
use maud::{Markup, html};
use toml::Value;

/// Values of a key that are listed, at most.
const MOST_VALUES: usize = 24;

/// How many configurations a method was asked for.
const COUNTS: [&str; 4] = ["configurations", "proposals", "trajectories", "sweeps"];

/// The section.
pub fn asked(source: &Source<'_>) -> Markup {
    html! {
        @if let Some(spec) = &source.spec { (list(&in_words(source, spec))) }
        @if source.is_study() { (varied(source)) }
        details {
            summary { "The resolved specification" }
            pre.file { (source.text) }
        }
    }
}

fn in_words(source: &Source<'_>, spec: &Spec) -> Vec<(&'static str, String)> {
    let keys = spec.to_table();
    let entries = |path: [&str; 2]| keys.get(path[0]).and_then(|table| table.get(path[1])).map(entries);
    let ends = entries(["train", "stop"]).unwrap_or_default();
    let in_stages = source.keys.iter().any(|key| key == STAGE) && !ends.is_empty();
    let ends = if in_stages { format!("{ends}, where its stage says nothing else") } else { ends };
    vec![
        ("Theory", theory::in_words(&spec.theory, &source.keys)),
        ("Flow", spec.flow.as_ref().map(flow).unwrap_or_default()),
        ("Training ends at", ends),
        ("Sampling", sampling(&keys)),
        ("Seed", spec.seed.to_string()),
    ]
}

fn flow(flow: &FlowSpec) -> String {
    let couplings = |kind: &str, layers: usize, kernel_size: usize, hidden: &[usize]| {
        format!("{layers} {kind} couplings, networks with K = {kernel_size} and hidden widths {hidden:?}")
    };
    match flow {
        FlowSpec::Affine(affine) => {
            let base = match &affine.base {
                BaseSpec::UnitNormal => "unit normals",
                BaseSpec::FreeField(_) => "a free field",
                BaseSpec::LearnedSpectrum(_) => "a Gaussian field with a learned spectrum",
            };
            format!("{}, from {base}", couplings("affine", affine.layers, affine.kernel_size, &affine.hidden))
        }
        FlowSpec::Gauge(gauge) => {
            let map = match gauge.map {
                MapSpec::Spline(spline) => format!("circular splines with {} knots", spline.knots),
                MapSpec::Tan(tan) => format!("means of {} tangent maps", tan.components),
            };
            let couplings = couplings("gauge-equivariant", gauge.layers, gauge.kernel_size, &gauge.hidden);
            let base = match gauge.base {
                GaugeBaseSpec::HaarUniform => "uniform angles".to_owned(),
                GaugeBaseSpec::PureGauge(pure) => {
                    format!("exact draws of the gauge theory alone at beta = {}", pure.beta)
                }
            };
            format!("{couplings}, {map}, from {base}")
        }
    }
}

/// Methods with what was asked of them.
fn sampling(keys: &toml::Table) -> String {
    let Some(Value::Table(methods)) = keys.get("sample") else { return String::new() };
    let method = |(name, keys): (&String, &Value)| {
        let count = COUNTS.iter().find_map(|count| Some(format!(" ({count}: {})", keys.get(count)?)));
        format!("{name}{}", count.unwrap_or_default())
    };
    methods.iter().map(method).collect::<Vec<String>>().join(", ")
}

fn entries(table: &Value) -> String {
    let Value::Table(table) = table else { return table.to_string() };
    table.iter().map(|(key, value)| format!("{key} = {value}")).collect::<Vec<String>>().join(" or ")
}

/// The keys that vary, with their values.
fn varied<'s>(source: &'s Source<'_>) -> Markup {
    let entry = |(place, key): (usize, &'s String)| {
        let values = source.values(place);
        let more = values.len().saturating_sub(MOST_VALUES);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        let shown = values[..values.len().min(MOST_VALUES)].join(", ");
        (key.as_str(), shown + &more)
    };
    let entries: Vec<(&str, String)> = source.keys.iter().enumerate().map(entry).collect();
    html! {
        p { "A study of " (source.cells.len()) " cells" @if !entries.is_empty() { " that differ in" } }
        (list(&entries))
    }
}
