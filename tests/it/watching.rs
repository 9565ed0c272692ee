//! The live view under a real terminal, which tmux plays: what it shows, and that it leaves everything as it was.

use super::support::{Sandbox, TINY, wait_until};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

const SPEC: &str = "version = 1\nseed = 1\nflow.affine = { layers = 4, kernel_size = 3, hidden = [6] }\n\
    theory.phi4 = { extents = [4, 4], mass_squared = 1.0, coupling = 0.5 }\n\
    train.batch.size = 100\ntrain.stop.steps = 1000\ntrain.optimizer.adam.learning_rate = 1e-3\n\
    [study.vary]\n\"theory.phi4.coupling\" = [0.5, 1.0, 1.5]\n";

const TRAIN: &str =
    "cell,coupling,step,samples,batch_size,learning_rate,loss,ess,ess_smoothed,grad_norm,wall_s,flops\n";

fn row(step: u32) -> String {
    format!("0,0.5,{step},{step}00,100,0.001,-10,0.5,0.25,2.5,{step},1e6\n")
}

/// A study whose first cell has these rows, and half a row.
fn study(sandbox: &Sandbox, steps: u32) {
    let rows: String = (1..=steps).map(row).collect();
    std::fs::create_dir_all(sandbox.path("run/cells/0000")).unwrap();
    sandbox.write("run/spec.toml", SPEC);
    sandbox.write("run/cells/0000/train.csv", &format!("{TRAIN}{rows}0,0.5,{}", steps + 1));
}

/// A terminal with a shell script in it, gone when this is dropped.
struct Terminal<'a> {
    sandbox: &'a Sandbox,
    server: String,
}

/// Names of tmux servers of this process.
static SERVERS: AtomicUsize = AtomicUsize::new(0);

