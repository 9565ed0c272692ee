//! Figures for papers: named layouts, columns against each other, their numbers, and figures at the end of a run.

use super::support::{Sandbox, TINY, column, table};

/// A column of the numbers of a figure, of the rows of one series.
fn of_series(text: &str, series: &str, name: &str) -> Vec<f64> {
    let (header, rows) = table(text);
    let place = |name: &str| header.iter().position(|column| column == name).expect("a column");
    let rows = rows.into_iter().filter(|row| row[place("series")] == series);
    rows.map(|row| row[place(name)].parse().unwrap_or(f64::NAN)).collect()
}

#[test]
fn plot_lays_finished_studies_out_as_the_paper_does() {
    let sandbox = Sandbox::new();
    for (figure, labels) in [
        (
            "fig3",
            &[
                "1/λ",
                "training cost [samples]",
                "target ESS = 0.5",
                "mean of 3 seeds, band: its standard error",
            ][..],
        ),
        ("fig4", &["stage optimizer", "stage weights", "adadelta learning rate=1.0", "xavier gain=0.5"]),
        ("fig5", &["steps = 100", "steps = 5000", "ESS"]),
        ("fig6", &["K = 3, n_L = 16", "effective samples / s (direct)"]),
        ("fig7", &["κ = 0.263", "aM_π", "broken: ESS(V₀)^(V/V₀), V₀ the largest"]),
        ("fig8", &["n_L", "unit normal", "free field"]),
    ] {
        sandbox.copy(&format!("experiments/{figure}/cpu"), figure);
        let printed = sandbox.flowqcd(&["plot", figure, "--style", figure]).succeeds().stdout;
        assert_eq!(printed, format!("{figure}/figures/{figure}.svg\n{figure}/figures/{figure}.png\n"));
        let svg = sandbox.read(&format!("{figure}/figures/{figure}.svg"));
        for label in labels {
            assert!(svg.contains(&format!("\n{label}\n")), "{figure}.svg has no {label}");
        }
    }
    // What experiments/fig3/README.md and experiments/fig8/README.md have in their tables.
    let costs = of_series(&sandbox.read("fig3/figures/fig3.csv"), "target ESS = 0.5", "y");
    assert_eq!(
        costs.iter().map(|cost| cost.round()).collect::<Vec<_>>(),
        [1707.0, 5120.0, 12288.0, 18432.0, 23893.0, 34475.0]
    );
    let numbers = sandbox.read("fig8/figures/fig8.csv");
    let ess = of_series(&numbers, "free field", "y");
    let known = [0.611, 0.698, 0.731, 0.766];
    // The table is rounded to three digits, from numbers that were.
    assert!(
        ess.len() == 4 && ess.iter().zip(known).all(|(ess, known)| (ess - known).abs() < 1e-3),
        "{ess:?}"
    );
    // The standard error of two values is half of what they differ by.
    let of_seeds: Vec<f64> = {
        let (header, rows) = table(&sandbox.read("fig8/ess.csv"));
        let place = |name: &str| header.iter().position(|column| column == name).unwrap();
        let rows =
            rows.iter().filter(|row| row[place("layers")] == "4" && row[place("base")] != "unit_normal");
        rows.map(|row| row[place("ess")].parse().unwrap()).collect()
    };
    let ends = ["low", "high"].map(|end| of_series(&numbers, "free field", end)[0]);
    // Rounding of a mean and a square root.
    assert!((ends[1] - ends[0] - (of_seeds[0] - of_seeds[1]).abs()).abs() < 1e-12, "{ends:?} {of_seeds:?}");
    // Both panels of Fig. 7 have one colour for a mass.
    let masses = of_series(&sandbox.read("fig7/figures/fig7.csv"), "κ = 0.25", "y");
    assert_eq!(masses.len(), 10, "five volumes in two panels");
}

#[test]
fn plot_draws_one_column_against_another() {
    let sandbox = Sandbox::new();
    sandbox.copy("experiments/fig8/cpu", "study");
    let plot = |more: &[&str]| sandbox.flowqcd(&[&["plot", "study"], more].concat());
    plot(&["--x", "layers", "--y", "ess"]).succeeds();
    let numbers = sandbox.read("study/figures/ess_against_layers.csv");
    let ess = of_series(&numbers, "base = unit_normal", "y");
    assert_eq!(ess.iter().map(|ess| (ess * 1e3).round()).collect::<Vec<_>>(), [9.0, 180.0, 241.0, 168.0]);
    assert!(numbers.contains("standard_error"), "{numbers}");

    // Each cell is a point with its interval where nothing is a repeat.
    let one = ["--x", "layers", "--y", "chi_2", "--where", "seed=1", "--log", "y"];
    plot(&one).succeeds();
    let numbers = sandbox.read("study/figures/chi_2_against_layers.csv");
    assert_eq!(column(&numbers, "y").len(), 8);
    assert!(numbers.contains("interval_68") && !numbers.contains("standard_error"), "{numbers}");
    plot(&[&one[..], &["--errors", "none"]].concat()).succeeds();
    assert!(!sandbox.read("study/figures/chi_2_against_layers.csv").contains("interval_68"));
    plot(&["--x", "step", "--y", "grad_norm", "--group", "base", "--log", "xy"]).succeeds();
    let (_, rows) = table(&sandbox.read("study/figures/grad_norm_against_step.csv"));
    assert!(rows.iter().all(|row| ["base = unit_normal", "base = free_field"].contains(&row[1].as_str())));

    let refused = |more: &[&str], expected: &[&str]| {
        let finished = plot(more);
        assert_eq!(finished.code, Some(2), "{more:?}");
        for text in expected {
            assert!(finished.stderr.contains(text), "{more:?}: {}", finished.stderr);
        }
    };
    refused(
        &["--x", "layers", "--y", "loess"],
        &["--y = loess: there is no such column", "did you mean loss?"],
    );
    refused(
        &["--x", "layer", "--y", "ess"],
        &["--x = layer: there is no such column", "did you mean layers?"],
    );
    refused(&["--x", "layers", "--y", "ess", "--group", "bass"], &["--group = bass", "did you mean base?"]);
    refused(
        &["--x", "layers", "--y", "ess", "--errors", "es_err"],
        &["--errors = es_err", "did you mean ess_err?"],
    );
    refused(&["--x", "layers", "--y", "loss", "--log", "y"], &["--log y: loss goes down to -"]);
    refused(&["--y", "ess"], &["--x <KEY>"]);
    refused(&["--style", "fig9"], &["possible values: fig1, fig3", "a similar value exists"]);
    refused(&["--style", "fig1", "--x", "layers", "--y", "ess"], &["cannot be used with"]);
    refused(&["--style", "charge"], &["nothing to draw: --style charge needs"]);
    refused(&["--style", "fig5", "--x", "coupling"], &["--x = coupling: must vary over numbers"]);
    refused(&["--format", "gif"], &["possible values: svg, pdf, png"]);
}

