//! The screen in text, at the two sizes that matter and at sizes that do not.

use super::choices::{Across, Choices, Quantity};
use super::facts::Shown;
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

/// A process that nobody can look at from here works on a cell.
const CLAIM: &str = r#"{"host":"node7","pid":4242,"since":"2026-01-02T03:04:05Z","namespace":"elsewhere","born":1,"released":false,"beat":3}"#;

/// A study of three couplings: the first cell has trained for 500 steps of two seconds, the others have not begun.
fn study(folder: &Path) {
    let vary = "[study.vary]\n\"theory.phi4.coupling\" = [0.5, 1.0, 1.5]\n";
    std::fs::write(folder.join("spec.toml"), format!("{SPEC}{vary}")).unwrap();
    let cell = folder.join("cells/0000");
    std::fs::create_dir_all(&cell).unwrap();
    std::fs::write(cell.join(".claim-000001"), CLAIM).unwrap();
    std::fs::write(cell.join("train.csv"), format!("{TRAIN}{}0,501,501", rows(500))).unwrap();
    let ess = "cell,stage,step,samples,n,ess,ess_low,ess_high,ess_target\n\
               0,train_eval,250,25000,1000,0.375,0.35,0.4,\n0,train_eval,500,50000,1000,0.75,0.7,0.78,0.5\n";
    std::fs::write(cell.join("ess.csv"), ess).unwrap();
    let log = "2026-01-02T03:04:05Z real scalar field, 4 x 4\n2026-01-02T03:04:06Z warning: the tail is heavy\n\
               2026-01-02T03:05:00Z evaluating on 1000 fresh configurations\n";
    std::fs::write(cell.join("log.txt"), log).unwrap();
}

/// Rows of a training whose loss falls from far above, and whose ESS rises.
fn rows(steps: u32) -> String {
    let row = |step: u32| {
        let (done, step) = (f64::from(step) / 500.0, f64::from(step));
        let (ess, loss) = (0.8 * done, -10.8765 + 5.0 / step + (-5.0 * done).exp());
        let noise = 0.05 * (37.0 * step).sin();
        format!(
            "0,{step},{step}00,100,0.001,{},{},{ess},{},{},1e6\n",
            loss + noise,
            ess + noise,
            50.0 / step,
            2.0 * step
        )
    };
    (1..=steps).map(row).collect()
}

/// Lines of the screen without spaces at their ends.
fn screen(folder: &Path, choices: Choices, size: (u16, u16)) -> Vec<String> {
    let mut live = Live::open(folder).unwrap();
    live.look(choices.cell).unwrap();
    let mut shown = shown(&live, choices, None);
    shown.run = "runs/study".into();
    drawn(&shown, size)
}

fn drawn(shown: &Shown<'_>, (width, height): (u16, u16)) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, shown)).unwrap();
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
    let texts = [Quantity::Observables, Quantity::Warnings];
    for quantity in Quantity::ALL.into_iter().filter(|quantity| !texts.contains(quantity)) {
        for (across, end) in Across::ALL.into_iter().zip(["500", "50000", "1000"]) {
            let lines = screen(folder.path(), Choices { cell: 0, quantity, across }, (80, 24));
            let title = format!(" {} against {}", quantity.name(), across.name());
            assert!(lines.iter().any(|line| line.contains(&title)), "{title} is missing in:\n{lines:#?}");
            let marks = lines.iter().position(|line| line.contains('└')).map(|place| &lines[place + 1]);
            let marks = marks.expect("an axis").trim_matches(['│', ' ']);
            assert!(marks.starts_with('0') && marks.ends_with(&format!(" {end}")), "{end}: {marks}");
        }
    }
}

