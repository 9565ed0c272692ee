//! Specifications: what is accepted, what is refused, and in which words.

mod choices;
mod gauge;
mod studies;
mod values;

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
    let OptimizerSpec::Adam(adam) = &spec.train.as_ref().unwrap().optimizer else { panic!("Adam") };
    assert_eq!(adam.beta_2, 0.999);
    let again = Spec::parse(&spec.to_toml(), &[]).unwrap();
    assert_eq!(spec, again);
    assert_eq!(spec.digest(), again.digest());
}

#[test]
fn overrides_change_any_key_and_make_tables() {
    let overrides =
        ["theory.phi4.coupling=1.5", "train.batch.double.every=5", "train.batch.double.maximum=256"];
    let spec = Spec::parse(GOOD, &overrides.map(String::from)).unwrap();
    let TheorySpec::Phi4(phi4) = &spec.theory else { panic!("a scalar field") };
    assert_eq!(phi4.coupling, 1.5);
    assert_eq!(spec.train.as_ref().unwrap().batch.double.as_ref().unwrap().maximum, 256);
    let original = Spec::parse(GOOD, &[]).unwrap();
    let changed: Vec<String> = original.differences(&spec).into_iter().map(|d| d.0).collect();
    assert_eq!(changed, ["theory.phi4.coupling", "train.batch.double.every", "train.batch.double.maximum"]);
    let spec = Spec::parse(GOOD, &["theory.phi4.convention=albergo".into()]).unwrap();
    let TheorySpec::Phi4(phi4) = &spec.theory else { panic!("a scalar field") };
    assert_eq!(phi4.couplings().coupling, 0.25);
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
    walk("", schema);
    assert!(!schema.to_string().contains("null"), "TOML has no null");
}

#[test]
fn extents_may_be_one_to_four_numbers() {
    for extents in ["[8]", "[8, 4]", "[8, 4, 6]", "[8, 4, 6, 10]"] {
        let spec = Spec::parse(GOOD, &[format!("theory.phi4.extents={extents}")]).unwrap();
        let TheorySpec::Phi4(phi4) = &spec.theory else { panic!("a scalar field") };
        assert_eq!(format!("{:?}", phi4.lattice().extents()), extents);
    }
}

/// Old run directories and checkpoints are told by the digest of what was written then.
#[test]
fn stored_specifications_are_printed_as_they_were() {
    let mut folders = vec![std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("experiments")];
    let mut found = 0;
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.ends_with("spec.toml") {
                let text = std::fs::read_to_string(&path).unwrap();
                assert_eq!(Spec::parse(&text, &[]).unwrap().to_toml(), text, "{}", path.display());
                found += 1;
            }
        }
    }
    assert!(found > 5, "{found} specifications");
}
