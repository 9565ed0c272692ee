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

/// The optimizer of [`GOOD`].
const ADAM: &str = "[train.optimizer.adam]\nlearning_rate = 1e-3";

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
        ("extents = [8, 8]", "extents = []", "theory.phi4.extents = []: must have 1 to 4 entries"),
        ("extents = [8, 8]", "extents = [8, 8, 8, 8, 8]", "must have 1 to 4 entries"),
        (
            "extents = [8, 8]",
            "extents = [8, 8, 2]",
            "kernel_size = 3: must not exceed the smallest extent, 2",
        ),
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
        (
            "mass_squared = -1.0\ncoupling = 1",
            "convention = \"nicoli\"\nkappa = 0.25\ncoupling = 0",
            "theory.phi4.kappa = 0.25: must be less than 0.25 where coupling = 0",
        ),
        (
            "mass_squared = -1.0\ncoupling = 1",
            "convention = \"del_debbio\"\nbeta = 0.6\ncoupling = 0",
            "theory.phi4.beta = 0.6: must be less than 0.5 where coupling = 0",
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
        (ADAM, "[train.optimizer.sgd]", "train.optimizer.sgd.learning_rate: missing"),
        (ADAM, "[train.optimizer.adadelta]\nrho = 1", "adadelta.rho = 1: must be less than 1"),
        (ADAM, "[train.optimizer.adadelta]\nepsilon = 0", "adadelta.epsilon = 0: must be greater than 0"),
        (
            ADAM,
            "[train.optimizer.sgd]\nlearning_rate = 1\nmomentum = -0.5",
            "train.optimizer.sgd.momentum = -0.5: must be at least 0",
        ),
        (
            ADAM,
            "[train.optimizer.sgd]\nlearning_rate = 1\nnesterov = true",
            "train.optimizer.sgd.nesterov = true: needs train.optimizer.sgd.momentum > 0 (line 20)",
        ),
        (
            ADAM,
            "[train.optimizer.adadelta]\nbeta_1 = 0.9",
            "train.optimizer.adadelta.beta_1: unknown key (line 19)",
        ),
        (
            "hidden = [8]",
            "hidden = [8]\ninitial.kaiming.width = -1",
            "flow.affine.initial.kaiming.width = -1: must be at least 0",
        ),
        (
            "hidden = [8]",
            "hidden = [8]\ninitial.xavier.width = 1",
            "flow.affine.initial.xavier.width: unknown key (line 14) | keys here: flow.affine.initial.xavier.gain",
        ),
        (
            "hidden = [8]",
            "hidden = [8]\ninitial_width = 0.5\ninitial.xavier.gain = 1",
            "flow.affine.initial_width = 0.5: cannot stand beside flow.affine.initial.xavier (line 14)",
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

#[test]
fn extents_may_be_one_to_four_numbers() {
    for extents in ["[8]", "[8, 4]", "[8, 4, 6]", "[8, 4, 6, 10]"] {
        let spec = Spec::parse(GOOD, &[format!("theory.phi4.extents={extents}")]).unwrap();
        let TheorySpec::Phi4(phi4) = &spec.theory else { panic!("a scalar field") };
        assert_eq!(format!("{:?}", phi4.lattice().extents()), extents);
    }
}

/// Every table of the schema that holds one of several, with its path.
fn choices() -> Vec<(String, Vec<String>)> {
    fn walk(path: &str, schema: &serde_json::Value, found: &mut Vec<(String, Vec<String>)>) {
        let Some(keys) = schema["properties"].as_object() else { return };
        if schema["maxProperties"] == 1 {
            found.push((path.to_owned(), keys.keys().cloned().collect()));
        }
        for (key, value) in keys {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            walk(&path, value, found);
        }
    }
    let mut found = Vec::new();
    walk("", &json_schema(), &mut found);
    found
}

#[test]
fn every_choice_is_a_table_that_takes_exactly_one_of_its_names() {
    let found = choices();
    let paths: Vec<&str> = found.iter().map(|(path, _)| path.as_str()).collect();
    for path in
        ["theory", "flow", "train.loss", "train.loss.forward_kl", "train.learning_rate", "train.optimizer"]
    {
        assert!(paths.contains(&path), "{path} is not among {paths:?}");
    }
    for (path, names) in &found {
        let list = names.iter().map(|name| format!("{path}.{name}")).collect::<Vec<String>>().join(", ");
        let with = |value: &str| {
            let mut table: toml::Table = GOOD.parse().unwrap();
            let (last, parents) =
                path.rsplit('.').collect::<Vec<&str>>().split_first().map(|(l, p)| (*l, p.to_vec())).unwrap();
            let place = parents.iter().rev().fold(&mut table, |table, key| {
                let below = table.entry(*key).or_insert_with(|| toml::Table::new().into());
                below.as_table_mut().unwrap()
            });
            let parsed: toml::Table = format!("v = {value}").parse().unwrap();
            place.insert(last.into(), parsed["v"].clone());
            problems(&table.to_string(), &[])
        };
        let all = names.iter().map(|name| format!("{name} = {{}}")).collect::<Vec<String>>().join(", ");
        let expect = |found: Vec<String>, expected: &str| {
            assert!(found.iter().any(|problem| problem.contains(expected)), "{found:#?} lacks {expected}");
        };
        expect(with("{}"), &format!("{path}: needs one of: {list}"));
        expect(with("{ unknown = 1 }"), &format!("{path}.unknown: unknown key"));
        expect(with(&format!("\"{}\"", names[0])), "must be a table, not a string");
        if names.len() > 1 {
            expect(with(&format!("{{ {all} }}")), &format!("{path}: takes only one of: {list}"));
        }
    }
}

#[test]
fn the_choice_that_is_made_without_one_may_be_written_but_is_not() {
    let left_out = Spec::parse(GOOD, &[]).unwrap();
    let chosen =
        Spec::parse(&format!("{GOOD}\n[train.loss.reverse_kl]\n[train.learning_rate.constant]\n"), &[]);
    assert_eq!(chosen.as_ref(), Ok(&left_out));
    assert_eq!(chosen.unwrap().to_toml(), left_out.to_toml());
    assert!(!left_out.to_toml().contains("reverse_kl") && !left_out.to_toml().contains("constant"));
}

/// `initial_width` came before `initial`: what it says is written as it was, so that digests stay.
#[test]
fn the_width_of_initial_weights_has_two_names_and_one_meaning() {
    let with = |changes: &[&str]| {
        let changes: Vec<String> = changes.iter().map(|change| change.to_string()).collect();
        Spec::parse(GOOD, &changes).unwrap()
    };
    let (left_out, short, long) = (
        with(&[]),
        with(&["flow.affine.initial_width=0.5"]),
        with(&["flow.affine.initial.kaiming.width=0.5"]),
    );
    assert!(left_out.to_toml().contains("hidden = [8]\ninitial_width = 1.0\n\n"), "{}", left_out.to_toml());
    assert!(short.to_toml().contains("hidden = [8]\ninitial_width = 0.5\n\n"), "{}", short.to_toml());
    assert_eq!((&short, short.digest()), (&long, long.digest()));
    assert_ne!(left_out.digest(), short.digest());

    // A resolved specification names its width, and a choice may be made beside it as long as it is the default.
    let chosen = ["flow.affine.initial.xavier.gain=0.5".to_owned()];
    let xavier = with(&["flow.affine.initial.xavier.gain=0.5"]);
    assert_eq!(Spec::parse(&left_out.to_toml(), &chosen).as_ref(), Ok(&xavier));
    assert_eq!(Spec::parse(&xavier.to_toml(), &[]).as_ref(), Ok(&xavier));
    assert!(!xavier.to_toml().contains("initial_width"), "{}", xavier.to_toml());
    let problems = Spec::parse(&short.to_toml(), &chosen).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:?}");

    let architectures = [&left_out, &short, &xavier].map(|spec| spec.flow.as_ref().unwrap().architecture());
    assert!(architectures.iter().all(|architecture| *architecture == architectures[0]));
}

/// A key with its default does not change what a specification is.
#[test]
fn losses_have_the_digest_that_they_had_before_they_had_gradients() {
    let left_out = Spec::parse(GOOD, &[]).unwrap();
    let written = Spec::parse(GOOD, &["train.loss.reverse_kl.gradient=reparametrised".into()]).unwrap();
    assert_eq!(written.digest(), left_out.digest());
    let path = Spec::parse(GOOD, &["train.loss.reverse_kl.gradient=path".into()]).unwrap();
    assert_ne!(path.training_digest(), left_out.training_digest());
    assert_eq!(Spec::parse(&path.to_toml(), &[]).unwrap(), path);
    let stored = Spec::parse(GOOD, &["train.loss.forward_kl.ensemble=a.npz".into()]).unwrap().to_toml();
    assert!(stored.contains("\n[train.loss.forward_kl]\nensemble = \"a.npz\"\n\n"), "{stored}");
}

#[test]
fn wrong_losses_are_named_with_their_rule() {
    for (changes, expected) in [
        (
            &["train.loss.reverse_kl.gradient=sideways"][..],
            "gradient = \"sideways\": must be one of: reparametrised, path, reinforce",
        ),
        (&["train.loss.reverse_kl.gradients=path"], "did you mean `train.loss.reverse_kl.gradient`?"),
        (
            &["train.loss.reverse_kl.gradient=reinforce", "train.batch.size=1"],
            "train.batch.size = 1: must be at least 2 where train.loss.reverse_kl.gradient = \"reinforce\"",
        ),
        (
            &[
                "train.loss.mixture.reverse_weight=1",
                "train.loss.mixture.reverse_kl.gradient=reinforce",
                "train.batch.size=1",
            ],
            "must be at least 2 where train.loss.mixture.reverse_kl.gradient = \"reinforce\"",
        ),
        (&["train.loss.mixture.reverse_weight=1"], "train.loss.mixture.forward_kl: missing"),
        (
            &["train.loss.mixture.reverse_weight=0"],
            "train.loss.mixture.reverse_weight = 0: must be greater than 0",
        ),
        (
            &["train.loss.reverse_kl.gradient=path", "train.loss.forward_kl.ensemble=a.npz"],
            "train.loss: takes only one of",
        ),
    ] {
        let found = problems(GOOD, changes);
        assert!(found.iter().any(|problem| problem.contains(expected)), "{found:#?} lacks {expected}");
    }
    let two = ["train.loss.reverse_kl.gradient=reinforce".to_owned(), "train.batch.size=2".to_owned()];
    assert!(Spec::parse(GOOD, &two).is_ok());
}

#[test]
fn a_choice_can_be_made_by_an_override_and_its_wrong_keys_name_the_nearest() {
    let spec = Spec::parse(GOOD, &["train.loss.forward_kl.ensemble=a.npz".into()]).unwrap();
    assert_eq!(
        spec.train.as_ref().unwrap().loss,
        LossSpec::ForwardKl(ForwardKlSpec::Ensemble("a.npz".into()))
    );
    for (change, hint) in [
        ("train.loss.forward_lk.ensemble=a.npz", "did you mean `train.loss.forward_kl`?"),
        ("train.optimizer.adam.learning_rat=1", "did you mean `train.optimizer.adam.learning_rate`?"),
        ("flow=affine", "unknown key"),
    ] {
        assert!(problems(GOOD, &[change])[0].contains(hint), "{change}");
    }
}

/// A base is a choice within a choice; what it starts from is no part of the architecture, which kind it is is.
#[test]
fn the_base_is_a_choice_of_its_own() {
    let with = |sets: &[&str]| {
        Spec::parse(GOOD, &sets.iter().map(|set| set.to_string()).collect::<Vec<String>>()).unwrap()
    };
    let plain = with(&[]);
    assert!(!plain.to_toml().contains("base"));
    let light = with(&["flow.affine.base.free_field.mass_squared=0.5"]);
    let unsaid = Spec::parse(&format!("{GOOD}\n[flow.affine.base.free_field]\n"), &[]).unwrap();
    let spectrum = with(&["flow.affine.base.learned_spectrum.mass_squared=0.5"]);
    assert!(unsaid.to_toml().contains("[flow.affine.base.free_field]\nmass_squared = 1.0"));
    assert_eq!(Spec::parse(&light.to_toml(), &[]).unwrap(), light);
    let architecture = |spec: &Spec| spec.flow.as_ref().unwrap().architecture();
    assert_eq!(architecture(&light), architecture(&unsaid));
    assert_ne!(architecture(&light), architecture(&plain));
    assert_ne!(architecture(&light), architecture(&spectrum));
    let count = |spec: &Spec| spec.flow.as_ref().unwrap().parameters(&[8, 8]);
    assert_eq!((count(&light), count(&spectrum)), (count(&plain) + 1.0, count(&plain) + 15.0));
    let found = problems(GOOD, &["flow.affine.base.free_field.mass_squared=0"]);
    assert!(found[0].contains("must be greater than 0"), "{found:?}");
}

/// What is trained with a symmetrised loss costs two passes, and its parameters are those of the flow alone.
#[test]
fn a_symmetrised_flow_says_so_and_others_do_not() {
    let with = |value: &str| Spec::parse(GOOD, &[format!("flow.affine.symmetrise={value}")]).unwrap();
    let plain = Spec::parse(GOOD, &[]).unwrap();
    assert_eq!(with("never").to_toml(), plain.to_toml());
    assert!(!plain.to_toml().contains("symmetrise"));
    let [after, always] = ["after_training", "always"].map(with);
    assert!(always.to_toml().contains("symmetrise = \"always\""));
    let flow = |spec: &Spec| spec.flow.clone().unwrap();
    let kept = [&plain, &after, &always].map(|spec| flow(spec).kept_per_site());
    assert_eq!(kept, [kept[0], kept[0], 2.0 * kept[0]]);
    assert_eq!(flow(&always).parameters(&[8, 8]), flow(&plain).parameters(&[8, 8]));
    assert_ne!(flow(&always).architecture(), flow(&plain).architecture());
    let found = problems(GOOD, &["flow.affine.symmetrise=true"]);
    assert!(
        found[0].contains("symmetrise = true: must be one of: never, after_training, always"),
        "{found:?}"
    );
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

/// Stages of a study: a base, chains from its cells, and models of a file.
const STAGES: &str = r#"
[study]
repeats = 2
grid = [{ "flow.affine.layers" = [2, 4], "flow.affine.kernel_size" = [3, 5] }]

[study.stage.base]
set."train.stop.steps" = 40

[study.stage.chain]
set = { "train.optimizer.adam.learning_rate" = 1e-4, "train.stop" = { ess = 0.5 } }
vary."theory.phi4.coupling" = [1.0, 0.8, 0.6]
start.previous.from = "base"

[study.stage.volume]
vary."theory.phi4.extents" = [[8, 8], [12, 12]]
set."train.stop.steps" = 0
start.stage = { name = "base", optimizer = "reset" }
"#;

#[test]
fn stages_go_through_every_point_and_each_cell_knows_where_it_starts() {
    let cells = Spec::parse(&format!("{GOOD}{STAGES}"), &[]).unwrap().cells().unwrap();
    let from: Vec<Option<usize>> = cells.iter().map(|cell| cell.start.map(|start| start.position)).collect();
    let base = [None; 4];
    let chains = (0..4).flat_map(|base| [Some(base), Some(4 + 3 * base), Some(5 + 3 * base)]);
    let volumes = (0..4).flat_map(|base| [Some(base); 2]);
    assert_eq!(from, base.into_iter().chain(chains).chain(volumes).collect::<Vec<_>>());
    let shown = |index: usize| cells[index].values.to_string();
    assert_eq!(
        shown(0),
        "study_stage = base, kernel_size = 3, layers = 2, coupling = 1.0, extents = [8, 8], seed = 1"
    );
    assert_eq!(
        shown(14),
        "study_stage = chain, kernel_size = 5, layers = 4, coupling = 0.8, extents = [8, 8], seed = 2"
    );
    let last = &cells[23];
    assert!(shown(23).starts_with("study_stage = volume, kernel_size = 5"), "{}", shown(23));
    assert_eq!(last.start.map(|start| start.optimizer), Some(OptimizerStart::Reset));
    let train = |index: usize| cells[index].spec.train.clone().unwrap();
    assert_eq!((train(0).stop.steps, train(0).stop.ess), (Some(40), None));
    assert_eq!((train(4).stop.steps, train(4).stop.ess), (None, Some(0.5)));
    // What a stage sets is not handed on.
    assert_eq!(train(23).stop.steps, Some(0));
    assert_eq!(train(23).optimizer.learning_rate(), 1e-3);
    let (all, again) = (identities(&cells), identities(&cells));
    assert_eq!(all, again);
    let distinct: std::collections::HashSet<&String> = all.iter().collect();
    assert_eq!(distinct.len(), cells.len());
    // What a cell goes back to is part of what it is.
    let other = format!("{GOOD}{STAGES}").replace("steps\" = 40", "steps\" = 41");
    let changed = identities(&Spec::parse(&other, &[]).unwrap().cells().unwrap());
    assert!(all.iter().zip(&changed).all(|(before, now)| before != now));
}

#[test]
fn wrong_studies_are_refused_with_all_that_is_wrong() {
    let staged = |change: (&str, &str)| {
        let text = STAGES.replacen(change.0, change.1, 1);
        assert_ne!(text, STAGES, "{change:?}");
        problems(&format!("{GOOD}{text}"), &[])
    };
    for (change, expected) in [
        (("[1.0, 0.8, 0.6]", "[]"), "study.stage.chain.vary.\"theory.phi4.coupling\" = 0 values: must have"),
        (
            ("previous.from = \"base\"", "previous.from = \"bas\""),
            "must be a stage of the study | did you mean `base`?",
        ),
        (
            ("[study.stage.base]", "[study.stage.base]\nstart.stage.name = \"volume\""),
            "study.stage.base.start = base from volume from base: must not lead back to the stage itself",
        ),
        (
            ("previous.from", "previous.along = \"theory.phi4.couplin\"\nstart.previous.from"),
            "must be a key of a list in the same table | did you mean `theory.phi4.coupling`?",
        ),
        (
            ("[[8, 8], [12, 12]]", "[[8, 8], [8, 8, 8]]"),
            "must have as many as in the cell it goes on from, 2",
        ),
        (
            ("extents\" = [[8, 8], [12, 12]]", "extents\" = [[8, 8], [4, 4]]"),
            "must not exceed the smallest extent, 4",
        ),
        (
            ("set.\"train.stop.steps\" = 0", "set = { \"flow.affine.hidden\" = [4] }"),
            "flow: must be that of the cell it goes on from",
        ),
        (
            ("set.\"train.stop.steps\" = 0", "set = { \"train.stop.step\" = 0 }"),
            "did you mean `train.stop.steps`?",
        ),
        (("set.\"train.stop.steps\" = 0", "set = { \"study.repeats\" = 2 }"), "is not of a cell"),
        (
            ("set.\"train.stop.steps\" = 0", "set = { \"theory.phi4.extents\" = [4, 4] }"),
            "is both varied and set",
        ),
        (
            ("vary.\"theory.phi4.extents\" = [[8, 8], [12, 12]]", "vary.\"flow.affine.layers\" = [1]"),
            "is varied for all stages",
        ),
        (("grid = [{", "grid = [{}, {"), "study.grid[0]: must have a list"),
        (
            ("repeats = 2", "repeats = 2\nvary = { \"flow.affine.layers\" = [1] }"),
            "study.grid: flow.affine.layers: is varied twice",
        ),
        (("repeats = 2", "repeats = 100000"), "must be at most 10000 in all"),
        (("repeats = 2", "repeats = 2\nstart.stage.name = \"base\""), "is for a study without stages"),
    ] {
        let found = staged(change);
        assert!(found.iter().any(|problem| problem.contains(expected)), "{change:?}: {found:#?}");
    }
    let several = staged(("[1.0, 0.8, 0.6]", "[]\ngrid = [{}]"));
    assert_eq!(several.len(), 2, "{several:#?}");
    let alone = |study: &str| problems(&format!("{GOOD}\n[study]\n{study}\n"), &[]).concat();
    assert!(alone("start.previous = {}").contains("needs lists to follow"));
    assert!(alone("start.stage.name = \"base\"").contains("must be a stage, and the study has none"));
    let lists = "vary.\"theory.phi4.coupling\" = [1.0, 2.0]\ngrid = [{ seed = [1, 2] }]\nstart.previous = {}";
    assert!(alone(lists).contains("missing: there are several lists to follow"));
    assert!(
        alone("vary.\"train.optimizer\" = [{ adam = { learning_rate = -1.0 } }]")
            .contains("must be greater than 0")
    );
}

#[test]
fn a_varied_choice_is_shown_by_what_the_lists_say_of_it() {
    let study = r#"
[study.stage.rule]
vary."train.optimizer" = [{ adam = { learning_rate = 1e-3 } }, { sgd = { learning_rate = 0.1, momentum = 0.9 } }]

[study.stage.rate]
vary."flow.affine.layers" = [2, 4]
"#;
    let cells = Spec::parse(&format!("{GOOD}{study}"), &[]).unwrap().cells().unwrap();
    let shown: Vec<String> = cells.iter().map(|cell| cell.values.to_string()).collect();
    assert_eq!(
        shown,
        [
            "study_stage = rate, layers = 2, optimizer = adam learning_rate=0.001",
            "study_stage = rate, layers = 4, optimizer = adam learning_rate=0.001",
            "study_stage = rule, layers = 4, optimizer = adam learning_rate=0.001",
            "study_stage = rule, layers = 4, optimizer = sgd learning_rate=0.1 momentum=0.9",
        ]
    );
}
