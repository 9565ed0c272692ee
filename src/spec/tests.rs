//! Specifications: what is accepted, what is refused, and in which words.

use super::*;

const GOOD: &str = r#"
version = 1
seed = 1

[theory.phi4]
extents = [8, 8]
mass_squared = -1.0
coupling = 1

[flow.affine]
layers = 4
kernel_size = 3
hidden = [8]

[train.batch]
size = 64

[train.optimizer.adam]
learning_rate = 1e-3

[train.stop]
steps = 10
"#;

fn problems(text: &str, overrides: &[&str]) -> Vec<String> {
    let overrides: Vec<String> = overrides.iter().map(|o| o.to_string()).collect();
    let problems = Spec::parse(text, &overrides).expect_err("should be refused");
    problems.iter().map(|p| format!("{p} | {}", p.hint.as_deref().unwrap_or(""))).collect()
}

#[test]
fn the_resolved_specification_reads_back_as_itself() {
    let spec = Spec::parse(GOOD, &[]).unwrap();
    assert_eq!(spec.train.optimizer.adam.beta_2, 0.999);
    let again = Spec::parse(&spec.to_toml(), &[]).unwrap();
    assert_eq!(spec, again);
    assert_eq!(spec.digest(), again.digest());
}

#[test]
fn overrides_change_any_key_and_make_tables() {
    let overrides =
        ["theory.phi4.coupling=1.5", "train.batch.double.every=5", "train.batch.double.maximum=256"];
    let spec = Spec::parse(GOOD, &overrides.map(String::from)).unwrap();
    assert_eq!(spec.theory.phi4.coupling, 1.5);
    assert_eq!(spec.train.batch.double.as_ref().unwrap().maximum, 256);
    let original = Spec::parse(GOOD, &[]).unwrap();
    let changed: Vec<String> = original.differences(&spec).into_iter().map(|d| d.0).collect();
    assert_eq!(changed, ["theory.phi4.coupling", "train.batch.double.every", "train.batch.double.maximum"]);
    let spec = Spec::parse(GOOD, &["theory.phi4.convention=albergo".into()]).unwrap();
    assert_eq!(spec.theory.phi4.couplings().coupling, 0.25);
}

/// Each case: what is changed, and what the one problem must say.
#[test]
fn each_wrong_value_is_named_with_its_rule() {
    for (from, to, expected) in [
        (
            "layers = 4",
            "layer = 4",
            "flow.affine.layer: unknown key (line 11) | did you mean `flow.affine.layers`?",
        ),
        ("layers = 4", "layers = 0", "flow.affine.layers = 0: must be at least 1 (line 11)"),
        ("extents = [8, 8]", "extents = [8, 9]", "theory.phi4.extents[1] = 9: must be even"),
        ("extents = [8, 8]", "extents = [8]", "theory.phi4.extents = [8]: must have 2 entries"),
        ("kernel_size = 3", "kernel_size = 4", "flow.affine.kernel_size = 4: must be odd"),
        (
            "kernel_size = 3",
            "kernel_size = 9",
            "flow.affine.kernel_size = 9: must not exceed the smallest extent, 8",
        ),
        ("coupling = 1", "coupling = -0.5", "theory.phi4.coupling = -0.5: must be at least 0"),
        (
            "coupling = 1",
            "coupling = 0",
            "theory.phi4.mass_squared = -1: must be greater than 0 where coupling = 0",
        ),
        ("coupling = 1", "coupling = nan", "theory.phi4.coupling = nan: must be finite"),
        ("coupling = 1", "coupling = \"1\"", "theory.phi4.coupling = \"1\": must be a number, not a string"),
        (
            "coupling = 1",
            "coupling = 1\nconvention = \"mine\"",
            "must be one of: paper, albergo, neumc, nicoli, del_debbio",
        ),
        ("coupling = 1", "coupling = 1\nkappa = 0.2", "is not part of the convention `paper`"),
        ("mass_squared = -1.0\n", "", "theory.phi4.mass_squared: missing: the convention `paper` needs it"),
        (
            "size = 64",
            "size = 1.5",
            "train.batch.size = 1.5: must be an integer, not a number with a decimal point",
        ),
        ("hidden = [8]", "hidden = [8, 0]", "flow.affine.hidden[1] = 0: must be at least 1"),
        ("steps = 10", "", "train.stop: needs one of: train.stop.ess, train.stop.samples"),
        ("steps = 10", "ess = 1.5", "train.stop.ess = 1.5: must be at most 1"),
        (
            "[train.stop]\nsteps = 10\n",
            "",
            "train.stop: missing | `train.stop`: Training ends on the first of these",
        ),
        ("[theory.phi4]", "[theory.phi3]", "theory.phi3: unknown key (line 5) | did you mean `theory.phi4`?"),
        ("version = 1", "version = 2", "version = 2: must be at most 1"),
        (
            "size = 64",
            "size = 64\ndouble = { every = 5, maximum = 32 }",
            "must be at least train.batch.size = 64",
        ),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let found = problems(&GOOD.replacen(from, to, 1), &[]);
        assert!(found.iter().any(|problem| problem.contains(expected)), "{to}: {found:#?} lacks {expected}");
    }
}

#[test]
fn all_problems_come_at_once() {
    let text = GOOD.replace("layers = 4", "layers = 0\ncolour = 1").replace("[8, 8]", "[7, 8]");
    let found = problems(&text.replace("kernel_size = 3", "kernel_size = 11"), &["train.batch.sizes=3"]);
    assert_eq!(found.len(), 5, "{found:#?}");
}

#[test]
fn broken_toml_is_told_with_its_line() {
    let found = problems(&GOOD.replace("layers = 4", "layers = "), &[]);
    assert!(found[0].starts_with("broken TOML: ") && found[0].contains("(line 11)"), "{found:?}");
}

#[test]
fn an_override_of_a_missing_key_names_the_nearest() {
    let found = problems(GOOD, &["theory.phi4.couplin=1.5"]);
    assert_eq!(
        found,
        [
            "--set theory.phi4.couplin = 1.5: unknown key `theory.phi4.couplin` | did you mean `theory.phi4.coupling`?"
        ]
    );
    assert!(problems(GOOD, &["theory.phi4"])[0].contains("must have the form PATH=VALUE"));
    assert!(problems(GOOD, &["theory.phi4=1"])[0].contains("unknown key"));
    assert!(problems(GOOD, &["flow.affine.layers=many"])[0].contains("must be an integer, not a string"));
}

#[test]
fn the_schema_describes_every_key() {
    fn walk(path: &str, schema: &serde_json::Value) {
        for (key, value) in schema["properties"].as_object().into_iter().flatten() {
            assert!(value["description"].is_string(), "{path}.{key} has no description");
            walk(&format!("{path}.{key}"), value);
        }
    }
    let schema = json_schema();
    walk("", &schema);
    assert!(!schema.to_string().contains("null"), "TOML has no null");
}