#[test]
fn figures_for_papers_have_their_letters_with_them_and_are_the_same_again() {
    let sandbox = Sandbox::new();
    sandbox.copy("experiments/fig6/cpu", "study");
    let read =
        |folder: &str, kind: &str| std::fs::read(sandbox.path(&format!("{folder}/fig6.{kind}"))).unwrap();
    for folder in ["one", "two"] {
        let plot = ["plot", "study", "--style", "fig6", "--format", "svg,pdf,png", "--out", folder, "--json"];
        let printed = sandbox.flowqcd(&plot).succeeds().stdout;
        let drawn: serde_json::Value = serde_json::from_str(&printed).unwrap();
        assert_eq!(drawn["data"][0], format!("{folder}/fig6.csv"));
        assert_eq!(drawn["files"].as_array().unwrap().len(), 3);
    }
    for kind in ["svg", "pdf", "png", "csv"] {
        assert!(read("one", kind) == read("two", kind), "{kind}");
    }
    let pdf = String::from_utf8_lossy(&read("one", "pdf")).into_owned();
    for part in ["%PDF-", "/FontFile2", "/ToUnicode", "DejaVuSans", "/Identity-H"] {
        assert!(pdf.contains(part), "{part}");
    }
    // One of two columns is 86 mm wide, 244 points.
    assert!(pdf.contains("/MediaBox [0 0 244 "), "{}", &pdf[..600]);
}

#[test]
fn a_run_ends_with_its_figures_unless_it_is_told_not_to() {
    let sandbox = Sandbox::new();
    let hmc = "\n[sample.hmc]\nchains = 4\ntrajectories = 300\n";
    sandbox.write("tiny.toml", &(TINY.replace("steps = 1000", "steps = 40") + hmc));
    let run = |out: &str, more: &[&str]| {
        sandbox.flowqcd(&[&["run", "tiny.toml", "--out", out], more].concat()).succeeds()
    };
    assert!(run("run", &[]).stderr.contains("figures are in run/figures"));
    for name in ["training_ess", "training_loss", "correlator", "chain", "weights"] {
        for kind in ["svg", "png", "csv"] {
            assert!(sandbox.path(&format!("run/figures/{name}.{kind}")).is_file(), "{name}.{kind}");
        }
    }
    // Histograms and histories are those of their tables.
    let counts: f64 = column(&sandbox.read("run/weights.csv"), "configurations").iter().sum();
    assert_eq!(counts, 1500.0);
    let chain = sandbox.read("run/figures/chain.csv");
    let drawn = of_series(&chain, "hmc", "y");
    let (header, rows) = table(&sandbox.read("run/history.csv"));
    let place = |name: &str| header.iter().position(|column| column == name).unwrap();
    let first = rows.iter().filter(|row| row[place("chain")] == "0").count();
    // The last point of a line is there twice, in its column and for itself.
    assert_eq!(drawn.len(), first + 2, "two observables");

    let quiet = run("bare", &["--no-plots"]);
    assert!(!quiet.stderr.contains("figures are") && !sandbox.path("bare/figures").exists());
    assert_eq!(sandbox.read("bare/history.csv"), sandbox.read("run/history.csv"));
    // What cannot be drawn does not make a run fail.
    sandbox.write("bare/figures", "in the way");
    let warned = run("bare", &[]);
    assert!(warned.stderr.contains("warning: no figures: "), "{}", warned.stderr);
}

#[test]
fn a_single_run_has_its_place_among_the_cells_of_a_study() {
    let sandbox = Sandbox::new();
    let short = TINY.replace("steps = 1000", "steps = 20");
    sandbox.write("single.toml", &short);
    sandbox.write("study.toml", &(short.clone() + "\n[study.vary]\n\"theory.phi4.coupling\" = [0.5, 2.0]\n"));
    for name in ["single", "study"] {
        sandbox.flowqcd(&["run", &format!("{name}.toml"), "--no-plots"]).succeeds();
    }
    let plot = ["plot", "runs/study", "runs/single", "--x", "coupling", "--out", "both"];
    sandbox.flowqcd(&plot).succeeds();
    let numbers = sandbox.read("both/ess.csv");
    assert_eq!(of_series(&numbers, "single", "x"), [1.0]);
    assert_eq!(of_series(&numbers, "study", "x"), [0.5, 2.0]);
}