#[test]
fn a_cell_that_has_not_begun_says_so() {
    let folder = tempfile::tempdir().unwrap();
    study(folder.path());
    let text = screen(folder.path(), Choices { cell: 2, ..Choices::default() }, (80, 24)).join("\n");
    for expected in
        [">.[.]  # done", "cell 2: coupling = 1.5\nwaiting", "no ESS yet", "nothing was logged yet"]
    {
        assert!(text.contains(expected), "{expected} is missing in:\n{text}");
    }
    std::fs::write(folder.path().join("spec.toml"), SPEC).unwrap();
    let text = screen(folder.path(), Choices::default(), (80, 24)).join("\n");
    assert!(text.starts_with("runs/study  1 cell: 1 waiting\ncell 0\nwaiting\n"), "{text}");
    assert!(text.ends_with("q quit   x axis   y quantity"), "{text}");
}

#[test]
fn only_who_works_on_a_cell_is_foretold_an_end() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("spec.toml"), SPEC).unwrap();
    std::fs::write(folder.path().join("train.csv"), format!("{TRAIN}{}", rows(400))).unwrap();
    let text = || screen(folder.path(), Choices::default(), (80, 24)).join("\n");
    assert!(text().contains("   20 min 00 s to go\ntrained for 13 min 20 s   "), "{}", text());
    std::fs::write(folder.path().join(".claim-000001"), CLAIM).unwrap();
    assert!(text().contains("   ETA 20 min 00 s\ntrained for 13 min 20 s   "), "{}", text());
    // Beyond the ESS that is asked for, and after the last step, there is no training to wait for.
    for last in
        ["0,401,40100,100,1e-3,-11,0.9,0.95,1,802,1e6", "0,1000,100000,100,1e-3,-11,0.9,0.5,1,2000,1e6"]
    {
        std::fs::write(folder.path().join("train.csv"), format!("{TRAIN}{}{last}\n", rows(400))).unwrap();
        assert!(!text().contains("ETA"), "{}", text());
    }
    // How long an ESS takes is not known: how far it has come is.
    std::fs::write(folder.path().join("train.csv"), format!("{TRAIN}{}", rows(400))).unwrap();
    std::fs::write(folder.path().join("spec.toml"), SPEC.replace("steps = 1000, ", "")).unwrap();
    assert!(!text().contains("ETA") && text().contains(" of 0.9 (last batch "), "{}", text());
}

#[test]
fn without_training_there_are_observables_and_chains() {
    let folder = tempfile::tempdir().unwrap();
    let spec = "version = 1\nseed = 1\nsample.hmc.trajectories = 20\n\
        theory.schwinger = { extents = [4, 4], beta = 2.0, kappa = 0.25 }\n";
    std::fs::write(folder.path().join("spec.toml"), spec).unwrap();
    let text = || screen(folder.path(), Choices::default(), (80, 24)).join("\n");
    assert!(text().contains("no observables yet"), "{}", text());
    let observable = |name: &str| format!("0,hmc,{name},0.69761,0.00052,1.25,0.04,,0.6977746579640077\n");
    let rows: String = ["plaquette", "pseudoscalar_1", "chiral_condensate"].map(observable).concat();
    let header = "cell,method,observable,value,error,tau_int,tau_int_err,tau_int_exact,exact\n";
    std::fs::write(folder.path().join("observables.csv"), format!("{header}{rows}")).unwrap();
    std::fs::write(folder.path().join("chains.csv"), "cell,method,acceptance\n0,hmc,0.91264\n").unwrap();
    let line = "│hmc plaquette          0.69761 +- 0.00052  tau 1.25  exact 0.69777            │";
    for expected in [line, "\nacceptance: hmc 0.9126\n", "│hmc chiral_condensate  "] {
        assert!(text().contains(expected), "{expected} is missing in:\n{}", text());
    }
    assert!(!text().contains("pseudoscalar"), "functions of the time have many lines:\n{}", text());
    let many: String = (0..40).map(|loops| observable(&format!("wilson_loop_{loops}"))).collect();
    std::fs::write(folder.path().join("observables.csv"), format!("{header}{many}")).unwrap();
    assert!(text().contains("more in observables.csv"), "{}", text());
}

