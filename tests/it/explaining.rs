//! `flowqcd explain`: what it says is there.

use super::support::{Sandbox, repository};

#[test]
fn the_columns_that_are_explained_are_those_of_the_tables() {
    let sandbox = Sandbox::new();
    let run = repository("experiments/schwinger_table/pure_gauge");
    for file in ["train.csv", "ess.csv", "cost.csv", "observables.csv", "chains.csv"] {
        let table = std::fs::read_to_string(run.join(file)).unwrap();
        let header = table.lines().next().unwrap().split(',');
        let written: Vec<&str> = header.filter(|name| !["study_stage", "kappa"].contains(name)).collect();
        let explained = sandbox.flowqcd(&["explain", file]);
        assert_eq!(explained.code, Some(0), "{}", explained.stderr);
        let columns: Vec<&str> =
            explained.stdout.lines().skip(1).filter(|line| !line.starts_with(' ')).collect();
        assert_eq!(columns, written, "{file}");
    }
}

#[test]
fn topics_are_listed_and_another_is_refused_with_what_is_near() {
    let sandbox = Sandbox::new();
    let topics = sandbox.flowqcd(&["explain"]);
    assert_eq!(topics.code, Some(0));
    for topic in ["spec", "columns", "warnings", "conventions"] {
        assert!(topics.stdout.lines().any(|line| line == topic), "{}", topics.stdout);
        assert_eq!(sandbox.flowqcd(&["explain", topic]).code, Some(0));
    }
    let wrong = sandbox.flowqcd(&["explain", "train.stop.es"]);
    assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(2), ""));
    assert_eq!(
        wrong.stderr,
        "error: train.stop.es: is no table or key of specifications\n\nhint: did you mean `train.stop.ess`?\n"
    );
}
