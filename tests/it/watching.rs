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

/// A study whose first cell has these rows, and half a row.
fn study(sandbox: &Sandbox, steps: u32) {
    let row = |step: u32| format!("0,0.5,{step},{step}00,100,0.001,-10,0.5,0.25,2.5,{step},1e6\n");
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
            "sh -c 'echo $$ > pid; {environment} exec \"{program}\" watch run'; echo code $?; stty -a; exec sleep 600"
        );
        let size = [columns.to_string(), rows.to_string()];
        let opened = this.tmux(&[
            "-f",
            "/dev/null",
            "new-session",
            "-d",
            "-x",
            &size[0],
            "-y",
            &size[1],
            "sh",
            "-c",
            &script,
        ]);
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

    #[track_caller]
    fn shows(&self, text: &str) -> String {
        let mut screen = String::new();
        let is_there = || {
            screen = self.screen();
            screen.contains(text)
        };
        wait_until(text, is_there);
        screen
    }

    fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    /// Whether a program has the other screen, and whether the cursor is shown.
    fn state(&self) -> String {
        let state = self.tmux(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"]).stdout;
        String::from_utf8(state).expect("UTF-8").trim().to_owned()
    }

    /// Waits until the program has gone with this exit status; it must leave the terminal as it was.
    #[track_caller]
    fn ends(&self, code: u8) {
        // Once the script sleeps, everything has been said; a small window shows only the end of it.
        self.tmux(&["resize-window", "-x", "100", "-y", "40"]);
        let screen = self.shows(" echoctl");
        assert!(screen.contains(&format!("code {code}\n")), "{screen}");
        let settings: Vec<&str> = screen.split_whitespace().collect();
        for expected in ["icanon", "isig", "echo", "opost", "icrnl"] {
            assert!(settings.contains(&expected), "the terminal has no {expected}:\n{screen}");
        }
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
    let small = terminal.shows("step 40 of 1000");
    for expected in
        ["run  3 cells: 3 waiting", "[.]..  # done", "coupling = 0.5", "ETA 16 min 00 s", "q quit"]
    {
        assert!(small.contains(expected), "{expected} is missing in:\n{small}");
    }
    assert!(small.lines().all(|line| line.chars().count() <= 80), "{small}");
    let help = small.trim_end().lines().count();
    assert_eq!(help, 24, "the help is the last line:\n{small}");

    // Rows that come, the rest of the half one first.
    let path = sandbox.path("run/cells/0000/train.csv");
    let row = |step: u32| format!("0,0.5,{step},{step}00,100,0.001,-10,0.5,0.25,2.5,{step},1e6\n");
    let grown = std::fs::read_to_string(&path).unwrap();
    let rest = row(41).strip_prefix("0,0.5,41").unwrap().to_owned();
    std::fs::write(&path, grown + &rest + &row(42)).unwrap();
    terminal.shows("step 42 of 1000");

    terminal.press(&["x", "y"]);
    terminal.shows("loss against samples");
    terminal.press(&["Right", "n"]);
    terminal.shows("coupling = 1.5");
    terminal.press(&["Home"]);
    terminal.tmux(&["resize-window", "-x", "200", "-y", "50"]);
    let large = terminal.shows(". 2: coupling = 1.5");
    assert_eq!(large.trim_end().lines().count(), 50, "{large}");
    assert!(large.lines().any(|line| line.chars().count() > 150), "{large}");
    terminal.tmux(&["resize-window", "-x", "30", "-y", "8"]);
    wait_until("a small screen", || terminal.screen().lines().all(|line| line.chars().count() <= 30));
    terminal.press(&["q"]);
    terminal.ends(0);
}

#[test]
fn keys_and_signals_that_end_it_leave_the_terminal_as_it_was() {
    for (end, code) in [("q", 0), ("C-c", 130), ("TERM", 143), ("HUP", 129)] {
        let sandbox = Sandbox::new();
        study(&sandbox, 3);
        let Some(terminal) = Terminal::open(&sandbox, (80, 24), "NO_COLOR=1") else { return };
        terminal.shows("step 3 of 1000");
        assert_eq!(terminal.state(), "1 0", "it has a screen of its own without a cursor");
        match end {
            "TERM" | "HUP" => {
                sandbox.shell(&format!("kill -{end} $(cat pid)")).succeeds();
            }
            key => terminal.press(&[key]),
        }
        terminal.ends(code);
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
        let screen = terminal.shows("running since ");
        assert!(screen.contains("run  1 cell: 1 running"), "{screen}");
        let screen = terminal.shows("ESS fresh ");
        assert!(screen.contains(" of 100000000") && screen.contains("learning rate 0.00"), "{screen}");
    }
    run.kill().unwrap();
    run.wait().unwrap();
    if let Some(terminal) = &terminal {
        terminal.shows("1 waiting");
        terminal.press(&["Escape"]);
        terminal.ends(0);
    }
}

#[test]
fn without_a_terminal_status_is_pointed_to() {
    let sandbox = Sandbox::new();
    study(&sandbox, 3);
    let refused = sandbox.flowqcd(&["watch", "run"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (Some(2), ""));
    assert!(refused.stderr.contains("error: there is no terminal to draw on"), "{}", refused.stderr);
    assert!(refused.stderr.contains("hint: `flowqcd status run`"), "{}", refused.stderr);
    let refused = sandbox.flowqcd(&["watch", "nowhere"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("nowhere: is no run directory"), "{}", refused.stderr);
}
