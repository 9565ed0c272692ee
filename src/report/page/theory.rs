//! A theory in words.

use crate::spec::{Boundary, Convention, Phi4Spec, SchwingerSpec, TheorySpec};

/// The action and its couplings; of a key that varies it is only said that it does.
pub fn in_words(theory: &TheorySpec, varied: &[String]) -> String {
    let coupling = |symbol: &str, key: &str, value: f64| match varied.iter().any(|name| name == key) {
        true => format!("{symbol} varied"),
        false => format!("{symbol} = {}", minus(value)),
    };
    let parts = match theory {
        TheorySpec::Phi4(spec) => scalar(spec, &coupling),
        TheorySpec::Schwinger(spec) => gauge(spec, varied, &coupling),
    };
    let volume = match varied.iter().any(|name| name == "extents") {
        true => "several lattices".into(),
        false => theory.extents().iter().map(ToString::to_string).collect::<Vec<String>>().join(" × "),
    };
    [&parts[..1], &[format!("on {volume}")], &parts[1..]].concat().join(", ").replacen(", on ", " on ", 1)
}

fn scalar(spec: &Phi4Spec, coupling: &dyn Fn(&str, &str, f64) -> String) -> Vec<String> {
    let optional =
        [("m²", "mass_squared", spec.mass_squared), ("κ", "kappa", spec.kappa), ("β", "beta", spec.beta)];
    let known = optional.into_iter().filter_map(|(symbol, key, value)| Some(coupling(symbol, key, value?)));
    let whose = match spec.convention {
        Convention::Paper => None,
        Convention::Albergo => Some("albergo"),
        Convention::Neumc => Some("neumc"),
        Convention::Nicoli => Some("nicoli"),
        Convention::DelDebbio => Some("del_debbio"),
    };
    let symbol = match spec.convention {
        Convention::Neumc | Convention::DelDebbio => "g",
        _ => "λ",
    };
    ["Real scalar field φ⁴".to_owned()]
        .into_iter()
        .chain(known)
        .chain([coupling(symbol, "coupling", spec.coupling)])
        .chain(whose.map(|whose| format!("in the convention {whose}")))
        .collect()
}

fn gauge(
    spec: &SchwingerSpec,
    varied: &[String],
    coupling: &dyn Fn(&str, &str, f64) -> String,
) -> Vec<String> {
    let has_fermions = spec.kappa > 0.0 || varied.iter().any(|key| key == "kappa");
    if !has_fermions {
        return vec!["U(1) gauge field".into(), coupling("β", "beta", spec.beta)];
    }
    let boundary = match spec.boundary {
        Boundary::Antiperiodic => "antiperiodic",
        Boundary::Periodic => "periodic",
    };
    vec![
        "Schwinger model with two flavours of Wilson fermions".into(),
        coupling("β", "beta", spec.beta),
        coupling("κ", "kappa", spec.kappa),
        format!("fermions {boundary} in time"),
    ]
}

fn minus(value: f64) -> String {
    value.to_string().replace('-', "−")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_theory_is_said_with_its_couplings_and_what_varies() {
        let spec = Phi4Spec {
            extents: vec![8, 4],
            mass_squared: Some(-4.0),
            kappa: None,
            beta: None,
            coupling: 8.0,
            convention: Convention::Albergo,
        };
        let theory = TheorySpec::Phi4(spec);
        let expected = "Real scalar field φ⁴ on 8 × 4, m² = −4, λ = 8, in the convention albergo";
        assert_eq!(in_words(&theory, &[]), expected);
        let varied = in_words(&theory, &["coupling".into(), "extents".into()]);
        assert_eq!(
            varied,
            "Real scalar field φ⁴ on several lattices, m² = −4, λ varied, in the convention albergo"
        );
        let (extents, boundary) = (vec![8, 8], Boundary::Antiperiodic);
        let gauge = TheorySpec::Schwinger(SchwingerSpec { extents, beta: 2.0, kappa: 0.0, boundary });
        assert_eq!(in_words(&gauge, &[]), "U(1) gauge field on 8 × 8, β = 2");
    }
}