impl<'a> Terminal<'a> {
    /// One of this size that watches `run`, and then says how that ended and how the terminal is; nothing where there is no tmux,
    /// unless `FLOWQCD_REQUIRE_TMUX` is set.
    fn open(sandbox: &'a Sandbox, (columns, rows): (u16, u16), environment: &str) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            assert!(std::env::var_os("FLOWQCD_REQUIRE_TMUX").is_none(), "no tmux, but it is required here");
            eprintln!("left out: there is no tmux");
            return None;
        }
        let number = SERVERS.fetch_add(1, Ordering::Relaxed);
        let this = Self { sandbox, server: format!("flowqcd-{}-{number}", std::process::id()) };
        let program = env!("CARGO_BIN_EXE_flowqcd");
        let script = format!(
            "sh -c 'echo $$ > pid; {environment} exec \"{program}\" watch run'; echo code $?; stty -a; echo over; exec sleep 600"
        );
        let (columns, rows) = (columns.to_string(), rows.to_string());
        let size = ["-x", &columns, "-y", &rows];
        let new = ["-f", "/dev/null", "new-session", "-d"];
        let opened = this.tmux(&[&new[..], &size, &["sh", "-c", &script]].concat());
        assert!(opened.status.success(), "{}", String::from_utf8_lossy(&opened.stderr));
        Some(this)
    }

    fn tmux(&self, arguments: &[&str]) -> Output {
        let mut tmux = Command::new("tmux");
        tmux.args(["-u", "-L", &self.server]).args(arguments).current_dir(self.sandbox.path(""));
        tmux.env_remove("TMUX").stdin(Stdio::null()).output().expect("tmux runs")
    }

    fn screen(&self) -> String {
        String::from_utf8(self.tmux(&["capture-pane", "-p"]).stdout).expect("UTF-8")
    }

    /// The screen once it is as it should be, which it becomes line by line.
    #[track_caller]
    fn once(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let start = std::time::Instant::now();
        loop {
            let screen = self.screen();
            if is_so(&screen) {
                return screen;
            }
            assert!(start.elapsed().as_secs() < 60, "waited in vain for {what}:\n{screen}");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    #[track_caller]
    fn shows(&self, texts: &[&str]) -> String {
        self.once(&texts.join("; "), |screen| texts.iter().all(|text| screen.contains(text)))
    }

    fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    fn resize(&self, columns: u16, rows: u16) {
        let resized =
            self.tmux(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]).status;
        assert!(resized.success(), "tmux resizes");
    }

    /// Whether a program has the other screen, and whether the cursor is shown.
    fn state(&self) -> String {
        let state = self.tmux(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"]).stdout;
        String::from_utf8(state).expect("UTF-8").trim().to_owned()
    }

    /// Waits until the program has gone with this exit status; it must leave the terminal as it was.
    #[track_caller]
    fn ends(&self, code: u8) {
        let screen = self.shows(&["\nover\n"]);
        let settings: Vec<&str> = screen.split_whitespace().collect();
        for expected in ["icanon", "isig", "echo", "opost", "icrnl"] {
            assert!(settings.contains(&expected), "the terminal has no {expected}:\n{screen}");
        }
        // The first line that is free is where it was, but for what the shell says of a signal, and nothing of the view is left.
        let code = format!("code {code}");
        assert!(screen.lines().take(2).any(|line| line == code), "no {code} in:\n{screen}");
        assert!(!screen.contains(['│', '└', '⠉']) && !screen.contains("step "), "{screen}");
        assert_eq!(self.state(), "0 1", "the screen and the cursor are back");
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

#[test]
fn the_view_fills_a_small_and_a_large_terminal_and_follows_the_files() {
    let sandbox = Sandbox::new();
    study(&sandbox, 40);
    let Some(terminal) = Terminal::open(&sandbox, (80, 24), "") else { return };
    let small = terminal.shows(&[
        "run  3 cells: 3 waiting",
        "[.]..  # done > running . waiting ! failed",
        "cell 0: coupling = 0.5",
        "step 40 of 1000   samples 4000   batch 100   learning rate 0.001   loss -10.000",
        "gradient norm 2.5   samples/s 100   16 min 00 s to go   trained for 40 s",
        "ESS training 0.25 (last batch 0.5)",
        " ESS against training steps: line training ",
        "nothing was logged yet",
        "Home/End",
    ]);
    assert!(small.lines().all(|line| line.chars().count() <= 80), "{small}");
    assert_eq!(small.trim_end().lines().count(), 24, "the help is the last line:\n{small}");

    // Rows that come, the rest of the half one first.
    let path = sandbox.path("run/cells/0000/train.csv");
    let grown = std::fs::read_to_string(&path).unwrap();
    let rest = row(41).strip_prefix("0,0.5,41").unwrap().to_owned();
    std::fs::write(&path, grown + &rest + &row(42)).unwrap();
    terminal.shows(&["step 42 of 1000"]);

    terminal.press(&["x", "y"]);
    terminal.shows(&["loss against training samples"]);
    terminal.press(&["Right", "n"]);
    terminal.shows(&["coupling = 1.5", "..[.]"]);
    terminal.press(&["Home"]);
    terminal.resize(200, 50);
    let large = terminal.shows(&["│. 2: coupling = 1.5 ", "step 42 of 1000", "┐\n", "Home/End"]);
    assert_eq!(large.trim_end().lines().count(), 50, "the help is the last line:\n{large}");
    assert!(large.lines().any(|line| line.chars().count() == 200), "{large}");
    terminal.resize(30, 8);
    terminal
        .once("a small screen", |screen| screen.starts_with("run  3 cells") && !screen.contains("Home/End"));
    terminal.resize(80, 24);
    terminal.shows(&["Home/End"]);
    terminal.press(&["q"]);
    terminal.ends(0);
}

#[test]
fn keys_and_signals_that_end_it_leave_the_terminal_as_it_was() {
    for (end, code) in [("q", 0), ("C-c", 130), ("TERM", 143), ("HUP", 129), ("INT", 130), ("TERM HUP", 0)] {
        let sandbox = Sandbox::new();
        study(&sandbox, 3);
        let Some(terminal) = Terminal::open(&sandbox, (100, 30), "NO_COLOR=1") else { return };
        terminal.shows(&["step 3 of 1000", "Home/End"]);
        assert_eq!(terminal.state(), "1 0", "it has a screen of its own without a cursor");
        let send = |signal: &str| sandbox.shell(&format!("kill -{signal} $(cat pid)"));
        match end {
            // As services end: whichever is heard first.
            "TERM HUP" => {
                sandbox.shell("kill -TERM $(cat pid); kill -HUP $(cat pid)");
                let screen = terminal.shows(&["\nover\n"]);
                terminal.ends(if screen.contains("code 143\n") { 143 } else { 129 });
            }
            "TERM" | "HUP" | "INT" => {
                send(end).succeeds();
                terminal.ends(code);
            }
            key => {
                terminal.press(&[key]);
                terminal.ends(code);
            }
        }
    }
}

#[test]
fn it_does_not_outlive_its_terminal() {
    let sandbox = Sandbox::new();
    study(&sandbox, 3);
    let Some(terminal) = Terminal::open(&sandbox, (80, 24), "") else { return };
    terminal.shows(&["step 3 of 1000"]);
    assert_eq!(sandbox.shell("kill -0 $(cat pid)").code, Some(0), "it runs");
    terminal.tmux(&["kill-server"]);
    wait_until("its end", || sandbox.shell("kill -0 $(cat pid)").code != Some(0));
}

#[test]
fn no_colours_are_used() {
    let sandbox = Sandbox::new();
    study(&sandbox, 3);
    for environment in ["NO_COLOR=1", "COLORTERM=truecolor"] {
        let Some(terminal) = Terminal::open(&sandbox, (80, 24), environment) else { return };
        terminal.shows(&["step 3 of 1000", "Home/End"]);
        let screen = String::from_utf8(terminal.tmux(&["capture-pane", "-p", "-e"]).stdout).expect("UTF-8");
        let attributes = screen.split("\u{1b}[").skip(1).filter_map(|rest| Some(rest.split_once('m')?.0));
        let attributes: Vec<&str> = attributes.flat_map(|all| all.split(';')).collect();
        assert!(attributes.contains(&"1") && attributes.contains(&"7"), "bold and reversed: {attributes:?}");
        // Of colours only the end is named: those of the terminal.
        assert!(attributes.iter().all(|one| ["0", "1", "7", "39", "49"].contains(one)), "{attributes:?}");
    }
}

#[test]
fn a_run_of_this_program_is_shown_while_it_runs() {
    let sandbox = Sandbox::new();
    sandbox.write("tiny.toml", &TINY.replace("steps = 1000", "steps = 100000000"));
    let mut run = sandbox.start(&["run", "tiny.toml", "--out", "run", "--quiet"]);
    wait_until("the run begins", || sandbox.path("run/train.csv").exists());
    let terminal = Terminal::open(&sandbox, (80, 24), "");
    if let Some(terminal) = &terminal {
        let texts =
            ["run  1 cell: 1 running", "running since ", " of 100000000", "learning rate 0.00", "ETA "];
        let first = terminal.shows(&[&texts[..], &["samples/s ", "ESS fresh ", "ESS training "]].concat());
        let steps = first.lines().find(|line| line.starts_with("step "));
        terminal
            .once("further steps", |screen| screen.lines().find(|line| line.starts_with("step ")) != steps);
    }
    run.kill().unwrap();
    run.wait().unwrap();
    if let Some(terminal) = &terminal {
        terminal.shows(&["1 waiting"]);
        terminal.press(&["Escape"]);
        terminal.ends(0);
    }
}

#[test]
fn a_finished_run_without_a_model_is_shown() {
    let sandbox = Sandbox::new();
    let spec = "version = 1\nseed = 1\nsample.hmc = { chains = 2, trajectories = 50 }\n\
                theory.schwinger = { extents = [4, 4], beta = 1.0, kappa = 0.0 }\n";
    sandbox.write("hmc.toml", spec);
    sandbox.flowqcd(&["run", "hmc.toml", "--out", "run", "--quiet"]).succeeds();
    let Some(terminal) = Terminal::open(&sandbox, (80, 24), "") else { return };
    let found = [
        "run  1 cell: 1 done",
        "done at ",
        "acceptance: hmc ",
        " observables ",
        "hmc plaquette ",
        "finished",
    ];
    terminal.shows(&found);
    terminal.press(&["q"]);
    terminal.ends(0);
}

#[test]
fn without_a_terminal_or_a_run_it_says_so() {
    let sandbox = Sandbox::new();
    study(&sandbox, 3);
    let refused = sandbox.flowqcd(&["watch", "run"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
    assert!(refused.stderr.contains("error: there is no terminal to draw on"), "{}", refused.stderr);
    assert!(refused.stderr.contains("hint: `flowqcd status run`"), "{}", refused.stderr);
    for nowhere in ["nowhere", "run/cells/0001"] {
        let refused = sandbox.flowqcd(&["watch", nowhere]);
        assert_eq!(refused.code, Some(2));
        assert!(refused.stderr.contains(&format!("{nowhere}: is no run directory")), "{}", refused.stderr);
    }
}