#[test]
fn what_is_no_number_is_called_so_and_not_drawn() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("spec.toml"), SPEC).unwrap();
    let rows = "0,1,100,100,1e-3,NaN,NaN,NaN,inf,0,1e6\n0,2,200,100,1e-3,NaN,NaN,NaN,-inf,NaN,1e6\n0,3\n\n,,,,,,,,,,\n";
    std::fs::write(folder.path().join("train.csv"), format!("{TRAIN}{rows}")).unwrap();
    for quantity in Quantity::ALL {
        let text = screen(folder.path(), Choices { quantity, ..Choices::default() }, (80, 24)).join("\n");
        for expected in
            ["step 1 of 1000", "loss NaN\n", "gradient norm inf", "ESS training NaN of 0.9 (last batch NaN)"]
        {
            assert!(text.contains(expected), "{expected} is missing in:\n{text}");
        }
    }
}

#[test]
fn there_may_be_many_cells_and_long_names() {
    let folder = tempfile::tempdir().unwrap();
    let many: Vec<String> = (1..=300).map(|coupling| format!("{coupling}.0625")).collect();
    let vary = format!("[study.vary]\n\"theory.phi4.coupling\" = [{}]\n", many.join(", "));
    std::fs::write(folder.path().join("spec.toml"), format!("{SPEC}{vary}")).unwrap();
    let mut live = Live::open(folder.path()).unwrap();
    for (cell, size) in [0, 1, 150, 299].into_iter().flat_map(|cell| [(cell, (80, 24)), (cell, (200, 50))]) {
        let choices = Choices { cell, ..Choices::default() };
        live.look(cell).unwrap();
        let mut shown = shown(&live, choices, None);
        shown.run = "a/very/long/path".repeat(20);
        let lines = drawn(&shown, size);
        assert!(
            lines[0].starts_with('…') && lines[0].ends_with("path  300 cells: 300 waiting"),
            "{lines:#?}"
        );
        let text = lines.join("\n");
        assert!(text.contains(&format!("cell {cell}: coupling = {}.0625", cell + 1)), "{text}");
        match size {
            (80, _) => assert!(lines[1].contains("[.]") && lines[1].ends_with("! failed"), "{text}"),
            _ => assert!(text.contains(&format!("│. {cell}: coupling = {}.0625 ", cell + 1)), "{text}"),
        }
    }
}

#[test]
fn warnings_are_shown_as_a_whole_where_they_are_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    study(folder.path());
    let long = format!("2026-01-02T03:05:01Z warning: {}unmistakably\n", "the tail is heavy ".repeat(20));
    std::fs::write(folder.path().join("cells/0000/log.txt"), long).unwrap();
    let text =
        |quantity| screen(folder.path(), Choices { quantity, ..Choices::default() }, (80, 24)).join("\n");
    assert!(text(Quantity::Ess).contains(" …\nq quit"), "{}", text(Quantity::Ess));
    let panel = text(Quantity::Warnings);
    assert!(panel.contains("┌ warnings ──") && panel.contains("│warning: the tail"), "{panel}");
    assert!(panel.contains(" unmistakably"), "{panel}");
    let none = Choices { cell: 1, quantity: Quantity::Warnings, ..Choices::default() };
    assert!(screen(folder.path(), none, (80, 24)).join("\n").contains("│none "));
}

#[test]
fn no_size_is_too_small_or_too_large() {
    let folder = tempfile::tempdir().unwrap();
    study(folder.path());
    for quantity in Quantity::ALL {
        let choices = Choices { quantity, ..Choices::default() };
        for size in (1..60).map(|size| (size, size / 2 + 1)).chain([(2, 30), (30, 2), (121, 9), (500, 120)]) {
            let lines = screen(folder.path(), choices, size);
            assert_eq!(lines.len(), usize::from(size.1));
        }
    }
}
