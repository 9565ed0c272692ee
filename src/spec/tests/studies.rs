//! Studies: which cells there are, where each starts, and what is refused.

use super::*;

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
