//! Choices: tables that take exactly one of their names.

use super::*;

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
    walk("", json_schema(), &mut found);
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
    let equivariant = flow(&with("equivariant"));
    assert!(equivariant.kept_per_site() > 2.0 * kept[0]);
    assert!(flow(&always).has_weights_of(&flow(&plain)) && !equivariant.has_weights_of(&flow(&plain)));
    let found = problems(GOOD, &["flow.affine.symmetrise=true"]);
    assert!(
        found[0].contains("symmetrise = true: must be one of: never, after_training, always, equivariant"),
        "{found:?}"
    );
}
