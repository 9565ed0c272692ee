//! The screen in text, at the two sizes that matter and at sizes that do not.

use super::choices::{Across, Choices, Quantity};
use super::shown;
use super::view::draw;
use crate::report::live::Live;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use std::path::Path;

const SPEC: &str = "version = 1\nseed = 1\nflow.affine = { layers = 4, kernel_size = 3, hidden = [6] }\n\
    theory.phi4 = { extents = [4, 4], mass_squared = 1.0, coupling = 0.5 }\n\
    train.batch.size = 100\ntrain.stop = { steps = 1000, ess = 0.9 }\ntrain.optimizer.adam.learning_rate = 1e-3\n";

const TRAIN: &str =
    "cell,step,samples,batch_size,learning_rate,loss,ess,ess_smoothed,grad_norm,wall_s,flops\n";

/// A study of three couplings: the first cell has trained for 500 steps of two seconds, the others have not begun.
fn study(folder: &Path) {
    let vary = "[study.vary]\n\"theory.phi4.coupling\" = [0.5, 1.0, 1.5]\n";
    std::fs::write(folder.join("spec.toml"), format!("{SPEC}{vary}")).unwrap();
    let cell = folder.join("cells/0000");
    std::fs::create_dir_all(&cell).unwrap();
    let row = |step: u32| {
        let ess = 0.8 * f64::from(step) / 500.0;
        format!("0,{step},{}00,100,0.001,{},{ess},{ess},2.5,{},1e6\n", step, -10.0 - ess, 2 * step)
    };
    let rows: String = (1..=500).map(row).collect();
    std::fs::write(cell.join("train.csv"), format!("{TRAIN}{rows}0,501,501")).unwrap();
    let ess = "cell,stage,step,samples,n,ess,ess_low,ess_high,ess_target\n\
               0,train_eval,250,25000,1000,0.375,0.35,0.4,\n0,train_eval,500,50000,1000,0.75,0.7,0.78,0.5\n";
    std::fs::write(cell.join("ess.csv"), ess).unwrap();
    let log = "2026-01-02T03:04:05Z real scalar field, 4 x 4\n2026-01-02T03:04:06Z warning: the tail is heavy\n\
               2026-01-02T03:05:00Z evaluating on 1000 fresh configurations\n";
    std::fs::write(cell.join("log.txt"), log).unwrap();
}

/// Lines of the screen without spaces at their ends.
fn screen(folder: &Path, choices: Choices, (width, height): (u16, u16)) -> Vec<String> {
    let mut live = Live::open(folder).unwrap();
    live.look(choices.cell).unwrap();
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    let mut shown = shown(&live, choices, None);
    shown.run = "runs/study".into();
    terminal.draw(|frame| draw(frame, &shown)).unwrap();
    let buffer = terminal.backend().buffer();
    let cells: Vec<&str> = buffer.content().iter().map(|cell| cell.symbol()).collect();
    cells.chunks(usize::from(width)).map(|line| line.concat().trim_end().to_owned()).collect()
}

/// The screen as it was looked at and found good.
fn snapshot(name: &str) -> String {
    let path = format!("{}/src/cli/watch/screens/{name}.txt", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn a_small_screen_has_everything() {
    let folder = tempfile::tempdir().unwrap();
    study(folder.path());
    let lines = screen(folder.path(), Choices::default(), (80, 24));
    assert_eq!(lines.join("\n"), snapshot("small").trim_end());
}

#[test]
fn a_large_screen_has_a_list_of_the_cells() {
    let folder = tempfile::tempdir().unwrap();
    study(folder.path());
    let lines = screen(folder.path(), Choices { quantity: Quantity::Loss, ..Choices::default() }, (200, 50));
    assert_eq!(lines.join("\n"), snapshot("large").trim_end());
}

#[test]
fn every_quantity_is_drawn_against_every_axis() {
    let folder = tempfile::tempdir().unwrap();
    study(folder.path());
    let quantities =
        [Quantity::Ess, Quantity::Loss, Quantity::LearningRate, Quantity::BatchSize, Quantity::GradNorm];
    for quantity in quantities {
        for (across, end) in [(Across::Steps, "500"), (Across::Samples, "50000"), (Across::Seconds, "1000")] {
            let text = screen(folder.path(), Choices { cell: 0, quantity, across }, (80, 24)).join("\n");
            let title = format!("{} against {}", quantity.name(), across.name());
            assert!(text.contains(&title), "{title} is missing in:\n{text}");
            assert!(
                text.lines().any(|line| line.trim_matches(['│', ' ']).ends_with(&format!(" {end}"))),
                "{end}:\n{text}"
            );
        }
    }
}

#[test]
fn a_cell_that_has_not_begun_says_so() {
    let folder = tempfile::tempdir().unwrap();
    study(folder.path());
    let text = screen(folder.path(), Choices { cell: 2, ..Choices::default() }, (80, 24)).join("\n");
    for expected in
        ["..[.]  # done", "cell 2: coupling = 1.5\nwaiting", "no ESS yet", "nothing was logged yet"]
    {
        assert!(text.contains(expected), "{expected} is missing in:\n{text}");
    }
    std::fs::write(folder.path().join("spec.toml"), SPEC).unwrap();
    let text = screen(folder.path(), Choices::default(), (80, 24)).join("\n");
    assert!(text.starts_with("runs/study  1 cell: 1 waiting\ncell 0\nwaiting\n"), "{text}");
}

#[test]
fn no_size_is_too_small_or_too_large() {
    let folder = tempfile::tempdir().unwrap();
    study(folder.path());
    for size in [(1, 1), (2, 30), (30, 2), (10, 10), (40, 12), (119, 24), (121, 9), (500, 200)] {
        let lines = screen(folder.path(), Choices::default(), size);
        assert_eq!(lines.len(), usize::from(size.1));
    }
}
