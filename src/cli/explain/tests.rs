//! What is explained is what there is.

use super::*;

/// `columns` holds the header of every table against these in the integration tests; here every one says what it is.
#[test]
fn every_column_and_every_warning_says_what_it_is() {
    for (file, row) in TABLES {
        let (text, items) = of_type(ROWS, row);
        assert!(text.starts_with(&format!("`{file}`: ")), "{file}: {text}");
        assert!(items.len() >= 5 && items.iter().all(|item| !item.text.is_empty()), "{file}: {items:?}");
    }
    let (_, items) = of_type(WARNINGS, "pub enum Warning");
    assert!(items.len() >= 17 && items.iter().all(|item| item.text.len() > 40), "{items:?}");
}

#[test]
fn topics_are_found_by_their_names() {
    let of = |topic: &str| in_words(topic).unwrap();
    assert!(of("ess").starts_with("ess.csv: a row is one evaluation on fresh configurations.\ncell\n"));
    assert!(of("train").starts_with("[train]: table"));
    assert!(of("train.csv").contains("\nlearning_rate\n    Learning rate of this step.\n"));
    assert!(of("columns").contains("\nacceptance\n"));
    assert!(of("warnings").contains("\nlow HMC acceptance\n"));
    let conventions = of("conventions");
    assert!(conventions.contains("- `p(φ) = e^{-S(φ)} / Z`") && conventions.contains("\n- W04: Wolff"));
    let map = of("flow.gauge.map");
    assert!(
        map.contains("[flow.gauge.map.spline]: table\n    Circular rational-quadratic splines."),
        "{map}"
    );
    let gradient = of("train.loss.reverse_kl.gradient");
    assert!(gradient.contains("    \"path\": Through the configuration alone"), "{gradient}");
}

#[test]
fn a_topic_that_is_none_is_named_with_what_is_near() {
    let problem = in_words("trian").unwrap_err();
    assert_eq!(problem.hint.as_deref(), Some("did you mean `train`?"));
}
